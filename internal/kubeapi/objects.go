package kubeapi

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// MirrorUID is the annotation of a mirror pod, the API's picture of a static pod, that holds the uid which its kubelet, and so its
// logs and metrics, know it by.
const MirrorUID = "kubernetes.io/config.hash"

// PodUID is the uid that a pod's kubelet knows it by.
func PodUID(p *v1.Pod) string {
	if uid := p.Annotations[MirrorUID]; uid != "" {
		return uid
	}
	return string(p.UID)
}

// TopOwner names what owns the controller of a pod: the Deployment of a ReplicaSet, which is named after it and the hash of its
// template, and the CronJob of a Job, which is named after it and the minute. It is empty for others.
func TopOwner(kind, name, templateHash string) string {
	switch kind {
	case "ReplicaSet":
		if deployment, ok := strings.CutSuffix(name, "-"+templateHash); ok && templateHash != "" {
			return deployment
		}
	case "Job":
		i := strings.LastIndexByte(name, '-')
		if i > 0 && len(name)-i-1 >= 8 && strings.Trim(name[i+1:], "0123456789") == "" {
			return name[:i]
		}
	}
	return ""
}

// Attribute is one of a resource.
type Attribute struct{ Key, Value string }

// workloads are the attributes for the names of what controls pods.
var workloads = map[string]string{
	"ReplicaSet": "k8s.replicaset.name", "StatefulSet": "k8s.statefulset.name", "DaemonSet": "k8s.daemonset.name", "Job": "k8s.job.name",
	"ReplicationController": "k8s.replicationcontroller.name",
}

// OwnerAttributes names the workload that a pod belongs to: its controller, and what owns that. There are none for other
// controllers.
func OwnerAttributes(kind, name, templateHash string) []Attribute {
	key, ok := workloads[kind]
	if !ok {
		return nil
	}
	list := []Attribute{{key, name}}
	if top := TopOwner(kind, name, templateHash); top != "" {
		key = "k8s.deployment.name"
		if kind == "Job" {
			key = "k8s.cronjob.name"
		}
		list = append(list, Attribute{key, top})
	}
	return list
}

// ContainerID cuts the runtime from a container's id: containerd://1234 is 1234.
func ContainerID(id string) string {
	if _, after, ok := strings.Cut(id, "://"); ok {
		return after
	}
	return id
}

// SplitImage takes name and tag of an image apart. A digest is no tag, and the port of a registry neither.
func SplitImage(ref string) (name, tag string) {
	name, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// RepoDigest is the repository and digest that a container's image was pulled by, from the id that the runtime gives it:
// docker-pullable://registry.example.com/web@sha256:1234 is registry.example.com/web@sha256:1234. It is empty for an image that came
// from no registry, which has the digest of its configuration for an id.
func RepoDigest(imageID string) string {
	_, ref, ok := strings.Cut(imageID, "://")
	if !ok {
		ref = imageID
	}
	if repository, digest, ok := strings.Cut(ref, "@"); !ok || repository == "" || !strings.Contains(digest, ":") {
		return ""
	}
	return ref
}

// Matches says whether one of the patterns fits a name.
func Matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Fits(p, name) })
}

// Fits says whether a pattern, in which * stands for any text, fits a name.
func Fits(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, head)
	for ok {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
		rest = after
	}
	return false
}
