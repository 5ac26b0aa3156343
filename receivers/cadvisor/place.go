package cadvisor

import "strings"

// kind is what a cgroup is.
type kind uint8

const (
	rawKind       kind = iota // a service, a slice, a user's session
	rootKind                  // the whole machine
	podKind                   // a pod with all its containers
	containerKind             // a container, or the sandbox that holds a pod's namespaces
	ignoredKind               // a mount unit, a runtime's monitor, a transient scope: with nothing to be seen below
)

// place is a cgroup, and what its path alone tells.
type place struct {
	path        string // below the root of cgroups: /kubepods/burstable/pod…
	kind        kind
	uid         string // of the pod
	containerID string
	hint        string // containerd, cri-o, docker, podman; empty if the path does not say
}

// idLength is the length of a container id of all runtimes: 32 bytes in hexadecimal digits.
const idLength = 64

// classify reads the path as the kubelet, container runtimes and systemd write it.
//
//	/kubepods/burstable/pod<uid>/<id>                                                  cgroupfs
//	/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<u_i_d>.slice/cri-containerd-<id>.scope   systemd
//	/docker/<id>    /system.slice/docker-<id>.scope    /machine.slice/libpod-<id>.scope
func classify(path string) place {
	p := place{path: path}
	if path == "/" {
		p.kind = rootKind
		return p
	}
	inKubernetes := false
	parent, base := "", ""
	for element := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		parent, base = base, element
		inKubernetes = inKubernetes || strings.HasPrefix(element, "kubepods")
		if uid := podUID(element); uid != "" && inKubernetes {
			p.uid = uid
		}
	}
	p.kind, p.containerID, p.hint = classifyLast(parent, base)
	if p.kind == rawKind && p.uid != "" && podUID(base) == p.uid {
		p.kind = podKind
	}
	return p
}

// podUID is the UID in the name of a pod's cgroup. systemd takes "-" for "/", so that "_" stands for it there.
func podUID(element string) string {
	if slice, ok := strings.CutSuffix(element, ".slice"); ok {
		_, uid, ok := strings.Cut(slice, "-pod")
		if !ok || !strings.HasPrefix(slice, "kubepods") {
			return ""
		}
		return strings.ReplaceAll(uid, "_", "-")
	}
	uid, ok := strings.CutPrefix(element, "pod")
	if !ok || len(uid) < 32 { // "pods", "podman"
		return ""
	}
	return uid
}

func classifyLast(parent, base string) (k kind, id, hint string) {
	name, scope := strings.CutSuffix(base, ".scope")
	prefix, id := "", name
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		prefix, id = name[:i], name[i+1:]
	}
	switch {
	case strings.HasSuffix(base, ".mount"), scope && strings.HasPrefix(name, "run-"), strings.HasSuffix(prefix, "conmon"):
		return ignoredKind, "", ""
	case !isID(id):
		return rawKind, "", ""
	}
	for _, hint := range []string{prefix, parent} {
		switch hint {
		case "cri-containerd", "nerdctl":
			return containerKind, id, "containerd"
		case "crio":
			return containerKind, id, "cri-o"
		case "docker":
			return containerKind, id, "docker"
		case "libpod":
			return containerKind, id, "podman"
		}
	}
	return containerKind, id, ""
}

func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// within says whether a path is one of the given ones or below one.
func within(path string, prefixes []string) bool {
	for _, p := range prefixes {
		rest, ok := strings.CutPrefix(path, strings.TrimSuffix(p, "/"))
		if ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
