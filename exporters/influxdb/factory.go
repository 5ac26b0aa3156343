package influxdb

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
)

// NewFactory returns the factory of the `influxdb` exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("influxdb"),
		createDefaultConfig,
		exporter.WithMetrics(createMetrics, component.StabilityLevelBeta),
		exporter.WithLogs(createLogs, component.StabilityLevelBeta),
	)
}

func createDefaultConfig() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	keepalive := confighttp.NewDefaultKeepaliveClientConfig()
	keepalive.MaxIdleConnsPerHost = queue.NumConsumers
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	client.Compression = configcompression.TypeGzip
	client.Keepalive = configoptional.Some(keepalive)
	return &Config{
		ClientConfig: client,
		QueueConfig:  configoptional.Some(queue),
		RetryConfig:  configretry.NewDefaultBackOffConfig(),
		Precision:    PrecisionNanoseconds,
		// What InfluxData recommends as the best size of a write.
		PayloadMaxLines: 10_000,
		PayloadMaxBytes: 10_000_000,
		MetricsSchema:   SchemaTelegrafPrometheusV1,
		ResourceTags:    ResourceTags{Exclude: []string{"k8s.*.uid"}},
		LogsMeasurement: "logs",
		LogRecordDimensions: []string{
			"service.name", "host.name",
			"k8s.namespace.name", "k8s.pod.name", "k8s.container.name",
		},
		LogAttributes: LogAttributesJSON,
	}
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	c := cfg.(*Config)
	e, err := newInfluxExporter(c, set, c.Precision)
	if err != nil {
		return nil, err
	}
	base, err := exporterhelper.NewMetrics(ctx, set, cfg, e.pushMetrics,
		options(e, c, consumer.Capabilities{MutatesData: false})...)
	if err != nil {
		return nil, err
	}
	return &metricsExporter{Metrics: base}, nil
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	c := cfg.(*Config)
	// Logs are always written in nanoseconds: see README, "Logs".
	e, err := newInfluxExporter(c, set, PrecisionNanoseconds)
	if err != nil {
		return nil, err
	}
	base, err := exporterhelper.NewLogs(ctx, set, cfg, e.pushLogs,
		options(e, c, consumer.Capabilities{MutatesData: true})...)
	if err != nil {
		return nil, err
	}
	return &logsExporter{Logs: base, stamper: newStamper(e.dimensions, time.Now, e.tel)}, nil
}

func options(e *influxExporter, c *Config, caps consumer.Capabilities) []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
		exporterhelper.WithCapabilities(caps),
		// A batch may take several requests; the HTTP client bounds each of them.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithRetry(c.RetryConfig),
		exporterhelper.WithQueue(c.QueueConfig),
	}
}

// once makes Shutdown safe to call more than once.
type once struct {
	mu   sync.Mutex
	done bool
}

func (o *once) do(ctx context.Context, shutdown func(context.Context) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return nil
	}
	o.done = true
	return shutdown(ctx)
}

type metricsExporter struct {
	exporter.Metrics
	once once
}

// Shutdown implements component.Component.
func (m *metricsExporter) Shutdown(ctx context.Context) error {
	return m.once.do(ctx, m.Metrics.Shutdown)
}

type logsExporter struct {
	exporter.Logs
	stamper *stamper
	once    once
}

// ConsumeLogs gives each record a time of its own before it enters the queue,
// so that a retry, also one after a restart, writes the same points again.
func (l *logsExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if ld.IsReadOnly() {
		own := plog.NewLogs()
		ld.CopyTo(own)
		ld = own
	}
	l.stamper.stamp(ctx, ld)
	return l.Logs.ConsumeLogs(ctx, ld)
}

// Shutdown implements component.Component.
func (l *logsExporter) Shutdown(ctx context.Context) error {
	return l.once.do(ctx, l.Logs.Shutdown)
}
