// Package prometheus is the `prometheus` exporter: it keeps the latest point of
// each series in memory and answers the scrapes of a Prometheus server.
//
// Points go through one translator per batch into one store. A known series
// costs a hash of its attributes and one map look-up; names and labels are
// built only when a series is new. A scrape copies the numbers out under the
// lock and writes them, in the format the scraper asks for, without it.
//
// One series that contradicts another is left out and counted. It never fails
// the scrape of the others.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/promhttp/zstd" // promhttp offers zstd only with it
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	// metricsPath is where scrapers find the exposition.
	metricsPath = "/metrics"
	// scrapeGrace is how long a scrape under way may hold up a shutdown.
	scrapeGrace = 5 * time.Second
)

// metricsExporter is one endpoint with its store.
type metricsExporter struct {
	cfg      *Config
	settings exporter.Settings
	names    *namer
	store    *store
	drops    *drops
	hash     hasher
	constant []label
	gatherer *gatherer

	server       *http.Server
	stop         context.CancelFunc // nil while not started
	running      sync.WaitGroup
	registration otelmetric.Registration
}

func newExporter(cfg *Config, set exporter.Settings) (*metricsExporter, error) {
	d, err := newDrops(set.TelemetrySettings, set.ID)
	if err != nil {
		return nil, fmt.Errorf("prometheus: make instruments: %w", err)
	}
	names := newNamer(cfg)
	e := &metricsExporter{
		cfg: cfg, settings: set, names: names, drops: d,
		store:    newStore(cfg, names),
		hash:     newHasher(),
		constant: constLabels(cfg, names),
	}
	e.gatherer = &gatherer{store: e.store, sendTimestamps: cfg.SendTimestamps}
	return e, nil
}

// consume never fails: what cannot be exposed is counted with its reason.
func (e *metricsExporter) consume(ctx context.Context, md pmetric.Metrics) error {
	t := &translator{
		cfg: e.cfg, names: e.names, store: e.store, hash: e.hash,
		constant: e.constant, now: time.Now(), labels: labelSet{names: e.names},
	}
	t.consume(md)
	e.drops.add(ctx, t.dropped, t.now)
	return nil
}

func (e *metricsExporter) start(ctx context.Context, host component.Host) error {
	listener, err := e.cfg.HTTP.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("prometheus: listen on %q: %w", e.cfg.HTTP.NetAddr.Endpoint, err)
	}
	mux := http.NewServeMux()
	mux.Handle(metricsPath, e.handler())
	e.server, err = e.cfg.HTTP.ToServer(ctx, host.GetExtensions(), e.settings.TelemetrySettings, mux)
	if err != nil {
		return errors.Join(fmt.Errorf("prometheus: make server for %q: %w", e.cfg.HTTP.NetAddr.Endpoint, err), listener.Close())
	}
	if err := e.observe(); err != nil {
		return errors.Join(fmt.Errorf("prometheus: make instruments: %w", err), listener.Close())
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.running.Go(func() { e.serve(listener, host) })
	e.running.Go(func() { e.sweepUntil(sweeping) })
	e.settings.Logger.Info("metrics can be scraped", zap.String("endpoint", listener.Addr().String()), zap.String("path", metricsPath))
	return nil
}

func (e *metricsExporter) handler() http.Handler {
	return promhttp.HandlerForTransactional(e.gatherer, promhttp.HandlerOpts{
		ErrorLog:          scrapeLog{e.settings.Logger},
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: e.cfg.EnableOpenMetrics,
	})
}

// scrapeLog takes what promhttp has to say about a response that could not be written.
type scrapeLog struct{ logger *zap.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) {
	l.logger.Warn("scrape not answered in full", zap.String("cause", fmt.Sprint(v...)))
}

func (e *metricsExporter) serve(listener net.Listener, host component.Host) {
	if err := e.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(
			fmt.Errorf("prometheus: serve %q: %w", e.cfg.HTTP.NetAddr.Endpoint, err)))
	}
}

// observe exposes how many series are held and how many have expired.
func (e *metricsExporter) observe() error {
	meter := e.settings.MeterProvider.Meter(meterName)
	held, err := meter.Int64ObservableGauge("obsd_prometheus_series",
		otelmetric.WithDescription("Series held for scrapes."), otelmetric.WithUnit("{series}"))
	if err != nil {
		return err
	}
	expired, err := meter.Int64ObservableCounter("obsd_prometheus_expired_series",
		otelmetric.WithDescription("Series removed because no new point came within metric_expiration."), otelmetric.WithUnit("{series}"))
	if err != nil {
		return err
	}
	id := otelmetric.WithAttributes(e.drops.id)
	e.registration, err = meter.RegisterCallback(func(_ context.Context, o otelmetric.Observer) error {
		now, gone := e.store.stats()
		o.ObserveInt64(held, now, id)
		o.ObserveInt64(expired, gone, id)
		return nil
	}, held, expired)
	return err
}

// sweepUntil removes expired series whether or not anybody scrapes, until ctx is done.
func (e *metricsExporter) sweepUntil(ctx context.Context) {
	every := 30 * time.Second
	if e.cfg.MetricExpiration > 0 {
		every = min(max(e.cfg.MetricExpiration/10, 100*time.Millisecond), every)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.store.sweepLocked()
		case <-ctx.Done():
			return
		}
	}
}

// shutdown frees the port before it returns, so that a reloaded configuration
// can listen on it. Scrapes under way may end, for a while.
func (e *metricsExporter) shutdown(ctx context.Context) error {
	if e.stop == nil {
		return nil
	}
	e.stop()
	e.stop = nil
	ctx, cancel := context.WithTimeout(ctx, scrapeGrace)
	defer cancel()
	err := e.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("prometheus: end scrapes of %q: %w", e.cfg.HTTP.NetAddr.Endpoint, err), e.server.Close())
	}
	e.running.Wait()
	return errors.Join(err, e.registration.Unregister())
}
