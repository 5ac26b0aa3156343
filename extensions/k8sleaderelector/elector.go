// Package k8sleaderelector is the extension `k8s_leader_elector`: of several obsd that compete for one Lease of Kubernetes, one
// leads, and only its receivers that name the extension emit.
//
// Options and the Go method are those of the extension of this name in the Collector's contrib build. RATIONALE.md says why it
// is not that one.
package k8sleaderelector

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

const scopeName = "github.com/obsd-io/obsd/extensions/k8sleaderelector"

// releaseTimeout bounds what giving up the lease at the end may take.
const releaseTimeout = 5 * time.Second

// elector competes for the Lease. It implements kubeapi.Elector.
type elector struct {
	config       *Config
	logger       *zap.Logger
	identity     string
	lock         *lock // nil before Start
	registration metric.Registration

	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once

	mu        sync.Mutex
	leading   context.Context // nil unless this process leads
	followers []follower
}

// follower is what a receiver wants to be called.
type follower struct {
	start func(context.Context)
	stop  func()
}

func newElector(config *Config, set extension.Settings) (*elector, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "obsd"
	}
	e := &elector{config: config, logger: set.Logger, identity: host + "_" + string(uuid.NewUUID())}
	meter := set.MeterProvider.Meter(scopeName)
	gauge, err := meter.Int64ObservableGauge("obsd_k8s_leader_elector_leading",
		metric.WithDescription("1 while this process leads, else 0."))
	if err != nil {
		return nil, fmt.Errorf("k8s_leader_elector: make instruments: %w", err)
	}
	e.registration, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		leading := int64(0)
		if e.leads() {
			leading = 1
		}
		o.ObserveInt64(gauge, leading)
		return nil
	}, gauge)
	return e, err
}

func (e *elector) leads() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leading != nil
}

// SetCallBackFuncs implements kubeapi.Elector.
func (e *elector) SetCallBackFuncs(start func(context.Context), stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.followers = append(e.followers, follower{start, stop})
	if e.leading != nil {
		start(e.leading)
	}
}

// Start begins to compete. An API server that does not answer is asked again; credentials that are not there are an error.
func (e *elector) Start(context.Context, component.Host) error { //nolint:contextcheck // what is begun outlives the start
	rest, err := e.config.API.REST()
	if err != nil {
		return fmt.Errorf("k8s_leader_elector: %w", err)
	}
	rest.Timeout = e.config.RenewDeadline / 2 // a request that hangs leaves time for another
	client, err := coordinationv1.NewForConfig(rest)
	if err != nil {
		return fmt.Errorf("k8s_leader_elector: client of the API server: %w", err)
	}
	e.lock = newLock(&resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: e.config.LeaseNamespace, Name: e.config.LeaseName},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.identity},
	}, e.logger)
	candidate, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: e.lock, LeaseDuration: e.config.LeaseDuration, RenewDeadline: e.config.RenewDeadline, RetryPeriod: e.config.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: e.started, OnStoppedLeading: e.stopped},
	})
	if err != nil {
		return fmt.Errorf("k8s_leader_elector: %w", err)
	}
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard())) // what matters is said by the lock
	e.cancel = cancel
	e.done.Go(func() {
		for ctx.Err() == nil {
			candidate.Run(ctx) // until the lease is lost
		}
	})
	return nil
}

// Shutdown has the receivers stop, then gives up the lease, so that another need not wait until it runs out.
func (e *elector) Shutdown(ctx context.Context) error {
	e.once.Do(func() {
		_ = e.registration.Unregister() // it is of no use to anyone
		if e.cancel == nil {
			return
		}
		e.cancel()
		e.done.Wait()
		ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
		defer cancel()
		e.lock.release(ctx)
	})
	return nil
}

// started is called in a goroutine of its own, so it may come after stopped; its context has ended then.
func (e *elector) started(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	e.leading = ctx
	e.logger.Info("k8s_leader_elector: this process leads", zap.String("lease", e.lock.Describe()), zap.String("identity", e.identity))
	for _, f := range e.followers {
		f.start(ctx)
	}
}

// stopped is called whenever the process leads no more, and also if it never did.
func (e *elector) stopped() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leading == nil {
		return
	}
	e.leading = nil
	e.logger.Info("k8s_leader_elector: this process leads no more", zap.String("lease", e.lock.Describe()))
	for _, f := range e.followers {
		f.stop()
	}
}
