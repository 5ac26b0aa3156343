// Package config reads the daemon's configuration, and says what is wrong with it in its user's words: the file and the
// line, the key, and the mend. The rules are the Collector's; only the telling is ours.
//
// [Check] looks at a configuration without running it. A [Gate] stands between the Collector and its files: what passes
// is what was checked, and a configuration that is broken when the daemon reloads never reaches the running one.
package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
)

// Settings says what a configuration is made of.
type Settings struct {
	// URIs are the files and values to merge, a later one over an earlier: a path, or `scheme:value` of one of Providers.
	URIs []string
	// Names are what to call a URI in a message, where that is not the URI itself.
	Names map[string]string
	// Providers fetch the URIs and what `${scheme:value}` stands for.
	Providers []confmap.ProviderFactory
	// Factories are the components that a configuration may name.
	Factories func() (otelcol.Factories, error)
	// BuildInfo names the program to the components.
	BuildInfo component.BuildInfo
}

// Sources are what the configuration is made of, as messages call them.
func (set Settings) Sources() []string {
	names := make([]string, len(set.URIs))
	for i, uri := range set.URIs {
		names[i] = set.name(uri)
	}
	return names
}

// name is what a message calls a URI.
func (set Settings) name(uri string) string {
	if name, ok := set.Names[uri]; ok {
		return name
	}
	return strings.TrimPrefix(uri, "file:")
}

// Validate says which URIs nothing can read, as an error of type [Problems].
func (set Settings) Validate() error {
	schemes := set.schemes()
	var ps Problems
	for _, uri := range set.URIs {
		if _, scheme := normalize(uri); !slices.Contains(schemes, scheme) {
			ps = append(ps, Problem{Source: set.name(uri), Text: fmt.Sprintf("nothing reads %q%s", scheme+":", otherwise(scheme, schemes, "a configuration comes from"))})
		}
	}
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Result is a configuration that was read and checked.
type Result struct {
	// Warnings are what the daemon can run with, but its user should know.
	Warnings Problems

	conf *confmap.Conf
	read reading
}

// reading is what was fetched, by URI, so that the Collector gets the same bytes that were checked.
type reading map[string]*confmap.Retrieved

// Get is the value at a path of the merged configuration, with `::` between the keys; nil where there is none.
func (r *Result) Get(path string) any { return r.conf.Get(path) }

// Check reads, merges and checks a configuration as the daemon would, and starts nothing.
//
// # Errors
//
// A configuration that the daemon cannot run is an error of type [Problems].
func Check(ctx context.Context, set Settings) (*Result, error) {
	factories, err := set.Factories()
	if err != nil {
		return nil, fmt.Errorf("config: components: %w", err)
	}
	c := &checker{set: set, factories: factories, read: make(reading), unset: make(map[string]bool)}
	if c.load(ctx); len(c.problems) > 0 {
		return nil, c.problems.sort(c.sources)
	}
	conf, err := c.resolve(ctx)
	if err != nil {
		return nil, c.unresolved(err)
	}
	c.check(conf)
	if len(c.problems) > 0 {
		return nil, c.problems.sort(c.sources)
	}
	if err := c.dryRun(ctx); err != nil {
		return nil, c.refused(err)
	}
	return &Result{Warnings: c.warnings.sort(c.sources), conf: conf, read: c.read}, nil
}

// checker carries one check.
type checker struct {
	set       Settings
	factories otelcol.Factories

	sources  []*source
	read     reading
	unset    map[string]bool
	problems Problems
	warnings Problems
}

// load fetches every source and parses it, each on its own, so that each can be blamed.
func (c *checker) load(ctx context.Context) {
	if errors.As(c.set.Validate(), &c.problems) {
		return
	}
	providers := c.recorders()
	for _, uri := range c.set.URIs {
		full, scheme := normalize(uri)
		name := c.set.name(uri)
		got, err := providers[scheme].Retrieve(ctx, full, nil)
		if err != nil {
			c.problems = append(c.problems, Problem{Source: name, Text: unreadable(err)})
			continue
		}
		c.parse(name, scheme, got)
	}
}

// parse keeps one source's text.
func (c *checker) parse(name, scheme string, got *confmap.Retrieved) {
	text, err := got.AsString()
	if err != nil {
		text = "" // a provider that hands over a value and no text: there are no lines to name then
	}
	s, problem := parse(name, text, !strings.HasPrefix(name, "--set ") && scheme != "env")
	if problem != nil {
		c.problems = append(c.problems, *problem)
		return
	}
	c.sources = append(c.sources, s)
}

// unreadable words the error of fetching a source.
func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file; check the path after --config"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to read this file; check its owner and mode"
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return "cannot be read: " + path.Err.Error()
	}
	return "cannot be read: " + err.Error()
}

// resolve merges the sources and fills in what `${…}` stands for.
func (c *checker) resolve(ctx context.Context) (*confmap.Conf, error) {
	resolver, err := confmap.NewResolver(c.resolverSettings())
	if err != nil {
		return nil, err
	}
	defer func() { _ = resolver.Shutdown(ctx) }() // closes what was only read
	return resolver.Resolve(ctx)
}

func (c *checker) resolverSettings() confmap.ResolverSettings {
	return confmap.ResolverSettings{URIs: c.set.URIs, ProviderFactories: c.recorderFactories(), DefaultScheme: "env"}
}

// dryRun has the Collector itself look at the configuration, for what the checks before do not know: cycles of pipelines, say.
func (c *checker) dryRun(ctx context.Context) error {
	col, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories:              func() (otelcol.Factories, error) { return c.factories, nil },
		BuildInfo:              c.set.BuildInfo,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: c.resolverSettings()},
	})
	if err != nil {
		return err
	}
	return col.DryRun(ctx)
}
