package k8scluster

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// maxReason is the length from which on a reason is taken for a text and not for one of few names.
const maxReason = 64

// pod makes the pod itself and its containers.
func (c *catalog) pod(o *v1.Pod) []*entity {
	own := []attr{
		{attrNamespace, o.Namespace},
		{attrNode, o.Spec.NodeName},
		{attrPod, o.Name},
		{attrPodUID, kubeapi.PodUID(o)},
		{attrQoS, string(o.Status.QOSClass)},
	}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil {
		for _, a := range kubeapi.OwnerAttributes(owner.Kind, owner.Name, o.Labels["pod-template-hash"]) {
			own = append(own, attr{a.Key, a.Value})
		}
	}
	b := c.entity(nil, own...)
	b.put(podPhase, phase(o.Status.Phase))
	if o.Status.Reason != "" {
		b.put(podStatusReason, statusReason(o.Status.Reason))
	}
	for _, condition := range o.Status.Conditions {
		if slices.Contains(c.podConditions, string(condition.Type)) {
			b.label(podCondition, string(condition.Type), truth(condition.Status))
		}
	}
	b.podResources(o)
	pod := b.done()
	list := []*entity{pod}
	for i := range o.Spec.Containers {
		spec := &o.Spec.Containers[i]
		list = append(list, c.container(pod, spec, status(o.Status.ContainerStatuses, spec.Name), true))
	}
	for i := range o.Spec.InitContainers {
		spec := &o.Spec.InitContainers[i]
		s := status(o.Status.InitContainerStatuses, spec.Name)
		if sidecar := spec.RestartPolicy != nil && *spec.RestartPolicy == v1.ContainerRestartPolicyAlways; sidecar || !succeeded(s) {
			list = append(list, c.container(pod, spec, s, sidecar))
		}
	}
	return slices.DeleteFunc(list, func(e *entity) bool { return len(e.points) == 0 })
}

// succeeded says whether an init container has done its work, or has not begun: nothing is told of it then.
func succeeded(s *v1.ContainerStatus) bool {
	return s == nil || s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
}

func status(list []v1.ContainerStatus, name string) *v1.ContainerStatus {
	if i := slices.IndexFunc(list, func(s v1.ContainerStatus) bool { return s.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// container makes a container; stays is false for an init container, which holds no resources once it has ended and is never
// ready.
func (c *catalog) container(pod *entity, spec *v1.Container, s *v1.ContainerStatus, stays bool) *entity {
	var id string
	image := spec.Image
	if s != nil {
		if id = kubeapi.ContainerID(s.ContainerID); s.Image != "" && !strings.HasPrefix(s.Image, "sha256:") {
			image = s.Image
		}
	}
	name, tag := splitImage(image)
	b := c.entity(pod.own, attr{attrContainer, spec.Name}, attr{attrContainerID, id}, attr{attrImage, name}, attr{attrImageTag, tag})
	if stays {
		r := spec.Resources
		b.containerResources(r.Requests, containerCPURequest, containerMemoryRequest, containerEphemeralRequest, containerStorageRequest)
		b.containerResources(r.Limits, containerCPULimit, containerMemoryLimit, containerEphemeralLimit, containerStorageLimit)
	}
	if s != nil {
		b.status(s, stays)
	}
	return b.done()
}

func (b builder) containerResources(list v1.ResourceList, cpu, memory, ephemeral, storage stat) {
	for name, q := range list {
		switch name {
		case v1.ResourceCPU:
			b.put(cpu, float64(q.MilliValue())/1000)
		case v1.ResourceMemory:
			b.put(memory, float64(q.Value()))
		case v1.ResourceEphemeralStorage:
			b.put(ephemeral, float64(q.Value()))
		case v1.ResourceStorage:
			b.put(storage, float64(q.Value()))
		}
	}
}

func (b builder) status(s *v1.ContainerStatus, stays bool) {
	if stays {
		ready := 0.0
		if s.Ready {
			ready = 1
		}
		b.put(containerReady, ready)
	}
	b.whole(containerRestarts, s.RestartCount)
	switch state := s.State; {
	case state.Running != nil:
		b.label(containerState, "running", 1)
	case state.Terminated != nil:
		b.label(containerState, "terminated", 1)
		b.reason(state.Terminated.Reason)
	case state.Waiting != nil:
		b.label(containerState, "waiting", 1)
		b.reason(state.Waiting.Reason)
	}
	if last := s.LastTerminationState.Terminated; last != nil {
		b.label(containerTerminated, cleanReason(last.Reason), float64(last.FinishedAt.Unix()))
	}
}

func (b builder) reason(text string) {
	if text != "" {
		b.label(containerReason, cleanReason(text), 1)
	}
}

// cleanReason keeps a reason that is a name and not a text, so that a runtime that writes texts makes no new series each time.
func cleanReason(reason string) string {
	letters := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	switch {
	case reason == "":
		return "Unknown"
	case len(reason) > maxReason, strings.ContainsFunc(reason, func(r rune) bool { return !letters(r) }):
		return "Other"
	}
	return reason
}

// podResources adds what the scheduler counts, as `kubectl describe node` does: nothing for a pod that has ended.
func (b builder) podResources(o *v1.Pod) {
	if o.Status.Phase == v1.PodSucceeded || o.Status.Phase == v1.PodFailed {
		return
	}
	on := func(s ...stat) bool { return slices.ContainsFunc(s, func(s stat) bool { return b.c.on[s] }) }
	options := resourcehelper.PodResourcesOptions{UseStatusResources: true}
	if on(podCPURequest, podMemoryRequest, podStorageRequest) {
		b.podResource(resourcehelper.PodRequests(o, options), podCPURequest, podMemoryRequest, podStorageRequest)
	}
	if on(podCPULimit, podMemoryLimit, podStorageLimit) {
		b.podResource(resourcehelper.PodLimits(o, options), podCPULimit, podMemoryLimit, podStorageLimit)
	}
}

func (b builder) podResource(list v1.ResourceList, cpu, memory, storage stat) {
	if q, ok := list[v1.ResourceCPU]; ok {
		b.put(cpu, float64(q.MilliValue())/1000)
	}
	if q, ok := list[v1.ResourceMemory]; ok {
		b.put(memory, float64(q.Value()))
	}
	if q, ok := list[v1.ResourceEphemeralStorage]; ok {
		b.put(storage, float64(q.Value()))
	}
}

func phase(p v1.PodPhase) float64 {
	switch p {
	case v1.PodPending:
		return 1
	case v1.PodRunning:
		return 2
	case v1.PodSucceeded:
		return 3
	case v1.PodFailed:
		return 4
	}
	return 5
}

func statusReason(reason string) float64 {
	known := []string{"Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"}
	if i := slices.Index(known, reason); i >= 0 {
		return float64(i + 1)
	}
	return 6
}

// splitImage divides an image into its name and tag. One without a tag or digest is the latest.
func splitImage(image string) (name, tag string) {
	name, tag = kubeapi.SplitImage(image)
	if tag == "" && name != "" && !strings.Contains(image, "@") {
		tag = "latest"
	}
	return name, tag
}
