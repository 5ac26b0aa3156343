// Package k8scluster is the `k8s_cluster` receiver: what should run in a Kubernetes cluster and what does, from the objects of
// its API server.
//
// Metrics are named and typed as in the receiver of this name in the Collector's contrib build, where that has them. Objects are
// followed by watches and cut to what the metrics need as they come in. The state of everything is told on each interval, and
// what changes at once. Series of what is gone are ended.
package k8scluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"k8s.io/client-go/kubernetes"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// Requests a second to the API server, at most and for a moment: all kinds begin at once, with `namespaces` many times over.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 100
)

// clusterReceiver follows the API server, and emits while it leads.
type clusterReceiver struct {
	cfg     *Config
	set     receiver.Settings
	next    consumer.Metrics
	catalog *catalog
	state   *state
	tel     *telemetry
	obs     *receiverhelper.ObsReport
	told    atomic.Int64 // time of the last batch, in nanoseconds since 1970

	ctx        context.Context // ends with Shutdown
	cancel     context.CancelFunc
	background sync.WaitGroup
	once       sync.Once

	mu     sync.Mutex
	rule   context.CancelFunc // ends the emission; nil while there is none
	before chan struct{}      // closed when the last emission has ended; nil before the first
	closed bool
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics) (*clusterReceiver, error) {
	r := &clusterReceiver{cfg: cfg, set: set, next: next, catalog: newCatalog(cfg), state: newState()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	var err error
	if r.obs, err = receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set,
	}); err != nil {
		return nil, fmt.Errorf("k8s_cluster: make instruments: %w", err)
	}
	r.tel, err = newTelemetry(set.MeterProvider.Meter(scopeName), set.ID.String(), r.state.count)
	return r, err
}

// Start begins to follow and, with nobody else to lead, to emit. Credentials and extensions that are not there are errors; an API
// server that does not answer is asked again.
func (r *clusterReceiver) Start(_ context.Context, host component.Host) error {
	var elector kubeapi.Elector
	if id := r.cfg.K8sLeaderElector; id != nil {
		var err error
		if elector, err = kubeapi.FindElector(*id, host.GetExtensions()); err != nil {
			return fmt.Errorf("k8s_cluster: %w", err)
		}
	}
	rest, err := r.cfg.API.REST()
	if err != nil {
		return fmt.Errorf("k8s_cluster: %w", err)
	}
	rest.QPS, rest.Burst = requestsPerSecond, requestsAtOnce
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return fmt.Errorf("k8s_cluster: client of the API server: %w", err)
	}
	r.follow(client)
	if elector == nil {
		r.lead(r.ctx) //nolint:contextcheck // what is begun outlives the start
		return nil
	}
	elector.SetCallBackFuncs(r.lead, r.yield)
	return nil
}

// Shutdown ends the watches and the emission, and waits for them.
func (r *clusterReceiver) Shutdown(context.Context) error {
	r.once.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.cancel()
		r.background.Wait()
		r.tel.close()
	})
	return nil
}

// lead begins to emit, after an earlier emission has ended. It does not block.
func (r *clusterReceiver) lead(ctx context.Context) { //nolint:contextcheck // both contexts end it
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.stop()
	rule, cancel := context.WithCancel(r.ctx)
	unhook := context.AfterFunc(ctx, cancel)
	before, ended := r.before, make(chan struct{})
	r.rule, r.before = cancel, ended
	r.background.Go(func() {
		defer close(ended)
		defer unhook()
		if before != nil {
			<-before
		}
		r.run(rule)
		if r.ctx.Err() == nil {
			r.end(r.ctx) //nolint:contextcheck // the rule is over, the receiver is not
		}
	})
}

// yield ends the emission. It does not block.
func (r *clusterReceiver) yield() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
}

func (r *clusterReceiver) stop() {
	if r.rule != nil {
		r.rule()
		r.rule = nil
	}
}
