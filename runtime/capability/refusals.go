package capability

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/obsd-io/obsd/runtime/abi"
)

// refusals counts what plugins asked for and did not get.
type refusals struct {
	counter metric.Int64Counter
	plugin  string
}

// refusal counts one kind of them.
type refusal struct {
	counter metric.Int64Counter
	options []metric.AddOption
}

func newRefusals(plugin string, meter metric.Meter) (*refusals, error) {
	c, err := meter.Int64Counter("obsd_wasm_refused_host_calls", metric.WithUnit("{call}"),
		metric.WithDescription("What a plugin asked of the host and did not get: over a limit of its grants, or wrong."))
	if err != nil {
		return nil, fmt.Errorf("plugin %q: %w", plugin, err)
	}
	return &refusals{counter: c, plugin: plugin}, nil
}

func (r *refusals) of(c abi.Capability, reason string) *refusal {
	set := attribute.NewSet(attribute.String("plugin", r.plugin), attribute.String("capability", string(c)), attribute.String("reason", reason))
	return &refusal{counter: r.counter, options: []metric.AddOption{metric.WithAttributeSet(set)}}
}

func (r *refusal) count() { r.counter.Add(context.Background(), 1, r.options...) }
