package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	"go.uber.org/zap"
)

func TestNearest(t *testing.T) {
	names := []string{"endpoint", "timeout", "file_log", "headers"}
	for _, tc := range []struct{ name, typo, want string }{
		{"letter left out", "endpont", "endpoint"},
		{"letters swapped", "tiemout", "timeout"},
		{"old spelling", "filelog", "file_log"},
		{"case", "TimeOut", "timeout"},
		{"far away", "compression", ""},
		{"short and far", "xy", ""},
		{"empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.want, nearest(tc.typo, names)) })
	}
}

// Inner and Sample are exported as the configurations of components are: the decoder writes the names of types.
type Inner struct {
	Deep string `mapstructure:"deep"`
}

type Sample struct {
	Squashed Inner                          `mapstructure:",squash"`
	Wait     time.Duration                  `mapstructure:"wait"`
	Maybe    configoptional.Optional[Inner] `mapstructure:"maybe"`
	List     []Inner                        `mapstructure:"list"`
	Named    map[string]*Inner              `mapstructure:"named"`
	Count    int                            `mapstructure:"count"`
	Hidden   string                         `mapstructure:"-"`
}

func TestValidKeys(t *testing.T) {
	for _, tc := range []struct {
		name string
		path []string
		want []string
	}{
		{"top", nil, []string{"count", "deep", "list", "maybe", "named", "wait"}},
		{"optional", []string{"maybe"}, []string{"deep"}},
		{"item of a list", []string{"list", "0"}, []string{"deep"}},
		{"value of a map", []string{"named", "x"}, []string{"deep"}},
		{"scalar", []string{"wait"}, nil},
		{"nowhere", []string{"nowhere", "at", "all"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.want, validKeys(&Sample{}, tc.path)) })
	}
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   map[string]any
		want []finding
	}{
		{"unknown key", map[string]any{"cuont": 1}, []finding{{[]string{"cuont"}, `unknown key, did you mean "count"?`}}},
		{"below an optional", map[string]any{"maybe": map[string]any{"shallow": 1}}, []finding{{[]string{"maybe", "shallow"}, "unknown key; the keys here are deep"}}},
		{"in a list", map[string]any{"list": []any{map[string]any{"deep": 1}}}, []finding{{[]string{"list", "0", "deep"}, "expected text, got a whole number (1)"}}},
		{"in a map", map[string]any{"named": map[string]any{"x": map[string]any{"deep": true}}}, []finding{{[]string{"named", "x", "deep"}, "expected text, got true or false (true)"}}},
		{"duration", map[string]any{"wait": "soon"}, []finding{{[]string{"wait"}, "not a duration: write a number with a unit, such as 500ms, 10s, 5m or 1h"}}},
		{"list for a number", map[string]any{"count": []any{1}}, []finding{{[]string{"count"}, "expected a whole number, got a list"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var cfg any = &Sample{}
			err := confmap.NewFromStringMap(tc.in).Unmarshal(&cfg)
			require.Error(t, err)
			assert.Equal(t, tc.want, explain(err, cfg))
		})
	}
}

func TestLocate(t *testing.T) {
	a, problem := parse("a.yaml", "x:\n  y: 1\nz:\n  - q: 1\n  - q: 2\n", true)
	require.Nil(t, problem)
	b, problem := parse("b.yaml", "x:\n  y:\n    deep: 1\n", true)
	require.Nil(t, problem)
	set, problem := parse("--set x::w", "x::w: 1", false)
	require.Nil(t, problem)
	for _, tc := range []struct {
		name string
		path []string
		want string
	}{
		{"the last that has it", []string{"x", "y"}, "b.yaml:2: x.y: t"},
		{"the one that has most of it", []string{"x", "y", "deep"}, "b.yaml:3: x.y.deep: t"},
		{"item of a list", []string{"z", "1", "q"}, "a.yaml:5: z.1.q: t"},
		{"a flag", []string{"x", "w"}, "--set x::w: x.w: t"},
		{"nowhere", []string{"nowhere"}, "a.yaml: nowhere: t"},
		{"the whole", nil, "a.yaml: t"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, locate([]*source{a, b, set}, tc.path, "t").String())
		})
	}
}

// settings are a configuration of components that do nothing, in a file.
func settings(t *testing.T) (Settings, func(exporter string)) {
	file := filepath.Join(t.TempDir(), "obsd.yaml")
	write := func(exporter string) {
		t.Helper()
		text := "receivers: {nop: }\nexporters: {" + exporter + ": }\nservice: {pipelines: {logs: {receivers: [nop], exporters: [" + exporter + "]}}}\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	return Settings{
		URIs:      []string{file},
		Names:     map[string]string{file: "obsd.yaml"},
		Providers: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()},
		Factories: func() (otelcol.Factories, error) {
			return otelcol.Factories{
				Receivers: map[component.Type]receiver.Factory{component.MustNewType("nop"): receivertest.NewNopFactory()},
				Exporters: map[component.Type]exporter.Factory{component.MustNewType("nop"): nopexporter.NewFactory()},
				Telemetry: otelconftelemetry.NewFactory(),
			}, nil
		},
	}, write
}

// read has the gate choose, as a Collector does at the beginning of a read.
func read(t *testing.T, g *Gate) (string, error) {
	t.Helper()
	if err := g.choose(t.Context()); err != nil {
		return "", err
	}
	exporters, _ := g.Current().Get("exporters").(map[string]any)
	for name := range exporters {
		return name, nil
	}
	return "", errors.New("no exporter")
}

// TestGate is the life of a gate over several configurations.
func TestGate(t *testing.T) {
	set, write := settings(t)
	g := NewGate(set)
	g.log = zap.NewNop()

	g.Watch(func() bool { return true })
	write("nope")
	_, err := read(t, g)
	require.EqualError(t, err, `obsd.yaml:2: exporters.nope: there is no exporter of type "nope", did you mean "nop"?`)

	write("nop/one")
	got, err := read(t, g)
	require.NoError(t, err)
	assert.Equal(t, "nop/one", got)
	assert.False(t, g.Fallback(), "nothing ran yet")

	write("nope") // a reload, so nop/one ran
	got, err = read(t, g)
	require.NoError(t, err)
	assert.Equal(t, "nop/one", got, "a broken configuration does not pass")
	assert.False(t, g.Fallback(), "what failed is what ran")

	write("nop/two")
	got, err = read(t, g)
	require.NoError(t, err)
	assert.Equal(t, "nop/two", got)
	require.True(t, g.Fallback(), "nop/two did not start, nop/one did")

	g.Watch(func() bool { return true })
	got, err = read(t, g)
	require.NoError(t, err)
	assert.Equal(t, "nop/one", got)
	assert.False(t, g.Fallback(), "nothing is left to try")
}

// TestGateHandsOverWhatWasChecked checks that a provider behind the gate is not asked again.
func TestGateHandsOverWhatWasChecked(t *testing.T) {
	set, write := settings(t)
	write("nop/one")
	resolver, err := confmap.NewResolver(NewGate(set).ResolverSettings())
	require.NoError(t, err)
	conf, err := resolver.Resolve(t.Context())
	require.NoError(t, err)
	assert.True(t, conf.IsSet("exporters::nop/one"))
	require.NoError(t, resolver.Shutdown(context.WithoutCancel(t.Context())))
}
