package k8smetadata

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "github.com/obsd-io/obsd/processors/k8smetadata"

// reason is why a resource that tells of a pod went on without the pod's attributes.
type reason uint8

const (
	reasonNoList  reason = iota // the first list of pods has not come, and the wait for it is over
	reasonUnknown               // there is no such pod, after a wait or since one before was in vain
	reasonBusy                  // too many batches wait already

	reasons
)

var reasonNames = [reasons]string{"no_list", "unknown", "busy"}

// What batches wait for.
const (
	waitStart = iota
	waitUnknown

	waits
)

var waitNames = [waits]string{"start", "unknown_pod"}

// counts is what became of one batch's resources.
type counts struct {
	hits, misses [none + 1]int64 // by association
	without      int64           // those that tell of no pod
	bare         [reasons]int64
}

// miss counts a resource that goes on without attributes.
func (c *counts) miss(r *missed, why reason) {
	c.misses[r.by]++
	c.bare[why]++
}

func (c *counts) missAll(list []missed, why reason) {
	for i := range list {
		c.miss(&list[i], why)
	}
}

// telemetry holds the processor's own instruments, with the attributes of each series made once.
type telemetry struct {
	lookups, waited, bare metric.Int64Counter

	hit, miss [none]metric.MeasurementOption
	without   metric.MeasurementOption
	waitedFor [waits]metric.MeasurementOption
	bareFor   [reasons]metric.MeasurementOption
}

func newTelemetry(set processor.Settings) (*telemetry, error) {
	meter := set.MeterProvider.Meter(scopeName)
	t := &telemetry{}
	var errs [3]error
	t.lookups, errs[0] = meter.Int64Counter("obsd_k8s_metadata_lookups", metric.WithUnit("{resource}"),
		metric.WithDescription("Resources by what their pod was found by, or looked for by first, and whether there was one."))
	t.waited, errs[1] = meter.Int64Counter("obsd_k8s_metadata_waited", metric.WithUnit("{batch}"),
		metric.WithDescription("Batches that were held up, by what for."))
	t.bare, errs[2] = meter.Int64Counter("obsd_k8s_metadata_bare", metric.WithUnit("{resource}"),
		metric.WithDescription("Resources that tell of a pod and went on without its attributes, by reason."))
	id := attribute.String("processor", set.ID.String())
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(more, id)...))
	}
	for a := range none {
		by := attribute.String("association", associationNames[a])
		t.hit[a], t.miss[a] = with(by, attribute.String("outcome", "hit")), with(by, attribute.String("outcome", "miss"))
	}
	t.without = with(attribute.String("association", associationNames[none]), attribute.String("outcome", "miss"))
	for i, text := range waitNames {
		t.waitedFor[i] = with(attribute.String("for", text))
	}
	for i, text := range reasonNames {
		t.bareFor[i] = with(attribute.String("reason", text))
	}
	return t, errors.Join(errs[:]...)
}

// wait counts a batch that is held up.
func (t *telemetry) wait(ctx context.Context, what int) { t.waited.Add(ctx, 1, t.waitedFor[what]) }

// add counts a batch's resources.
func (t *telemetry) add(ctx context.Context, c *counts) {
	for a := range none {
		add(ctx, t.lookups, c.hits[a], t.hit[a])
		add(ctx, t.lookups, c.misses[a], t.miss[a])
	}
	add(ctx, t.lookups, c.without, t.without)
	for i, n := range c.bare {
		add(ctx, t.bare, n, t.bareFor[i])
	}
}

func add(ctx context.Context, counter metric.Int64Counter, n int64, option metric.MeasurementOption) {
	if n > 0 {
		counter.Add(ctx, n, option)
	}
}
