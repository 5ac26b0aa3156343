package cadvisor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/obsd-io/obsd/internal/golden"
)

// scraping is a collector that reads from a server.
func scraping(t *testing.T, api, url string, edit ...func(*Config)) *collector {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	scrape := *cfg.Scrape.GetOrInsertDefault()
	scrape.ClientConfig.Endpoint, scrape.API = url, api
	cfg.Scrape = configoptional.Some(scrape)
	if api == apiMetrics {
		cfg.Names = namesPrometheus
	}
	for _, f := range edit {
		f(cfg)
	}
	return started(t, cfg)
}

// started is the collector of a configuration, which ends with the test.
func started(t *testing.T, cfg *Config) *collector {
	t.Helper()
	set := receivertest.NewNopSettings(NewFactory().Type())
	tel, err := newTelemetry(set.MeterProvider.Meter(scope), "cadvisor")
	require.NoError(t, err)
	c := &collector{cfg: cfg, set: set.TelemetrySettings, version: "1.2.3", tel: tel}
	require.NoError(t, c.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		require.NoError(t, c.shutdown(t.Context()))
		require.NoError(t, c.shutdown(t.Context()), "safe twice")
	})
	return c
}

// serve answers every request with a status and a text.
func serve(t *testing.T, status int, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(b)
}

// TestScrapePage reads the page of a real kubelet, which is cAdvisor's.
func TestScrapePage(t *testing.T) {
	c := scraping(t, apiMetrics, serve(t, http.StatusOK, fixture(t, "kubelet.txt")), func(c *Config) { c.Node = "node1" })
	got, err := c.scrape(t.Context())
	require.NoError(t, err)
	series := 0
	for line := range strings.Lines(fixture(t, "kubelet.txt")) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	require.Equal(t, series, got.DataPointCount())
	require.Contains(t, render(got), `container_memory_working_set_bytes gauge {container=main,`)
}

func TestScrapeAPI(t *testing.T) {
	c := scraping(t, apiV21, serve(t, http.StatusOK, fixture(t, "v2.1-stats.json")))
	got, err := c.scrape(t.Context())
	require.NoError(t, err)
	golden.Require(t, "want-v2.1.txt", render(got))
}

func TestScrapeAPIPrometheusNames(t *testing.T) {
	c := scraping(t, apiV21, serve(t, http.StatusOK, fixture(t, "v2.1-stats.json")), func(c *Config) { c.Names = namesPrometheus })
	got, err := c.scrape(t.Context())
	require.NoError(t, err)
	text := render(got)
	require.Contains(t, text, `container_cpu_usage_seconds_total sum {container=app,cpu=total,id=/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/`)
	require.Contains(t, text, `container_network_receive_bytes_total sum {id=/docker/`)
	require.NotContains(t, text, "machine_", "the machine is another's")
}

// TestFaults: an answer that is not whole gives an error and no figures.
func TestFaults(t *testing.T) {
	page := fixture(t, "kubelet.txt")
	tests := []struct {
		name, api, text, want string
		status                int
	}{
		{"not there", apiMetrics, "no such page", "404 Not Found: no such page", http.StatusNotFound},
		{"half a page", apiMetrics, page[:len(page)/2], "GET ", http.StatusOK},
		{"half a JSON", apiV21, `{"/": {"spec": {`, "unexpected EOF", http.StatusOK},
		{"not JSON", apiV21, "<html>", "invalid character '<'", http.StatusOK},
		{"null", apiV21, "null", "", http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scraping(t, tt.api, serve(t, tt.status, tt.text)).scrape(t.Context())
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.want)
			}
			require.Zero(t, got.DataPointCount())
		})
	}
}

func TestAnswerTooLarge(t *testing.T) {
	page := fixture(t, "kubelet.txt")
	url := serve(t, http.StatusOK, page)
	limit := func(n int) func(*Config) {
		return func(c *Config) {
			s := *c.Scrape.Get()
			s.MaxAnswerSize = int64(n)
			c.Scrape = configoptional.Some(s)
		}
	}
	_, err := scraping(t, apiMetrics, url, limit(len(page)-1)).scrape(t.Context())
	require.ErrorContains(t, err, "the answer is larger than scrape::max_answer_size: raise it, or switch groups off in cAdvisor")
	_, err = scraping(t, apiMetrics, url, limit(len(page))).scrape(t.Context())
	require.NoError(t, err)
}

func TestContainersOverTheLimit(t *testing.T) {
	c := scraping(t, apiV21, serve(t, http.StatusOK, fixture(t, "v2.1-stats.json")), func(c *Config) { c.MaxContainers = 2 })
	got, err := c.source.read(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2)
}

func TestShutdownWithoutStart(t *testing.T) {
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(NewFactory().Type()), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
}

func FuzzAPI(f *testing.F) {
	f.Add(fixture(f, "v2.1-stats.json"))
	f.Add(`{"/a": {"spec": {"aliases": [null]}, "stats": [{"cpu": {}, "network": {"interfaces": [{}]}, "filesystem": {}}]}}`)
	tel, err := newTelemetry(componenttest.NewNopTelemetrySettings().MeterProvider.Meter(scope), "cadvisor")
	require.NoError(f, err)
	a := &api{tel: tel, most: 100}
	f.Fuzz(func(t *testing.T, text string) {
		var items map[string]json.RawMessage
		if len(text) > 64<<10 || json.Unmarshal([]byte(text), &items) != nil {
			t.Skip("no answer")
		}
		samples := a.samples(t.Context(), items)
		prometheus, err := newPrometheusWriter("", "", groups, false)
		require.NoError(t, err)
		prometheus.write(samples, nil) //nolint:errcheck // two cgroups may differ in bytes that are no text only
		newOTelWriter("", "").write(samples)
	})
}

func FuzzPage(f *testing.F) {
	f.Add("# TYPE container_x counter\ncontainer_x{id=\"/\"} 1 1000\n")
	f.Add("# TYPE container_h histogram\ncontainer_h_bucket{le=\"1\"} 1\ncontainer_h_sum 1\ncontainer_h_count 1\n")
	tel, err := newTelemetry(componenttest.NewNopTelemetrySettings().MeterProvider.Meter(scope), "cadvisor")
	require.NoError(f, err)
	p := &page{tel: tel}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			t.Skip("large")
		}
		_ = p.parse(t.Context(), strings.NewReader(text), pmetric.NewMetrics()) // an error is an answer
	})
}
