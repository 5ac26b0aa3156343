// Package cadvisor is the `cadvisor` receiver: CPU, memory, network, disk and more of every container, pod and service of
// this machine, read in this process with the library that cAdvisor and the kubelet read them with; or scraped from a
// cAdvisor that runs elsewhere.
//
// Who a container is follows from the path of its cgroup and from what its runtime answers, never from the runtime's files.
// A figure, a label or a runtime that is missing leaves out what it would have told, and nothing else.
package cadvisor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/obsd-io/obsd/internal/podtable"
)

// metricsReceiver is the scraper controller, made safe to shut down twice.
type metricsReceiver struct {
	receiver.Metrics
	once sync.Once
}

// Shutdown ends the collections.
func (r *metricsReceiver) Shutdown(ctx context.Context) (err error) {
	r.once.Do(func() { err = r.Metrics.Shutdown(ctx) })
	return err
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics, extra ...scraperhelper.ControllerOption) (receiver.Metrics, error) {
	tel, err := newTelemetry(set.MeterProvider.Meter(scope), set.ID.String())
	if err != nil {
		return nil, fmt.Errorf("cadvisor: make instruments: %w", err)
	}
	c := &collector{cfg: cfg, set: set.TelemetrySettings, version: set.BuildInfo.Version, tel: tel}
	sc, err := scraper.NewMetrics(c.scrape, scraper.WithStart(c.start), scraper.WithShutdown(c.shutdown))
	if err != nil {
		return nil, fmt.Errorf("cadvisor: make scraper: %w", err)
	}
	options := append([]scraperhelper.ControllerOption{scraperhelper.AddMetricsScraper(component.MustNewType("cadvisor"), sc)}, extra...)
	controller, err := scraperhelper.NewMetricsController(&cfg.Controller, set, next, options...)
	if err != nil {
		return nil, fmt.Errorf("cadvisor: make controller: %w", err)
	}
	return &metricsReceiver{Metrics: controller}, nil
}

// collector reads from a source and writes by the chosen names. Its scrape is called by one goroutine at a time.
type collector struct {
	cfg     *Config
	set     component.TelemetrySettings
	version string
	tel     *telemetry

	source     source
	page       *page // instead of a source, for scrape::api metrics
	otel       *otelWriter
	prometheus *prometheusWriter
	processes  processUpdater
	unregister func()
}

// processUpdater is a processLister that has to be told what containers there are.
type processUpdater interface {
	processLister
	update(samples []sample)
}

// httpHandlers is what we ask of the extension that serves process lists.
type httpHandlers interface {
	Handle(pattern string, h http.Handler) (unregister func(), err error)
}

func (c *collector) start(ctx context.Context, host component.Host) error {
	if err := c.open(ctx, host); err != nil {
		return err
	}
	if c.cfg.Names == namesOTel {
		c.otel = newOTelWriter(c.cfg.Node, c.version)
		return nil
	}
	var err error
	c.prometheus, err = newPrometheusWriter(c.cfg.Node, c.version, c.cfg.MetricGroups, !c.cfg.Scrape.HasValue())
	return err
}

// open makes the source.
func (c *collector) open(ctx context.Context, host component.Host) error {
	scrape := c.cfg.Scrape.Get()
	if scrape == nil {
		pods, err := c.findPods(host)
		if err != nil {
			return err
		}
		if c.source, err = newLocal(c.cfg, c.set.Logger, c.tel, pods); err != nil {
			return err
		}
		return c.serveProcesses(host)
	}
	client, err := newClient(ctx, scrape, host, c.set)
	if err != nil {
		return err
	}
	if scrape.API == apiMetrics {
		c.page = &page{cfg: scrape, client: client, node: c.cfg.Node, version: c.version, tel: c.tel}
	} else {
		c.source = &api{cfg: scrape, client: client, tel: c.tel, most: c.cfg.MaxContainers}
	}
	return nil
}

// findPods is the table of the extension that names pods, or nil if none is to.
func (c *collector) findPods(host component.Host) (*podtable.Table, error) {
	if c.cfg.Pods == nil {
		return nil, nil
	}
	extension, ok := host.GetExtensions()[*c.cfg.Pods]
	if !ok {
		return nil, fmt.Errorf("cadvisor: pods: there is no extension %q: add it to service::extensions", c.cfg.Pods)
	}
	pods, ok := extension.(interface{ Table() *podtable.Table })
	if !ok {
		return nil, fmt.Errorf("cadvisor: pods: the extension %q knows no pods: name one of type k8s_pods", c.cfg.Pods)
	}
	return pods.Table(), nil
}

// serveProcesses gives the process lists to the model extension.
func (c *collector) serveProcesses(host component.Host) error {
	if c.cfg.Model == nil {
		return nil
	}
	extension, ok := host.GetExtensions()[*c.cfg.Model]
	if !ok {
		return fmt.Errorf("cadvisor: model: there is no extension %q: add it to service::extensions", c.cfg.Model)
	}
	handlers, ok := extension.(httpHandlers)
	if !ok {
		return fmt.Errorf("cadvisor: model: the extension %q serves no process lists: name one of type model", c.cfg.Model)
	}
	lists, ok := c.source.(interface{ processList() processUpdater })
	if !ok {
		return errors.New("BUG: cadvisor: a source of this machine has no process lists")
	}
	c.processes = lists.processList()
	var err error
	if c.unregister, err = handlers.Handle(psPattern, psHandler(c.processes)); err != nil {
		return fmt.Errorf("cadvisor: model: %w", err)
	}
	return nil
}

func (c *collector) shutdown(context.Context) error {
	if c.unregister != nil {
		c.unregister()
		c.unregister = nil
	}
	if c.source == nil {
		return nil
	}
	err := c.source.close()
	c.source = nil
	return err
}

func (c *collector) scrape(ctx context.Context) (pmetric.Metrics, error) {
	begin := time.Now()
	out, err := c.collect(ctx)
	points := out.DataPointCount()
	c.tel.scraped(ctx, begin, points, err)
	if err != nil && points > 0 { // what could be read is sent
		err = scrapererror.NewPartialScrapeError(err, 1)
	}
	return out, err
}

func (c *collector) collect(ctx context.Context) (pmetric.Metrics, error) {
	if c.page != nil {
		return c.page.scrape(ctx)
	}
	samples, err := c.source.read(ctx)
	if c.processes != nil {
		c.processes.update(samples)
	}
	if c.otel != nil {
		return c.otel.write(samples), err
	}
	out, bad := c.prometheus.write(samples, c.source.machine())
	return out, errors.Join(err, bad)
}
