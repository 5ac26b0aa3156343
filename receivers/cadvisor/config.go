package cadvisor

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
)

// Config is what a user may set under `receivers: cadvisor:`. An empty section is a whole configuration: the containers
// of this machine, read in this process.
type Config struct {
	// Controller is when to read: `collection_interval` (default 1m), `initial_delay` (default 1s) and `timeout`
	// (default none).
	Controller scraperhelper.ControllerConfig `mapstructure:",squash"`

	// HousekeepingInterval is how often what seldom changes is read again: limits, block devices, and the names that
	// the runtimes give to all containers (a container that is new is asked for at once). Figures are read at each
	// collection, whatever this is.
	HousekeepingInterval time.Duration `mapstructure:"housekeeping_interval"`

	// MetricGroups are the groups to read, by cAdvisor's names.
	MetricGroups []string `mapstructure:"metric_groups"`

	// Names is `otel` for the semantic conventions' names (`container.cpu.time`), or `prometheus` for cAdvisor's own
	// (`container_cpu_usage_seconds_total`), of which there are more.
	Names string `mapstructure:"names"`

	// Node is the node's name, for the attribute `k8s.node.name`. Without it the machine's own cgroup gives no metrics
	// with `names: otel`: the host_metrics receiver has those of a plain host.
	Node string `mapstructure:"node"`

	// RuntimeEndpoints are the sockets where container runtimes answer: unix:///PATH for the Kubernetes runtime
	// interface (containerd, CRI-O, cri-dockerd), docker:///PATH for the Docker engine. The default is all the usual
	// places; one that is not there is passed over.
	RuntimeEndpoints []string `mapstructure:"runtime_endpoints"`

	// Pods is a `k8s_pods` extension that names pods and containers in the runtimes' place: their sockets let whoever has them
	// do anything on the machine. Pods that it does not follow are left out.
	Pods *component.ID `mapstructure:"pods"`

	// RawCgroups are the paths of cgroups that are reported although they are no containers, with all below them: the
	// services of systemd by default. "/" is everything. Mount units and transient scopes (run-*.scope) never are.
	RawCgroups []string `mapstructure:"raw_cgroups"`

	// RootPath is where the host's root directory is mounted when obsd runs in a container, for example /hostfs; its
	// /proc is read there. Cgroups are read where they are mounted.
	RootPath string `mapstructure:"root_path"`

	// MaxContainers is the most cgroups that are read at a collection. The others are counted as dropped.
	MaxContainers int `mapstructure:"max_containers"`

	// Model is the `model` extension that offers the process lists of containers; without it nobody does.
	Model *component.ID `mapstructure:"model"`

	// Scrape reads a cAdvisor that runs elsewhere, instead of this machine.
	Scrape configoptional.Optional[ScrapeConfig] `mapstructure:"scrape"`
}

// ScrapeConfig is the `scrape` section.
type ScrapeConfig struct {
	// ClientConfig is where and how to ask: `endpoint`, for example http://127.0.0.1:8080, `timeout`, `tls`, `auth` and
	// the other settings of the Collector's HTTP clients.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`

	// API is `metrics` for the Prometheus page /metrics, whose names are kept, or `v2.1` for /api/v2.1.
	API string `mapstructure:"api"`

	// MaxAnswerSize is the most bytes of an answer that are read.
	MaxAnswerSize int64 `mapstructure:"max_answer_size"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// The values of `names` and `api`.
const (
	namesOTel       = "otel"
	namesPrometheus = "prometheus"
	apiMetrics      = "metrics"
	apiV21          = "v2.1"
)

// groups are the metric groups that can be read here, with those that cost most at the end.
var groups = []string{
	"cpu", "memory", "network", "diskIO", "pressure", "oom_event",
	"percpu", "hugetlb", "cpuset", "memory_numa", "disk", "tcp", "udp", "advtcp", "process", "sched", "referenced_memory",
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 10 * time.Second
	return &Config{
		Controller:           scraperhelper.NewDefaultControllerConfig(),
		HousekeepingInterval: time.Minute,
		MetricGroups:         []string{"cpu", "memory", "network", "diskIO", "pressure", "oom_event"},
		Names:                namesOTel,
		RuntimeEndpoints:     usualEndpoints(),
		RawCgroups:           []string{"/system.slice"},
		MaxContainers:        2000,
		Scrape:               configoptional.Default(ScrapeConfig{ClientConfig: client, API: apiMetrics, MaxAnswerSize: 64 << 20}),
	}
}

func usualEndpoints() []string {
	return []string{"unix:///run/containerd/containerd.sock", "unix:///run/crio/crio.sock", "unix:///run/cri-dockerd.sock", "docker:///run/docker.sock"}
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !c.Scrape.HasValue() && runtime.GOOS != "linux" {
		problem("reading this machine's containers needs Linux, this is %s: set scrape::endpoint", runtime.GOOS)
	}
	if c.HousekeepingInterval <= 0 {
		problem("housekeeping_interval: %v is not positive: use 1m or so", c.HousekeepingInterval)
	}
	for _, g := range c.MetricGroups {
		if !slices.Contains(groups, g) {
			problem("metric_groups: %q is unknown here: use some of %v", g, groups)
		}
	}
	if len(c.MetricGroups) == 0 {
		problem("metric_groups: is empty: use some of %v", groups)
	}
	if c.Names != namesOTel && c.Names != namesPrometheus {
		problem("names: %q is unknown: use otel or prometheus", c.Names)
	}
	for i, e := range c.RuntimeEndpoints {
		if _, _, err := splitEndpoint(e); err != nil {
			problem("runtime_endpoints[%d]: %w", i, err)
		}
	}
	for i, p := range c.RawCgroups {
		if !strings.HasPrefix(p, "/") {
			problem("raw_cgroups[%d]: %q is not absolute: write it as below the root of cgroups, like /system.slice", i, p)
		}
	}
	if c.RootPath != "" && !filepath.IsAbs(c.RootPath) {
		problem("root_path: %q is not absolute: write it with a leading slash", c.RootPath)
	}
	if c.MaxContainers <= 0 {
		problem("max_containers: %d is not positive: leave it out for 2000", c.MaxContainers)
	}
	errs = append(errs, c.validatePods()...)
	return errors.Join(append(errs, c.validateScrape()...)...)
}

func (c *Config) validatePods() (errs []error) {
	if c.Pods == nil {
		return nil
	}
	if !slices.Equal(c.RuntimeEndpoints, usualEndpoints()) {
		errs = append(errs, errors.New("runtime_endpoints: no runtime is asked with pods: remove one of the two"))
	}
	if slices.Contains(c.MetricGroups, "disk") {
		errs = append(errs, errors.New("metric_groups: the sizes of \"disk\" are told by a runtime, and none is asked with pods: remove one of the two"))
	}
	return errs
}

func (c *Config) validateScrape() (errs []error) {
	s := c.Scrape.Get()
	if s == nil {
		return nil
	}
	if s.ClientConfig.Endpoint == "" {
		errs = append(errs, errors.New("scrape::endpoint: is missing: set it to where cAdvisor serves, like http://127.0.0.1:8080"))
	}
	if s.API != apiMetrics && s.API != apiV21 {
		errs = append(errs, fmt.Errorf("scrape::api: %q is unknown: use metrics or v2.1", s.API))
	}
	if s.API == apiMetrics && c.Names != namesPrometheus {
		errs = append(errs, errors.New("names: has to be prometheus with scrape::api metrics, whose names are kept: set it, or use api v2.1"))
	}
	if s.MaxAnswerSize <= 0 {
		errs = append(errs, fmt.Errorf("scrape::max_answer_size: %d is not positive: leave it out for 64 MiB", s.MaxAnswerSize))
	}
	if c.Pods != nil {
		errs = append(errs, errors.New("pods: names this machine's containers, and scraped ones have their names: remove it or scrape"))
	}
	if c.Model != nil {
		errs = append(errs, errors.New("model: offers the process lists of this machine's containers, not of scraped ones: remove it or scrape"))
	}
	return errs
}

// splitEndpoint takes the URL of a runtime's socket apart.
func splitEndpoint(endpoint string) (scheme, path string, err error) {
	scheme, path, _ = strings.Cut(endpoint, "://")
	if (scheme != "unix" && scheme != "docker") || !strings.HasPrefix(path, "/") {
		return "", "", fmt.Errorf("%q is not understood: use unix:///PATH of a Kubernetes runtime interface, or docker:///PATH of a Docker engine", endpoint)
	}
	return scheme, path, nil
}
