package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// plain is what a window does, as numbers: each row has the values of all series.
type plain struct {
	at    []int64
	rows  [][]float64
	begin int64
}

func (p *plain) put(series, slots int, v point, resolution, span time.Duration) {
	newest := len(p.at) - 1
	switch {
	case newest >= 0 && v.at <= p.at[newest]-int64(span):
		*p = plain{}
	case newest >= 0 && v.at < p.begin-int64(parts):
		return
	case newest >= 0 && v.at-p.begin < int64(apart(resolution)):
		p.at[newest] = max(p.at[newest], v.at)
		p.set(newest, series, v.value)
		return
	}
	p.at, p.rows, p.begin = append(p.at, v.at), append(p.rows, nil), v.at
	if len(p.at) > slots {
		p.at, p.rows = p.at[1:], p.rows[1:]
	}
	p.set(len(p.at)-1, series, v.value)
}

func (p *plain) set(row, series int, v float64) {
	for len(p.rows[row]) <= series {
		p.rows[row] = append(p.rows[row], math.NaN())
	}
	p.rows[row][series] = v
}

func (p *plain) each(series int) (list []point) {
	for i, row := range p.rows {
		if series < len(row) && !math.IsNaN(row[series]) {
			list = append(list, point{p.at[i], row[series]})
		}
	}
	return list
}

func (p *plain) without(series int) {
	for i, row := range p.rows {
		if series < len(row) {
			p.rows[i] = slices.Delete(row, series, series+1)
		}
	}
}

// kinds of series: how the next value comes from the one before.
func kinds(r *rand.Rand) []func(v float64) float64 {
	odd := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1<<53 + 2, -1 << 62, 0.1}
	return []func(v float64) float64{
		func(float64) float64 { return 7 },
		func(v float64) float64 { return v + float64(r.IntN(1000)) },
		func(float64) float64 { return float64(r.IntN(1<<20)) * 4096 },
		func(float64) float64 { return float64(r.IntN(1<<32)) / 1e9 * 1e3 },           // cores as the kubelet tells them, in millicores
		func(v float64) float64 { return (v/1e9 + float64(r.IntN(1<<36))/1e9) * 1e9 }, // seconds, in nanoseconds
		func(float64) float64 { return math.Float64frombits(r.Uint64()) },             // anything
		func(float64) float64 { return odd[r.IntN(len(odd))] },
		func(v float64) float64 { return -v - float64(r.IntN(3)) },
	}
}

// TestWindowIsPlain compares a window with plain numbers, bit for bit, over many rows of values of all kinds: with some missing, late
// ones, series that come and go, and a clock that is set back.
func TestWindowIsPlain(t *testing.T) {
	const resolution, span = 30 * time.Second, 140 * time.Second
	slots := capacity(span, resolution)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		next := kinds(r)
		var w window
		var p plain
		var values []float64
		var names uint16
		at := begin.UnixNano()
		for range 300 {
			switch at += int64(resolution) - int64(r.IntN(3))*int64(8*time.Second+time.Duration(r.IntN(2))); {
			case r.IntN(100) == 0:
				at -= int64(time.Hour)
			case r.IntN(10) == 0 && len(values) < 40:
				w.add(entry{name: names}, slots)
				values = append(values, 0)
				names++
			}
			for s := range values {
				if r.IntN(20) == 0 || s%5 == 4 && r.IntN(30) > 0 {
					continue
				}
				values[s] = next[int(w.cells[s].name)%len(next)](values[s])
				v := point{at - int64(r.IntN(2))*int64(time.Second), values[s]}
				w.put(s, v, resolution, span)
				p.put(s, slots, v, resolution, span)
			}
			same(t, &w, &p)
			if r.IntN(20) == 0 {
				for s := range slices.Backward(values) {
					if len(p.each(s)) == 0 {
						p.without(s)
						values = slices.Delete(values, s, s+1)
					}
				}
				w.compact()
				require.Len(t, w.cells, len(values))
				same(t, &w, &p)
			}
		}
	}
}

func same(t *testing.T, w *window, p *plain) {
	t.Helper()
	for s := range w.cells {
		want := p.each(s)
		i := 0
		w.each(s, func(got point) {
			if i >= len(want) || got.at != want[i].at || math.Float64bits(got.value) != math.Float64bits(want[i].value) {
				t.Fatalf("series %d: value %d is %v, want %v", s, i, got, want)
			}
			i++
		})
		require.Equal(t, len(want), i)
		last, before := w.last(s)
		if n := len(want); n > 0 {
			require.Equal(t, want[n-1].at, last.at)
		}
		if n := len(want); n > 1 {
			require.Equal(t, want[n-2].at, before)
		}
	}
}

// TestValueBytes tells what values take that differ from the ones after as a kubelet's do.
func TestValueBytes(t *testing.T) {
	f := func(v, after float64, want int) {
		t.Helper()
		b := appendValue(nil, v, after)
		require.LessOrEqual(t, len(b), want)
		got, n := readValue(b, after)
		require.Equal(t, math.Float64bits(v), math.Float64bits(got))
		require.Equal(t, len(b), n)
		require.Equal(t, len(b), skipValue(b))
	}
	f(1<<30, 1<<30+40*4096, 2)                                   // memory
	f(123456789, 123456789+500, 2)                               // page faults
	f(float64(251234567)/1e9*1e3, float64(261234567)/1e9*1e3, 4) // CPU in millicores
	f(float64(1e13)/1e9*1e9, float64(1e13+7.5e9)/1e9*1e9, 6)     // CPU in nanoseconds
	f(1000.0/3, 1000.0/7, 9)
	f(math.NaN(), 5, 1)
	f(5, math.NaN(), 1)
}
