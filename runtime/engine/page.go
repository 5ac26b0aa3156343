package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Board is where plugins show themselves. Engines look for one among the host's extensions when they start.
type Board interface {
	// Show lists a plugin until remove is called. page may be called at any time until then, from any goroutine.
	Show(component string, page func() Page) (remove func())
}

// Page is the state of one plugin.
type Page struct {
	// Component is the component's id.
	Component string `json:"component"`
	// Manifest, Digest, Origin and SignedBy say what serves, and Loaded since when.
	Manifest abi.Manifest `json:"manifest"`
	Digest   string       `json:"digest"`
	Origin   string       `json:"origin"`
	SignedBy string       `json:"signed_by,omitempty"`
	Loaded   time.Time    `json:"loaded"`
	// Engine is compiler or interpreter; EngineWhy says why it is the latter.
	Engine    string `json:"engine"`
	EngineWhy string `json:"engine_why,omitempty"`
	// OnError, Where, Limits and Grants are the configuration's.
	OnError OnError  `json:"on_error"`
	Where   string   `json:"where,omitempty"`
	Limits  Limits   `json:"limits"`
	Grants  []string `json:"grants"`

	// Circuit is closed, half-open or open, CircuitWait for how long an open one stays so.
	Circuit     string        `json:"circuit"`
	CircuitWait time.Duration `json:"circuit_wait_ns,omitempty"`
	// Probation says that the module before is kept ready.
	Probation bool `json:"probation"`
	// LastRefusal is why the newest module that was not taken was not.
	LastRefusal string `json:"last_refusal,omitempty"`

	Instances       int    `json:"instances"`
	Idle            int    `json:"idle"`
	Created         uint64 `json:"created"`
	Discarded       uint64 `json:"discarded"`
	Recycled        uint64 `json:"recycled"`
	Memory          int64  `json:"memory"`
	MemoryHighWater int64  `json:"memory_high_water"`

	// The figures of the metrics obsd_wasm_*. Rows is by signal and what became of them.
	Calls  int64                       `json:"calls"`
	Fuel   int64                       `json:"fuel"`
	Edits  int64                       `json:"edits"`
	Rows   map[string]map[string]int64 `json:"rows"`
	Routed map[string]int64            `json:"routed"`
	New    map[string]int64            `json:"new"`
	Errors map[string]int64            `json:"errors"`
	Lost   []Lost                      `json:"lost"`
	Swaps  map[string]int64            `json:"swaps"`

	state State
}

// Lost is a number of records lost for one reason.
type Lost struct {
	Signal  string `json:"signal"`
	Kind    string `json:"kind"`
	Records int64  `json:"records"`
}

// Page tells the engine's state; of one that does not run only the component.
func (e *Engine) Page() Page {
	p := Page{Component: e.name}
	v := e.hold()
	if v == nil {
		return p
	}
	defer v.letGo()
	p.Manifest, p.Digest, p.Origin, p.SignedBy, p.Loaded = *v.plugin.Manifest(), v.plugin.Digest(), v.origin, v.signer, v.loaded
	mode, why := v.plugin.Engine()
	p.Engine, p.EngineWhy = string(mode), why
	p.OnError, p.Where, p.Limits, p.Grants = e.config.OnError, e.config.Where, e.config.Limits, e.granted()
	p.state, p.CircuitWait = e.breaker.status()
	p.Circuit, p.Probation = p.state.String(), v.fallback.Load() != nil
	e.mu.Lock()
	p.LastRefusal = e.refusal
	e.mu.Unlock()
	s := v.plugin.Stats()
	p.Instances, p.Idle, p.Memory, p.MemoryHighWater = s.Instances, s.Idle, s.Memory, s.MemoryHighWater
	p.Created, p.Discarded, p.Recycled = s.Created, s.Discarded, s.Recycled
	e.figures.fill(&p)
	return p
}

// granted lists the capabilities that the configuration grants.
func (e *Engine) granted() []string {
	out := []string{}
	for _, c := range []abi.Capability{abi.CapabilityLog, abi.CapabilityMetrics, abi.CapabilityKV, abi.CapabilityLookup} {
		if e.grants.Grants(c) {
			out = append(out, string(c))
		}
	}
	return out
}

// fill copies the figures into a page.
func (f *figures) fill(p *Page) {
	p.Calls, p.Fuel, p.Edits = f.calls.Load(), f.fuel.Load(), f.edits.Load()
	p.Rows, p.New = map[string]map[string]int64{}, map[string]int64{}
	for _, name := range p.Manifest.Signals {
		s := abi.Signal(slices.Index(abi.SignalNames[:], name))
		rows := map[string]int64{}
		for i, outcome := range outcomeNames {
			rows[outcome] = f.rows[s][i].Load()
		}
		p.Rows[name] = rows
	}
	for _, name := range p.Manifest.Emits {
		p.New[name] = f.made[slices.Index(abi.SignalNames[:], name)].Load()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p.Routed, p.Errors, p.Swaps, p.Lost = map[string]int64{}, map[string]int64{}, map[string]int64{}, []Lost{}
	for name, n := range f.routed {
		p.Routed[name] = n.Load()
	}
	for kind, n := range f.failures {
		p.Errors[string(kind)] = n
	}
	for outcome, n := range f.swaps {
		p.Swaps[string(outcome)] = n
	}
	for key, n := range f.lost {
		p.Lost = append(p.Lost, Lost{abi.SignalNames[key.signal], string(key.kind), n})
	}
	slices.SortFunc(p.Lost, func(a, b Lost) int { return strings.Compare(a.Signal+a.Kind, b.Signal+b.Kind) })
}
