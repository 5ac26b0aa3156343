package elasticsearch

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

const (
	modeOTel = "otel"
	modeECS  = "ecs"

	operationCreate = "create"
	operationIndex  = "index"
)

// Config is what a user sets for the elasticsearch exporter.
type Config struct {
	// ClientConfig holds the settings of the HTTP client: endpoint, timeout (of
	// one request, 90s), tls, auth, headers, proxy_url, compression (gzip or
	// none), and so on. The settings are the Collector's own.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`

	// QueueConfig sets the queue and how batches are made from it: up to 5 MB or
	// one second of logs. A full queue makes the receiver wait.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// Retry sets how often what was not taken is sent again.
	Retry RetryConfig `mapstructure:"retry"`

	// Endpoints are the addresses of several nodes, used in turn. A node that
	// does not answer is left out for a minute or more. Set endpoint or
	// endpoints, not both.
	Endpoints []string `mapstructure:"endpoints"`

	// User is the name for HTTP basic authentication.
	User string `mapstructure:"user"`

	// Password is the password for HTTP basic authentication.
	Password configopaque.String `mapstructure:"password"`

	// APIKey is an Elasticsearch API key in its "encoded" form.
	APIKey configopaque.String `mapstructure:"api_key"`

	// Pipeline is the ingest pipeline that every document passes.
	Pipeline string `mapstructure:"pipeline"`

	// LogsIndex is the one index or data stream for all logs. Leave it out to
	// write to data streams by the attributes data_stream.*.
	LogsIndex string `mapstructure:"logs_index"`

	// LogsDynamicIndex sets whether the attribute elasticsearch.index of a
	// record, its scope or its resource names its index.
	LogsDynamicIndex DynamicConfig `mapstructure:"logs_dynamic_index"`

	// LogsDynamicID sets whether the attribute elasticsearch.document_id of a
	// record is the id of its document. What is sent twice is then stored once.
	LogsDynamicID DynamicConfig `mapstructure:"logs_dynamic_id"`

	// LogsGeneratedID sets whether each record gets an id of its own when it is
	// taken, before the queue. What is sent twice, since the answer was lost or
	// obsd was killed before it came, is then stored once.
	LogsGeneratedID DynamicConfig `mapstructure:"logs_generated_id"`

	// WriteOperation is what is done with a document for an index: create
	// (never overwrite) or index (overwrite a document with the same id). Data
	// streams take only create.
	WriteOperation string `mapstructure:"write_operation"`

	// Mapping sets the layout of documents.
	Mapping MappingConfig `mapstructure:"mapping"`

	// Flush bounds the size of a request.
	Flush FlushConfig `mapstructure:"flush"`
}

// RetryConfig sets how often what was not taken is sent again.
type RetryConfig struct {
	// BackOffConfig holds the Collector's settings: enabled, initial_interval,
	// max_interval, multiplier, randomization_factor and max_elapsed_time (0:
	// never give up, which is the default).
	BackOffConfig configretry.BackOffConfig `mapstructure:",squash"`

	// RetryOnStatus lists the statuses of a single document that have it sent
	// again. A document with any other status is lost and counted.
	RetryOnStatus []int `mapstructure:"retry_on_status"`
}

// DynamicConfig turns a setting that may differ from record to record on or off.
type DynamicConfig struct {
	// Enabled turns it on.
	Enabled bool `mapstructure:"enabled"`
}

// MappingConfig sets the layout of documents.
type MappingConfig struct {
	// Mode is otel (fields as in OpenTelemetry) or ecs (Elastic Common Schema).
	Mode string `mapstructure:"mode"`
}

// FlushConfig bounds the size of a request.
type FlushConfig struct {
	// Bytes is the size that the body of a request never exceeds before
	// compression, but for a single document that is larger.
	Bytes int `mapstructure:"bytes"`
}

func createDefaultConfig() *Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 90 * time.Second
	client.Compression = configcompression.TypeGzip
	client.CompressionParams.Level = 1
	keepalive := confighttp.NewDefaultKeepaliveClientConfig()
	keepalive.MaxIdleConnsPerHost = 10 // One for each consumer of the queue.
	client.Keepalive = configoptional.Some(keepalive)

	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = 500 * time.Millisecond
	retry.MaxElapsedTime = 0

	return &Config{
		ClientConfig:     client,
		QueueConfig:      configoptional.Some(defaultQueue()),
		Retry:            RetryConfig{BackOffConfig: retry, RetryOnStatus: []int{429, 500, 502, 503, 504}},
		LogsDynamicIndex: DynamicConfig{Enabled: true},
		WriteOperation:   operationCreate,
		Mapping:          MappingConfig{Mode: modeOTel},
		Flush:            FlushConfig{Bytes: 5_000_000},
	}
}

// defaultQueue counts bytes, so that its memory is bounded, and blocks when it
// is full, so that nothing is lost at its door.
func defaultQueue() exporterhelper.QueueBatchConfig {
	batch := exporterhelper.NewDefaultBatchConfig()
	batch.Sizer = exporterhelper.RequestSizerTypeBytes
	batch.FlushTimeout = time.Second
	batch.MinSize = 1_000_000
	batch.MaxSize = 5_000_000

	queue := exporterhelper.NewDefaultQueueConfig()
	queue.Sizer = exporterhelper.RequestSizerTypeBytes
	queue.QueueSize = 32 << 20
	queue.NumConsumers = 10
	queue.BlockOnOverflow = true
	queue.Batch = configoptional.Some(batch)
	return queue
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	errs := c.validateEndpoints()
	errs = append(errs, c.validateCredentials()...)
	switch c.ClientConfig.Compression {
	case configcompression.TypeGzip, "none", "":
	default:
		errs = append(errs, fmt.Errorf("compression: %q is not read by Elasticsearch: use gzip or none", c.ClientConfig.Compression))
	}
	if c.Mapping.Mode != modeOTel && c.Mapping.Mode != modeECS {
		errs = append(errs, fmt.Errorf("mapping::mode: %q is not known: use otel or ecs", c.Mapping.Mode))
	}
	if c.WriteOperation != operationCreate && c.WriteOperation != operationIndex {
		errs = append(errs, fmt.Errorf("write_operation: %q is not known: use create or index", c.WriteOperation))
	}
	if c.Flush.Bytes < 1024 {
		errs = append(errs, fmt.Errorf("flush::bytes: %d is too small: use 1024 or more, 5000000 is the default", c.Flush.Bytes))
	}
	for _, status := range c.Retry.RetryOnStatus {
		if status < 400 || status > 599 || status == 409 {
			errs = append(errs, fmt.Errorf("retry::retry_on_status: %d is not the status of a document to send again: use statuses from 400 to 599 but 409", status))
		}
	}
	if err := validateIndex(c.LogsIndex); err != nil {
		errs = append(errs, fmt.Errorf("logs_index: %w", err))
	}
	return errors.Join(errs...)
}

// ids reports whether documents may have ids of ours.
func (c *Config) ids() bool { return c.LogsDynamicID.Enabled || c.LogsGeneratedID.Enabled }

// urls are the addresses of all nodes.
func (c *Config) urls() []string {
	if c.ClientConfig.Endpoint != "" {
		return []string{c.ClientConfig.Endpoint}
	}
	return c.Endpoints
}

func (c *Config) validateEndpoints() []error {
	switch {
	case c.ClientConfig.Endpoint == "" && len(c.Endpoints) == 0:
		return []error{errors.New("endpoint: not set: give the address of Elasticsearch, such as https://elasticsearch:9200")}
	case c.ClientConfig.Endpoint != "" && len(c.Endpoints) > 0:
		return []error{errors.New("endpoint: endpoints is set too: keep one of them")}
	}
	var errs []error
	for i, address := range c.urls() {
		if _, err := parseEndpoint(address); err != nil {
			key := "endpoint"
			if len(c.Endpoints) > 0 {
				key = fmt.Sprintf("endpoints::%d", i)
			}
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errs
}

// parseEndpoint reads the address of a node, without slashes at its end. Its errors do not repeat the
// address where that could show credentials.
func parseEndpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return nil, fmt.Errorf("not a URL: %w: write it like https://elasticsearch:9200", err)
	}
	switch {
	case u.User != nil:
		return nil, errors.New("credentials in a URL end up in logs: use user and password")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q has no http:// or https://: write it like https://elasticsearch:9200", address)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host: write it like https://elasticsearch:9200", address)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment: leave out what follows the path", address)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

func (c *Config) validateCredentials() []error {
	var errs []error
	if c.User == "" && c.Password != "" {
		errs = append(errs, errors.New("password: user is not set: set both"))
	}
	if c.User != "" && c.Password == "" {
		errs = append(errs, errors.New("user: password is not set: set both"))
	}
	ways := 0
	for _, set := range []bool{c.User != "" || c.Password != "", c.APIKey != "", c.ClientConfig.Auth.HasValue()} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		errs = append(errs, errors.New("more than one of user, api_key and auth is set: keep one of them"))
	}
	return errs
}

// validateIndex holds a name to Elasticsearch's rules. A name in <> is date
// math, which the server resolves.
func validateIndex(name string) error {
	switch {
	case name == "" || strings.HasPrefix(name, "<"):
		return nil
	case strings.ToLower(name) != name:
		return fmt.Errorf("%q: names of indices are lower case", name)
	case strings.ContainsAny(name, "\\/*?\"<>| ,#:"):
		return fmt.Errorf("%q: names of indices have no \\ / * ? \" < > | , # : or space", name)
	case strings.ContainsAny(name[:1], "-_+") || name == "." || name == "..":
		return fmt.Errorf("%q: names of indices do not start with - _ or +", name)
	case len(name) > 255:
		return fmt.Errorf("%q: names of indices have at most 255 bytes", name)
	}
	return nil
}
