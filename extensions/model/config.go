package model

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"

	"github.com/obsd-io/obsd/internal/heapster"
)

// Config is what a user may set under `extensions: model:`. An empty section is a whole configuration.
type Config struct {
	// HTTP is where and how it listens: `endpoint` (default 127.0.0.1:8082), `tls`, `auth` and the other settings of the
	// Collector's HTTP servers.
	HTTP confighttp.ServerConfig `mapstructure:",squash"`

	// AllowUnauthenticated lets it listen for other hosts though it asks nobody who they are.
	AllowUnauthenticated bool `mapstructure:"allow_unauthenticated"`

	// Window is how long the values of window_metrics are kept.
	Window time.Duration `mapstructure:"window"`

	// WindowMetrics are the metrics, by Heapster's names, that are kept for the window.
	WindowMetrics []string `mapstructure:"window_metrics"`

	// ShortWindow is how long all other values are kept, and how long an object is listed that is no longer heard of.
	// Set it to two intervals of the receiver or more.
	ShortWindow time.Duration `mapstructure:"short_window"`

	// Resolution is the least time between two values that are kept. Of values that come more often the last counts.
	Resolution time.Duration `mapstructure:"resolution"`

	// MaxSeries bounds the memory: values of further series are dropped and counted. A series is one metric of one object.
	MaxSeries int `mapstructure:"max_series"`

	// HeapsterMetrics adds figures about itself under the names that Heapster had to /metrics.
	HeapsterMetrics bool `mapstructure:"heapster_metrics"`
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "127.0.0.1:8082"
	return &Config{
		HTTP:          server,
		Window:        15 * time.Minute,
		WindowMetrics: []string{"cpu/usage_rate", "memory/usage"},
		ShortWindow:   140 * time.Second,
		Resolution:    30 * time.Second,
		MaxSeries:     1_000_000,
	}
}

// mostPoints bounds how many values of a series are kept.
const mostPoints = 10_000

// Validate reports every problem at once.
func (c *Config) Validate() error {
	errs := []error{c.validateEndpoint()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Resolution < time.Second {
		bad("resolution: %v is too short: set it to the receiver's collection_interval, 1s or more", c.Resolution)
	}
	if c.ShortWindow < 2*c.Resolution {
		bad("short_window: %v is less than two times resolution (%v): raise it", c.ShortWindow, c.Resolution)
	}
	if c.Window < c.ShortWindow {
		bad("window: %v is less than short_window (%v): set it to the same or more", c.Window, c.ShortWindow)
	}
	if c.Resolution >= time.Second && c.Window/c.Resolution > mostPoints {
		bad("window: %v holds over %d times resolution (%v): lower it, and keep long histories in a database", c.Window, mostPoints, c.Resolution)
	}
	if c.MaxSeries < 1 {
		bad("max_series: %d is not positive: set it to 60 for each pod", c.MaxSeries)
	}
	names := metricNames()
	for i, name := range c.WindowMetrics {
		if !slices.Contains(names, name) {
			bad("window_metrics[%d]: %q is no metric of Heapster's: use one of %s", i, name, strings.Join(names, ", "))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateEndpoint() error {
	addr := c.HTTP.NetAddr
	if _, _, err := net.SplitHostPort(addr.Endpoint); err != nil && addr.Transport != confignet.TransportTypeUnix {
		return fmt.Errorf("endpoint: %q is no address: write it as HOST:PORT, or leave it out for 127.0.0.1:8082", addr.Endpoint)
	}
	if c.local() || c.guarded() || c.AllowUnauthenticated {
		return nil
	}
	return fmt.Errorf("endpoint: %q is open to other hosts, and nobody is asked who they are: set auth (such as bearertokenauth) "+
		"or tls::client_ca_file, or listen on 127.0.0.1, or set allow_unauthenticated to true if something else keeps strangers out", addr.Endpoint)
}

// local tells that no other host can reach it.
func (c *Config) local() bool {
	if c.HTTP.NetAddr.Transport == confignet.TransportTypeUnix {
		return true
	}
	host, _, _ := net.SplitHostPort(c.HTTP.NetAddr.Endpoint)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guarded tells that a client has to say who it is.
func (c *Config) guarded() bool {
	return c.HTTP.Auth.HasValue() || c.HTTP.TLS.HasValue() && c.HTTP.TLS.Get().ClientCAFile != ""
}

// floatNames are those of metrics that were no whole numbers.
func floatNames() map[string]bool {
	names := make(map[string]bool)
	for _, list := range heapster.Table() {
		for _, m := range list {
			names[m.Name] = names[m.Name] || m.Float
			names[m.Rate] = true
		}
	}
	return names
}

// metricNames are all names that the model may hold, sorted.
func metricNames() []string {
	var names []string
	for _, list := range heapster.Table() {
		for _, m := range list {
			names = append(names, m.Name)
			if m.Rate != "" {
				names = append(names, m.Rate)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
