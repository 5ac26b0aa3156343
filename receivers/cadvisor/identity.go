package cadvisor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// identity is what a runtime knows of a container, a sandbox or a pod.
type identity struct {
	podUID, podName, namespace string
	container                  string // the name in the pod, or the name in the Docker engine
	image, imageTag            string
	runtime                    string
	sandbox                    bool
	created                    time.Time
}

// layer is how large the writable layer of a container is.
type layer struct {
	mountpoint    string
	bytes, inodes uint64
	hasInodes     bool
}

// inventory is all that a runtime runs.
type inventory struct {
	containers map[string]identity // by id, sandboxes too
	pods       map[string]identity // by UID
}

// runtimeAPI asks one container runtime. It is used by one goroutine at a time.
type runtimeAPI interface {
	// endpoint is its URL, for messages.
	endpoint() string
	list(ctx context.Context) (inventory, error)
	// layers is empty if the runtime does not tell.
	layers(ctx context.Context) (map[string]layer, error)
	close() error
}

// runtimeTimeout is how long a runtime may take to answer. A runtime that hangs delays figures, and never stops them.
const runtimeTimeout = 2 * time.Second

// names remembers what runtimes told, as much as runs at a time. A container's id is never used again, so what is known
// stays true; it is asked again for those that are new, and after each housekeeping interval.
type names struct {
	runtimes []runtimeAPI
	logger   *zap.Logger
	every    time.Duration
	// pods names pods and containers in the runtimes' place; nil if they do.
	pods *podtable.Table

	known   inventory
	unknown map[string]struct{} // ids that no runtime knew when it was asked last
	asked   time.Time
	failing map[string]string // endpoint → what was said about it
}

func newNames(runtimes []runtimeAPI, every time.Duration, logger *zap.Logger) *names {
	return &names{runtimes: runtimes, every: every, logger: logger, failing: map[string]string{}}
}

// update asks the runtimes if there is a container that they were not asked for yet, or if it is time.
func (n *names) update(ctx context.Context, places []place, now time.Time) {
	if len(n.runtimes) == 0 || (now.Sub(n.asked) < n.every && !n.hasNew(places)) {
		return
	}
	n.asked = now
	fresh := inventory{containers: map[string]identity{}, pods: map[string]identity{}}
	whole := true
	for _, r := range n.runtimes {
		ctx, cancel := context.WithTimeout(ctx, runtimeTimeout)
		inv, err := r.list(ctx)
		cancel()
		n.report(r.endpoint(), err)
		whole = whole && err == nil
		maps.Copy(fresh.containers, inv.containers)
		maps.Copy(fresh.pods, inv.pods)
	}
	if !whole { // what was known of containers that still run stays
		n.keep(&fresh, places)
	}
	n.known = fresh
	n.unknown = map[string]struct{}{}
	for _, p := range places {
		if _, ok := fresh.containers[p.containerID]; p.kind == containerKind && !ok {
			n.unknown[p.containerID] = struct{}{}
		}
	}
}

func (n *names) hasNew(places []place) bool {
	for _, p := range places {
		if p.kind != containerKind {
			continue
		}
		_, known := n.known.containers[p.containerID]
		_, asked := n.unknown[p.containerID]
		if !known && !asked {
			return true
		}
	}
	return false
}

func (n *names) keep(fresh *inventory, places []place) {
	for _, p := range places {
		if who, ok := n.known.containers[p.containerID]; ok {
			if _, newer := fresh.containers[p.containerID]; !newer {
				fresh.containers[p.containerID] = who
			}
		}
		if who, ok := n.known.pods[p.uid]; ok {
			if _, newer := fresh.pods[p.uid]; !newer {
				fresh.pods[p.uid] = who
			}
		}
	}
}

// strange says whether a cgroup is of a pod that the table should know and does not. Without a name, all such pods would have
// the same series.
func (n *names) strange(p place) bool {
	return n.pods != nil && p.uid != "" && n.pods.ByUID(p.uid) == nil
}

// fromTable tells who a cgroup of a pod is. A container that its pod does not tell of holds the pod's namespaces, or is so new
// that the kubelet has not told of it yet.
func (n *names) fromTable(p place) identity {
	who := identity{podUID: p.uid, runtime: p.hint}
	pod := n.pods.ByUID(p.uid)
	if pod == nil {
		return who
	}
	who.podName, who.namespace = pod.Name(), pod.Namespace()
	if p.kind != containerKind {
		return who
	}
	c := pod.ContainerByID(p.containerID)
	who.sandbox = c == nil
	who.container = n.pods.Value(pod, podtable.ContainerName, c)
	who.image, who.imageTag = n.pods.Value(pod, podtable.ImageName, c), n.pods.Value(pod, podtable.ImageTag, c)
	return who
}

// of tells who a cgroup is, with what its path says where runtimes say nothing.
func (n *names) of(p place) identity {
	if n.pods != nil && p.uid != "" {
		return n.fromTable(p)
	}
	var who identity
	if p.kind == containerKind {
		who = n.known.containers[p.containerID]
	}
	if p.uid != "" && who.podName == "" {
		pod := n.known.pods[p.uid]
		who.podName, who.namespace = pod.podName, pod.namespace
		if p.kind == podKind {
			who.created = pod.created
		}
	}
	if who.podUID == "" {
		who.podUID = p.uid
	}
	if who.runtime == "" {
		who.runtime = p.hint
	}
	return who
}

// layers asks all runtimes for the sizes of writable layers.
func (n *names) layers(ctx context.Context) map[string]layer {
	all := map[string]layer{}
	for _, r := range n.runtimes {
		ctx, cancel := context.WithTimeout(ctx, runtimeTimeout)
		some, err := r.layers(ctx)
		cancel()
		n.report(r.endpoint()+" sizes", err)
		maps.Copy(all, some)
	}
	return all
}

// report warns of a runtime that does not answer, once until it answers again.
func (n *names) report(endpoint string, err error) {
	said, failing := n.failing[endpoint]
	switch {
	case err == nil && failing:
		delete(n.failing, endpoint)
		n.logger.Info("container runtime answers again", zap.String("endpoint", endpoint))
	case err != nil && said != err.Error():
		n.failing[endpoint] = err.Error()
		n.logger.Warn("container runtime does not answer: containers and pods that it alone knows are without their names, their figures are read all the same",
			zap.String("endpoint", endpoint), zap.Error(err), zap.String("mend", mendRuntime(err)))
	}
}

func mendRuntime(err error) string {
	if errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "permission denied") {
		return "run obsd as root, or as a member of the group that the socket belongs to"
	}
	return "see to the runtime, or set runtime_endpoints to where it answers"
}

func (n *names) close() error {
	var errs []error
	for _, r := range n.runtimes {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// splitImage takes name and tag of an image apart. One that is told by its digest alone has neither.
func splitImage(ref string) (name, tag string) {
	if name, tag = kubeapi.SplitImage(ref); name == "sha256" {
		return "", ""
	}
	return name, tag
}
