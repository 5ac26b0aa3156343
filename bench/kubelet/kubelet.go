// Package kubelet is a server on loopback that answers as the kubelet of a busy node does: /stats/summary and
// /metrics/cadvisor of as many pods and containers as a benchmark wants. Its figures move on with the clock.
package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// Marks in the answers that stand for the time and for a counter. They are as long as what takes their place.
const (
	markTime    = "2001-01-01T00:00:00Z"
	markMillis  = "7771234567890"
	markCounter = "7770000000000000"
)

// maxAge is how old an answer may get: a kubelet takes new samples about this often.
const maxAge = time.Second

// Kubelet is a running server.
type Kubelet struct {
	// URL is where it serves, without a slash at the end.
	URL      string
	server   *http.Server
	started  time.Time
	summary  page
	cadvisor page
}

// page is an answer.
type page struct {
	form  []byte // with marks
	asked atomic.Int64

	mu   sync.Mutex
	body []byte
	at   time.Time
}

// Start starts a kubelet with that many pods, each of that many containers; Close ends it.
func Start(pods, containers int) (*Kubelet, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	k := &Kubelet{URL: "http://" + l.Addr().String(), started: time.Now()}
	if k.summary.form, err = Summary(pods, containers); err != nil {
		return nil, err
	}
	k.cadvisor.form = Cadvisor(pods, containers)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats/summary", func(w http.ResponseWriter, _ *http.Request) { k.answer(w, &k.summary, "application/json") })
	mux.HandleFunc("GET /metrics/cadvisor", func(w http.ResponseWriter, _ *http.Request) {
		k.answer(w, &k.cadvisor, "text/plain; version=0.0.4; charset=utf-8")
	})
	k.server = &http.Server{Handler: mux}
	go func() {
		if err := k.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic("BUG: kubelet: " + err.Error()) // a listener on loopback does not fail by itself
		}
	}()
	return k, nil
}

// Scrapes is how often a path, /stats/summary or /metrics/cadvisor, was asked for.
func (k *Kubelet) Scrapes(path string) int64 {
	if path == "/stats/summary" {
		return k.summary.asked.Load()
	}
	return k.cadvisor.asked.Load()
}

// Close ends the server and all its connections.
func (k *Kubelet) Close() error { return k.server.Close() }

func (k *Kubelet) answer(w http.ResponseWriter, p *page, kind string) {
	p.asked.Add(1)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(p.now(k.started)) // a client that has gone is none of ours
}

// now fills in the marks.
func (p *page) now(started time.Time) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.at) > maxAge {
		b := bytes.ReplaceAll(p.form, []byte(markTime), []byte(now.UTC().Format(time.RFC3339)))
		b = bytes.ReplaceAll(b, []byte(markMillis), strconv.AppendInt(nil, now.UnixMilli(), 10))
		p.body = bytes.ReplaceAll(b, []byte(markCounter), fmt.Appendf(nil, "%016d", 1_000_000_000_000_000+now.Sub(started).Nanoseconds()/4))
		p.at = now
	}
	return p.body
}

// Summary is an answer of /stats/summary as a kubelet 1.37 with PSI and swap writes it, with marks for times and
// counters of CPU. It is the same for the same numbers.
func Summary(pods, containers int) ([]byte, error) {
	s := v1alpha1.Summary{Node: v1alpha1.NodeStats{
		NodeName: "node1", StartTime: mark(), CPU: cpu(), Memory: memory(1 << 33), IO: &v1alpha1.IOStats{Time: mark(), PSI: psi()}, Network: network(3), Fs: fs(1 << 38),
		Runtime: &v1alpha1.RuntimeStats{ImageFs: fs(1 << 36), ContainerFs: fs(1 << 35)}, Rlimit: &v1alpha1.RlimitStats{Time: mark(), MaxPID: new(int64(4194304)), NumOfRunningProcesses: new(int64(2100))},
	}}
	for _, name := range []string{"pods", "kubelet", "runtime"} {
		s.Node.SystemContainers = append(s.Node.SystemContainers, v1alpha1.ContainerStats{Name: name, StartTime: mark(), CPU: cpu(), Memory: memory(1 << 30)})
	}
	for i := range pods {
		p := v1alpha1.PodStats{
			PodRef:    v1alpha1.PodReference{Name: podName(i), Namespace: namespace(i), UID: podUID(i)},
			StartTime: mark(), CPU: cpu(), Memory: memory(1 << 28), IO: &v1alpha1.IOStats{Time: mark(), PSI: psi()}, Network: network(1), EphemeralStorage: fs(1 << 20),
			ProcessStats: &v1alpha1.ProcessStats{ProcessCount: new(uint64(7))}, Swap: swap(),
			VolumeStats: []v1alpha1.VolumeStats{{Name: "kube-api-access", FsStats: *fs(1 << 13)}},
		}
		for j := range containers {
			p.Containers = append(p.Containers, v1alpha1.ContainerStats{
				Name: "container-" + strconv.Itoa(j), StartTime: mark(), CPU: cpu(), Memory: memory(uint64(1<<27 + i*4096)), IO: &v1alpha1.IOStats{Time: mark(), PSI: psi()},
				Rootfs: fs(1 << 16), Logs: fs(1 << 15), Swap: swap(),
			})
		}
		s.Pods = append(s.Pods, p)
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	return b, nil
}

func podName(i int) string   { return fmt.Sprintf("workload-%d-7c9d8b6f5-%05d", i%12, i) }
func podUID(i int) string    { return fmt.Sprintf("%08d-1111-2222-3333-444444444444", i) }
func namespace(i int) string { return fmt.Sprintf("team-%d", i%7) }

func mark() metav1.Time {
	t, err := time.Parse(time.RFC3339, markTime)
	if err != nil {
		panic("BUG: kubelet: " + err.Error())
	}
	return metav1.NewTime(t)
}

func cpu() *v1alpha1.CPUStats {
	return &v1alpha1.CPUStats{Time: mark(), UsageNanoCores: new(uint64(250000000)), UsageCoreNanoSeconds: new(uint64(7770000000000000)), PSI: psi()}
}

func memory(base uint64) *v1alpha1.MemoryStats {
	return &v1alpha1.MemoryStats{
		Time: mark(), AvailableBytes: &base, UsageBytes: new(base / 2), WorkingSetBytes: new(base / 3), RSSBytes: new(base / 4),
		PageFaults: new(uint64(123456)), MajorPageFaults: new(uint64(12)), PSI: psi(),
	}
}

func psi() *v1alpha1.PSIStats {
	d := v1alpha1.PSIData{Total: 123456789, Avg10: 0.25, Avg60: 0.12, Avg300: 0.05}
	return &v1alpha1.PSIStats{Full: d, Some: d}
}

func swap() *v1alpha1.SwapStats {
	return &v1alpha1.SwapStats{Time: mark(), SwapAvailableBytes: new(uint64(0)), SwapUsageBytes: new(uint64(0))}
}

func fs(used uint64) *v1alpha1.FsStats {
	return &v1alpha1.FsStats{
		Time: mark(), AvailableBytes: new(uint64(70743232512)), CapacityBytes: new(uint64(270553174016)), UsedBytes: &used,
		InodesFree: new(uint64(15895148)), Inodes: new(uint64(16777216)), InodesUsed: new(uint64(151)),
	}
}

func network(interfaces int) *v1alpha1.NetworkStats {
	n := &v1alpha1.NetworkStats{Time: mark()}
	for i := range interfaces {
		n.Interfaces = append(n.Interfaces, v1alpha1.InterfaceStats{
			Name: "eth" + strconv.Itoa(i), RxBytes: new(uint64(987654321)), RxErrors: new(uint64(0)), TxBytes: new(uint64(123456789)), TxErrors: new(uint64(0)),
		})
	}
	n.InterfaceStats = n.Interfaces[0]
	return n
}
