package influxdb

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Values of `precision`.
const (
	PrecisionNanoseconds  = "ns"
	PrecisionMicroseconds = "us"
	PrecisionMilliseconds = "ms"
	PrecisionSeconds      = "s"
)

// Values of `metrics_schema`.
const (
	SchemaTelegrafPrometheusV1 = "telegraf-prometheus-v1"
	SchemaTelegrafPrometheusV2 = "telegraf-prometheus-v2"
	SchemaOTelV1               = "otel-v1"
	SchemaHeapster             = "heapster"
)

// Values of `log_attributes`.
const (
	LogAttributesJSON   = "json"
	LogAttributesFields = "fields"
	LogAttributesNone   = "none"
)

// Config is the configuration of the `influxdb` exporter.
type Config struct {
	// ClientConfig holds `endpoint` (required), `timeout`, `tls`, `headers`, `auth`, `compression`, `proxy_url` and
	// the other keys of the Collector's HTTP client. `endpoint` is the base URL of the server, such as
	// http://influxdb:8086, or the full URL of its write API. `timeout` bounds one HTTP request.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`

	// QueueConfig is the Collector's sending queue.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// RetryConfig is the Collector's retry with growing delays.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// Org is the name of the organization that owns the bucket.
	Org string `mapstructure:"org"`

	// Bucket is the name of the bucket that is written to. For the v2 API of InfluxDB 1.8 it is DATABASE/POLICY.
	Bucket string `mapstructure:"bucket"`

	// Token is an API token that may write to the bucket. For the v2 API of InfluxDB 1.8 it is USER:PASSWORD.
	Token configopaque.String `mapstructure:"token"`

	// V1Compatibility selects the write API of InfluxDB 1.x in place of org, bucket and token.
	V1Compatibility V1Compatibility `mapstructure:"v1_compatibility"`

	// Precision is the unit of the timestamps of metrics: ns, us, ms or s. Logs are always written in ns.
	Precision string `mapstructure:"precision"`

	// PayloadMaxLines is the largest number of lines in one request.
	PayloadMaxLines int `mapstructure:"payload_max_lines"`

	// PayloadMaxBytes is the largest size of one request before compression.
	PayloadMaxBytes int `mapstructure:"payload_max_bytes"`

	// MetricsSchema says how a metric becomes lines: telegraf-prometheus-v1, telegraf-prometheus-v2, otel-v1 or heapster.
	MetricsSchema string `mapstructure:"metrics_schema"`

	// IntegerFields writes the integer values of metrics as integers, as the Collector's contrib exporter does. Without
	// it every metric value is a float, so that a metric that is an integer now and a float later has one type.
	IntegerFields bool `mapstructure:"integer_fields"`

	// ResourceTags limits which resource attributes become tags of metrics.
	ResourceTags ResourceTags `mapstructure:"resource_tags"`

	// LogsMeasurement is the measurement that log records are written to.
	LogsMeasurement string `mapstructure:"logs_measurement"`

	// LogRecordDimensions are the attributes that become tags of log lines, from the record, its scope or its resource.
	// The names trace_id, span_id and severity_text stand for those parts of the record.
	LogRecordDimensions []string `mapstructure:"log_record_dimensions"`

	// LogAttributes says where the attributes that are no tags go: json puts them all as one JSON object into the field
	// attributes, fields makes each a field of its own type, none leaves them out.
	LogAttributes string `mapstructure:"log_attributes"`
}

// V1Compatibility holds the settings for the write API of InfluxDB 1.x.
type V1Compatibility struct {
	// Enabled selects the 1.x API.
	Enabled bool `mapstructure:"enabled"`

	// DB is the name of the database. It must exist.
	DB string `mapstructure:"db"`

	// RetentionPolicy is the retention policy that is written to. If empty, the database's default policy is.
	RetentionPolicy string `mapstructure:"retention_policy"`

	// Username is the user that may write to the database. If empty, no credentials are sent.
	Username string `mapstructure:"username"`

	// Password is the user's password.
	Password configopaque.String `mapstructure:"password"`
}

// ResourceTags selects attributes by name. In a pattern, * stands for any text.
type ResourceTags struct {
	// Include lists patterns of the attributes that become tags. If empty, all do.
	Include []string `mapstructure:"include"`

	// Exclude lists patterns of the attributes that do not. It wins over include.
	Exclude []string `mapstructure:"exclude"`
}

var _ component.Config = (*Config)(nil)

// Validate reports every problem of the configuration at once.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateEndpoint(),
		c.validateTarget(),
		oneOf("precision", c.Precision, PrecisionNanoseconds, PrecisionMicroseconds, PrecisionMilliseconds, PrecisionSeconds),
		oneOf("metrics_schema", c.MetricsSchema, SchemaTelegrafPrometheusV1, SchemaTelegrafPrometheusV2, SchemaOTelV1, SchemaHeapster),
		oneOf("log_attributes", c.LogAttributes, LogAttributesJSON, LogAttributesFields, LogAttributesNone),
		positive("payload_max_lines", c.PayloadMaxLines),
		positive("payload_max_bytes", c.PayloadMaxBytes),
		filled("logs_measurement", c.LogsMeasurement),
		names("log_record_dimensions", c.LogRecordDimensions),
		names("resource_tags::include", c.ResourceTags.Include),
		names("resource_tags::exclude", c.ResourceTags.Exclude),
	)
}

func (c *Config) validateEndpoint() error {
	raw := c.ClientConfig.Endpoint
	if raw == "" {
		return errors.New("endpoint: is missing: set it to the server's URL, such as http://localhost:8086")
	}
	u, err := url.Parse(raw)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the URL, which may hold a password
		}
		return fmt.Errorf("endpoint: is not a URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("endpoint: %q is not an HTTP URL: write it as http://HOST:PORT or https://HOST:PORT", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("endpoint: %q holds credentials: set token, or v1_compatibility::username and v1_compatibility::password", u.Redacted())
	}
	return nil
}

func (c *Config) validateTarget() error {
	v1 := c.V1Compatibility
	if !v1.Enabled {
		var errs []error
		if v1 != (V1Compatibility{}) {
			errs = append(errs, errors.New("v1_compatibility::enabled: is false, but other keys of v1_compatibility are set: set it to true or remove them"))
		}
		if c.Org == "" {
			errs = append(errs, errors.New("org: is missing: set it to the name of the organization that owns the bucket, or set v1_compatibility::enabled for InfluxDB 1.x"))
		}
		if c.Bucket == "" {
			errs = append(errs, errors.New("bucket: is missing: set it to the name of the bucket to write to, or set v1_compatibility::enabled for InfluxDB 1.x"))
		}
		return errors.Join(errs...)
	}
	var errs []error
	if v1.DB == "" {
		errs = append(errs, errors.New("v1_compatibility::db: is missing: set it to the name of the database to write to"))
	}
	if v1.Username == "" && v1.Password != "" {
		errs = append(errs, errors.New("v1_compatibility::username: is missing, but a password is set: set both or none"))
	}
	for key, value := range map[string]string{"org": c.Org, "bucket": c.Bucket, "token": string(c.Token)} {
		if value != "" {
			errs = append(errs, fmt.Errorf("%s: is not used with v1_compatibility::enabled: remove one of the two", key))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not known: set it to one of %s", key, value, strings.Join(allowed, ", "))
}

func positive(key string, value int) error {
	if value > 0 {
		return nil
	}
	return fmt.Errorf("%s: %d is not positive: set it to 1 or more", key, value)
}

func filled(key, value string) error {
	if value != "" {
		return nil
	}
	return fmt.Errorf("%s: is empty: give it a name", key)
}

// names reports empty and repeated names in a list.
func names(key string, list []string) error {
	var errs []error
	for i, name := range list {
		switch {
		case name == "":
			errs = append(errs, fmt.Errorf("%s[%d]: is empty: give it a name or remove it", key, i))
		case slices.Index(list, name) != i:
			errs = append(errs, fmt.Errorf("%s[%d]: %q stands twice: remove one", key, i, name))
		}
	}
	return errors.Join(errs...)
}
