package k8saggregate

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Values of `scope`.
const (
	ScopeNode    = "node"
	ScopeCluster = "cluster"
)

// Values of `heapster_names`.
const (
	HeapsterOff  = "off"
	HeapsterAdd  = "add"
	HeapsterOnly = "only"
)

// Config is what a user may set under `processors: k8s_aggregate:`. An empty section is a whole configuration: for an
// agent that sees one node.
type Config struct {
	// Scope says how much of the cluster comes through here. With node, the sums of pods, of nodes and of each node's
	// share of a namespace are added to the batch that they are made of. With cluster, where the metrics of all nodes
	// come together, sums of namespaces and of the cluster are made on each interval.
	Scope string `mapstructure:"scope"`

	// SumsOnly hands on nothing but what is made on each interval: the sums of namespaces and the cluster, and how old the
	// nodes' reports are. The nodes' own metrics go another way. It needs scope cluster.
	SumsOnly bool `mapstructure:"sums_only"`

	// Interval is the time between two sums of the namespaces and the cluster.
	Interval time.Duration `mapstructure:"interval"`

	// LateAfter is how long after its last report a node counts as late. What it last said is still in the sums, which
	// are marked. Set it to two intervals of the receiver or more.
	LateAfter time.Duration `mapstructure:"late_after"`

	// MissingAfter is how long after its last report a node counts as missing. It is not in the sums, which are marked.
	MissingAfter time.Duration `mapstructure:"missing_after"`

	// ForgetAfter is how long after its last report a node is taken for one that was removed from the cluster.
	ForgetAfter time.Duration `mapstructure:"forget_after"`

	// MaxObjects bounds the memory: so many nodes, pods and containers are remembered. More pass through, but are not in
	// the sums, which are marked.
	MaxObjects int `mapstructure:"max_objects"`

	// ClusterName is the attribute k8s.cluster.name of the cluster's sums, and the label cluster_name under Heapster's names.
	ClusterName string `mapstructure:"cluster_name"`

	// Model is the id of the `model` extension that is to answer queries about what passes here. Without it none is fed.
	Model *component.ID `mapstructure:"model"`

	// HeapsterNames gives the metrics under the names, units and labels that Heapster had: off, add (beside ours) or only.
	HeapsterNames string `mapstructure:"heapster_names"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Scope:         ScopeNode,
		Interval:      30 * time.Second,
		LateAfter:     time.Minute,
		MissingAfter:  3 * time.Minute,
		ForgetAfter:   time.Hour,
		MaxObjects:    200_000,
		ClusterName:   "default",
		HeapsterNames: HeapsterOff,
	}
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Scope != ScopeNode && c.Scope != ScopeCluster {
		bad("scope: %q is not known: set it to %s where one node's metrics pass, to %s where all nodes' do", c.Scope, ScopeNode, ScopeCluster)
	}
	if c.SumsOnly && c.Scope != ScopeCluster {
		bad("sums_only: with scope %s nothing would be left: set scope to %s", c.Scope, ScopeCluster)
	}
	if c.Interval < time.Second {
		bad("interval: %v is too short: set it to 1s or more", c.Interval)
	}
	if c.LateAfter < time.Second {
		bad("late_after: %v is too short: set it to twice the receiver's collection_interval", c.LateAfter)
	}
	if c.MissingAfter < c.LateAfter {
		bad("missing_after: %v is before late_after (%v): set it to the same or more", c.MissingAfter, c.LateAfter)
	}
	if c.ForgetAfter < c.MissingAfter {
		bad("forget_after: %v is before missing_after (%v): set it to the same or more", c.ForgetAfter, c.MissingAfter)
	}
	if c.MaxObjects < 1 {
		bad("max_objects: %d is not positive: set it to the number of nodes, pods and containers that may be", c.MaxObjects)
	}
	if c.ClusterName == "" {
		bad("cluster_name: is empty: give the cluster a name, or leave it out for %q", "default")
	}
	switch c.HeapsterNames {
	case HeapsterOff, HeapsterAdd, HeapsterOnly:
	default:
		bad("heapster_names: %q is not known: set it to one of %s, %s, %s", c.HeapsterNames, HeapsterOff, HeapsterAdd, HeapsterOnly)
	}
	return errors.Join(errs...)
}
