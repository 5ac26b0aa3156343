package prometheus

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
)

const (
	defaultEndpoint   = "127.0.0.1:9464"
	defaultExpiration = 5 * time.Minute
	defaultMaxSeries  = 1_000_000
)

// Config is what a user may set under `exporters: prometheus:`. Every field has
// a default, so an empty section is a whole configuration.
type Config struct {
	// HTTP is the server that answers scrapes: `endpoint` (default
	// 127.0.0.1:9464, so nothing is reachable from other machines until you say
	// so), `tls`, `auth`, `cors`, `response_headers`, `read_header_timeout`,
	// `write_timeout` and the other settings of the Collector's HTTP servers.
	HTTP confighttp.ServerConfig `mapstructure:",squash"`

	// Namespace is put in front of every metric name, with an underscore
	// between.
	Namespace string `mapstructure:"namespace"`

	// ConstLabels are put on every series. An attribute that would get the same
	// label name is exposed as `exported_<name>`.
	ConstLabels map[string]string `mapstructure:"const_labels"`

	// SendTimestamps writes the time of each point into the exposition. Without
	// it Prometheus takes the time of the scrape, which is what its staleness
	// handling wants; switch it on only for data that arrives late.
	SendTimestamps bool `mapstructure:"send_timestamps"`

	// MetricExpiration is how long a series is exposed after its last new point.
	// It runs whether or not anybody scrapes. 0 keeps every series for ever.
	MetricExpiration time.Duration `mapstructure:"metric_expiration"`

	// ResourceToTelemetry turns resource attributes into labels.
	ResourceToTelemetry ResourceToTelemetry `mapstructure:"resource_to_telemetry_conversion"`

	// PromoteResourceAttributes names the resource attributes that become labels
	// of every series although `resource_to_telemetry_conversion` is off. The
	// default is the Kubernetes and container names without which two pods of
	// one node, or two workloads of one namespace, would share a series. `[]`
	// promotes none.
	PromoteResourceAttributes []string `mapstructure:"promote_resource_attributes"`

	// EnableOpenMetrics lets a scraper that asks for OpenMetrics have it. The
	// classic text format has no exemplars.
	EnableOpenMetrics bool `mapstructure:"enable_open_metrics"`

	// WithoutScopeInfo leaves out the otel_scope_name, otel_scope_version,
	// otel_scope_schema_url and otel_scope_<attribute> labels.
	WithoutScopeInfo bool `mapstructure:"without_scope_info"`

	// AddMetricSuffixes, when false, leaves out unit and type suffixes. It is
	// read only while `translation_strategy` is empty.
	//
	// Deprecated: set translation_strategy.
	AddMetricSuffixes bool `mapstructure:"add_metric_suffixes"`

	// TranslationStrategy says how OpenTelemetry names become Prometheus names:
	// UnderscoreEscapingWithSuffixes (when empty), UnderscoreEscapingWithoutSuffixes,
	// NoUTF8EscapingWithSuffixes or NoTranslation.
	TranslationStrategy otlptranslator.TranslationStrategyOption `mapstructure:"translation_strategy"`

	// MaxSeries bounds how many series are held. Points of new series above it
	// are dropped and counted; series already held go on. 0 sets no bound.
	MaxSeries int `mapstructure:"max_series"`
}

// ResourceToTelemetry is the `resource_to_telemetry_conversion` section.
type ResourceToTelemetry struct {
	// Enabled makes every resource attribute a label of every series.
	Enabled bool `mapstructure:"enabled"`
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	return &Config{
		HTTP:              server,
		ConstLabels:       map[string]string{},
		MetricExpiration:  defaultExpiration,
		EnableOpenMetrics: true,
		AddMetricSuffixes: true,
		MaxSeries:         defaultMaxSeries,
		PromoteResourceAttributes: []string{
			"container.name",
			"k8s.cluster.name",
			"k8s.container.name",
			"k8s.cronjob.name",
			"k8s.daemonset.name",
			"k8s.deployment.name",
			"k8s.hpa.name",
			"k8s.job.name",
			"k8s.namespace.name",
			"k8s.node.name",
			"k8s.pod.name",
			"k8s.replicaset.name",
			"k8s.replicationcontroller.name",
			"k8s.resourcequota.name",
			"k8s.statefulset.name",
			"k8s.volume.name",
		},
	}
}

// strategies are the accepted values of translation_strategy.
func strategies() []otlptranslator.TranslationStrategyOption {
	return []otlptranslator.TranslationStrategyOption{
		otlptranslator.UnderscoreEscapingWithSuffixes,
		otlptranslator.UnderscoreEscapingWithoutSuffixes,
		otlptranslator.NoUTF8EscapingWithSuffixes,
		otlptranslator.NoTranslation,
	}
}

// Validate reports every problem of the section at once.
func (c *Config) Validate() error {
	var errs []error
	if strings.TrimSpace(c.HTTP.NetAddr.Endpoint) == "" {
		errs = append(errs, fmt.Errorf("endpoint: must not be empty: set it to host:port, for example %s", defaultEndpoint))
	}
	if c.MetricExpiration < 0 {
		errs = append(errs, fmt.Errorf("metric_expiration: %s is negative: set a duration such as 5m, or 0 to keep series for ever", c.MetricExpiration))
	}
	if c.MaxSeries < 0 {
		errs = append(errs, fmt.Errorf("max_series: %d is negative: set a number of series, or 0 for no bound", c.MaxSeries))
	}
	if c.TranslationStrategy != "" && !slices.Contains(strategies(), c.TranslationStrategy) {
		errs = append(errs, fmt.Errorf("translation_strategy: %q is unknown: use one of %v", c.TranslationStrategy, strategies()))
	}
	names := newNamer(c)
	if c.Namespace != "" && names.namespaceErr != nil {
		errs = append(errs, fmt.Errorf("namespace: %q cannot start a metric name: use letters, digits and underscores", c.Namespace))
	}
	for i, name := range c.PromoteResourceAttributes {
		if _, ok := names.label(name); !ok {
			errs = append(errs, fmt.Errorf("promote_resource_attributes[%d]: %q cannot be a label name: remove it", i, name))
		}
	}
	return errors.Join(append(errs, c.validateConstLabels(names)...)...)
}

func (c *Config) validateConstLabels(names *namer) []error {
	var errs []error
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.ConstLabels)) {
		label, ok := names.label(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("const_labels: %q cannot be a label name: use letters, digits and underscores", name))
			continue
		case label == leLabel || label == quantileLabel:
			errs = append(errs, fmt.Errorf("const_labels: %q is the bucket or quantile label of histograms and summaries: choose another name", name))
		case seen[label] != "":
			errs = append(errs, fmt.Errorf("const_labels: %q and %q both become label %q: rename one", seen[label], name, label))
		}
		seen[label] = name
	}
	return errs
}
