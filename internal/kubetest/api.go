package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// API is an API server of Kubernetes as far as clients that list and watch need one: it holds objects of the built-in kinds,
// lists them, in pages to those that want no state of any age, tells watchers of changes from a resourceVersion on, sends initial
// events and bookmarks to those that ask for them, and takes objects that are created, updated (with a check of the version) and deleted. It stands in front of
// kubelets. It speaks JSON, and understands protobuf.
type API struct {
	t      testing.TB
	server *httptest.Server

	mu      sync.Mutex
	objects map[resourceID]map[string]*unstructured.Unstructured // by namespace/name
	log     []change
	version int64 // of the newest change
	oldest  int64 // watches from before it are refused
	lists   bool  // watches with initial events are refused
	refused map[string]int
	asked   map[string][]*url.URL
	proxied map[string]http.Handler // by the prefix of the path
	changed chan struct{}           // closed at each change, and replaced
	ends    chan struct{}           // closed to end all watches, and replaced
}

// resourceID is a group/version and the name of a resource as it stands in a URL.
type resourceID struct{ group, name string }

// change is what watchers are told.
type change struct {
	version  int64
	resource resourceID
	kind     watch.EventType
	old, now *unstructured.Unstructured // old is nil for a new object; both are nil for a bookmark
}

// NewAPI starts an API server without objects. It ends with the test.
func NewAPI(t testing.TB) *API {
	t.Helper()
	a := &API{
		t: t, objects: map[resourceID]map[string]*unstructured.Unstructured{}, refused: map[string]int{}, asked: map[string][]*url.URL{},
		proxied: map[string]http.Handler{}, changed: make(chan struct{}), ends: make(chan struct{}), version: 1,
	}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.server.CloseClientConnections() // clients may watch until their own cleanup
		a.server.Close()
	})
	return a
}

// Kubeconfig writes a kubeconfig file for the server and returns its path.
func (a *API) Kubeconfig() string {
	path := filepath.Join(a.t.TempDir(), "kubeconfig")
	require.NoError(a.t, os.WriteFile(path, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"test",
"clusters":[{"name":"c","cluster":{"server":%q}}],"users":[{"name":"u","user":{}}],
"contexts":[{"name":"test","context":{"cluster":"c","user":"u"}}]}`, a.server.URL), 0o600))
	return path
}

// Set adds objects or changes those of the same name. One without a uid gets one, which it keeps.
func (a *API) Set(objects ...runtime.Object) {
	a.t.Helper()
	for _, o := range objects {
		resource, u := a.open(o)
		a.mu.Lock()
		a.put(resource, u)
		a.mu.Unlock()
	}
}

// Delete takes objects away.
func (a *API) Delete(objects ...runtime.Object) {
	a.t.Helper()
	for _, o := range objects {
		resource, u := a.open(o)
		a.mu.Lock()
		a.remove(resource, key(u))
		a.mu.Unlock()
	}
}

// CloseWatches ends all watches, as API servers do now and then.
func (a *API) CloseWatches() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endWatches()
}

// endWatches ends the watches that were asked for until now. The caller holds the lock.
func (a *API) endWatches() {
	close(a.ends)
	a.ends = make(chan struct{})
}

// Compact forgets the changes until now: a watch from before them is refused with 410.
func (a *API) Compact() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.oldest, a.log = a.version, nil
}

// Bookmark tells all watchers that ask for bookmarks how far they have come.
func (a *API) Bookmark() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(change{kind: watch.Bookmark})
}

// Refuse answers requests for a resource with a status from now on, and ends its watches; status 0 ends that.
func (a *API) Refuse(resource string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused[resource] = status
	a.endWatches()
}

// ListsOnly refuses watches that ask for initial events from now on, as servers do that cannot stream a first list.
func (a *API) ListsOnly() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists = true
}

// Proxy has the server pass requests for a node's kubelet on to a handler, which sees the paths that a kubelet would.
func (a *API) Proxy(node string, kubelet http.Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	prefix := "/api/v1/nodes/" + node + "/proxy"
	a.proxied[prefix] = http.StripPrefix(prefix, kubelet)
}

// proxy finds the handler of a path at a kubelet.
func (a *API) proxy(path string) (http.Handler, bool) {
	prefix, _, found := strings.Cut(path, "/proxy/")
	a.mu.Lock()
	defer a.mu.Unlock()
	kubelet, ok := a.proxied[prefix+"/proxy"]
	return kubelet, found && ok
}

// Asked returns the requests for a resource until now.
func (a *API) Asked(resource string) []*url.URL {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked[resource])
}

// open makes an object of a Go type one of the store's.
func (a *API) open(o runtime.Object) (resourceID, *unstructured.Unstructured) {
	a.t.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(o)
	require.NoError(a.t, err)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	require.NoError(a.t, err)
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kinds[0])
	return idOf(kinds[0]), u
}

func idOf(kind schema.GroupVersionKind) resourceID {
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return resourceID{kind.GroupVersion().String(), plural.Resource}
}

func key(u *unstructured.Unstructured) string { return u.GetNamespace() + "/" + u.GetName() }

// put stores an object as of a new version. The caller holds the lock.
func (a *API) put(resource resourceID, u *unstructured.Unstructured) {
	if a.objects[resource] == nil {
		a.objects[resource] = map[string]*unstructured.Unstructured{}
	}
	old := a.objects[resource][key(u)]
	c := change{resource: resource, kind: watch.Added, old: old, now: u}
	if old != nil {
		c.kind = watch.Modified
		if u.GetUID() == "" {
			u.SetUID(old.GetUID())
		}
	}
	if u.GetUID() == "" {
		u.SetUID(types.UID(fmt.Sprintf("%s-%d", u.GetName(), a.version)))
	}
	a.objects[resource][key(u)] = u
	a.note(c)
}

// remove forgets an object. The caller holds the lock.
func (a *API) remove(resource resourceID, key string) {
	if old := a.objects[resource][key]; old != nil {
		delete(a.objects[resource], key)
		a.note(change{resource: resource, kind: watch.Deleted, old: old, now: old.DeepCopy()})
	}
}

// note gives a change its version and wakes the watchers. The caller holds the lock.
func (a *API) note(c change) {
	a.version++
	c.version = a.version
	if c.now != nil {
		c.now.SetResourceVersion(strconv.FormatInt(c.version, 10))
	}
	a.log = append(a.log, c)
	close(a.changed)
	a.changed = make(chan struct{})
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kubelet, ok := a.proxy(r.URL.Path); ok {
		kubelet.ServeHTTP(w, r)
		return
	}
	resource, namespace, name, ok := parsePath(r.URL.Path)
	if !ok {
		answerStatus(w, http.StatusNotFound, metav1.StatusReasonNotFound, r.URL.Path)
		return
	}
	a.mu.Lock()
	a.asked[resource.name] = append(a.asked[resource.name], r.URL)
	refused, lists, ends := a.refused[resource.name], a.lists, a.ends // of one moment: a watch that is let in is one to end
	a.mu.Unlock()
	switch q := r.URL.Query(); {
	case lists && q.Get("sendInitialEvents") != "":
		answerStatus(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "sendInitialEvents: Forbidden: WatchList is not enabled")
	case refused != 0:
		answerStatus(w, refused, reasonOf(refused), "refused by the test")
	case name != "" || r.Method != http.MethodGet:
		a.serveOne(w, r, resource, namespace, name)
	case q.Get("watch") == "true" || q.Get("watch") == "1":
		a.serveWatch(w, r, resource, namespace, ends)
	default:
		a.serveList(w, r, resource, namespace)
	}
}

// parsePath reads /api/v1/… and /apis/<group>/<version>/…, with or without a namespace and a name.
func parsePath(path string) (resource resourceID, namespace, name string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		resource.group, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		resource.group, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return resource, "", "", false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		namespace, parts = parts[1], parts[2:]
	}
	resource.name = parts[0]
	if len(parts) > 1 {
		name = parts[1]
	}
	return resource, namespace, name, len(parts) <= 2
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a client that went away is not our concern
}

func answerStatus(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	answerJSON(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}

func reasonOf(code int) metav1.StatusReason {
	return map[int]metav1.StatusReason{
		http.StatusUnauthorized: metav1.StatusReasonUnauthorized, http.StatusForbidden: metav1.StatusReasonForbidden,
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusGone: metav1.StatusReasonExpired,
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
		http.StatusInternalServerError: metav1.StatusReasonInternalError, http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
	}[code]
}
