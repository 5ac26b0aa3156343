package podtable

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unique"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// Keep says which labels and annotations are kept, by patterns of their keys, and which of [MoreFields].
type Keep struct {
	Labels, Annotations, NamespaceLabels, NodeLabels []string
	More                                             []Field
}

// has says whether a field can have a value.
func (k *Keep) has(f Field) bool {
	return !slices.Contains(MoreFields(), f) || slices.Contains(k.More, f)
}

// Trim takes out of a Pod object what [Keep.Pod] does not look at.
func (k *Keep) Trim(p *v1.Pod) {
	p.ManagedFields, p.Finalizers = nil, nil
	maps.DeleteFunc(p.Annotations, func(key, _ string) bool { return key != kubeapi.MirrorUID && !kubeapi.Matches(k.Annotations, key) })
	p.Spec = v1.PodSpec{
		NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
		Containers: trim(p.Spec.Containers), InitContainers: trim(p.Spec.InitContainers),
	}
	p.Status.Conditions = nil
}

func trim(list []v1.Container) []v1.Container {
	out := make([]v1.Container, len(list))
	for i := range list {
		out[i] = v1.Container{Name: list[i].Name, Image: list[i].Image}
	}
	return out
}

// Pod keeps of a Pod object what is needed.
func (k *Keep) Pod(p *v1.Pod) *Pod {
	out := &Pod{
		name: strings.Clone(p.Name), uid: strings.Clone(string(p.UID)),
		namespace: unique.Make(p.Namespace), node: unique.Make(p.Spec.NodeName),
		created: p.CreationTimestamp.Unix(), single: len(p.Spec.Containers) == 1, shared: p.Spec.HostNetwork,
		over: p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed,
	}
	if uid := kubeapi.PodUID(p); uid != out.uid {
		out.uid, out.apiUID = strings.Clone(uid), out.uid
	}
	if p.Status.StartTime != nil {
		out.started = p.Status.StartTime.Unix()
	}
	if controller := metav1.GetControllerOfNoCopy(p); controller != nil {
		out.owner = cutOwner(controller, p.Labels["pod-template-hash"])
	}
	out.labels = slices.Concat(kept(p.Labels, PodLabel, k.Labels), kept(p.Annotations, PodAnnotation, k.Annotations))
	out.ips = cutIPs(&p.Status)
	out.shared = out.shared || len(out.ips) > 0 && p.Status.PodIP == p.Status.HostIP
	out.cutContainers(p, slices.Contains(k.More, ImageRepoDigests))
	return out
}

// namespaceLabels are those of a namespace that are kept.
func (k *Keep) namespaceLabels(n *v1.Namespace) []Label {
	return kept(n.Labels, NamespaceLabel, k.NamespaceLabels)
}

func (k *Keep) node(n *v1.Node) inNode {
	out := inNode{labels: kept(n.Labels, NodeLabel, k.NodeLabels)}
	if slices.Contains(k.More, NodeUID) {
		out.uid = strings.Clone(string(n.UID))
	}
	return out
}

func kept(all map[string]string, prefix string, patterns []string) (out []Label) {
	if len(patterns) == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if kubeapi.Matches(patterns, key) {
			out = append(out, Label{unique.Make(prefix + key), unique.Make(all[key])})
		}
	}
	return slices.Clip(out)
}

func cutOwner(r *metav1.OwnerReference, templateHash string) owner {
	return owner{
		kind: kinds[r.Kind], name: unique.Make(r.Name), uid: unique.Make(string(r.UID)),
		top: unique.Make(kubeapi.TopOwner(r.Kind, r.Name, templateHash)),
	}
}

func cutIPs(s *v1.PodStatus) (out []netip.Addr) {
	add := func(text string) {
		if ip, err := netip.ParseAddr(text); err == nil && !slices.Contains(out, ip.Unmap()) {
			out = append(out, ip.Unmap())
		}
	}
	add(s.PodIP)
	for _, ip := range s.PodIPs {
		add(ip.IP)
	}
	return slices.Clip(out)
}

// cutContainers takes each container with its current run, and the runs before that the object still tells of.
func (p *Pod) cutContainers(pod *v1.Pod, digests bool) {
	var former []Container
	add := func(name, image string, statuses []v1.ContainerStatus) {
		c := Container{name: unique.Make(name), digest: unique.Make("")}
		c.setImage(image)
		i := slices.IndexFunc(statuses, func(s v1.ContainerStatus) bool { return s.Name == name })
		if i >= 0 {
			s := &statuses[i]
			c.id, c.restarts = strings.Clone(kubeapi.ContainerID(s.ContainerID)), s.RestartCount
			if digests {
				c.digest = unique.Make(kubeapi.RepoDigest(s.ImageID))
			}
			if last := s.LastTerminationState.Terminated; last != nil && last.ContainerID != "" && last.ContainerID != s.ContainerID {
				run := c
				run.id, run.restarts = strings.Clone(kubeapi.ContainerID(last.ContainerID)), s.RestartCount-1
				former = append(former, run)
			}
		}
		p.containers = append(p.containers, c)
	}
	for i := range pod.Spec.Containers {
		add(pod.Spec.Containers[i].Name, pod.Spec.Containers[i].Image, pod.Status.ContainerStatuses)
	}
	for i := range pod.Spec.InitContainers {
		add(pod.Spec.InitContainers[i].Name, pod.Spec.InitContainers[i].Image, pod.Status.InitContainerStatuses)
	}
	for i := range pod.Status.EphemeralContainerStatuses {
		s := &pod.Status.EphemeralContainerStatuses[i]
		add(s.Name, s.Image, pod.Status.EphemeralContainerStatuses)
	}
	p.current = len(p.containers)
	p.containers = slices.Concat(p.containers, former)
}

func (c *Container) setImage(ref string) {
	name, tag := kubeapi.SplitImage(ref)
	c.image, c.tag = unique.Make(name), unique.Make(tag)
}
