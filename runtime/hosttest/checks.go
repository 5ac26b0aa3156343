package hosttest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
)

// signal checks all that can be checked of any plugin that takes the signal.
func (c *checks) signal(t *testing.T, signal abi.Signal) {
	m := c.guest.plugin.Manifest()
	inst := c.guest.acquire(t)
	accepts := func(name string, rows []Row, most int) {
		t.Run(name, func(t *testing.T) {
			if _, err := c.guest.process(t, inst, build(signal, rows), most); err != nil {
				t.Fatal(err)
			}
		})
	}
	accepts("no rows", nil, 0)
	accepts("one row", c.suite.mixed(m, signal, 1), 0)
	accepts("10,000 rows", c.suite.mixed(m, signal, 10_000), 256)
	accepts("nothing in any column", make([]Row, 100), 0)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		accepts(name+" in each column", odd(m, signal, values[name]), 0)
	}
	accepts("one row again", c.suite.mixed(m, signal, 1), 0)
	t.Run("keys without end", func(t *testing.T) { c.keys(t, signal) })
	t.Run("same again", func(t *testing.T) { c.same(t, signal) })
	t.Run("memory", func(t *testing.T) { c.memory(t, signal) })
	if m.Flush != "" {
		t.Run("flush", func(t *testing.T) { c.flush(t, signal) })
	}
}

// flush checks that what is held comes out as the contract has it, after rows and again after none.
func (c *checks) flush(t *testing.T, signal abi.Signal) {
	inst := c.guest.acquire(t)
	if _, err := c.guest.process(t, inst, build(signal, c.suite.mixed(c.guest.plugin.Manifest(), signal, 100)), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.guest.flush(t, inst); err != nil {
			t.Fatal(err)
		}
	}
}

// keys are more in number than the names of an instance.
func (c *checks) keys(t *testing.T, signal abi.Signal) {
	inst := c.guest.acquire(t)
	for batch := range 6 {
		rows := c.suite.mixed(c.guest.plugin.Manifest(), signal, 1000)
		for i, r := range rows {
			r[fmt.Sprintf("attributes.key %d %d", batch, i)] = i
			if i%50 == 0 {
				r[fmt.Sprintf("resource.key %d %d", batch, i)] = i
			}
		}
		if _, err := c.guest.process(t, inst, build(signal, rows), 256); err != nil {
			t.Fatal(err)
		}
	}
}

// same checks that a batch comes to the same on another instance, and for a plugin without state: the second time, cut
// into calls in other ways, in another order, and row by row.
func (c *checks) same(t *testing.T, signal abi.Signal) {
	m := c.guest.plugin.Manifest()
	rows := c.suite.mixed(m, signal, 300)
	rows = append(rows, odd(m, signal, values["string"])...)
	rows = append(rows, make(Row), make(Row))
	results := func(inst *host.Instance, rows []Row, most int) []string {
		out, err := c.guest.process(t, inst, build(signal, rows), most)
		if err != nil {
			t.Fatal(err)
		}
		return out.lines()
	}
	inst := c.guest.acquire(t)
	want := results(inst, rows, 0)
	equal(t, "on another instance", results(c.guest.acquire(t), rows, 0), want)
	equal(t, "in another load", c.elsewhere(t, signal, rows), want)
	if m.Stateful {
		return
	}
	equal(t, "the second time", results(inst, rows, 0), want)
	for _, most := range []int{1, 7, 256} {
		equal(t, fmt.Sprintf("%d rows a call", most), results(inst, rows, most), want)
	}
	slices.Reverse(rows)
	equal(t, "in reverse", results(inst, rows, 0), want)
	var alone []string
	for _, r := range rows {
		alone = append(alone, results(inst, []Row{r}, 0)...)
	}
	slices.Sort(alone)
	equal(t, "each row alone", alone, want)
}

// elsewhere is what a second load of the module makes of the rows.
func (c *checks) elsewhere(t *testing.T, signal abi.Signal, rows []Row) []string {
	g := c.suite.load(t)
	out, err := g.process(t, g.acquire(t), build(signal, rows), 0)
	if err != nil {
		t.Fatal(err)
	}
	return out.lines()
}

// lines are the rows as text, sorted: the host gives rows whose resource was changed another place.
func (o *output) lines() []string {
	var lines []string
	for _, r := range o.rows() {
		lines = append(lines, fmt.Sprintf("%#v", r)) // fmt sorts the keys
	}
	slices.Sort(lines)
	return lines
}

// equal compares results, and shows the first that differs.
func equal(t *testing.T, how string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d rows, want %d", how, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: the result is another:\ngot  %.2000s\nwant %.2000s", how, got[i], want[i])
			return
		}
	}
}

// memory checks that batches do not fill the guest's memory: over 1,000 of them it may grow at first, but not in each
// quarter. (It comes in steps, up to 4 MiB for a Go guest, so a leak of a few bytes a batch is not seen.)
func (c *checks) memory(t *testing.T, signal abi.Signal) {
	d := build(signal, c.suite.mixed(c.guest.plugin.Manifest(), signal, 64))
	inst := c.guest.acquire(t)
	var sizes []int
	for range 4 {
		for range 250 {
			if _, err := c.guest.process(t, inst, d, 0); err != nil {
				t.Fatal(err)
			}
		}
		sizes = append(sizes, len(inst.Memory()))
	}
	if sizes[1] > sizes[0] && sizes[2] > sizes[1] && sizes[3] > sizes[2] {
		t.Errorf("memory grows without end: %d bytes after 250 batches, then %d, %d and %d", sizes[0], sizes[1], sizes[2], sizes[3])
	}
}
