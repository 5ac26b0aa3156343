package k8smetadata

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// What `pod_association` may list.
const (
	byUID        = "k8s.pod.uid"
	byContainer  = "container.id"
	byName       = "k8s.pod.name"
	byIP         = "k8s.pod.ip"
	byConnection = "connection"
)

// Config is what a user may set under `processors: k8s_metadata:`. An empty section is a whole configuration, beside an extension
// k8s_pods.
type Config struct {
	// Pods is the id of the extension k8s_pods that knows the pods. Default: k8s_pods.
	Pods component.ID `mapstructure:"pods"`

	// PodAssociation is by what a resource's pod is found, in the order of trying: the resource attributes k8s.pod.uid,
	// container.id, k8s.pod.name (with k8s.namespace.name) and k8s.pod.ip, and connection, the address of the client that sent
	// the batch. Default: all, in this order.
	PodAssociation []string `mapstructure:"pod_association"`

	// Extract lists the attributes that are set where they are not there yet; * stands for any text. Default: the names of
	// namespace, pod, node, owners and container, the pod's uid, the image, and all metadata, labels and annotations that the extension keeps.
	Extract []string `mapstructure:"extract"`

	// Wait is how long after the start batches are held up at most until the extension has read its first lists. After
	// that they go on with what is known by then. Default 10s; 0 holds none up.
	Wait time.Duration `mapstructure:"wait"`

	// UnknownWait is how long a batch is held up at most for a pod that is not known yet. A pod that nothing comes of is not waited
	// for again within minutes. Default 2s; 0 holds none up.
	UnknownWait time.Duration `mapstructure:"unknown_wait"`
}

// Bounds of the configuration.
const (
	maxWait        = 5 * time.Minute
	maxUnknownWait = 30 * time.Second
)

func createDefaultConfig() component.Config {
	return &Config{Pods: component.MustNewID("k8s_pods"), Wait: 10 * time.Second, UnknownWait: 2 * time.Second}
}

// associations are those to try: a default that is not empty would be merged with what is configured.
func (c *Config) associations() []string {
	if len(c.PodAssociation) == 0 {
		return []string{byUID, byContainer, byName, byIP, byConnection}
	}
	return c.PodAssociation
}

func (c *Config) extract() []string {
	if len(c.Extract) == 0 {
		return []string{
			"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name", "k8s.deployment.name", "k8s.replicaset.name",
			"k8s.statefulset.name", "k8s.daemonset.name", "k8s.replicationcontroller.name", "k8s.job.name", "k8s.cronjob.name",
			"k8s.container.name", "container.image.name", "container.image.tag",
			"k8s.node.uid", "k8s.cluster.uid", "k8s.deployment.uid", "k8s.cronjob.uid", "container.image.repo_digests",
			podtable.PodLabel + "*", podtable.PodAnnotation + "*", podtable.NamespaceLabel + "*", podtable.NodeLabel + "*",
		}
	}
	return c.Extract
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	all := (&Config{}).associations()
	for i, a := range c.PodAssociation {
		switch {
		case !slices.Contains(all, a):
			errs = append(errs, fmt.Errorf("pod_association[%d]: %q is unknown: use %s", i, a, strings.Join(all, ", ")))
		case slices.Contains(c.PodAssociation[:i], a):
			errs = append(errs, fmt.Errorf("pod_association[%d]: %q is there twice: remove one", i, a))
		}
	}
	for i, pattern := range c.Extract {
		if !possible(pattern) {
			errs = append(errs, fmt.Errorf("extract[%d]: %q is nothing that is known of a pod: use %s, or labels such as %sapp",
				i, pattern, strings.Join(podtable.FieldNames(), ", "), podtable.PodLabel))
		}
	}
	if c.Wait < 0 || c.Wait > maxWait {
		errs = append(errs, fmt.Errorf("wait: %v: set it to 0 (no waiting) to %v", c.Wait, maxWait))
	}
	if c.UnknownWait < 0 || c.UnknownWait > maxUnknownWait {
		errs = append(errs, fmt.Errorf("unknown_wait: %v: set it to 0 (no waiting) to %v", c.UnknownWait, maxUnknownWait))
	}
	return errors.Join(errs...)
}

// labelPrefixes are those of all kinds of labels.
var labelPrefixes = [...]string{podtable.PodLabel, podtable.PodAnnotation, podtable.NamespaceLabel, podtable.NodeLabel}

// possible says whether a pattern can fit an attribute.
func possible(pattern string) bool {
	for _, name := range podtable.FieldNames() {
		if kubeapi.Matches([]string{pattern}, name) {
			return true
		}
	}
	return slices.ContainsFunc(labelPrefixes[:], func(prefix string) bool {
		return len(labelPatterns([]string{pattern}, prefix)) > 0
	})
}

// labelPatterns are the patterns that can fit labels of a kind.
func labelPatterns(patterns []string, prefix string) (out []string) {
	for _, p := range patterns {
		head, _, star := strings.Cut(p, "*")
		if len(head) > len(prefix) && strings.HasPrefix(head, prefix) || star && strings.HasPrefix(prefix, head) {
			out = append(out, p)
		}
	}
	return out
}
