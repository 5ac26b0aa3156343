// Package capability holds what a plugin may ask of the host beyond its batch: a log, metrics of its own, a store of keys
// and values, and tables to look things up in. Nothing is granted unless the configuration says so, and everything that
// is granted is bounded. What the functions do to a guest's memory is runtime/host's; runtime/abi's host.go is the contract.
package capability

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Set is what one component's plugin is granted. It belongs to the component and outlives the plugin's module, so that a
// newer module finds the store, the tables and the metrics of the one before. A field is nil if it is not granted.
// All methods are safe for concurrent use, but for Start and Close.
type Set struct {
	Log     *Log
	Metrics *Metrics
	KV      *KV
	Lookup  *Lookup

	refused *refusals
}

// New makes what the configuration grants, which must be valid. name is the component's, as the plugin's errors call it; log and meter are
// the daemon's own. It reads no files: that is for Start.
func New(c Config, name string, log *zap.Logger, meter metric.Meter) (*Set, error) {
	refused, err := newRefusals(name, meter)
	if err != nil {
		return nil, err
	}
	s := &Set{refused: refused}
	log = log.With(zap.String("plugin", name))
	if c.Log != nil {
		s.Log = newLog(*c.Log, log, time.Now, refused.of(abi.CapabilityLog, "rate"))
	}
	if c.Metrics != nil {
		s.Metrics = newMetrics(*c.Metrics, name, meter, refused)
	}
	if c.KV != nil {
		s.KV = newKV(*c.KV, time.Now, refused.of(abi.CapabilityKV, "size"))
	}
	if len(c.Lookup) > 0 {
		s.Lookup = newLookup(c.Lookup, log, refused)
	}
	return s, nil
}

// Start reads the tables, and keeps them fresh until Close. ctx bounds the reading. extensions are the daemon's, some of which
// may have tables.
func (s *Set) Start(ctx context.Context, extensions map[component.ID]component.Component) error {
	if s.Lookup == nil {
		return nil
	}
	return s.Lookup.start(ctx, extensions)
}

// Close ends what Start began, and logs what is still to be said. It may be called twice, and without Start.
func (s *Set) Close() {
	if s.Lookup != nil {
		s.Lookup.close()
	}
	if s.Log != nil {
		s.Log.close()
	}
}

// Grants says whether a capability is granted; of a nil Set, none is.
func (s *Set) Grants(c abi.Capability) bool {
	if s == nil {
		return false
	}
	switch c {
	case abi.CapabilityLog:
		return s.Log != nil
	case abi.CapabilityMetrics:
		return s.Metrics != nil
	case abi.CapabilityKV:
		return s.KV != nil
	case abi.CapabilityLookup:
		return s.Lookup != nil
	}
	return false
}
