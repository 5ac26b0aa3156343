package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/heapster"
	"github.com/obsd-io/obsd/internal/quiet"
)

// stale is how long without a batch /healthz stays content.
const stale = 3 * time.Minute

// ownRoutes tell of the extension itself.
func (m *Model) ownRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) { m.tel.page.ServeHTTP(w, r) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		switch updated := m.store.stats().updated; {
		case updated.IsZero():
			http.Error(w, "no metrics have come yet: is there a k8s_aggregate processor with this extension as its model?", http.StatusServiceUnavailable)
		case time.Since(updated) > stale:
			http.Error(w, fmt.Sprintf("the newest metrics came %v ago", time.Since(updated).Round(time.Second)), http.StatusServiceUnavailable)
		default:
			_, _ = w.Write([]byte("ok\n")) // a client that went away is not our concern
		}
	})
}

// stats is what the store is filled with.
type stats struct {
	objects map[heapster.Type]int
	series  int
	dropped int64
	updated time.Time
	reports map[string]time.Time // by node, when it last reported
}

func (s *store) stats() stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := stats{objects: make(map[heapster.Type]int), series: s.series, dropped: s.dropped, updated: s.updated, reports: make(map[string]time.Time)}
	for _, o := range s.objects {
		st.objects[o.kind]++
	}
	maps.Copy(st.reports, s.reports)
	return st
}

// telemetry holds the extension's own instruments: those of the Collector, and those on its own page.
type telemetry struct {
	log          *zap.Logger
	page         http.Handler
	requests     *prometheus.CounterVec
	duration     prometheus.Summary
	dropped      metric.Int64Counter
	registration metric.Registration
	warned       quiet.Limit
}

func newTelemetry(set extension.Settings, s *store, heapsterNames bool) (*telemetry, error) {
	t := &telemetry{log: set.Logger}
	t.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "obsd_model_http_requests_total", Help: "Answered requests, by status."}, []string{"code"})
	t.duration = prometheus.NewSummary(prometheus.SummaryOpts{Name: "obsd_model_consume_duration_seconds", Help: "Time to take a batch."})
	registry := prometheus.NewRegistry()
	registry.MustRegister(t.requests, t.duration, &figures{store: s, heapster: heapsterNames})
	if heapsterNames {
		registry.MustRegister(renamed{t.duration})
	}
	t.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	meter := set.MeterProvider.Meter("github.com/obsd-io/obsd/extensions/model")
	var errs [4]error
	t.dropped, errs[0] = meter.Int64Counter("obsd_model_dropped", metric.WithUnit("{value}"),
		metric.WithDescription("Values of series beyond max_series."))
	series, err := meter.Int64ObservableGauge("obsd_model_series", metric.WithUnit("{series}"), metric.WithDescription("Series that are held."))
	errs[1] = err
	objects, err := meter.Int64ObservableGauge("obsd_model_objects", metric.WithUnit("{object}"), metric.WithDescription("Objects that are held, by type."))
	errs[2] = err
	t.registration, errs[3] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		st := s.stats()
		o.ObserveInt64(series, int64(st.series))
		for kind, n := range st.objects {
			o.ObserveInt64(objects, int64(n), metric.WithAttributes(attribute.String("type", string(kind))))
		}
		return nil
	}, series, objects)
	return t, errors.Join(errs[:]...)
}

// consumed counts a batch, and tells of dropped values once a minute.
func (t *telemetry) consumed(ctx context.Context, took time.Duration, dropped int) {
	t.duration.Observe(took.Seconds())
	if dropped == 0 {
		return
	}
	t.dropped.Add(ctx, int64(dropped))
	if t.warned.Allow("", time.Now()) {
		t.log.Warn("model: values dropped: there are more than max_series series; more within a minute are only counted",
			zap.Int("values", dropped), zap.String("mend", "raise max_series, or feed the model less"))
	}
}

// count counts the answers of a handler.
func (t *telemetry) count(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(t.requests, h)
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister() // it fails only when it was done before
		t.registration = nil
	}
}

// figures reads the store when the page is asked for.
type figures struct {
	store    *store
	heapster bool
}

// Describe says nothing, so that the metrics may differ from one time to the next.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect gives the figures, and those that go by Heapster's names.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	st := f.store.stats()
	put := func(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
		var keys, values []string
		for i := 0; i < len(labels); i += 2 {
			keys, values = append(keys, labels[i]), append(values, labels[i+1])
		}
		if m, err := prometheus.NewConstMetric(prometheus.NewDesc(name, help, keys, nil), kind, v, values...); err == nil {
			out <- m // what cannot be written is a node whose name is no text
		}
	}
	for kind, n := range st.objects {
		put(prometheus.GaugeValue, "obsd_model_objects", "Objects that are held.", float64(n), "type", string(kind))
	}
	put(prometheus.GaugeValue, "obsd_model_series", "Series that are held.", float64(st.series))
	put(prometheus.CounterValue, "obsd_model_dropped_total", "Values of series beyond max_series.", float64(st.dropped))
	if st.updated.IsZero() {
		return
	}
	put(prometheus.GaugeValue, "obsd_model_last_batch_timestamp_seconds", "When the newest batch came.", seconds(st.updated))
	if !f.heapster {
		return
	}
	put(prometheus.GaugeValue, "heapster_exporter_last_time_seconds", "When the newest batch came.", seconds(st.updated), "exporter", "Metric Sink")
	for node, at := range st.reports {
		put(prometheus.GaugeValue, "heapster_scraper_last_time_seconds", "When a node last reported.", seconds(at), "source", "kubelet_summary:"+node)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// renamed is the duration of batches as Heapster had it, in milliseconds.
type renamed struct{ from prometheus.Summary }

// Describe says nothing, as the metric is made anew each time.
func (renamed) Describe(chan<- *prometheus.Desc) {}

// Collect gives the summary in milliseconds.
func (r renamed) Collect(out chan<- prometheus.Metric) {
	var m dto.Metric
	if r.from.Write(&m) != nil {
		return
	}
	desc := prometheus.NewDesc("heapster_exporter_duration_milliseconds", "Time to take a batch.", nil, prometheus.Labels{"exporter": "Metric Sink"})
	if m, err := prometheus.NewConstSummary(desc, m.GetSummary().GetSampleCount(), m.GetSummary().GetSampleSum()*1000, nil); err == nil {
		out <- m
	}
}
