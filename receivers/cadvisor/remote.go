package cadvisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	info "github.com/google/cadvisor/lib/model"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// page reads the Prometheus page of a cAdvisor, and keeps its names and labels.
type page struct {
	cfg           *ScrapeConfig
	client        *http.Client
	node, version string
	tel           *telemetry
}

// accept asks for text: cAdvisor has no other form.
const accept = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

func newClient(ctx context.Context, cfg *ScrapeConfig, host component.Host, set component.TelemetrySettings) (*http.Client, error) {
	client, err := cfg.ClientConfig.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, fmt.Errorf("cadvisor: make client: %w", err)
	}
	return client, nil
}

// get asks for one path and hands the body on, as much of it as is allowed.
func get(ctx context.Context, client *http.Client, cfg *ScrapeConfig, path string, read func(io.Reader) error) error {
	url := strings.TrimSuffix(cfg.ClientConfig.Endpoint, "/") + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("cadvisor: %w", err)
	}
	request.Header.Set("Accept", accept)
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("cadvisor: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return fmt.Errorf("cadvisor: GET %s: %s: %s", url, answer.Status, strings.TrimSpace(string(text)))
	}
	body := &bounded{r: answer.Body, left: cfg.MaxAnswerSize}
	if err := read(body); err != nil {
		return fmt.Errorf("cadvisor: GET %s: %w", url, err)
	}
	return nil
}

// bounded fails instead of ending early: half an answer would look like a whole one.
type bounded struct {
	r    io.Reader
	left int64
}

var errTooLarge = errors.New("the answer is larger than scrape::max_answer_size: raise it, or switch groups off in cAdvisor")

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		n, err := b.r.Read(one[:])
		if n > 0 {
			return 0, errTooLarge
		}
		return 0, err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// scrape reads the page. An answer that ends in the middle is an error, and gives nothing.
func (p *page) scrape(ctx context.Context) (pmetric.Metrics, error) {
	out := pmetric.NewMetrics()
	err := get(ctx, p.client, p.cfg, "/metrics", func(body io.Reader) error { return p.parse(ctx, body, out) })
	return out, err
}

func (p *page) parse(ctx context.Context, body io.Reader, out pmetric.Metrics) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return err
	}
	p.translate(ctx, out, families)
	return nil
}

func (p *page) translate(ctx context.Context, out pmetric.Metrics, families map[string]*dto.MetricFamily) {
	at := pcommon.NewTimestampFromTime(time.Now())
	sm := appendScope(out, p.node, p.version)
	names := make([]string, 0, len(families))
	for name := range families {
		if strings.HasPrefix(name, "container_") || strings.HasPrefix(name, "machine_") || strings.HasPrefix(name, "cadvisor_") {
			names = append(names, name) // and not those of its own process, go_ and process_
		}
	}
	slices.Sort(names)
	malformed := 0
	for _, name := range names {
		malformed += appendFamily(sm.Metrics(), families[name], at)
	}
	if malformed > 0 {
		p.tel.drop(ctx, reasonMalformed, malformed)
	}
}

// api reads /api/v2.1 of a cAdvisor.
type api struct {
	cfg    *ScrapeConfig
	client *http.Client
	tel    *telemetry
	most   int
}

func (a *api) machine() *info.MachineInfo { return nil }

func (a *api) close() error {
	a.client.CloseIdleConnections()
	return nil
}

// apiContainer is a container of GET /api/v2.1/stats. Its figures have the library's names, all but file systems.
type apiContainer struct {
	Spec struct {
		info.ContainerSpec
		Aliases   []string `json:"aliases"`
		Namespace string   `json:"namespace"`
	} `json:"spec"`
	Stats []apiStats `json:"stats"`
}

type apiStats struct {
	Timestamp time.Time          `json:"timestamp"`
	CPU       *info.CpuStats     `json:"cpu"`
	DiskIo    *info.DiskIoStats  `json:"diskio"`
	Memory    *info.MemoryStats  `json:"memory"`
	Network   *info.NetworkStats `json:"network"`
	Processes *info.ProcessStats `json:"processes"`
	OOMEvents uint64             `json:"oom_events"`
	// Filesystem is what a container takes on its file system.
	Filesystem *struct {
		TotalUsageBytes *uint64 `json:"totalUsageBytes"`
		InodeUsage      *uint64 `json:"inodeUsage"`
	} `json:"filesystem"`
}

// read asks for all containers and the newest of their figures.
func (a *api) read(ctx context.Context) ([]sample, error) {
	var items map[string]json.RawMessage
	err := get(ctx, a.client, a.cfg, "/api/v2.1/stats/?recursive=true&count=1", func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&items)
	})
	if err != nil {
		return nil, err
	}
	return a.samples(ctx, items), nil
}

func (a *api) samples(ctx context.Context, items map[string]json.RawMessage) []sample {
	samples := make([]sample, 0, len(items))
	for path, item := range items {
		var c apiContainer
		if err := json.Unmarshal(item, &c); err != nil { // one that makes no sense does not take the others with it
			a.tel.drop(ctx, reasonMalformed, 1)
			continue
		}
		if len(c.Stats) == 0 {
			a.tel.drop(ctx, reasonUnreadable, 1)
			continue
		}
		samples = append(samples, c.sample(path))
	}
	slices.SortFunc(samples, func(x, y sample) int { return strings.Compare(x.path, y.path) })
	if over := len(samples) - a.most; over > 0 {
		a.tel.drop(ctx, reasonLimit, over)
		samples = samples[:a.most]
	}
	return samples
}

// sample says who the container is by its path and its labels, which the runtime gave it.
func (c *apiContainer) sample(path string) sample {
	newest := &c.Stats[len(c.Stats)-1]
	s := sample{place: classify(path), identity: fromLabels(c.Spec.Labels), spec: c.Spec.ContainerSpec}
	if s.podUID == "" {
		s.podUID = s.uid
	}
	if s.runtime = s.hint; s.runtime == "" {
		s.runtime = c.Spec.Namespace
	}
	if s.container == "" && s.podUID == "" && s.kind == containerKind && len(c.Spec.Aliases) > 0 {
		s.container = c.Spec.Aliases[0]
	}
	s.image, s.imageTag = splitImage(c.Spec.Image)
	s.created = c.Spec.CreationTime
	s.stats = &info.ContainerStats{
		Timestamp: newest.Timestamp, Cpu: newest.CPU, DiskIo: newest.DiskIo, Memory: newest.Memory, Network: newest.Network,
		Processes: newest.Processes, OOMEvents: newest.OOMEvents,
	}
	if f := newest.Filesystem; f != nil && f.TotalUsageBytes != nil {
		size := info.FsStats{Usage: *f.TotalUsageBytes}
		if f.InodeUsage != nil {
			size.HasInodes, size.Inodes = true, *f.InodeUsage
		}
		s.stats.Filesystem = []info.FsStats{size}
	}
	s.psi = hasPressure(s.stats)
	return s
}

func hasPressure(s *info.ContainerStats) bool {
	waited := func(p info.PSIStats) bool { return p.Some.Total > 0 || p.Full.Total > 0 }
	return s.Cpu != nil && waited(s.Cpu.PSI) || s.Memory != nil && waited(s.Memory.PSI) || s.DiskIo != nil && waited(s.DiskIo.PSI)
}
