package backend

import (
	"context"
	_ "embed" // the recipe
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/cache"
	"github.com/obsd-io/obsd/internal/e2e/process"
	"github.com/obsd-io/obsd/internal/porttest"
)

//go:embed prometheus/module.mod
var prometheusMod []byte

//go:embed prometheus/module.sum
var prometheusSum []byte

// installPrometheus builds without service discovery of clouds and clusters: half the size, and static and file
// discovery is all that a test needs. The server then has no web pages, only its API.
func installPrometheus(ctx context.Context, progress io.Writer) (string, error) {
	program := cache.GoProgram{
		Name: "prometheus", Version: "v0.316.0", Title: "Prometheus", Hint: "building, about 3 min on 2 cores",
		Package: "github.com/prometheus/prometheus/cmd/prometheus", Tags: "remove_all_sd", Mod: prometheusMod, Sum: prometheusSum,
	}
	return install(ctx, program.Tool(), progress)
}

// PrometheusOptions says how a Prometheus differs from the usual one of a test.
type PrometheusOptions struct {
	// ScrapeInterval is 1 s if zero. Rules are evaluated as often.
	ScrapeInterval time.Duration
	// Rules is a file of rules, or empty.
	Rules string
}

// Prometheus is a running server.
type Prometheus struct {
	// URL is where it serves, without a slash at the end.
	URL     string
	process *process.Process

	mu      sync.Mutex
	targets string // the file that discovery reads
	groups  []any  // what stands in it
}

// Sample is one series and its value from an instant query.
type Sample struct {
	// Metric holds the labels, the name as "__name__".
	Metric map[string]string
	// Value is the value at the time of the query.
	Value float64
}

// StartPrometheus starts a Prometheus that takes remote write and OTLP, and scrapes what AddTarget names. It ends with
// the test.
func StartPrometheus(t testing.TB, opts PrometheusOptions) *Prometheus {
	t.Helper()
	Need(t)
	dir, err := installPrometheus(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	prom, err := startPrometheus(t.Context(), filepath.Join(dir, "prometheus"), t.TempDir(), opts)
	if prom != nil {
		stopAfter(t, "Prometheus", func() *process.Process { return prom.process })
	}
	if err != nil {
		t.Fatal(err)
	}
	return prom
}

func startPrometheus(ctx context.Context, bin, dir string, opts PrometheusOptions) (*Prometheus, error) {
	addr, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	prom := &Prometheus{URL: "http://" + addr, targets: filepath.Join(dir, "targets.json")}
	interval := opts.ScrapeInterval
	if interval == 0 {
		interval = time.Second
	}
	rules := "[]"
	if opts.Rules != "" {
		file, err := filepath.Abs(opts.Rules)
		if err != nil {
			return nil, fmt.Errorf("e2e: start Prometheus: %w", err)
		}
		rules = fmt.Sprintf("[%q]", file)
	}
	config := fmt.Sprintf(`
global: {scrape_interval: %[1]s, evaluation_interval: %[1]s}
rule_files: %[2]s
scrape_configs: [{job_name: e2e, file_sd_configs: [{files: [%[3]q], refresh_interval: 1s}]}]
`, interval, rules, prom.targets)
	configFile := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(configFile, []byte(config), 0o644); err != nil {
		return nil, fmt.Errorf("e2e: start Prometheus: %w", err)
	}
	prom.process, err = process.Start(process.Settings{
		Name: "prometheus", Path: bin, Dir: dir, Log: filepath.Join(dir, "log"),
		Args: []string{
			"--config.file=" + configFile, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr,
			"--web.enable-remote-write-receiver", "--web.enable-otlp-receiver",
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return prom, prom.process.WaitReady(ctx, func(ctx context.Context) error { return get(ctx, prom.URL+"/-/ready", nil, nil) })
}

// AddTarget lets the server scrape http://ADDRESS/metrics with the given labels from now on. The first scrape comes
// after up to 6 s: discovery collects changes for 5 s. It may be called from several goroutines.
func (p *Prometheus) AddTarget(address string, labels map[string]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = append(p.groups, map[string]any{"targets": []string{address}, "labels": labels})
	b, err := json.Marshal(p.groups)
	if err != nil {
		return fmt.Errorf("e2e: Prometheus: add target: %w", err)
	}
	if err := os.WriteFile(p.targets+".tmp", b, 0o644); err != nil {
		return fmt.Errorf("e2e: Prometheus: add target: %w", err)
	}
	if err := os.Rename(p.targets+".tmp", p.targets); err != nil {
		return fmt.Errorf("e2e: Prometheus: add target: %w", err)
	}
	return nil
}

// RemoteWriteURL is where it takes remote write.
func (p *Prometheus) RemoteWriteURL() string { return p.URL + "/api/v1/write" }

// Query runs a PromQL instant query that yields a vector.
func (p *Prometheus) Query(ctx context.Context, promql string) ([]Sample, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := get(ctx, p.URL+"/api/v1/query", url.Values{"query": {promql}}, &answer); err != nil {
		return nil, fmt.Errorf("e2e: Prometheus: query %q: %w", promql, err)
	}
	samples := make([]Sample, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("e2e: Prometheus: query %q: value: %w", promql, err)
		}
		samples = append(samples, Sample{Metric: r.Metric, Value: value})
	}
	return samples, nil
}
