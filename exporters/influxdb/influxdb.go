// Package influxdb is the exporter `influxdb`: it writes metrics and logs as
// line protocol to the write APIs of InfluxDB 1.x and 2.x and of the servers
// that speak like them. Each point is stored, or counted as lost with a reason;
// a point that the server refuses never takes its neighbours with it.
package influxdb

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// influxExporter writes one signal. Its methods may be called concurrently.
type influxExporter struct {
	target
	client    *http.Client
	transport confighttp.ClientConfig
	set       component.TelemetrySettings
	tel       *telemetry
	userAgent string
	secrets   []string
	now       func() time.Time

	maxLines, maxBytes int
	// maxDelay bounds what a server may ask for: a longer delay would end the
	// retries and with them the data.
	maxDelay time.Duration

	unit            int64 // nanoseconds in a timestamp's unit
	schema          string
	integers        bool
	tagFilter       ResourceTags
	logsMeasurement string
	logAttributes   string
	dimensions      []string

	batches sync.Pool
}

func newInfluxExporter(c *Config, set exporter.Settings, precision string) (*influxExporter, error) {
	t, err := newTarget(c, precision)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(set.ID, set.TelemetrySettings, time.Now)
	if err != nil {
		return nil, err
	}
	e := &influxExporter{
		target:          t,
		transport:       c.ClientConfig,
		set:             set.TelemetrySettings,
		tel:             tel,
		userAgent:       fmt.Sprintf("%s/%s (%s/%s)", set.BuildInfo.Command, set.BuildInfo.Version, runtime.GOOS, runtime.GOARCH),
		now:             time.Now,
		maxLines:        c.PayloadMaxLines,
		maxBytes:        c.PayloadMaxBytes,
		maxDelay:        time.Hour,
		unit:            divisor(precision),
		schema:          c.MetricsSchema,
		integers:        c.IntegerFields,
		tagFilter:       c.ResourceTags,
		logsMeasurement: text{changed: new(changes)}.measurement(c.LogsMeasurement),
		logAttributes:   c.LogAttributes,
		dimensions:      c.LogRecordDimensions,
	}
	if limit := c.RetryConfig.MaxElapsedTime / 2; limit > 0 {
		e.maxDelay = min(e.maxDelay, limit)
	}
	for _, secret := range []string{string(c.Token), string(c.V1Compatibility.Password)} {
		if len(secret) >= 4 { // a shorter one would cut common words to pieces
			e.secrets = append(e.secrets, secret)
		}
	}
	return e, nil
}

func (e *influxExporter) start(ctx context.Context, host component.Host) error {
	client, err := e.transport.ToClient(ctx, host.GetExtensions(), e.set)
	if err != nil {
		return fmt.Errorf("influxdb: create HTTP client: %w", err)
	}
	client.CheckRedirect = stayPost
	e.client = client
	return nil
}

func (e *influxExporter) shutdown(context.Context) error {
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
	return nil
}

func (e *influxExporter) pushMetrics(ctx context.Context, md pmetric.Metrics) error {
	b := e.batch(ctx)
	defer e.release(b)
	err := b.metrics(md)
	if err == nil {
		err = b.flush()
	}
	if err == nil {
		return b.outcome()
	}
	if b.settled > 0 {
		return consumererror.NewMetrics(err, metricsAfter(md, b.settled))
	}
	return err
}

func (e *influxExporter) pushLogs(ctx context.Context, ld plog.Logs) error {
	b := e.batch(ctx)
	defer e.release(b)
	err := b.encodeLogs(ld)
	if err == nil {
		err = b.flush()
	}
	if err == nil {
		return b.outcome()
	}
	if b.settled > 0 {
		return consumererror.NewLogs(err, logsAfter(ld, b.settled))
	}
	return err
}

func (e *influxExporter) batch(ctx context.Context) *batch {
	b, _ := e.batches.Get().(*batch)
	if b == nil {
		b = &batch{e: e, keys: make(map[float64]string)}
	}
	b.reset(ctx, e.now())
	return b
}

// release keeps a batch for the next request, unless it has grown huge.
func (e *influxExporter) release(b *batch) {
	b.ctx = nil
	if cap(b.line.buf) <= 2*e.maxBytes {
		e.batches.Put(b)
	}
}

// outcome is an error only if not one point of the request was stored.
func (b *batch) outcome() error {
	if b.lost == 0 || b.delivered > 0 || b.skipped > 0 {
		return nil
	}
	return consumererror.NewPermanent(fmt.Errorf(
		"influxdb: write to %s: none of %d points stored: see obsd_influxdb_points and the warnings for the reasons", b.e.shown, b.lost))
}

func (e *influxExporter) keepsTag(key string) bool {
	covered := func(p string) bool { return matches(p, key) }
	return (len(e.tagFilter.Include) == 0 || slices.ContainsFunc(e.tagFilter.Include, covered)) &&
		!slices.ContainsFunc(e.tagFilter.Exclude, covered)
}

// nanos returns ts, or now where there is none. It reports false for a time
// that InfluxDB cannot hold.
func (b *batch) nanos(ts pcommon.Timestamp) (int64, bool) {
	const latest = 1<<63 - 2
	if ts == 0 {
		return b.now.UnixNano() / b.e.unit, true
	}
	return int64(ts) / b.e.unit, ts <= latest
}

// metricsAfter returns a copy of md without its first n data points.
func metricsAfter(md pmetric.Metrics, n int) pmetric.Metrics {
	rest := pmetric.NewMetrics()
	md.CopyTo(rest)
	rest.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				n = removePoints(m, n)
				return pointCount(m) == 0
			})
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
	return rest
}

// logsAfter returns a copy of ld without its first n records.
func logsAfter(ld plog.Logs, n int) plog.Logs {
	rest := plog.NewLogs()
	ld.CopyTo(rest)
	rest.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				n--
				return n >= 0
			})
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	return rest
}
