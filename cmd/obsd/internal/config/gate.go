package config

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/service"
	"go.uber.org/zap"
)

// gateScheme is the first thing that the Collector reads, before all sources: it makes the gate choose what the others give.
const gateScheme = "obsd"

// Gate gives the Collector its configuration, and only one that passed [Check].
//
// At a SIGHUP the Collector stops its pipelines, reads its sources anew, and ends if they are broken. With a gate in
// between a broken configuration is refused and logged, and the Collector reads what it had and starts again. When a
// sound configuration does not start the Collector still ends; [Gate.Fallback] then goes back for the next Collector.
//
// All methods may be called concurrently.
type Gate struct {
	set Settings

	mu      sync.Mutex
	log     *zap.Logger
	running func() bool
	reads   int
	// fresh says that the Collector at hand has read nothing yet.
	fresh bool
	// next is what to read without a look at the sources; current is what the Collector read last; good is the last that ran.
	next, current, good *Result
}

// NewGate makes a gate for one configuration.
func NewGate(set Settings) *Gate {
	return &Gate{set: set, log: zap.NewNop(), running: func() bool { return false }}
}

// ResolverSettings are what to give a Collector as its configuration.
func (g *Gate) ResolverSettings() confmap.ResolverSettings {
	factories := []confmap.ProviderFactory{confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.log = set.Logger
		return gateProvider{g}
	})}
	for _, f := range g.set.Providers {
		factories = append(factories, confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
			return passed{f.Create(set), g}
		}))
	}
	return confmap.ResolverSettings{
		URIs:              append([]string{gateScheme + ":gate"}, g.set.URIs...),
		ProviderFactories: factories,
		DefaultScheme:     "env",
	}
}

// Watch tells the gate of a new Collector, and how to see whether it runs. It is called before the Collector is run.
func (g *Gate) Watch(running func() bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.fresh = running, true
}

// Reads is how often a configuration was chosen. It waits for a choice under way, so that the next one looks at the sources later.
func (g *Gate) Reads() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reads
}

// Fallback is asked when a Collector ended with an error. It says whether another one should be tried: with the last
// configuration that ran, if the failed one is another.
func (g *Gate) Fallback() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.good == nil || g.good == g.current {
		return false
	}
	g.next, g.current = g.good, g.good
	return true
}

// Current is the configuration that the Collector has, or nil before it has one.
func (g *Gate) Current() *Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// Logger is the Collector's logger.
func (g *Gate) Logger() *zap.Logger {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log
}

// choose settles which configuration the Collector reads now.
func (g *Gate) choose(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reads++
	if g.ran() {
		g.good = g.current
	}
	g.fresh = false
	chosen := g.next
	if g.next = nil; chosen == nil {
		var err error
		if chosen, err = Check(ctx, g.set); err != nil {
			if g.current == nil {
				return err
			}
			LogRefused(g.log, err)
			chosen = g.current
		}
	}
	for _, w := range chosen.Warnings {
		g.log.Warn(w.String())
	}
	g.current = chosen
	return nil
}

// ran says whether the Collector ran with what it read last. It only reads again to reload, so it did; but with the
// feature service.partialReload it reads twice for one reload, and the second time what it read last never ran.
func (g *Gate) ran() bool {
	if service.ReceiverPartialReloadEnabled() {
		return g.running()
	}
	return !g.fresh
}

// retrieved is what the chosen configuration has for a URI.
func (g *Gate) retrieved(uri string) (*confmap.Retrieved, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current == nil {
		return nil, false
	}
	got, ok := g.current.read[uri]
	return got, ok
}

// LogRefused logs that a new configuration is not used, one line for each reason.
func LogRefused(log *zap.Logger, err error) {
	var ps Problems
	if !errors.As(err, &ps) {
		ps = Problems{{Text: Reason(err)}}
	}
	for _, p := range ps {
		log.Error("Configuration not reloaded, the running one stays: " + p.String())
	}
}

// gateProvider is the source that makes the gate choose. It adds nothing to the configuration.
type gateProvider struct{ g *Gate }

// Retrieve chooses.
func (p gateProvider) Retrieve(ctx context.Context, _ string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if err := p.g.choose(ctx); err != nil {
		return nil, err
	}
	return confmap.NewRetrieved(map[string]any{})
}

// Scheme is the gate's own.
func (gateProvider) Scheme() string { return gateScheme }

// Shutdown has nothing to end.
func (gateProvider) Shutdown(context.Context) error { return nil }

// passed is a provider that gives what the gate chose.
type passed struct {
	confmap.Provider
	g *Gate
}

// Retrieve gives what was checked; it fetches only what the check did not need.
func (p passed) Retrieve(ctx context.Context, uri string, changed confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if got, ok := p.g.retrieved(uri); ok {
		return got, nil
	}
	return p.Provider.Retrieve(ctx, uri, changed)
}
