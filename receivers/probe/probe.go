// Package probe is the `probe` receiver: it asks services whether they answer, by HTTP, TCP, DNS and gRPC's health protocol,
// and says how long each phase of that took.
//
// Each target has its own place in the interval. A check has one timeout, at whose end all its connections are closed, so
// that a target that hangs holds nothing but its own place, and only until then.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"
)

const (
	// maxBatch is how many checks are handed to the pipeline at once.
	maxBatch = 500
	// linger is how long a batch waits for more.
	linger = 200 * time.Millisecond
	// stopWait is how long a batch that is with the pipeline at the end may take before it is broken off.
	stopWait = 5 * time.Second
)

// probeReceiver makes checks.
type probeReceiver struct {
	cfg    *Config
	set    receiver.Settings
	next   consumer.Metrics
	tel    *telemetry
	obs    *receiverhelper.ObsReport
	dialer dialer

	schedule *schedule
	slots    chan struct{}        // one for each check at a time
	found    chan pmetric.Metrics // from checks to the pipeline
	refused  bool                 // the pipeline did not take the last batch; of emit

	ctx        context.Context // ends with Shutdown
	cancel     context.CancelFunc
	background sync.WaitGroup // checks and what begins them
	emitting   sync.WaitGroup
	once       sync.Once
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics) (*probeReceiver, error) {
	r := &probeReceiver{
		cfg: cfg, set: set, next: next, slots: make(chan struct{}, max(cfg.Parallel, 1)), found: make(chan pmetric.Metrics, maxBatch),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	var err error
	if r.tel, err = newTelemetry(set.MeterProvider.Meter(scopeName), set.ID.String()); err != nil {
		return nil, fmt.Errorf("probe: make instruments: %w", err)
	}
	r.obs, err = receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "net", ReceiverCreateSettings: set})
	return r, err
}

// Start reads certificates and begins to check. A target that does not answer is no error; that is what is looked for.
func (r *probeReceiver) Start(ctx context.Context, host component.Host) error {
	now := time.Now()
	r.schedule = newSchedule(r.cfg.Controller.CollectionInterval, now.Add(r.cfg.Controller.InitialDelay))
	listed, err := r.listed(ctx, host.GetExtensions())
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	r.schedule.set("", listed, now)
	if k := r.cfg.Kubernetes.Get(); k != nil {
		if err := r.discover(ctx, k); err != nil {
			return fmt.Errorf("probe: kubernetes: %w", err)
		}
	}
	if err := r.tel.observe(r.set.MeterProvider.Meter(scopeName), r.schedule.count); err != nil {
		return fmt.Errorf("probe: register gauges: %w", err)
	}
	r.background.Go(r.run)
	r.emitting.Go(r.emit)
	return nil
}

// listed makes the targets of the configuration.
func (r *probeReceiver) listed(ctx context.Context, extensions map[component.ID]component.Component) (list []*target, err error) {
	add := func(kind, name string, endpoints []string, timeout time.Duration, c checker, points ...label) {
		if name != "" {
			points = append(points, label{attrName, name})
		}
		for _, e := range endpoints {
			list = append(list, &target{kind: kind, endpoint: e, checker: c, timeout: r.timeout(timeout), points: points})
		}
	}
	for i := range r.cfg.HTTP {
		g := &r.cfg.HTTP[i]
		c, err := newHTTPChecker(ctx, g, &r.dialer, extensions)
		if err != nil {
			return nil, fmt.Errorf("http[%d]: %w", i, err)
		}
		add(kindHTTP, g.Name, g.Endpoints, g.Timeout, c)
	}
	for i := range r.cfg.TCP {
		g := &r.cfg.TCP[i]
		secure, err := loadTLS(ctx, &g.TLS)
		if err != nil {
			return nil, fmt.Errorf("tcp[%d]: %w", i, err)
		}
		add(kindTCP, g.Name, g.Endpoints, g.Timeout, &tcpChecker{&r.dialer, secure})
	}
	for i := range r.cfg.DNS {
		g := &r.cfg.DNS[i]
		secure, err := g.TLS.LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("dns[%d]: tls: %w", i, err)
		}
		c, err := newDNSChecker(g, &r.dialer, secure)
		if err != nil {
			return nil, fmt.Errorf("dns[%d]: %w", i, err)
		}
		add(kindDNS, g.Name, g.Endpoints, g.Timeout, c, c.labels()...)
	}
	for i := range r.cfg.GRPC {
		g := &r.cfg.GRPC[i]
		secure, err := loadTLS(ctx, &g.TLS)
		if err != nil {
			return nil, fmt.Errorf("grpc[%d]: %w", i, err)
		}
		add(kindGRPC, g.Name, g.Endpoints, g.Timeout, &grpcChecker{g, &r.dialer, secure}, grpcLabels(g.Service)...)
	}
	return list, nil
}

func (r *probeReceiver) timeout(own time.Duration) time.Duration {
	if own > 0 {
		return own
	}
	return r.cfg.Controller.Timeout
}

// Shutdown breaks off the checks under way and waits for them.
func (r *probeReceiver) Shutdown(context.Context) error {
	r.once.Do(func() {
		r.cancel()
		r.background.Wait()
		close(r.found)
		r.emitting.Wait()
		r.tel.close()
	})
	return nil
}

// run begins checks when their time comes.
func (r *probeReceiver) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.schedule.wake:
		case <-r.ctx.Done():
			return
		}
		ready, wait := r.schedule.due(time.Now())
		for _, t := range ready {
			r.launch(t)
		}
		timer.Reset(wait)
	}
}

// launch checks a target as soon as there is room for one more check. One whose last check has not ended is passed over.
func (r *probeReceiver) launch(t *target) {
	if !t.busy.CompareAndSwap(false, true) {
		r.tel.drop(r.ctx, 1, reasonLate)
		return
	}
	r.background.Go(func() {
		defer t.busy.Store(false)
		select {
		case r.slots <- struct{}{}:
		case <-r.ctx.Done():
			return
		}
		res := run(r.ctx, t.checker, t.endpoint, t.timeout)
		<-r.slots
		if r.ctx.Err() != nil {
			return // broken off, which says nothing of the target
		}
		r.said(t, &res)
		if t.counts == nil {
			t.counts = map[string]int{"": 0} // a rate of successes there is even if there are none
		}
		t.counts[res.failure]++
		select {
		case r.found <- render(t, &res, time.Now(), r.set.BuildInfo.Version):
		case <-r.ctx.Done():
		}
	})
}

// said tells when a target goes down, why, and when it is up again.
func (r *probeReceiver) said(t *target, res *result) {
	was := t.up
	t.up = 1
	if res.failure != "" {
		t.up = -1
	}
	switch {
	case t.up < 0 && was >= 0:
		r.set.Logger.Info("probe: a target does not answer as it should; its metrics say so until it does, and this is not said again",
			zap.String("type", t.kind), zap.String("target", t.endpoint), zap.String("failure", res.failure), zap.Error(res.err))
	case t.up > 0 && was < 0:
		r.set.Logger.Info("probe: a target answers again", zap.String("type", t.kind), zap.String("target", t.endpoint))
	}
}

// emit hands to the pipeline what was found, several checks at once.
func (r *probeReceiver) emit() {
	sending, broken := context.WithCancel(context.WithoutCancel(r.ctx))
	defer broken()
	defer context.AfterFunc(r.ctx, func() { time.AfterFunc(stopWait, broken) })()
	for first := range r.found {
		batch, n := first, 1
		enough := time.After(linger)
	more:
		for n < maxBatch {
			select {
			case md, ok := <-r.found:
				if !ok {
					break more
				}
				md.ResourceMetrics().MoveAndAppendTo(batch.ResourceMetrics())
				n++
			case <-enough:
				break more
			case <-r.ctx.Done():
				break more
			}
		}
		r.deliver(sending, batch)
	}
}

func (r *probeReceiver) deliver(ctx context.Context, md pmetric.Metrics) {
	n := md.DataPointCount()
	ctx = r.obs.StartMetricsOp(ctx)
	err := r.next.ConsumeMetrics(ctx, md)
	r.obs.EndMetricsOp(ctx, "probe", n, err)
	if err != nil {
		r.tel.drop(ctx, n, reasonRefused)
		if !r.refused {
			r.set.Logger.Warn("probe: the pipeline refused metrics, which are lost; this is not said again until it takes some",
				zap.Int("points", n), zap.Error(err))
		}
	}
	r.refused = err != nil
}

// loadTLS returns nil if the section is not there.
func loadTLS(ctx context.Context, section *configoptional.Optional[configtls.ClientConfig]) (*tls.Config, error) {
	c := section.Get()
	if c == nil {
		return nil, nil
	}
	cfg, err := c.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return cfg, nil
}
