package bench

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/e2e/process"
)

// TestGateway holds a whole obsd that watches a cluster of 5,000 pods and 500 nodes to 250 MB: state of workloads, events and probes to
// a page that Prometheus scrapes, as examples/service-monitor has it. It tells what that takes of a core at rest.
func TestGateway(t *testing.T) {
	const most = 250e6
	backend.Need(t)
	scrape, err := process.FreeAddr()
	require.NoError(t, err)
	d := daemon.StartFor(t, "../examples/service-monitor/obsd.yaml",
		"KUBE_AUTH=kubeConfig", "KUBECONFIG="+clusterAPI(t), "INTERVAL=30s", "SCRAPE="+scrape, "GOMEMLIMIT=120MiB", "GOGC=50")
	page := func() int64 {
		answer, err := http.Get("http://" + scrape + "/metrics") //nolint:noctx // it ends with the test
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		n, err := io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		return n
	}
	const points = clusterPods * 20
	require.Eventually(t, func() bool { return page() > points*100 }, 5*time.Minute, time.Second)
	before, err := d.Usage()
	require.NoError(t, err)
	began := time.Now()
	for range 3 { // scrapes, as often as state is told
		time.Sleep(30 * time.Second)
		page()
	}
	after, err := d.Usage()
	require.NoError(t, err)
	share := (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds()
	t.Logf("at most %d MB, %.1f %% of a core at intervals and scrapes of 30 s", after.PeakRSS/1e6, 100*share)
	require.LessOrEqual(t, float64(after.PeakRSS), most)
}
