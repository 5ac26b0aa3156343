package kubelet

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// node is what is kept of a Node object.
type node struct {
	name     string
	endpoint string // host:port of its kubelet
	meta     nodeMeta
}

func (n *node) url(cfg *Config) (*url.URL, error) { return parseEndpoint(n.endpoint, cfg.AuthType) }

// api follows Node and Pod objects. Objects are cut to what is needed as they come in, and lists that have grown too old
// for the API server (410) are fetched anew by client-go.
type api struct {
	r       *kubeletReceiver
	client  corev1.CoreV1Interface
	nodes   nodeStore
	pods    podStore
	onNodes func([]*node) // nil unless all nodes are scraped
	all     bool
}

func (r *kubeletReceiver) newAPI(cfg *rest.Config, all bool) (*api, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := corev1.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	a := &api{r: r, client: client, all: all, pods: podStore{cfg: &r.cfg.Metadata, byNode: map[string]map[string]*podMeta{}, nodeOf: map[string]string{}}}
	a.nodes.known = map[string]*node{}
	return a, nil
}

// start follows what the configuration needs until the receiver is shut down.
func (a *api) start(ctx context.Context, self string) {
	a.nodes.changed = a.onNodes
	one := func(field string) string {
		if a.all {
			return ""
		}
		return fields.OneTermEqualSelector(field, self).String()
	}
	a.follow(ctx, "nodes", &v1.Node{}, &a.nodes, one("metadata.name"),
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return a.client.Nodes().List(ctx, o)
		},
		func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return a.client.Nodes().Watch(ctx, o)
		})
	if a.r.podSource != sourceAPI {
		return
	}
	a.follow(ctx, "pods", &v1.Pod{}, &a.pods, one("spec.nodeName"),
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return a.client.Pods("").List(ctx, o)
		},
		func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return a.client.Pods("").Watch(ctx, o)
		})
}

func (a *api) follow(ctx context.Context, what string, kind runtime.Object, store cache.ReflectorStore, selector string,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	watched func(context.Context, metav1.ListOptions) (watch.Interface, error),
) {
	var failing atomic.Pointer[string]
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			got, err := list(ctx, o)
			a.noted(ctx, what, &failing, err)
			return got, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			got, err := watched(ctx, o)
			a.noted(ctx, what, &failing, err)
			return got, err
		},
	}
	quiet := logr.Discard() // what matters is said by noted
	reflector := cache.NewReflectorWithOptions(lw, kind, store, cache.ReflectorOptions{Name: "kubelet receiver, " + what, Logger: &quiet})
	a.r.background.Go(func() { reflector.RunWithContext(klog.NewContext(ctx, quiet)) })
}

// noted counts failures and says each kind once; failing is the last one of what is followed.
func (a *api) noted(ctx context.Context, what string, failing *atomic.Pointer[string], err error) {
	if err == nil {
		if failing.Swap(nil) != nil {
			a.r.set.Logger.Info("kubelet: the API server answers again", zap.String("what", what))
		}
		return
	}
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) {
		return // the list is fetched anew
	}
	reason := strings.ToLower(string(apierrors.ReasonForError(err)))
	if reason == "" {
		reason, _ = failure(err)
	}
	a.r.tel.failures.Add(ctx, 1, metric.WithAttributes(a.r.tel.receiver, attribute.String("endpoint", "api_"+what), attribute.String("reason", reason)))
	if last := failing.Swap(&reason); last != nil && *last == reason {
		return
	}
	a.r.set.Logger.Warn("kubelet: the API server does not answer; it is asked again, and this is not said again until it does",
		zap.String("what", what), zap.String("mend", "give the service account list and watch on "+what), zap.Error(err))
}

// metadata is what is known of a node now.
func (a *api) metadata(name string) *metadata {
	m := a.pods.of(name)
	if n := a.nodes.get(name); n != nil {
		m.node = &n.meta
	}
	return m
}

// onlyNode is what is known of a node without its pods; nil if nobody follows nodes.
func (a *api) onlyNode(name string) *metadata {
	if a == nil {
		return nil
	}
	n := a.nodes.get(name)
	if n == nil {
		return nil
	}
	return &metadata{node: &n.meta}
}

// nodeStore keeps nodes for a reflector.
type nodeStore struct {
	mu      sync.Mutex
	known   map[string]*node
	changed func([]*node)
}

func (s *nodeStore) get(name string) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[name]
}

// change changes the map and hands over what there is then.
func (s *nodeStore) change(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	if s.changed != nil {
		list := make([]*node, 0, len(s.known))
		for _, n := range s.known {
			list = append(list, n)
		}
		s.changed(list)
	}
	return nil
}

// Add implements cache.ReflectorStore.
func (s *nodeStore) Add(obj any) error {
	n, ok := obj.(*v1.Node)
	if !ok {
		return fmt.Errorf("kubelet: not a node: %T", obj)
	}
	return s.change(func() { s.known[n.Name] = cutNode(n) })
}

// Update implements cache.ReflectorStore.
func (s *nodeStore) Update(obj any) error { return s.Add(obj) }

// Delete implements cache.ReflectorStore.
func (s *nodeStore) Delete(obj any) error {
	n, ok := obj.(*v1.Node)
	if !ok {
		return fmt.Errorf("kubelet: not a node: %T", obj)
	}
	return s.change(func() { delete(s.known, n.Name) })
}

// Replace implements cache.ReflectorStore.
func (s *nodeStore) Replace(list []any, _ string) error {
	return s.change(func() {
		clear(s.known)
		for _, obj := range list {
			if n, ok := obj.(*v1.Node); ok {
				s.known[n.Name] = cutNode(n)
			}
		}
	})
}

// Resync implements cache.ReflectorStore.
func (*nodeStore) Resync() error { return nil }

// cutNode keeps of a Node object what is needed. Its kubelet is at the first internal address.
func cutNode(n *v1.Node) *node {
	port := n.Status.DaemonEndpoints.KubeletEndpoint.Port
	if port == 0 {
		port = 10250
	}
	host := n.Name
	if i := slices.IndexFunc(n.Status.Addresses, func(a v1.NodeAddress) bool { return a.Type == v1.NodeInternalIP }); i >= 0 {
		host = n.Status.Addresses[i].Address
	}
	q := func(name v1.ResourceName) qty {
		v, ok := n.Status.Allocatable[name]
		return qty{v: v.AsApproximateFloat64(), ok: ok}
	}
	return &node{
		name: strings.Clone(n.Name), endpoint: net.JoinHostPort(host, strconv.Itoa(int(port))),
		meta: nodeMeta{cpu: q(v1.ResourceCPU), memory: q(v1.ResourceMemory), storage: q(v1.ResourceEphemeralStorage), pods: q(v1.ResourcePods)},
	}
}

// setTargets makes the targets those of the nodes. A node whose address stays keeps its target, and with it the last
// samples of its counters.
func (r *kubeletReceiver) setTargets(list []*node, base func(*node) (*url.URL, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := make(map[string]*target, len(list))
	for _, n := range list {
		u, err := base(n)
		if err != nil {
			r.set.Logger.Warn("kubelet: a node without a usable address is left out", zap.String("node", n.name), zap.Error(err))
			continue
		}
		if old, ok := r.targets[n.name]; ok && old.base == u.String() {
			now[n.name] = old
			continue
		}
		now[n.name] = r.newTarget(n.name, u)
	}
	r.targets = now
}
