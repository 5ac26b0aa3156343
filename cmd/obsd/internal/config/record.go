package config

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
)

// recorder is a provider that fetches each URI once and keeps it, so that all passes over a configuration see the same.
type recorder struct {
	confmap.Provider
	c *checker
}

// Retrieve fetches, or gives what was fetched before.
func (r recorder) Retrieve(ctx context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if got, ok := r.c.read[uri]; ok {
		return got, nil
	}
	got, err := r.Provider.Retrieve(ctx, uri, nil)
	if err != nil {
		return nil, err
	}
	r.c.read[uri] = got
	if name, ok := strings.CutPrefix(uri, "env:"); ok && !strings.Contains(name, ":-") {
		if _, set := os.LookupEnv(name); !set {
			r.c.unset[name] = true
		}
	}
	return got, nil
}

// Shutdown leaves the provider as it is: what was read is still used after a pass.
func (recorder) Shutdown(context.Context) error { return nil }

// recorders are the providers by scheme.
func (c *checker) recorders() map[string]recorder {
	providers := make(map[string]recorder, len(c.set.Providers))
	for _, f := range c.set.Providers {
		p := f.Create(quiet())
		providers[p.Scheme()] = recorder{p, c}
	}
	return providers
}

// quiet keeps providers from logging what a check tells in its own words.
func quiet() confmap.ProviderSettings { return confmap.ProviderSettings{Logger: zap.NewNop()} }

// schemes are what the providers can read, sorted.
func (set Settings) schemes() []string {
	schemes := make([]string, len(set.Providers))
	for i, f := range set.Providers {
		schemes[i] = f.Create(quiet()).Scheme()
	}
	slices.Sort(schemes)
	return schemes
}

// recorderFactories are the recorders as a resolver takes them.
func (c *checker) recorderFactories() []confmap.ProviderFactory {
	factories := make([]confmap.ProviderFactory, len(c.set.Providers))
	for i, f := range c.set.Providers {
		factories[i] = confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
			return recorder{f.Create(quiet()), c}
		})
	}
	return factories
}

// uriScheme is the Collector's own rule for what is a scheme; a single letter is a drive.
var uriScheme = regexp.MustCompile(`(?s)^([A-Za-z][A-Za-z0-9+.-]+):`)

// normalize gives a URI as a provider takes it, and its scheme.
func normalize(uri string) (full, scheme string) {
	if m := uriScheme.FindStringSubmatch(uri); m != nil {
		return uri, m[1]
	}
	return "file:" + uri, "file"
}
