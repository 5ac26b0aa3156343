package kubeapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

// names is what a follower has heard of.
type names struct {
	mu     sync.Mutex
	known  map[string]string // name to node
	failed []string
}

func (n *names) store() kubeapi.Store[*v1.Pod] {
	put := func(p *v1.Pod) { n.known[p.Name] = p.Spec.NodeName }
	return kubeapi.Store[*v1.Pod]{
		Put:  func(p *v1.Pod) { n.mu.Lock(); defer n.mu.Unlock(); put(p) },
		Gone: func(p *v1.Pod) { n.mu.Lock(); defer n.mu.Unlock(); delete(n.known, p.Name) },
		All: func(all []*v1.Pod) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.known = map[string]string{}
			for _, p := range all {
				put(p)
			}
		},
	}
}

func (n *names) is(t *testing.T, want map[string]string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { n.mu.Lock(); defer n.mu.Unlock(); require.Equal(c, want, n.known) }, 2*time.Minute, 5*time.Millisecond)
}

func (n *names) hasFailed(reason string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.failed, reason)
}

func pod(namespace, name, node string) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.NodeName = node
	return p
}

// follow follows pods of a fake API server until the test ends.
func follow(t *testing.T, a *kubetest.API, change func(*kubeapi.Resource)) (*names, *observer.ObservedLogs) {
	t.Helper()
	return followTrimmed(t, a, nil, change)
}

func followTrimmed(t *testing.T, a *kubetest.API, trim func(*v1.Pod), change func(*kubeapi.Resource)) (*names, *observer.ObservedLogs) {
	t.Helper()
	cfg := kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: a.Kubeconfig()}
	require.NoError(t, cfg.Validate())
	rc, err := cfg.REST()
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(rc)
	require.NoError(t, err)
	n := &names{known: map[string]string{}}
	core, logs := observer.New(zapcore.InfoLevel)
	f := &kubeapi.Follower{Component: "test", Logger: zap.New(core), Failed: func(_ context.Context, resource, reason string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.failed = append(n.failed, resource+" "+reason)
	}}
	r := kubeapi.Resource{Name: "pods", Kind: &v1.Pod{}, Client: client.CoreV1().RESTClient()}
	change(&r)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	store := n.store()
	store.Trim = trim
	wg.Go(func() { f.Follow(ctx, r, store) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return n, logs
}

func TestFollow(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(pod("x", "a", "n1"), pod("y", "b", "n1"), pod("x", "c", "n2"))
	all, logs := follow(t, a, func(*kubeapi.Resource) {})
	one, _ := follow(t, a, func(r *kubeapi.Resource) { r.Fields = "spec.nodeName=n1" })
	inX, _ := follow(t, a, func(r *kubeapi.Resource) { r.Namespace = "x" })
	all.is(t, map[string]string{"a": "n1", "b": "n1", "c": "n2"})
	one.is(t, map[string]string{"a": "n1", "b": "n1"})
	inX.is(t, map[string]string{"a": "n1", "c": "n2"})

	a.Set(pod("y", "d", "n2"), pod("x", "a", "n3"))
	a.Delete(pod("x", "c", ""))
	all.is(t, map[string]string{"a": "n3", "b": "n1", "d": "n2"})
	one.is(t, map[string]string{"b": "n1"})
	inX.is(t, map[string]string{"a": "n3"})

	a.CloseWatches()
	a.Set(pod("y", "e", "n2"))
	all.is(t, map[string]string{"a": "n3", "b": "n1", "d": "n2", "e": "n2"})

	a.Compact()
	a.CloseWatches()
	a.Delete(pod("y", "e", ""))
	all.is(t, map[string]string{"a": "n3", "b": "n1", "d": "n2"})
	require.Zero(t, logs.FilterLevelExact(zapcore.WarnLevel).Len(), "watches that end are nothing to warn of: %v", logs.All())
}

// TestFollowInPages has a server that cannot stream a first list. Objects are trimmed page by page, and a selector, for which the
// server looks through all objects, is no matter for pages.
func TestFollowInPages(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.ListsOnly()
	want := map[string]string{}
	for i := range 1100 {
		name := fmt.Sprintf("p%04d", i)
		a.Set(pod("x", name, "n1"))
		want[name] = ""
	}
	asked := func() (lists []url.Values) {
		for _, u := range a.Asked("pods") {
			if q := u.Query(); !q.Has("watch") {
				lists = append(lists, q)
			}
		}
		return lists
	}
	pages := map[int]int{} // how many objects were trimmed after so many requests
	trim := func(p *v1.Pod) {
		pages[len(asked())]++
		kubeapi.Empty(p)
	}
	n, logs := followTrimmed(t, a, trim, func(*kubeapi.Resource) {})
	n.is(t, want)
	require.Equal(t, map[int]int{1: 500, 2: 500, 3: 100}, pages)
	require.Empty(t, asked()[0].Get("resourceVersion"))

	a.Set(pod("x", "p0000", "n2"))
	want["p0000"] = "n2"
	n.is(t, want)

	n, _ = followTrimmed(t, a, func(*v1.Pod) {}, func(r *kubeapi.Resource) { r.Fields = "spec.nodeName=n2" })
	n.is(t, map[string]string{"p0000": "n2"})
	require.Len(t, asked(), 4)
	require.Equal(t, "0", asked()[3].Get("resourceVersion"))
	require.Zero(t, logs.FilterLevelExact(zapcore.WarnLevel).Len(), "a server that cannot stream is nothing to warn of: %v", logs.All())
}

// TestEmpty leaves what names an object.
func TestEmpty(t *testing.T) {
	p := pod("x", "a", "n1")
	p.ResourceVersion, p.Labels = "7", map[string]string{"app": "web"}
	kubeapi.Empty(p)
	require.Equal(t, &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "a", ResourceVersion: "7"}}, p)
}

// TestForbidden warns once and goes on when it is over.
func TestForbidden(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(pod("x", "a", "n1"))
	a.Refuse("pods", http.StatusForbidden)
	n, logs := follow(t, a, func(*kubeapi.Resource) {})
	require.Eventually(t, func() bool { return len(a.Asked("pods")) >= 4 && n.hasFailed("pods forbidden") }, 2*time.Minute, 5*time.Millisecond)
	a.Refuse("pods", 0)
	n.is(t, map[string]string{"a": "n1"})
	require.Equal(t, 1, logs.FilterMessageSnippet("does not answer").Len())
	require.Equal(t, "give the service account list and watch on pods", logs.FilterMessageSnippet("does not answer").All()[0].ContextMap()["mend"])
	require.Eventually(t, func() bool { return logs.FilterMessageSnippet("answers again").Len() == 1 }, 2*time.Minute, 5*time.Millisecond)
}

func TestValidate(t *testing.T) {
	for want, c := range map[string]kubeapi.Config{
		`auth_type: "tls" is neither serviceAccount nor kubeConfig`: {AuthType: "tls"},
		"kubeconfig: it is for auth_type kubeConfig only":           {AuthType: kubeapi.ServiceAccount, KubeConfig: "x"},
		"context: it is for auth_type kubeConfig only":              {AuthType: kubeapi.ServiceAccount, Context: "x"},
	} {
		require.EqualError(t, c.Validate(), want)
	}
	c := kubeapi.NewDefaultConfig()
	require.NoError(t, c.Validate())
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	_, err := c.REST()
	require.ErrorContains(t, err, "run in a pod with a service account, or use auth_type kubeConfig")
	c = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: "/not there"}
	_, err = c.REST()
	require.ErrorContains(t, err, "set kubeconfig, or KUBECONFIG in the environment")
}
