// Package k8sevents is the `k8s_events` receiver: events of Kubernetes as log records, each occurrence once, over restarts
// and changes of the leader.
//
// It does not keep events. The API server's store gives each change of an event a version that grows, so the version up to
// which all was delivered says of every event whether it was sent. A follower for each namespace opens a watch from there
// on, gathers what comes, hands it to the pipeline, and moves the position only when the pipeline took it.
package k8sevents

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/quiet"
	"github.com/obsd-io/obsd/internal/resume"
)

// How long a batch that is with the pipeline may still take before it is broken off, and comes again elsewhere. Where another leads
// it must be over before that one begins; at an orderly end the Lease is kept until then, and a pod has 30 seconds.
const (
	deposedWait = 5 * time.Second
	endWait     = 20 * time.Second
)

// saveWait is how long the last save of the positions may take.
const saveWait = 5 * time.Second

// timing is how long things take; tests are in more of a hurry.
type timing struct {
	watch   time.Duration // what the API server is asked to end a watch after, and up to half more
	grace   time.Duration // how much longer its end may take
	linger  time.Duration // how long a batch waits for more
	settled time.Duration // a watch that lasted for as long was a good one
	again   time.Duration // the first wait after a failure; it doubles
	longest time.Duration // the longest
	save    time.Duration // between saves of positions
	deposed time.Duration // how long a batch may take when another leads
	end     time.Duration // and at an orderly end
}

var production = timing{
	watch: 2 * time.Minute, grace: 15 * time.Second, linger: 100 * time.Millisecond, settled: 5 * time.Second,
	again: time.Second, longest: 30 * time.Second, save: 5 * time.Second,
	deposed: deposedWait, end: endWait,
}

// eventReceiver is the receiver.
type eventReceiver struct {
	cfg    *Config
	set    receiver.Settings
	next   consumer.Logs
	obs    *receiverhelper.ObsReport
	tel    *telemetry
	timing timing

	events      corev1.EventsGetter
	checkpoints checkpoints

	unsaved quiet.Outage

	mu     sync.Mutex
	closed bool
	term   *term // while it reads
}

// term is the time in which this receiver reads events.
type term struct {
	end  context.CancelFunc
	done chan struct{}
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Logs) (*eventReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(set.MeterProvider.Meter(scopeName), set.ID.String())
	if err != nil {
		return nil, fmt.Errorf("k8s_events: make instruments: %w", err)
	}
	r := &eventReceiver{cfg: cfg, set: set, next: next, obs: obs, tel: tel, timing: production}
	r.checkpoints = checkpoints{keeper: nowhere{}, unread: r.unread, saved: r.saved}
	return r, nil
}

// Start connects, and reads events at once or when this process becomes the leader. An API server that does not answer is
// no error, for it may later.
func (r *eventReceiver) Start(ctx context.Context, host component.Host) error {
	var elector kubeapi.Elector
	if id := r.cfg.LeaderElector; id != nil {
		var err error
		if elector, err = kubeapi.FindElector(*id, host.GetExtensions()); err != nil {
			return fmt.Errorf("k8s_events: %w", err)
		}
	}
	if err := r.connect(ctx, host); err != nil {
		return err
	}
	if elector != nil {
		r.tel.read(ctx, 0)
		elector.SetCallBackFuncs(r.begin, r.end)
		return nil
	}
	r.begin(context.WithoutCancel(ctx))
	return nil
}

func (r *eventReceiver) connect(ctx context.Context, host component.Host) error {
	cfg, err := r.cfg.API.REST()
	if err != nil {
		return fmt.Errorf("k8s_events: %w", err)
	}
	if r.events, err = corev1.NewForConfig(cfg); err != nil {
		return fmt.Errorf("k8s_events: client of the API server: %w", err)
	}
	if namespace, name, _ := r.cfg.lease(); name != "" {
		client, err := coordinationv1.NewForConfig(cfg)
		if err != nil {
			return fmt.Errorf("k8s_events: client of the API server: %w", err)
		}
		r.checkpoints.keeper = &inLease{client: client, namespace: namespace, name: name}
	}
	if r.cfg.StorageID != nil {
		client, err := resume.OpenStorage(ctx, host, *r.cfg.StorageID, r.set.ID)
		if err != nil {
			return fmt.Errorf("k8s_events: %w", err)
		}
		r.checkpoints.keeper, r.checkpoints.atOnce = inStorage{client}, true
	}
	return nil
}

// Shutdown ends reading and saves the positions. A batch that the pipeline has not taken comes again after the next start.
func (r *eventReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	last := r.term
	r.mu.Unlock()
	if last != nil {
		last.end()
		<-last.done
	}
	return r.checkpoints.keeper.close(ctx)
}

// begin starts to read, after what may still end of an earlier time. It is called by Start or by the elector, for which it
// must not wait; ctx ends with the leadership.
func (r *eventReceiver) begin(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || ctx.Err() != nil {
		return
	}
	before := r.term
	if before != nil {
		before.end()
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &term{end: cancel, done: make(chan struct{})}
	r.term = t
	go func() {
		defer close(t.done)
		defer cancel()
		if before != nil {
			<-before.done
		}
		r.read(ctx)
	}()
}

// end has the reading stop. It does not wait for that.
func (r *eventReceiver) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term != nil {
		r.term.end()
	}
}

// read follows all namespaces until ctx ends.
func (r *eventReceiver) read(ctx context.Context) {
	if !r.load(ctx) {
		return
	}
	r.tel.read(ctx, 1)
	sending, broken := context.WithCancel(context.WithoutCancel(ctx))
	defer broken()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.patience(), broken) })()
	var followers sync.WaitGroup
	for _, namespace := range r.cfg.scopes() {
		f := newFollower(r, namespace)
		followers.Go(func() { f.run(ctx, sending) })
	}
	followers.Go(func() { r.checkpoints.run(ctx, sending, r.timing.save) })
	followers.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWait)
	defer cancel()
	r.checkpoints.save(last)
	r.tel.read(last, 0)
}

// patience is how long a batch may take when the reading ends.
func (r *eventReceiver) patience() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.timing.end
	}
	return r.timing.deposed
}

// load reads the positions, for as long as that takes: without them nothing can be told from what was sent before.
func (r *eventReceiver) load(ctx context.Context) bool {
	trouble := kubeapi.Trouble{
		Component: "k8s_events", Logger: r.set.Logger, Who: "what keeps the position", What: "positions",
		Mend: mendPositions, Failed: r.tel.fail,
	}
	for wait := r.timing.again; ; wait = min(2*wait, r.timing.longest) {
		err := r.checkpoints.load(ctx)
		trouble.Note(ctx, err)
		if err == nil {
			return true
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

func (r *eventReceiver) unread(err error) {
	r.set.Logger.Warn("k8s_events: the position cannot be read, and reading begins as start_at says", zap.Error(err),
		zap.String("mend", "nothing has to be done: it is written anew"))
}

// saved counts saves that failed, and says so once until one succeeds. Saves come one after the other.
func (r *eventReceiver) saved(ctx context.Context, err error) {
	if err == nil {
		if r.unsaved.Over() {
			r.set.Logger.Info("k8s_events: the position is saved again")
		}
		return
	}
	r.tel.add(ctx, r.tel.unsaved, 1)
	if r.unsaved.Failed("") {
		r.set.Logger.Warn("k8s_events: the position could not be saved, without which a restart repeats events; it is tried again and again",
			zap.String("mend", mendPositions(err)), zap.Error(err))
	}
}

// eventsTrouble says why events cannot be read.
func (r *eventReceiver) eventsTrouble() kubeapi.Trouble {
	return kubeapi.Trouble{
		Component: "k8s_events", Logger: r.set.Logger, What: "events", Failed: r.tel.fail,
		Mend: func(err error) string { return kubeapi.Mend(err, "list and watch on events") },
	}
}

// mendPositions says what an operator can do about positions that cannot be read or saved.
func mendPositions(err error) string {
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return kubeapi.Mend(err, "get, create and update on leases in the namespace of checkpoint_lease")
	case apierrors.IsNotFound(err):
		return "make the namespace that checkpoint_lease names"
	}
	return "see the error: what keeps the position cannot be reached"
}
