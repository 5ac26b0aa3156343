package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/quiet"
)

// paths are where the endpoints are on a kubelet.
var paths = map[string]string{
	endpointSummary:  "/stats/summary",
	endpointResource: "/metrics/resource",
	endpointCadvisor: "/metrics/cadvisor",
	endpointProbes:   "/metrics/probes",
	endpointPods:     "/pods",
}

// target is the kubelet of one node.
type target struct {
	node      string
	base      string // where its endpoints are
	endpoints []*endpoint
	pods      *endpoint // nil unless metadata comes from the kubelet
	writer    *writer   // used by the scrape of the summary only
	busy      atomic.Bool

	nodeOnly, source metric.MeasurementOption
}

// endpoint is one of a kubelet's.
type endpoint struct {
	name, url, accept string
	attributes        metric.MeasurementOption

	success atomic.Int64 // nanoseconds since 1970
	points  atomic.Int64
	outage  quiet.Outage
}

// scratch is what a scrape needs for a while. It is kept for the next one, of whatever node.
type scratch struct {
	body  []byte
	names *names
	sum   summary
	text  *exposition
}

// takeScratch returns a scratch that no other scrape has. There are as many as ever were in use at once, and they are
// kept: a sync.Pool would be empty again by the next scrape.
func (r *kubeletReceiver) takeScratch() *scratch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.scratches); n > 0 {
		s := r.scratches[n-1]
		r.scratches = r.scratches[:n-1]
		return s
	}
	n := newNames()
	return &scratch{names: n, sum: summary{names: n, noPSI: r.noPSI}, text: newExposition(&r.cfg.Prometheus, n, r.set.BuildInfo.Version)}
}

func (r *kubeletReceiver) giveScratch(s *scratch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scratches = append(r.scratches, s)
}

func (r *kubeletReceiver) newTarget(node string, base *url.URL) *target {
	t := &target{
		node: node, base: base.String(), writer: newWriter(r.cfg, r.catalog, r.set.BuildInfo.Version),
		nodeOnly: r.tel.nodeAttributes(attribute.String("node", node)),
		source:   r.tel.nodeAttributes(attribute.String("source", "kubelet_summary:"+base.Host)),
	}
	add := func(name string) *endpoint {
		e := &endpoint{
			name: name, url: base.JoinPath(paths[name]).String(), accept: "text/plain;version=0.0.4",
			attributes: r.tel.nodeAttributes(attribute.String("node", node), attribute.String("endpoint", name)),
		}
		t.endpoints = append(t.endpoints, e)
		return e
	}
	for _, name := range r.cfg.Endpoints {
		e := add(name)
		if name != endpointSummary {
			continue
		}
		e.accept = "application/json"
		if r.light {
			e.url += "?only_cpu_and_memory=true"
		}
		if r.podSource == sourceKubelet {
			t.pods = add(endpointPods)
			t.pods.accept = "application/json"
		}
	}
	return t
}

// scrape asks all endpoints of a node at once and hands over what they give as one batch. An endpoint that fails takes
// nothing from the others.
func (r *kubeletReceiver) scrape(ctx context.Context, t *target) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Controller.Timeout)
	defer cancel()
	results := make([]pmetric.Metrics, len(t.endpoints))
	var wg sync.WaitGroup
	for i, e := range t.endpoints {
		if e != t.pods {
			wg.Go(func() { results[i] = r.ask(ctx, t, e) })
		}
	}
	wg.Wait()
	all := pmetric.NewMetrics()
	for _, md := range results {
		if md != (pmetric.Metrics{}) {
			md.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
		}
	}
	r.deliver(t, all) //nolint:contextcheck // what was scraped in time is delivered though the time is over
}

// ask scrapes one endpoint. What it returns is the zero value after a failure.
func (r *kubeletReceiver) ask(ctx context.Context, t *target, e *endpoint) (md pmetric.Metrics) {
	s := r.takeScratch()
	defer r.giveScratch(s)
	var points int
	r.timed(ctx, t, e, func() (err error) {
		if e.name == endpointSummary {
			md, points, err = r.summary(ctx, t, e, s)
		} else {
			md, points, err = r.exposition(ctx, t, e, s)
		}
		e.points.Store(int64(points))
		return err
	})
	return md
}

func (r *kubeletReceiver) summary(ctx context.Context, t *target, e *endpoint, s *scratch) (pmetric.Metrics, int, error) {
	meta := r.metadata(ctx, t)
	var err error
	if s.body, err = r.client.get(ctx, e.url, e.accept, s.body); err != nil {
		return pmetric.Metrics{}, 0, err
	}
	now := time.Now()
	if err := s.sum.decode(s.body); err != nil {
		return pmetric.Metrics{}, 0, err
	}
	md, points := t.writer.write(&s.sum, meta(), t.node, now)
	return md, points, nil
}

func (r *kubeletReceiver) exposition(ctx context.Context, t *target, e *endpoint, s *scratch) (pmetric.Metrics, int, error) {
	var err error
	if s.body, err = r.client.get(ctx, e.url, e.accept, s.body); err != nil {
		return pmetric.Metrics{}, 0, err
	}
	md, points, bad, err := s.text.read(s.body, t.node, pcommon.NewTimestampFromTime(time.Now()))
	if err != nil {
		return pmetric.Metrics{}, 0, err
	}
	r.tel.drop(ctx, bad, reasonBadSample)
	return md, points, nil
}

// metadata begins to fetch what Pod objects say, and returns how to wait for it. Without it metrics have fewer
// attributes, which is better than none at all.
func (r *kubeletReceiver) metadata(ctx context.Context, t *target) func() *metadata {
	switch {
	case r.podSource == sourceAPI:
		return func() *metadata { return r.api.metadata(t.node) }
	case t.pods == nil:
		return func() *metadata { return r.api.onlyNode(t.node) }
	}
	done := make(chan *metadata, 1)
	r.background.Go(func() {
		s := r.takeScratch()
		defer r.giveScratch(s)
		var m *metadata
		r.timed(ctx, t, t.pods, func() (err error) {
			if s.body, err = r.client.get(ctx, t.pods.url, t.pods.accept, s.body); err != nil {
				return err
			}
			list := podList{cfg: &r.cfg.Metadata, names: s.names}
			if m, err = list.decode(s.body); err == nil {
				t.pods.points.Store(int64(len(m.pods)))
			}
			return err
		})
		done <- m
	})
	return func() *metadata {
		m := <-done
		if n := r.api.onlyNode(t.node); m != nil && n != nil {
			m.node = n.node
		}
		return m
	}
}

// timed runs one scrape of an endpoint, counts it and says once what is wrong with it.
func (r *kubeletReceiver) timed(ctx context.Context, t *target, e *endpoint, do func() error) {
	begun := time.Now()
	err := do()
	r.tel.scraped(ctx, t, e, time.Since(begun))
	switch {
	case err == nil:
		e.success.Store(time.Now().UnixNano())
		if e.outage.Over() {
			r.set.Logger.Info("kubelet: endpoint answers again", zap.String("node", t.node), zap.String("endpoint", e.name))
		}
		return
	case errors.Is(err, context.Canceled):
		return // the receiver is shut down
	}
	reason, mend := failure(err)
	r.tel.fail(ctx, e, reason)
	if e.outage.Failed(reason) {
		r.set.Logger.Warn("kubelet: scrape failed; it is tried again, and this is not said again until it is over",
			zap.String("node", t.node), zap.String("endpoint", e.name), zap.String("reason", reason), zap.String("mend", mend),
			zap.Error(fmt.Errorf("kubelet: get %s: %w", e.url, err)))
	}
}

// deliver hands a batch to the pipeline.
func (r *kubeletReceiver) deliver(t *target, md pmetric.Metrics) {
	points := md.DataPointCount()
	if points == 0 {
		return
	}
	ctx := r.obs.StartMetricsOp(r.ctx)
	err := r.next.ConsumeMetrics(ctx, md)
	r.obs.EndMetricsOp(ctx, "kubelet", points, err)
	if err != nil {
		r.tel.drop(r.ctx, points, reasonRefused)
		r.set.Logger.Warn("kubelet: the pipeline did not take a batch, which is lost", zap.String("node", t.node),
			zap.Int("points", points), zap.Error(err))
	}
}
