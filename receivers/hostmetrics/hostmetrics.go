// Package hostmetrics is the `host_metrics` receiver: CPU, memory, load, disk,
// file system and network metrics of the machine, named and typed as the
// Collector's hostmetrics receiver names them.
//
// Each kind is a scraper of its own under the Collector's scraper controller, so
// one that fails (no permission, no such file in a container) is counted and
// warned of once while the others go on.
package hostmetrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// source reads one kind of metrics. It is called by one goroutine at a time,
// writes what it can read to the page and returns what it cannot as partial
// scrape errors.
type source interface {
	scrape(ctx context.Context, p *page) error
}

// failure is a partial scrape error: that many metrics could not be read.
func failure(metrics int, err error) error {
	return scrapererror.NewPartialScrapeError(err, metrics)
}

// metricsReceiver is the scraper controller, made safe to shut down twice.
type metricsReceiver struct {
	receiver.Metrics
	once sync.Once
}

// Shutdown ends the scrapes.
func (r *metricsReceiver) Shutdown(ctx context.Context) (err error) {
	r.once.Do(func() { err = r.Metrics.Shutdown(ctx) })
	return err
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics, extra ...scraperhelper.ControllerOption) (receiver.Metrics, error) {
	logger := set.Logger
	set.Logger = logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return quietCore{core} }))
	var options []scraperhelper.ControllerOption
	for _, s := range cfg.scrapers(set.BuildInfo.Version, logger) {
		sc, err := scraper.NewMetrics(s.scrape, scraper.WithStart(s.start))
		if err != nil {
			return nil, fmt.Errorf("hostmetrics: make scraper %q: %w", s.name, err)
		}
		options = append(options, scraperhelper.AddMetricsScraper(component.MustNewType(s.name), sc))
	}
	controller, err := scraperhelper.NewMetricsController(&cfg.Controller, set, next, append(options, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("hostmetrics: make controller: %w", err)
	}
	return &metricsReceiver{Metrics: controller}, nil
}

// scrapers lists the configured kinds, in a fixed order.
func (c *Config) scrapers(version string, logger *zap.Logger) []*kindScraper {
	h := host{root: c.RootPath}
	kinds := c.Scrapers
	kinds.allIfNone()
	var out []*kindScraper
	add := func(name string, defs []definition, metrics Metrics, src source) {
		out = append(out, &kindScraper{
			name: name, host: h, attributes: c.ResourceAttributes, version: version,
			on: selected(defs, metrics), source: src,
			logger: logger.With(zap.String("scraper", name)), warned: map[string]struct{}{},
		})
	}
	if cfg := kinds.CPU.Get(); cfg != nil {
		add("cpu", cpuMetrics(), cfg.Metrics, &cpuSource{host: h})
	}
	if cfg := kinds.Memory.Get(); cfg != nil {
		add("memory", memoryMetrics(), cfg.Metrics, memorySource{})
	}
	if cfg := kinds.Load.Get(); cfg != nil {
		add("load", loadMetrics(), cfg.Metrics, loadSource{average: cfg.CPUAverage})
	}
	if cfg := kinds.Disk.Get(); cfg != nil {
		add("disk", diskMetrics(), cfg.Metrics, newDiskSource(cfg))
	}
	if cfg := kinds.Filesystem.Get(); cfg != nil {
		add("filesystem", filesystemMetrics(), cfg.Metrics, newFilesystemSource(cfg, h))
	}
	if cfg := kinds.Network.Get(); cfg != nil {
		add("network", networkMetrics(), cfg.Metrics, newNetworkSource(cfg, h))
	}
	return out
}

// kindScraper runs one source: it knows the resource and the boot time, and
// turns failures into one warning each.
type kindScraper struct {
	name       string
	host       host
	attributes ResourceAttributes
	version    string
	on         map[string]definition
	source     source
	logger     *zap.Logger

	resource pcommon.Resource
	booted   pcommon.Timestamp
	warned   map[string]struct{} // failures that are logged and not over
}

func (s *kindScraper) start(ctx context.Context, _ component.Host) error {
	if err := s.host.check(); err != nil {
		return err
	}
	var err error
	if s.resource, err = s.host.resource(s.attributes); err != nil {
		s.logger.Warn("host name is unknown, so host.name is left out", zap.Error(err))
	}
	if s.booted, err = s.host.bootTime(s.host.context(ctx)); err != nil {
		s.logger.Warn("boot time is unknown, so counters have no start time", zap.Error(err))
	}
	return nil
}

func (s *kindScraper) scrape(ctx context.Context) (pmetric.Metrics, error) {
	p := newPage(s.on, s.resource, s.version, s.booted, pcommon.NewTimestampFromTime(time.Now()))
	err := s.source.scrape(s.host.context(ctx), p)
	s.report(err)
	return p.metrics(), err
}

// report warns of a failure when it is new, and says when all is well again.
func (s *kindScraper) report(err error) {
	if err == nil {
		if len(s.warned) > 0 {
			clear(s.warned)
			s.logger.Info("host metrics can be read again")
		}
		return
	}
	text := err.Error()
	if _, ok := s.warned[text]; ok {
		return
	}
	const most = 100
	if len(s.warned) < most {
		s.warned[text] = struct{}{}
	}
	s.logger.Warn("some host metrics cannot be read; the others go on, and this is not said again until it is over",
		zap.Error(err), zap.String("mend", "give obsd access, set root_path in a container, or leave this scraper out"))
}

// quietCore makes the controller's line for each failed scrape a debug line,
// because kindScraper has its say only once.
type quietCore struct{ zapcore.Core }

// With implements zapcore.Core.
func (q quietCore) With(fields []zapcore.Field) zapcore.Core { return quietCore{q.Core.With(fields)} }

// Check implements zapcore.Core.
func (q quietCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if entry.Message == "Error scraping metrics" {
		entry.Level = zapcore.DebugLevel
	}
	return q.Core.Check(entry, checked)
}

// partial collects failures of one scrape.
type partial struct{ errs scrapererror.ScrapeErrors }

func (p *partial) add(metrics int, action string, err error) {
	if err != nil {
		p.errs.AddPartial(metrics, fmt.Errorf("%s: %w", action, err))
	}
}

func (p *partial) err() error { return p.errs.Combine() }

var (
	errNothing = errors.New("nothing to read")
	errSilent  = errors.New("no answer: the file system hangs, and is left out until it answers")
)
