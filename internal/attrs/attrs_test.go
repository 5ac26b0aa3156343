package attrs

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Where it fails, pdata has new structs, and layout.go wants them: without it all works, and takes longer.
func TestKnown(t *testing.T) { require.True(t, Known()) }

// random makes the same of a map by a Builder and by pdata's functions, a step at a time.
func random(rng *rand.Rand, room *Room, m, want pcommon.Map) {
	b, done := room.From(m, rng.IntN(6), 1+rng.IntN(20)), map[string]bool{}
	for range rng.IntN(12) {
		key := fmt.Sprintf("key%d", rng.IntN(10))
		fresh := !done[key] && rng.IntN(4) > 0
		done[key] = true
		switch n := rng.IntN(1000); n % 4 {
		case 0:
			b.PutStr(key, fmt.Sprint(n), fresh)
			want.PutStr(key, fmt.Sprint(n))
		case 1:
			b.PutInt(key, int64(n)<<40, fresh)
			want.PutInt(key, int64(n)<<40)
		case 2:
			b.PutDouble(key, float64(n)/7, fresh)
			want.PutDouble(key, float64(n)/7)
		case 3:
			b.PutBool(key, n%8 == 3, fresh)
			want.PutBool(key, n%8 == 3)
		}
	}
	b.Commit(m)
}

// change does one thing to a map by pdata's own functions, the same to each that gets a generator of the same seed.
func change(rng *rand.Rand, m pcommon.Map) {
	key := fmt.Sprintf("key%d", rng.IntN(10))
	switch rng.IntN(6) {
	case 0:
		m.PutStr(key, "later")
	case 1:
		m.PutEmptySlice(key).AppendEmpty().SetInt(7)
	case 2:
		m.Remove(key)
	case 3:
		if v, ok := m.Get(key); ok {
			v.SetInt(3)
		}
	case 4:
		m.RemoveIf(func(_ string, v pcommon.Value) bool { return v.Type() == pcommon.ValueTypeBool })
	case 5:
		m.PutEmptyMap(key).PutBool("inner", true)
	}
}

// What a Builder makes is what pdata makes, in the same order, whatever becomes of the map later.
func TestAsPdata(t *testing.T) {
	for _, pooled := range []bool{false, true} {
		t.Run(fmt.Sprintf("pooled %v", pooled), func(t *testing.T) {
			require.NoError(t, featuregate.GlobalRegistry().Set("pdata.useProtoPooling", pooled))
			t.Cleanup(func() { require.NoError(t, featuregate.GlobalRegistry().Set("pdata.useProtoPooling", false)) })
			for seed := range uint64(300) {
				compare(t, seed)
			}
		})
	}
}

// record is one log record of its own logs, so that they can be marshalled.
func record() (plog.Logs, pcommon.Map) {
	ld := plog.NewLogs()
	return ld, ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes()
}

func compare(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	logs, m := record()
	wantLogs, want := record()
	var room Room // most steps go on in the same blocks
	for step := range 4 {
		at := rng.Uint64()
		random(rng, &room, m, want)
		change(rand.New(rand.NewPCG(at, 2)), m)
		change(rand.New(rand.NewPCG(at, 2)), want)
		if seed%50 == 0 {
			runtime.GC()
		}
		require.Equal(t, marshal(t, wantLogs), marshal(t, logs), "seed %d, step %d", seed, step)
	}
	again, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(marshal(t, logs))
	require.NoError(t, err)
	require.Equal(t, marshal(t, wantLogs), marshal(t, again), "seed %d", seed)
	copied := plog.NewLogs()
	logs.CopyTo(copied)
	require.Equal(t, marshal(t, wantLogs), marshal(t, copied), "seed %d", seed)
}

func marshal(t *testing.T, ld plog.Logs) []byte {
	t.Helper()
	bytes, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return bytes
}

// The map is what it was until Commit.
func TestUntilCommit(t *testing.T) {
	m := pcommon.NewMap()
	m.PutStr("a", "before")
	b := new(Room).From(m, 1, 1)
	b.PutStr("a", "after", true)
	b.PutInt("b", 1, true)
	require.Equal(t, map[string]any{"a": "before"}, m.AsRaw())
	b.Commit(m)
	require.Equal(t, map[string]any{"a": "after", "b": int64(1)}, m.AsRaw())
}

func TestShared(t *testing.T) {
	ld, m := record()
	b := new(Room).From(m, 1, 1)
	b.PutInt("a", 1, true)
	ld.MarkReadOnly()
	require.Panics(t, func() { b.Commit(m) })
	require.Zero(t, m.Len())
}

func TestAllocations(t *testing.T) {
	const records = roomEntries / 8
	m := pcommon.NewMap()
	var room Room
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		for i := range records {
			m.Clear()
			b := room.From(m, 8, records-i)
			for _, key := range []string{"a", "b", "c", "d"} {
				b.PutStr(key, key, true)
			}
			for _, key := range []string{"e", "f", "g", "h"} {
				b.PutInt(key, 1, true)
			}
			b.Commit(m)
		}
	}), 2.0)
}

// A record that is alone gets no block for ten.
func TestBlockOfOne(t *testing.T) {
	for _, records := range []int{1, 3} {
		m, want := pcommon.NewMap(), 4*records
		m.PutStr("old", "")
		var room Room
		b := room.From(m, 3, records)
		require.Equal(t, want, cap(b.entries)+len(room.entries))
		require.Equal(t, want-records, cap(b.cells)+len(room.cells))
	}
}

// Records of one block do not see each other, whatever becomes of them.
func TestSharedBlock(t *testing.T) {
	var room Room
	var maps []pcommon.Map
	for i := range 3 * roomEntries {
		m := pcommon.NewMap()
		b := room.From(m, 1+i%(roomEntries/2), 3*roomEntries-i) // some have a block of their own
		b.PutInt("n", int64(i), true)
		b.PutStr("text", fmt.Sprint(i), true)
		b.Commit(m)
		maps = append(maps, m)
	}
	for i, m := range maps {
		m.PutStr("more", "later")
		m.PutStr("text", fmt.Sprint(-i))
		if i%3 == 0 {
			m.Remove("n")
		}
	}
	runtime.GC()
	for i, m := range maps {
		want := map[string]any{"n": int64(i), "text": fmt.Sprint(-i), "more": "later"}
		if i%3 == 0 {
			delete(want, "n")
		}
		require.Equal(t, want, m.AsRaw(), "map %d", i)
	}
}

// A pdata that differs in one member is not taken for the one that is known.
func TestOtherLayouts(t *testing.T) {
	ours := reflect.TypeFor[entry]()
	same := reflect.TypeFor[struct {
		Value       struct{ Value any }
		Key         string
		KeyStrindex int32
	}]()
	require.True(t, sameLayout(same, ours, "Value", "Key", "KeyStrindex"))
	for name, other := range map[string]reflect.Type{
		"no struct": reflect.TypeFor[int](),
		"order": reflect.TypeFor[struct {
			Key         string
			Value       any
			KeyStrindex int32
		}](),
		"one more": reflect.TypeFor[struct {
			Value       any
			Key         string
			KeyStrindex int32
			Other       int32
		}](),
		"size": reflect.TypeFor[struct {
			Value       any
			Key         string
			KeyStrindex int64
		}](),
		"name": reflect.TypeFor[struct {
			Value  any
			Key    string
			Number int32
		}](),
	} {
		require.False(t, sameLayout(other, ours, "Value", "Key", "KeyStrindex"), name)
	}
	require.True(t, isListOfEntries(reflect.PointerTo(reflect.SliceOf(same))))
	require.False(t, isListOfEntries(reflect.SliceOf(same)))
	require.False(t, isListOfEntries(reflect.PointerTo(reflect.SliceOf(reflect.TypeFor[struct {
		Value       struct{ Value *fmt.Stringer }
		Key         string
		KeyStrindex int32
	}]()))))
	m := pcommon.NewMap()
	m.PutStr("a", "text")
	first := &(*entriesOf(m))[0]
	require.True(t, isBoxOf(first, "text"))
	require.False(t, isBoxOf(first, int64(7)))
	require.False(t, isBoxOf(&entry{}, "text"))
}

func BenchmarkEightAttributes(b *testing.B) {
	keys := []string{"client.address", "http.request.method", "url.path", "url.query", "network.protocol.version", "user_agent.original"}
	b.Run("Builder", func(b *testing.B) {
		b.ReportAllocs()
		var room Room
		for b.Loop() {
			m := pcommon.NewMap()
			n := room.From(m, 8, 1000)
			for _, key := range keys {
				n.PutStr(key, "value", true)
			}
			n.PutInt("http.response.status_code", 200, true)
			n.PutInt("http.response.body.size", 1234, true)
			n.Commit(m)
		}
	})
	b.Run("pdata", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := pcommon.NewMap()
			m.EnsureCapacity(8)
			for _, key := range keys {
				m.PutStr(key, "value")
			}
			m.PutInt("http.response.status_code", 200)
			m.PutInt("http.response.body.size", 1234)
		}
	})
}
