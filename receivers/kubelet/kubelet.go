// Package kubelet is the `kubelet` receiver: what kubelets know of their nodes, pods, containers and volumes, from
// /stats/summary, /metrics/resource, /metrics/cadvisor and /metrics/probes, of one node or of all.
//
// Metrics of the summary are named and typed as the Collector's kubeletstats receiver does; CPU usage is a rate of our
// own between two samples. Series in Prometheus's format keep their names, labels and timestamps.
//
// Each scrape of a node asks all its endpoints at once, under one timeout that ends the requests, and gives one batch.
package kubelet

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"k8s.io/client-go/rest"
)

// kubeletReceiver scrapes kubelets.
type kubeletReceiver struct {
	cfg       *Config
	set       receiver.Settings
	next      consumer.Metrics
	catalog   *catalog
	light     bool   // CPU and memory are all that is wanted of the summary
	noPSI     bool   // no figure of pressure is wanted
	podSource string // where Pod objects come from

	tel    *telemetry
	obs    *receiverhelper.ObsReport
	client *client
	api    *api          // nil unless the API server is asked for nodes or pods
	slots  chan struct{} // one for each scrape at a time

	mu        sync.Mutex
	targets   map[string]*target
	scratches []*scratch

	ctx        context.Context // ends with Shutdown
	cancel     context.CancelFunc
	background sync.WaitGroup
	once       sync.Once
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics) (*kubeletReceiver, error) {
	cfg = cfg.lists()
	r := &kubeletReceiver{
		cfg: cfg, set: set, next: next, catalog: newCatalog(cfg.Metrics), targets: map[string]*target{},
		slots: make(chan struct{}, max(cfg.Parallel, 1)),
	}
	r.podSource = cfg.needsPods(r.catalog)
	r.light = cfg.light(r.catalog)
	r.noPSI = true
	for e := range entities {
		r.noPSI = r.noPSI && !r.catalog.wants(e, psiTime, psiPressure)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	var err error
	if r.tel, err = newTelemetry(set.MeterProvider.Meter(scopeName), set.ID.String(), cfg.HeapsterMetrics); err != nil {
		return nil, fmt.Errorf("kubelet: make instruments: %w", err)
	}
	transport := "http"
	r.obs, err = receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: transport, ReceiverCreateSettings: set,
	})
	return r, err
}

// Start connects and begins to scrape. Files and addresses that cannot work are errors; a kubelet that does not answer
// is none, for it may later.
func (r *kubeletReceiver) Start(_ context.Context, _ component.Host) error {
	if err := r.connect(); err != nil {
		return err
	}
	if err := r.tel.observe(r.set.MeterProvider.Meter(scopeName), r.each); err != nil {
		return fmt.Errorf("kubelet: register gauges: %w", err)
	}
	r.background.Go(r.run)
	return nil
}

func (r *kubeletReceiver) connect() error {
	all, proxied := r.cfg.Nodes == nodesAll, r.cfg.AuthType == authKubeConfig || r.cfg.Nodes == nodesAll && r.cfg.NodeAccess == accessProxy
	var apiConfig *rest.Config
	if all || proxied || r.podSource == sourceAPI {
		var err error
		if apiConfig, err = r.cfg.apiConfig(); err != nil {
			return err
		}
	}
	kubelets := apiConfig
	if !proxied {
		kubelets = r.cfg.kubeletConfig()
	}
	var err error
	if r.client, err = newClient(kubelets, all || proxied); err != nil {
		return fmt.Errorf("kubelet: credentials: %w: check ca_file, token_file, cert_file and key_file", err)
	}
	if all || r.podSource == sourceAPI {
		if r.api, err = r.newAPI(apiConfig, all); err != nil {
			return fmt.Errorf("kubelet: client of the API server: %w", err)
		}
	}
	base := func(n *node) (*url.URL, error) { return n.url(r.cfg) }
	if proxied {
		base = func(n *node) (*url.URL, error) { return proxyURL(apiConfig, n.name) }
	}
	if all {
		r.api.onNodes = func(list []*node) { r.setTargets(list, base) }
		r.api.start(r.ctx, "")
		return nil
	}
	name, err := r.self(base)
	if err == nil && r.api != nil {
		r.api.start(r.ctx, name)
	}
	return err
}

// self makes the one target of `nodes: self` and returns the node's name.
func (r *kubeletReceiver) self(base func(*node) (*url.URL, error)) (string, error) {
	host, err := os.Hostname()
	if err != nil && r.cfg.Endpoint == "" {
		return "", fmt.Errorf("kubelet: name of this host: %w: set endpoint", err)
	}
	n := &node{name: host, endpoint: r.cfg.Endpoint}
	if r.cfg.Endpoint != "" {
		n.name = r.cfg.Endpoint
		if u, err := parseEndpoint(r.cfg.Endpoint, r.cfg.AuthType); err == nil && r.cfg.AuthType != authKubeConfig {
			n.name = u.Hostname()
		}
	} else {
		n.endpoint = host
	}
	if r.cfg.Node != "" && (r.cfg.AuthType != authKubeConfig || r.cfg.Endpoint == "") {
		n.name = r.cfg.Node
	}
	u, err := base(n)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targets[n.name] = r.newTarget(n.name, u)
	return n.name, nil
}

// Shutdown ends the scrapes under way and waits for them.
func (r *kubeletReceiver) Shutdown(context.Context) error {
	r.once.Do(func() {
		r.cancel()
		r.background.Wait()
		r.tel.close()
		if r.client != nil {
			r.client.close()
		}
	})
	return nil
}

// run begins a cycle each interval, whether or not the last one has ended: a node whose scrape still runs is passed over
// and counted.
func (r *kubeletReceiver) run() {
	timer := time.NewTimer(r.cfg.Controller.InitialDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
		return
	}
	tick := time.NewTicker(r.cfg.Controller.CollectionInterval)
	defer tick.Stop()
	for {
		r.cycle()
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// cycle begins a scrape of each node. Those of many nodes are spread over up to a quarter of the interval, each node at
// its own place in it.
func (r *kubeletReceiver) cycle() {
	count := 0
	r.each(func(*target) { count++ })
	spread := min(time.Duration(count-1)*8*time.Millisecond, r.cfg.Controller.CollectionInterval/4)
	r.each(func(t *target) {
		if !t.busy.CompareAndSwap(false, true) {
			r.tel.drop(r.ctx, 1, reasonLate)
			return
		}
		r.background.Go(func() {
			defer t.busy.Store(false)
			if !r.wait(place(t.node, spread)) {
				return
			}
			select {
			case r.slots <- struct{}{}:
				defer func() { <-r.slots }()
				r.scrape(r.ctx, t)
			case <-r.ctx.Done():
			}
		})
	})
}

// wait returns false if the receiver is shut down meanwhile.
func (r *kubeletReceiver) wait(d time.Duration) bool {
	if d <= 0 {
		return r.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// place is where in the spread a node has its turn.
func place(node string, spread time.Duration) time.Duration {
	if spread <= 0 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(node)) // never fails
	return spread * time.Duration(h.Sum32()%1024) / 1024
}

// each calls do for each target there is.
func (r *kubeletReceiver) each(do func(*target)) {
	r.mu.Lock()
	list := make([]*target, 0, len(r.targets))
	for _, t := range r.targets {
		list = append(list, t)
	}
	r.mu.Unlock()
	for _, t := range list {
		do(t)
	}
}
