package kubelet

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// podStore keeps what is needed of pods, by node.
type podStore struct {
	cfg *MetadataConfig

	mu     sync.RWMutex
	byNode map[string]map[string]*podMeta
	nodeOf map[string]string // uid to node
}

// of returns what is known of the pods of a node.
func (s *podStore) of(node string) *metadata {
	s.mu.RLock()
	defer s.mu.RUnlock()
	m := &metadata{pods: maps.Clone(s.byNode[node])}
	m.order = slices.Sorted(maps.Keys(m.pods))
	return m
}

// store is where a reflector puts pods.
func (s *podStore) store() cache.ReflectorStore {
	return kubeapi.Store[*v1.Pod]{
		Put: func(p *v1.Pod) {
			cut := cutPod(p, s.cfg)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.put(p.Spec.NodeName, cut)
		},
		Gone: func(p *v1.Pod) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.remove(kubeapi.PodUID(p))
		},
		All: func(list []*v1.Pod) {
			s.mu.Lock()
			defer s.mu.Unlock()
			clear(s.byNode)
			clear(s.nodeOf)
			for _, p := range list {
				s.put(p.Spec.NodeName, cutPod(p, s.cfg))
			}
		},
	}
}

func (s *podStore) put(node string, p *podMeta) {
	s.remove(p.uid)
	if node == "" {
		return // it is not scheduled yet
	}
	if s.byNode[node] == nil {
		s.byNode[node] = map[string]*podMeta{}
	}
	s.byNode[node][p.uid] = p
	s.nodeOf[p.uid] = node
}

func (s *podStore) remove(uid string) {
	node := s.nodeOf[uid]
	delete(s.byNode[node], uid)
	if len(s.byNode[node]) == 0 {
		delete(s.byNode, node)
	}
	delete(s.nodeOf, uid)
}

// cutPod keeps of a Pod object what is needed.
func cutPod(p *v1.Pod, cfg *MetadataConfig) *podMeta {
	out := &podMeta{name: p.Name, namespace: p.Namespace, uid: kubeapi.PodUID(p)}
	f := podFields{
		templateHash: p.Labels["pod-template-hash"], qos: string(p.Status.QOSClass),
		over: p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed,
	}
	if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
		f.ownerKind, f.ownerName = owner.Kind, owner.Name
	}
	f.labels = chosen(p.Labels, "k8s.pod.label.", cfg.Labels)
	f.annotations = chosen(p.Annotations, "k8s.pod.annotation.", cfg.Annotations)
	for i := range p.Spec.Containers {
		out.addSpec(&p.Spec.Containers[i], true)
	}
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		out.addSpec(c, c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways)
	}
	for _, list := range [][]v1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses} {
		for i := range list {
			f.statuses = append(f.statuses, cutStatus(&list[i]))
		}
	}
	for i := range p.Spec.Volumes {
		out.volumes = append(out.volumes, cutVolume(&p.Spec.Volumes[i]))
	}
	out.finish(&f)
	return out
}

func chosen(all map[string]string, prefix string, wanted []string) (out []label) {
	if len(wanted) == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if kubeapi.Matches(wanted, key) {
			out = append(out, label{prefix + key, all[key]})
		}
	}
	return out
}

func (p *podMeta) addSpec(c *v1.Container, counts bool) {
	to := p.addContainer(counts)
	to.name, to.image = c.Name, c.Image
	for name, q := range c.Resources.Requests {
		to.resources.set(string(name), false, qty{v: q.AsApproximateFloat64(), ok: true})
	}
	for name, q := range c.Resources.Limits {
		to.resources.set(string(name), true, qty{v: q.AsApproximateFloat64(), ok: true})
	}
}

func cutStatus(s *v1.ContainerStatus) containerMeta {
	out := containerMeta{name: s.Name, id: kubeapi.ContainerID(s.ContainerID), restarts: num{v: uint64(max(s.RestartCount, 0)), ok: true}, ready: num{ok: true}}
	if s.Ready {
		out.ready.v = 1
	}
	return out
}

// cutVolume finds a volume's type: the one member of its source that is set, by its name in JSON.
func cutVolume(v *v1.Volume) volumeMeta {
	out := volumeMeta{name: v.Name}
	if v.PersistentVolumeClaim != nil {
		out.kind, out.claim = "persistentVolumeClaim", v.PersistentVolumeClaim.ClaimName
		return out
	}
	b, err := json.Marshal(v.VolumeSource)
	if err != nil {
		return out
	}
	l := lexer{b: b}
	l.object(func(k []byte) {
		out.kind = string(k)
		l.skip()
	})
	return out
}
