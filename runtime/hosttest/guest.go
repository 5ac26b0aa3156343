package hosttest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/table"
)

// pluginName is what errors call the plugin.
const pluginName = "wasm/test"

// now is the time that batches bear: the same in all, for the results are compared.
const now = 1795428000_000_000_000

// callTime is what one call may take, in fuel. The daemon's limit is for 256 rows; calls here have more of them, and longer.
const callTime = 10 * time.Second

// guest is a loaded plugin.
type guest struct {
	plugin *host.Plugin
	plan   *table.Plan
}

// open loads the plugin; it is closed when the test ends.
func (s Suite) open(t testing.TB) (*guest, error) {
	t.Helper()
	settings := host.Settings{Name: pluginName, Module: s.module(t), Limits: s.limits(), CacheDir: s.cache}
	if s.Config != nil {
		config, err := json.Marshal(s.Config)
		if err != nil {
			t.Fatalf("hosttest: config: %v", err)
		}
		settings.Config = config
	}
	g := &guest{}
	var err error
	settings.NewSession = func(m *abi.Manifest) any {
		if g.plan == nil && err == nil {
			g.plan, err = table.NewPlan(m)
		}
		return table.NewSession(g.plan)
	}
	plugin, loadErr := host.Load(t.Context(), settings)
	if loadErr != nil {
		return nil, loadErr
	}
	t.Cleanup(func() {
		if err := plugin.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	g.plugin = plugin
	return g, err
}

// load is open for a plugin that must load.
func (s Suite) load(t testing.TB) *guest {
	t.Helper()
	g, err := s.open(t)
	if err != nil {
		t.Fatalf("the plugin does not load: %v", err)
	}
	return g
}

// acquire gives an instance until the test ends.
func (g *guest) acquire(t testing.TB) *host.Instance {
	t.Helper()
	inst, err := g.plugin.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.plugin.Release(context.Background(), inst) })
	return inst
}

// process runs an instance over a copy of d, at most so many rows a call (0: all in one).
func (g *guest) process(t testing.TB, inst *host.Instance, d table.Data, most int) (output, error) {
	t.Helper()
	var rows table.Table
	rows.Reset(clone(d))
	all := make([]int32, rows.Rows())
	for i := range all {
		all[i] = int32(i)
	}
	if most == 0 {
		most = max(len(all), 1)
	}
	for lo := 0; lo == 0 || lo < len(all); lo += most {
		if err := g.call(t, inst, &rows, all[lo:min(lo+most, len(all))]); err != nil {
			return output{}, fmt.Errorf("rows %d to %d of %d: %w", lo, min(lo+most, len(all)), len(all), err)
		}
	}
	return g.collect(&rows), nil
}

// call is one call of the guest.
func (g *guest) call(t testing.TB, inst *host.Instance, rows *table.Table, numbers []int32) error {
	t.Helper()
	session := inst.Session().(*table.Session)
	size := session.Measure(rows, numbers)
	block, err := inst.Block(t.Context(), size)
	if err != nil {
		return err
	}
	session.Encode(block, now)
	result, _, err := inst.Process(t.Context(), size, g.plugin.Fuel(callTime))
	if err != nil {
		return err
	}
	if err := session.Apply(inst.Memory(), result); err != nil {
		return inst.BadOutput("process", err)
	}
	return nil
}

// flush has an instance give what it holds.
func (g *guest) flush(t testing.TB, inst *host.Instance) (output, error) {
	t.Helper()
	var rows table.Table
	rows.Reset(table.LogsOf(plog.NewLogs()))
	result, _, err := inst.Flush(t.Context(), now, g.plugin.Fuel(callTime))
	if err != nil {
		return output{}, err
	}
	if err := inst.Session().(*table.Session).ApplyFlush(&rows, now, inst.Memory(), result); err != nil {
		return output{}, inst.BadOutput("flush", err)
	}
	return g.collect(&rows), nil
}

// collect moves the rows apart by their routes, for each signal that there may be rows of.
func (g *guest) collect(rows *table.Table) output {
	m := g.plugin.Manifest()
	out := output{names: append([]string{""}, m.Routes...)}
	out.add(rows, rows.Signal())
	for _, name := range m.Emits {
		if s := signalOf(name); s != rows.Signal() {
			out.add(rows, s)
		}
	}
	return out
}

// part is what went one way.
type part struct {
	route string
	data  table.Data
}

// output is what a batch came to.
type output struct {
	names []string // of the ways: none for what is kept, then the routes
	parts []part
}

func (o *output) add(rows *table.Table, signal abi.Signal) {
	split := rows.Split(signal, abi.Route+len(o.names)-1)
	o.parts = append(o.parts, part{"", split[abi.Keep]})
	for i, name := range o.names[1:] {
		o.parts = append(o.parts, part{name, split[abi.Route+i]})
	}
}

// rows lists the rows with their columns.
func (o *output) rows() []Row {
	var rows []Row
	for _, p := range o.parts {
		for _, r := range read(p.data) {
			if p.route != "" {
				r["route"] = p.route
			}
			rows = append(rows, r)
		}
	}
	return rows
}
