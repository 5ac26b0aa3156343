package k8spods

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// Config is what a user may set under `extensions: k8s_pods:`. An empty section is a whole configuration, for obsd in a pod
// that is to know all pods of the cluster.
type Config struct {
	// API names the API server: `auth_type` (serviceAccount, the default, or kubeConfig), `kubeconfig` and `context`.
	API kubeapi.Config `mapstructure:",squash"`

	// Node is the node whose pods are followed. Default: all. An agent sets it to ${env:NODE_NAME}.
	Node string `mapstructure:"node"`

	// Namespaces are those whose pods are followed. Default: all.
	Namespaces []string `mapstructure:"namespaces"`

	// Labels lists the labels of pods that are kept, as k8s.pod.label.<key>; * stands for any text.
	Labels []string `mapstructure:"labels"`

	// Annotations lists the annotations of pods that are kept, as k8s.pod.annotation.<key>.
	Annotations []string `mapstructure:"annotations"`

	// NamespaceLabels lists the labels of namespaces that are kept, as k8s.namespace.label.<key>. Namespaces are followed if
	// it is not empty.
	NamespaceLabels []string `mapstructure:"namespace_labels"`

	// NodeLabels lists the labels of nodes that are kept, as k8s.node.label.<key>. Nodes are followed if it is not empty.
	NodeLabels []string `mapstructure:"node_labels"`

	// Metadata lists attributes that are kept as well, each of which needs more than Pod objects, or memory: k8s.node.uid (nodes are
	// followed), k8s.deployment.uid (ReplicaSets), k8s.cronjob.uid (Jobs), k8s.cluster.uid (the namespace kube-system) and
	// container.image.repo_digests. Default: none.
	Metadata []string `mapstructure:"metadata"`

	// KeepDeleted is how long a pod that was deleted is kept, for records of it that come late. Default 5m; 0 keeps none. At
	// most 5,000 are kept.
	KeepDeleted time.Duration `mapstructure:"keep_deleted"`
}

// maxKeepDeleted bounds keep_deleted.
const maxKeepDeleted = 24 * time.Hour

func createDefaultConfig() component.Config {
	return &Config{API: kubeapi.NewDefaultConfig(), KeepDeleted: 5 * time.Minute}
}

// Unmarshal refuses a node that is set to nothing, which is what becomes of a variable that is not in the environment: the pods
// of the whole cluster would come to each node.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if conf.IsSet("node") && c.Node == "" {
		return errors.New("node: is empty: if it comes from the environment, set that variable " +
			"(in a pod from the field spec.nodeName); leave it out to follow the pods of all nodes")
	}
	return nil
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, n := range c.Namespaces {
		if n == "" {
			errs = append(errs, fmt.Errorf("namespaces[%d]: is empty: name a namespace, or leave the list out for all", i))
		} else if seen[n] {
			errs = append(errs, fmt.Errorf("namespaces[%d]: %q is there twice: remove one", i, n))
		}
		seen[n] = true
	}
	for _, list := range []struct {
		key      string
		patterns []string
	}{{"labels", c.Labels}, {"annotations", c.Annotations}, {"namespace_labels", c.NamespaceLabels}, {"node_labels", c.NodeLabels}} {
		for i, p := range list.patterns {
			if p == "" {
				errs = append(errs, fmt.Errorf("%s[%d]: is empty: name a key, with * for any text", list.key, i))
			}
		}
	}
	more := podtable.MoreFields()
	for i, name := range c.Metadata {
		switch f, ok := podtable.FieldNamed(name); {
		case !ok || !slices.Contains(more, f):
			errs = append(errs, fmt.Errorf("metadata[%d]: %q is not one of %s: leave it out if it is known without, or see the README",
				i, name, joined(more)))
		case slices.Contains(c.Metadata[:i], name):
			errs = append(errs, fmt.Errorf("metadata[%d]: %q is there twice: remove one", i, name))
		}
	}
	if c.KeepDeleted < 0 || c.KeepDeleted > maxKeepDeleted {
		errs = append(errs, fmt.Errorf("keep_deleted: %v: set it to 0 (not at all) to %v", c.KeepDeleted, maxKeepDeleted))
	}
	return errors.Join(errs...)
}

// more are the fields of metadata.
func (c *Config) more() (list []podtable.Field) {
	for _, name := range c.Metadata {
		if f, ok := podtable.FieldNamed(name); ok {
			list = append(list, f)
		}
	}
	return list
}

func joined(fields []podtable.Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.String())
	}
	return strings.Join(names, ", ")
}
