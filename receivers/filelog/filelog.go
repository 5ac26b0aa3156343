// Package filelog is the file_log receiver: it follows log files, of containers and of anything else, through rotation and restarts,
// and sends each line as a log record. It reads many lines at once and makes one batch of them, and moves its position
// in a file only after the pipeline has accepted the batch.
//
// One poller looks for files and for changes; a few workers read. A follower stands for one path. It belongs to the poller
// or, while it takes its turn, to one worker, so nothing in it needs a lock and the batches of a file stay in order.
package filelog

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/quiet"
)

// stopWait is how long a batch that is with the pipeline at shutdown may take before it is broken off.
const stopWait = 5 * time.Second

// fileLog is the receiver.
type fileLog struct {
	cfg    *Config
	id     component.ID
	next   consumer.Logs
	log    *zap.Logger
	obs    *receiverhelper.ObsReport
	meter  metric.Meter
	tel    *telemetry
	warned quiet.Limit
	sys    system
	format format

	ctx       context.Context // ends when batches with the pipeline are to be broken off
	cancel    context.CancelFunc
	stopping  chan struct{}
	stopOnce  sync.Once
	running   sync.WaitGroup
	positions *positions // nil without a storage
	watch     *watcher
	finder    *finder
	queue     queue

	followers map[string]*follower // by path; the poller's
	expireAt  time.Time
	kept      map[string]record    // of files whose folder is gone, by path
	waiting   map[string]time.Time // rotated names that their follower may still claim, and since when
	scanned   bool
	firstRun  bool
	oldGlobs  []string // globs of the last run
	list      atomic.Pointer[[]*follower]
	rescan    atomic.Bool

	mu      sync.Mutex
	owners  map[fileKey]owner
	opened  atomic.Int64
	partial atomic.Int64 // bytes of partial text in memory
	deleted atomic.Int64 // bytes of deleted files held open
}

// owner says which follower reads a file, so that no other does.
type owner struct {
	f      *follower
	open   bool // an open file keeps its number; a closed one is known by its content
	offset int64
	sum    sum
}

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Logs) (*fileLog, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "file", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	meter := set.MeterProvider.Meter(scopeName)
	tel, err := newTelemetry(meter, set.ID.String())
	if err != nil {
		return nil, err
	}
	return &fileLog{
		cfg: cfg, id: set.ID, next: next, log: set.Logger, obs: obs, meter: meter, tel: tel,
		sys: operatingSystem(), format: formatOf(cfg.Format), stopping: make(chan struct{}),
		followers: make(map[string]*follower), waiting: make(map[string]time.Time), kept: make(map[string]record), owners: make(map[fileKey]owner),
	}, nil
}

// Start opens the storage, takes up the positions in it, and begins to read.
func (r *fileLog) Start(ctx context.Context, host component.Host) error {
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.queue.init()
	r.list.Store(&[]*follower{})
	r.watch = newWatcher()
	var err error
	if r.finder, err = newFinder(r.cfg, r.sys, r.log, r.watch); err != nil {
		return err
	}
	r.firstRun = true
	if r.cfg.StorageID != nil {
		if err := r.restore(ctx, host); err != nil {
			return err
		}
	}
	if err := r.tel.observe(r.meter, r.lagBytes, r.opened.Load, r.followed); err != nil {
		return err
	}
	readers := r.cfg.Readers
	if readers == 0 {
		readers = runtime.GOMAXPROCS(0)
	}
	for range readers {
		r.running.Go(r.work)
	}
	r.running.Go(r.poll)
	return nil
}

// Shutdown ends reading. A batch that the pipeline holds may be accepted yet; one that it refuses is read again at the next start.
func (r *fileLog) Shutdown(ctx context.Context) error {
	if r.cancel == nil {
		return nil
	}
	var err error
	r.stopOnce.Do(func() {
		close(r.stopping)
		r.queue.close()
		stopped := make(chan struct{})
		go func() {
			r.running.Wait()
			close(stopped)
		}()
		wait := time.NewTimer(stopWait)
		defer wait.Stop()
		select {
		case <-stopped:
		case <-ctx.Done():
		case <-wait.C:
		}
		r.cancel()
		<-stopped
		r.tel.close()
		r.closeFiles()
		r.watch.close()
		if r.positions != nil {
			err = r.positions.close(context.WithoutCancel(ctx))
		}
	})
	return err
}

func (r *fileLog) closeFiles() {
	for _, f := range r.followers {
		for _, g := range f.gens {
			r.shut(g)
		}
		f.closeArrived()
	}
}

func (r *fileLog) stopped() bool {
	select {
	case <-r.stopping:
		return true
	default:
		return false
	}
}

// work lets followers take their turns.
func (r *fileLog) work() {
	w := &worker{r: r, buf: make([]byte, r.cfg.MaxBatchSize)}
	w.batch.maxLogSize = int(r.cfg.MaxLogSize)
	w.batch.truncate = r.cfg.MaxLogSizeBehavior == behaviorTruncate
	for {
		f, ok := r.queue.take()
		if !ok {
			return
		}
		if w.turn(f) && !r.stopped() {
			r.queue.put(f)
		} else {
			f.busy.Store(false)
		}
		if len(w.buf) > int(r.cfg.MaxBatchSize) {
			w.buf = make([]byte, r.cfg.MaxBatchSize)
		}
		w.batch.forget()
	}
}

// poll looks for files and changes until shutdown.
func (r *fileLog) poll() {
	tick := time.NewTicker(r.cfg.PollInterval)
	defer tick.Stop()
	for {
		r.look(time.Now())
		select {
		case <-r.stopping:
			return
		case <-tick.C:
		}
	}
}

func (r *fileLog) look(now time.Time) {
	if r.watch.drain(func(f *follower) { f.noticed = true }) {
		r.finder.stale = true
	}
	if r.rescan.Swap(false) {
		r.finder.stale = true
	}
	if r.finder.changed(now) || len(r.waiting) > 0 {
		r.admitAll(r.finder.search(now), now)
	}
	dead := false
	for _, f := range *r.list.Load() {
		switch {
		case f.busy.Load():
			f.guard()
		case f.dead:
			dead = true
			r.drop(f)
		case f.due(now):
			f.guarded = f.seen.key
			if f.fresh {
				f.guarded = f.claim // else what it is about to open were an arrival
			}
			f.busy.Store(true)
			r.queue.put(f)
		}
	}
	if r.expire(now) || dead {
		r.listFollowers()
	}
}

// drop forgets a follower that has nothing left to follow. Where its whole folder is gone, its positions are kept for a while.
func (r *fileLog) drop(f *follower) {
	delete(r.followers, f.path)
	r.watch.forget(f)
	r.finder.stale = true
	if len(f.gens) > 0 {
		rec := f.record()
		for _, g := range slices.Clone(f.gens) {
			f.forget(g)
		}
		r.keep(f.path, rec)
		return
	}
	if r.positions != nil {
		r.positions.put(recordPrefix+f.path, nil)
	}
}

// listFollowers publishes the followers for the gauges and stores their names.
func (r *fileLog) listFollowers() {
	list := make([]*follower, 0, len(r.followers))
	for _, f := range r.followers {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *follower) int {
		if a.path < b.path {
			return -1
		}
		return 1
	})
	r.list.Store(&list)
	r.saveIndex()
}

func (r *fileLog) followed() int64 { return int64(len(*r.list.Load())) }

func (r *fileLog) lagBytes() int64 {
	var sum int64
	for _, f := range *r.list.Load() {
		sum += f.lag.Load()
	}
	return sum
}

// deliver sends the worker's batch down the pipeline.
func (w *worker) deliver(f *follower) outcome {
	n := w.batch.records.Len()
	if n == 0 {
		return sent
	}
	r := w.r
	if r.stopped() {
		return stopped
	}
	if r.positions != nil {
		r.positions.wait(f.saved)
	}
	ctx := r.obs.StartLogsOp(r.ctx)
	err := r.next.ConsumeLogs(ctx, w.batch.logs)
	r.obs.EndLogsOp(ctx, f.formatName(), n, err)
	if err == nil {
		f.backoff, f.refusedAt = 0, time.Time{}
		return sent
	}
	return f.refuse(err, n)
}

// refuse decides what becomes of a batch that the pipeline did not take.
func (f *follower) refuse(err error, n int) outcome {
	r, retry, now := f.r, &f.r.cfg.RetryOnFailure, time.Now()
	switch {
	case consumererror.IsPermanent(err):
		r.loseRecords(n, reasonPermanent, f.path, err)
	case r.stopped():
		return stopped
	case !retry.Enabled:
		r.loseRecords(n, reasonRetries, f.path, err)
	case retry.MaxElapsedTime > 0 && !f.refusedAt.IsZero() && now.Sub(f.refusedAt) > retry.MaxElapsedTime:
		r.loseRecords(n, reasonRetries, f.path, err)
	default:
		if f.refusedAt.IsZero() {
			f.refusedAt = now
		}
		f.backoff = min(max(2*f.backoff, retry.InitialInterval), retry.MaxInterval)
		f.readAfter = now.Add(f.backoff/2 + rand.N(f.backoff/2+1)) // spread, so that files do not all come back at once
		f.wake(f.readAfter)
		if r.warned.Allow("refused", time.Now()) {
			r.log.Warn("file_log: the pipeline refused a batch: its position stands and it will be read and sent again",
				zap.String("path", f.path), zap.Duration("wait", f.backoff), zap.Error(err))
		}
		return refused
	}
	f.backoff, f.refusedAt = 0, time.Time{}
	return sent
}
