package e2e_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/internal/kubetest"
)

// TestMetadata has the real obsd read logs of pods, beside an API server that is down at first: the first records, those after a
// change of labels, and those of a pod that is gone all have what belongs to their pod, and a plugin looks up the same.
func TestMetadata(t *testing.T) {
	binary, err := daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	api := kubetest.NewAPI(t)
	api.Set(deployed("web-1", "blue"))
	api.Refuse("pods", http.StatusServiceUnavailable)
	m := &metadata{logs: t.TempDir(), out: filepath.Join(t.TempDir(), "out.jsonl")}
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join("testdata", "metadata.yaml"))
	require.NoError(t, err)
	m.say(t, "web-1", "first")

	env := []string{
		"DIR=" + m.logs, "OUT=" + m.out, "OWNER=" + guest.Build(t, filepath.Join("testdata", "owner")), "KUBECONFIG_FILE=" + api.Kubeconfig(),
	}
	began := make(chan error, 1)
	var obsd *daemon.Daemon
	go func() { // it starts while the API server is down: it is only a plugin that waits for its table
		var err error
		obsd, err = daemon.Start(t.Context(), daemon.Settings{Binary: binary, Config: string(config), Dir: dir, Env: env})
		began <- err
	}()
	require.Eventually(t, func() bool { return len(api.Asked("pods")) > 0 }, patience, pollEvery)
	api.Refuse("pods", 0)
	err = <-began
	t.Cleanup(func() {
		if obsd.Running() {
			if err := obsd.Kill(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("log of obsd:\n%s", obsd.Log())
		}
	})
	require.NoError(t, err)
	m.hear(t, "first", "app=blue deployment=web owner=web image=nginx:1.27 node=node-1")

	api.Set(deployed("web-1", "green"))
	n := 0
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		n++
		m.say(t, "web-1", fmt.Sprint("relabelled ", n))
		m.hears(c, "relabelled", "app=green deployment=web owner=web image=nginx:1.27 node=node-1")
	}, patience, 5*pollEvery)

	api.Set(deployed("short", "red"))
	api.Delete(deployed("short", ""))
	m.say(t, "short", "last words")
	m.hear(t, "last words", "app=red deployment=web owner=web image=nginx:1.27 node=node-1")
	require.NoError(t, obsd.Stop(patience))
}

// deployed is a pod of the Deployment web.
func deployed(name, app string) *v1.Pod {
	yes := true
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "demo", Name: name, UID: types.UID(uidOf(name)), Labels: map[string]string{"app": app, "pod-template-hash": "5d8"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5d8", UID: "r", Controller: &yes}},
		},
		Spec: v1.PodSpec{NodeName: "node-1", Containers: []v1.Container{{Name: "nginx", Image: "nginx:1.27"}}},
	}
}

// uidOf is a uid as they may stand in the paths of logs.
func uidOf(name string) string { return hex.EncodeToString([]byte(name)) }

// metadata is where logs come from and go to.
type metadata struct{ logs, out string }

// say writes a line of a pod's log as a container runtime does.
func (m *metadata) say(t *testing.T, pod, line string) {
	t.Helper()
	path := filepath.Join(m.logs, "pods", "demo_"+pod+"_"+uidOf(pod), "nginx", "0.log")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	appendTo(t, path, "2026-11-26T04:00:00.000000000Z stdout F "+line+"\n")
}

func (m *metadata) hear(t *testing.T, line, want string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { m.hears(c, line, want) }, patience, pollEvery)
}

// hears looks for a record whose body begins so and that has what is wanted, in what came out.
func (m *metadata) hears(c *assert.CollectT, begin, want string) {
	b, err := os.ReadFile(m.out)
	require.NoError(c, err)
	var all []string
	for text := range strings.Lines(string(b)) {
		ld, err := new(plog.JSONUnmarshaler).UnmarshalLogs([]byte(text))
		if err != nil {
			continue // not written to its end yet
		}
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					if strings.HasPrefix(record.Body().Str(), begin) {
						all = append(all, heard(rl.Resource().Attributes(), record.Attributes()))
					}
				}
			}
		}
	}
	require.Contains(c, all, want)
}

func heard(resource, record pcommon.Map) string {
	text := func(m pcommon.Map, key string) string {
		if v, ok := m.Get(key); ok {
			return v.Str()
		}
		return "absent"
	}
	return fmt.Sprintf("app=%s deployment=%s owner=%s image=%s:%s node=%s",
		text(resource, "k8s.pod.label.app"), text(resource, "k8s.deployment.name"), text(record, "owner"),
		text(resource, "container.image.name"), text(resource, "container.image.tag"), text(resource, "k8s.node.name"))
}
