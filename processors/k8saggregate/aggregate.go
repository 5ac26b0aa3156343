// Package k8saggregate is the processor "k8s_aggregate", which does what Heapster did between its sources and its sinks:
// from the metrics of containers and pods it makes the sums of pods, nodes, namespaces and the cluster, and sets them in
// relation to what can be allocated. It can hand everything to the extension "model", and give Heapster's names.
//
// Sources: the order and rules of Heapster's processors (metrics/processors at kubernetes-retired/heapster e1e83412).
package k8saggregate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/obsd-io/obsd/internal/heapster"
)

// aggregator is the processor. What it remembers is guarded by one mutex, which is never held while others are called.
type aggregator struct {
	config *Config
	set    processor.Settings
	next   consumer.Metrics
	byName map[string]quantity
	tel    *telemetry

	model   consumer.Metrics // nil without
	started time.Time
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu         sync.Mutex
	state      *state
	translator *heapster.Translator
	written    map[series]bool
}

func newAggregator(set processor.Settings, config *Config, next consumer.Metrics) (*aggregator, error) {
	a := &aggregator{
		config: config, set: set, next: next, byName: byName(),
		state: newState(config.MaxObjects, config.MissingAfter),
	}
	if config.HeapsterNames != HeapsterOff {
		a.translator = heapster.NewTranslator(ratesPerObject * config.MaxObjects)
	}
	var err error
	a.tel, err = newTelemetry(set, a.observe)
	return a, err
}

// ratesPerObject is how many cumulative metrics Heapster made rates of: page faults and network of a pod.
const ratesPerObject = 6

// start finds the model and begins with the sums of the cluster.
func (a *aggregator) start(_ context.Context, host component.Host) error { //nolint:contextcheck // what is begun outlives the start
	if a.config.Model != nil {
		model, err := findModel(*a.config.Model, host.GetExtensions())
		if err != nil {
			return err
		}
		a.model = model
	}
	a.started = time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.done.Go(func() { a.run(ctx) })
	return nil
}

func findModel(id component.ID, extensions map[component.ID]component.Component) (consumer.Metrics, error) {
	extension, ok := extensions[id]
	if !ok {
		return nil, fmt.Errorf("k8s_aggregate: model: there is no extension %q: define it below extensions, and list it in service::extensions", id)
	}
	model, ok := extension.(consumer.Metrics)
	if !ok {
		return nil, fmt.Errorf("k8s_aggregate: model: the extension %q takes no metrics: name one of type model", id)
	}
	return model, nil
}

// shutdown ends the sums. It may be called twice and before start.
func (a *aggregator) shutdown(context.Context) error {
	if a.cancel != nil {
		a.cancel()
	}
	a.done.Wait()
	a.tel.close()
	return nil
}

// process adds the sums to a batch, hands it to the model, and gives it Heapster's names.
func (a *aggregator) process(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	a.mu.Lock()
	b := a.take(md, time.Now().UnixNano())
	a.fill(b)
	a.mu.Unlock()
	a.tel.report(ctx, b)
	md, err := a.deliver(ctx, md)
	if err == nil && a.config.SumsOnly {
		err = processorhelper.ErrSkipProcessingData
	}
	return md, err
}

// deliver hands a batch that is whole to the model and gives what is to go on in the pipeline.
func (a *aggregator) deliver(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	if a.model != nil {
		if err := a.model.ConsumeMetrics(ctx, md); err != nil {
			a.tel.drop(ctx, reasonModel, md.DataPointCount(), err)
		}
	}
	if a.translator == nil {
		return md, nil
	}
	a.mu.Lock()
	md = a.alias(md)
	a.mu.Unlock()
	if md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

// run makes the sums of the cluster on each interval.
func (a *aggregator) run(ctx context.Context) {
	ticker := time.NewTicker(a.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			a.emit(ctx, now)
		}
	}
}

// emit sends the sums of the cluster. They are not tried again: the next are as good.
func (a *aggregator) emit(ctx context.Context, now time.Time) {
	a.mu.Lock()
	s := a.sums(now)
	known := len(a.state.nodes) > 0 || len(a.written) > 0
	if !known || a.config.Scope == ScopeNode {
		a.mu.Unlock()
		return
	}
	md := a.metrics(s, now)
	a.mu.Unlock()
	md, err := a.deliver(ctx, md)
	if err != nil {
		return // nothing is left under Heapster's names
	}
	n := md.DataPointCount()
	if err := a.next.ConsumeMetrics(ctx, md); err != nil && ctx.Err() == nil {
		a.tel.drop(ctx, reasonRefused, n, err)
	}
}

// observe counts for the self telemetry.
func (a *aggregator) observe() (objects int, nodes map[string]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	nodes = map[string]int{stateFresh: 0, stateLate: 0, stateMissing: 0}
	for _, n := range a.state.nodes {
		if state, ok := a.stateOf(n, time.Now()); ok {
			nodes[state]++
		}
	}
	return a.state.objects, nodes
}
