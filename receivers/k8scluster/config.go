package k8scluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// Config is what a user may set under `receivers: k8s_cluster:`. Options that contrib's receiver of this name has are named as
// there.
type Config struct {
	// API is where the API server is: `auth_type`, `kubeconfig`, `context`.
	API kubeapi.Config `mapstructure:",squash"`

	// CollectionInterval is how often the state of everything is told. What changes is told at once besides. Default 10s.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`

	// Resources lists what to follow, by the names of the API. Default: all that the README lists.
	Resources []string `mapstructure:"resources"`

	// Namespaces lists those to follow, by a watch in each, so that no right on the whole cluster is needed. Nodes and namespaces
	// are left out then. Default: the whole cluster.
	Namespaces []string `mapstructure:"namespaces"`

	// NodeConditionsToReport lists conditions of nodes that become a metric each, k8s.node.condition_ready and its like. Default:
	// Ready.
	NodeConditionsToReport []string `mapstructure:"node_conditions_to_report"`

	// PodConditionsToReport lists the conditions of pods that k8s.pod.condition has. Default: Ready, PodScheduled. A cluster has
	// many pods, and a pod five conditions and more.
	PodConditionsToReport []string `mapstructure:"pod_conditions_to_report"`

	// AllocatableTypesToReport lists what of a node's allocatable resources becomes a metric each, k8s.node.allocatable_cpu and its
	// like: cpu, memory, ephemeral-storage, pods and others. Default: none.
	AllocatableTypesToReport []string `mapstructure:"allocatable_types_to_report"`

	// Metrics switches single metrics on and off.
	Metrics map[string]Toggle `mapstructure:"metrics"`

	// ResourceAttributes switches single attributes of resources on and off.
	ResourceAttributes map[string]Toggle `mapstructure:"resource_attributes"`

	// K8sLeaderElector is the extension that says which of several obsd tells. Default: this one.
	K8sLeaderElector *component.ID `mapstructure:"k8s_leader_elector"`
}

// Toggle switches one metric or attribute on or off.
type Toggle struct {
	// Enabled says whether it is emitted.
	Enabled bool `mapstructure:"enabled"`
}

func createDefaultConfig() component.Config {
	return &Config{
		API: kubeapi.NewDefaultConfig(), CollectionInterval: 10 * time.Second,
		NodeConditionsToReport: []string{"Ready"}, PodConditionsToReport: []string{"Ready", "PodScheduled"},
	}
}

// Validate reports every problem at once; those of API are found by themselves.
func (c *Config) Validate() error {
	var errs []error
	if c.CollectionInterval < time.Second {
		errs = append(errs, fmt.Errorf("collection_interval: %v is less than 1s: changes are told at once in any case", c.CollectionInterval))
	}
	names := resourceNames()
	for i, r := range c.Resources {
		if !slices.Contains(names, r) {
			errs = append(errs, fmt.Errorf("resources[%d]: %q is unknown: use some of %v", i, r, names))
		}
	}
	for i, n := range c.Namespaces {
		if n == "" || slices.Index(c.Namespaces, n) < i {
			errs = append(errs, fmt.Errorf("namespaces[%d]: %q is empty or there twice: remove it", i, n))
		}
	}
	for _, list := range []struct {
		key   string
		names []string
	}{
		{"node_conditions_to_report", c.NodeConditionsToReport},
		{"pod_conditions_to_report", c.PodConditionsToReport},
		{"allocatable_types_to_report", c.AllocatableTypesToReport},
	} {
		if slices.Contains(list.names, "") {
			errs = append(errs, fmt.Errorf("%s: a name in it is empty: remove it", list.key))
		}
	}
	errs = append(errs, unknown("metrics", c.Metrics, metricNames())...)
	errs = append(errs, unknown("resource_attributes", c.ResourceAttributes, slices.Collect(maps.Keys(attributes())))...)
	return errors.Join(errs...)
}

func unknown(key string, toggles map[string]Toggle, known []string) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(toggles)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s: %q is unknown: the README lists what there is", key, name))
		}
	}
	return errs
}
