package kubelet

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// node is what is kept of a Node object.
type node struct {
	name     string
	endpoint string // host:port of its kubelet
	meta     nodeMeta
}

func (n *node) url(cfg *Config) (*url.URL, error) { return parseEndpoint(n.endpoint, cfg.AuthType) }

// api follows Node and Pod objects, which are cut to what is needed as they come in.
type api struct {
	r       *kubeletReceiver
	client  rest.Interface
	nodes   nodeStore
	pods    podStore
	onNodes func([]*node) // nil unless all nodes are scraped
	all     bool
}

func (r *kubeletReceiver) newAPI(cfg *rest.Config, all bool) (*api, error) {
	client, err := corev1.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	a := &api{r: r, client: client.RESTClient(), all: all, pods: podStore{cfg: &r.cfg.Metadata, byNode: map[string]map[string]*podMeta{}, nodeOf: map[string]string{}}}
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
	f := &kubeapi.Follower{Component: "kubelet", Logger: a.r.set.Logger, Failed: func(ctx context.Context, resource, reason string) {
		a.r.tel.failures.Add(ctx, 1, metric.WithAttributes(a.r.tel.receiver, attribute.String("endpoint", "api_"+resource), attribute.String("reason", reason)))
	}}
	follow := func(name string, kind runtime.Object, field string, store cache.ReflectorStore) {
		a.r.background.Go(func() {
			f.Follow(ctx, kubeapi.Resource{Name: name, Kind: kind, Client: a.client, Fields: one(field)}, store)
		})
	}
	follow("nodes", &v1.Node{}, "metadata.name", a.nodes.store())
	if a.r.podSource == sourceAPI {
		follow("pods", &v1.Pod{}, "spec.nodeName", a.pods.store())
	}
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

// nodeStore keeps what is needed of nodes.
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
func (s *nodeStore) change(do func()) {
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
}

// store is where a reflector puts nodes.
func (s *nodeStore) store() cache.ReflectorStore {
	return kubeapi.Store[*v1.Node]{
		Put:  func(n *v1.Node) { s.change(func() { s.known[n.Name] = cutNode(n) }) },
		Gone: func(n *v1.Node) { s.change(func() { delete(s.known, n.Name) }) },
		All: func(list []*v1.Node) {
			s.change(func() {
				clear(s.known)
				for _, n := range list {
					s.known[n.Name] = cutNode(n)
				}
			})
		},
	}
}

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
	return &node{
		name: strings.Clone(n.Name), endpoint: net.JoinHostPort(host, strconv.Itoa(int(port))),
		meta: nodeMeta{capacity: cutResources(n.Status.Capacity), allocatable: cutResources(n.Status.Allocatable)},
	}
}

func cutResources(list v1.ResourceList) nodeResources {
	q := func(name v1.ResourceName) qty {
		v, ok := list[name]
		return qty{v: v.AsApproximateFloat64(), ok: ok}
	}
	return nodeResources{cpu: q(v1.ResourceCPU), memory: q(v1.ResourceMemory), storage: q(v1.ResourceEphemeralStorage), pods: q(v1.ResourcePods)}
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
