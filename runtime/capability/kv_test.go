package capability

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/obsd-io/obsd/runtime/abi"
)

// clock is a time that tests set.
type clock struct{ t time.Time }

func newClock() *clock               { return &clock{time.Unix(1_000_000, 0)} }
func (c *clock) now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }

func noRefusals(t testing.TB) *refusals {
	t.Helper()
	r, err := newRefusals("wasm/x", noop.Meter{})
	require.NoError(t, err)
	return r
}

func newTestKV(t testing.TB, g KVGrant) (*KV, *clock) {
	t.Helper()
	c := newClock()
	return newKV(g, c.now, noRefusals(t).of(abi.CapabilityKV, "size")), c
}

func (k *KV) get(key string) string {
	dst := make([]byte, 100)
	n := k.Get([]byte(key), dst)
	if n < 0 {
		return "absent"
	}
	return string(dst[:n])
}

// check holds the store's own books against each other.
func (k *KV) check(t testing.TB) {
	t.Helper()
	var size int64
	n := 0
	for p := k.used.next; p != &k.used; p = p.next {
		size += int64(len(p.key)+cap(p.value)) + pairOverhead
		require.Same(t, p, k.pairs[p.key])
		n++
	}
	require.Len(t, k.pairs, n)
	require.Equal(t, size, k.size)
	require.LessOrEqual(t, k.size, k.most)
}

func TestKV(t *testing.T) {
	k, _ := newTestKV(t, KVGrant{MaxSize: 4096})
	require.Equal(t, "absent", k.get("a"))
	require.True(t, k.Set([]byte("a"), []byte("one"), 0))
	require.Equal(t, "one", k.get("a"))
	require.True(t, k.Set([]byte("a"), []byte("a longer value"), 0))
	require.Equal(t, "a longer value", k.get("a"))
	require.True(t, k.Set([]byte("a"), nil, 0))
	require.Empty(t, k.get("a"))
	require.True(t, k.Delete([]byte("a")))
	require.False(t, k.Delete([]byte("a")))
	require.Equal(t, "absent", k.get("a"))
	k.check(t)
	require.Zero(t, k.size)
}

// A value that has no room is not copied; its length is still said.
func TestKVRoom(t *testing.T) {
	k, _ := newTestKV(t, KVGrant{MaxSize: 4096})
	k.Set([]byte("a"), []byte("value"), 0)
	dst := []byte("....")
	require.Equal(t, 5, k.Get([]byte("a"), dst))
	require.Equal(t, "....", string(dst))
}

// The store keeps to its size; what was used least recently goes first, and a get is a use.
func TestKVBound(t *testing.T) {
	const each = pairOverhead + 2 + 10
	k, _ := newTestKV(t, KVGrant{MaxSize: 30 * each})
	for i := range 30 {
		require.True(t, k.Set(fmt.Appendf(nil, "%02d", i), []byte("0123456789"), 0))
	}
	require.Equal(t, "0123456789", k.get("00"))
	k.Add([]byte("01"), 0, 0) // replaces, which is a use too
	k.check(t)
	require.True(t, k.Set([]byte("30"), []byte("0123456789"), 0))
	require.True(t, k.Set([]byte("31"), []byte("0123456789"), 0))
	for key, want := range map[string]bool{"00": true, "01": true, "02": false, "03": false, "04": true, "31": true} {
		require.Equal(t, want, k.get(key) != "absent", key)
	}
	k.check(t)
	require.False(t, k.Set([]byte("a"), make([]byte, 30*each), 0))
	require.False(t, k.Set([]byte(strings.Repeat("a", 30*each)), nil, 0))
	require.Equal(t, "absent", k.get("a"))
	require.True(t, k.Set([]byte("a"), make([]byte, 30*each-pairOverhead-1), 0))
	k.check(t)
	require.Len(t, k.pairs, 1)
}

func TestKVTTL(t *testing.T) {
	k, c := newTestKV(t, KVGrant{MaxSize: 4096, TTL: time.Minute})
	k.Set([]byte("own"), []byte("v"), 1000)
	k.Set([]byte("grant"), []byte("v"), 0)
	k.Set([]byte("negative"), []byte("v"), -5)
	k.Set([]byte("more"), []byte("v"), 1<<62)
	k.Add([]byte("n"), 1, 1000)
	c.add(time.Second - 1)
	require.EqualValues(t, 2, k.Add([]byte("n"), 1, 60_000), "keeps the time of its first addition")
	require.Equal(t, "v", k.get("own"))
	c.add(1)
	require.Equal(t, "absent", k.get("own"))
	require.False(t, k.Delete([]byte("own")))
	require.EqualValues(t, 1, k.Add([]byte("n"), 1, 0))
	c.add(59 * time.Second)
	for _, key := range []string{"grant", "negative", "more"} {
		require.Equal(t, "absent", k.get(key))
	}
	k.check(t)
}

// Without a bound in the grant, a value may be kept for good, or for as long as is asked for.
func TestKVNoTTL(t *testing.T) {
	k, c := newTestKV(t, KVGrant{MaxSize: 4096})
	k.Set([]byte("good"), []byte("v"), 0)
	k.Set([]byte("long"), []byte("v"), 1<<62)
	k.Set([]byte("short"), []byte("v"), 1)
	c.add(time.Hour)
	require.Equal(t, "v", k.get("good"))
	require.Equal(t, "v", k.get("long"))
	require.Equal(t, "absent", k.get("short"))
}

func TestKVAdd(t *testing.T) {
	k, _ := newTestKV(t, KVGrant{MaxSize: 4096})
	require.EqualValues(t, -3, k.Add([]byte("n"), -3, 0))
	require.EqualValues(t, 4, k.Add([]byte("n"), 7, 0))
	require.Equal(t, "\x04\x00\x00\x00\x00\x00\x00\x00", k.get("n"))
	k.Set([]byte("text"), []byte("text"), 0)
	require.EqualValues(t, 5, k.Add([]byte("text"), 5, 0), "replaces what is no number")
	k.Set([]byte("set"), binary.LittleEndian.AppendUint64(nil, 41), 0)
	require.EqualValues(t, 42, k.Add([]byte("set"), 1, 0))
	k.check(t)
}

// Additions by many at once are all counted.
func TestKVConcurrently(t *testing.T) {
	k, _ := newTestKV(t, KVGrant{MaxSize: 1 << 16})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			dst := make([]byte, 8)
			for i := range 2000 {
				k.Add([]byte("sum"), 1, 0)
				k.Set(fmt.Appendf(nil, "%d", i%700), []byte("value"), 0)
				k.Get(fmt.Appendf(nil, "%d", (i+worker)%700), dst)
				k.Delete(fmt.Appendf(nil, "%d", (i*7+worker)%700))
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 8000, k.Add([]byte("sum"), 0, 0))
	k.check(t)
}

// FuzzKV holds the store against a map that forgets nothing: what it has is right.
func FuzzKV(f *testing.F) {
	f.Add([]byte("set get add"))
	f.Fuzz(func(t *testing.T, program []byte) {
		k, c := newTestKV(t, KVGrant{MaxSize: 4096, TTL: time.Second})
		model := map[string]string{}
		for i := 0; i+2 < len(program); i += 3 {
			key, arg := program[i+1:i+2], program[i+2]
			value := strings.Repeat("v", int(arg)*9)
			switch program[i] % 5 {
			case 0:
				if k.Set(key, []byte(value), int64(arg)) {
					model[string(key)] = value
				}
			case 1:
				dst := make([]byte, 4096)
				if n := k.Get(key, dst); n >= 0 {
					require.Equal(t, model[string(key)], string(dst[:n]))
				}
			case 2:
				k.Delete(key)
				delete(model, string(key))
			case 3:
				sum := k.Add(key, int64(arg), int64(arg))
				model[string(key)] = string(binary.LittleEndian.AppendUint64(nil, uint64(sum)))
			case 4:
				c.add(time.Duration(arg) * time.Millisecond)
			}
			k.check(t)
		}
	})
}

func BenchmarkKV(b *testing.B) {
	key, value := []byte("10.1.2.3"), []byte("0123456789abcdef")
	run := func(name string, f func(k *KV)) {
		b.Run(name, func(b *testing.B) {
			k := newKV(KVGrant{MaxSize: 1 << 20, TTL: time.Minute}, time.Now, noRefusals(b).of(abi.CapabilityKV, "size"))
			k.Set(key, value, 0)
			b.ReportAllocs()
			for b.Loop() {
				f(k)
			}
		})
	}
	dst := make([]byte, 64)
	run("get", func(k *KV) { k.Get(key, dst) })
	run("set", func(k *KV) { k.Set(key, value, 0) })
	run("add", func(k *KV) { k.Add([]byte("n"), 1, 0) })
	b.Run("set, new keys", func(b *testing.B) {
		k := newKV(KVGrant{MaxSize: 1 << 20, TTL: time.Minute}, time.Now, noRefusals(b).of(abi.CapabilityKV, "size"))
		key := make([]byte, 8)
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			binary.LittleEndian.PutUint64(key, i)
			k.Set(key, value, 0)
		}
	})
	b.Run("add, in parallel", func(b *testing.B) {
		k := newKV(KVGrant{MaxSize: 1 << 20, TTL: time.Minute}, time.Now, noRefusals(b).of(abi.CapabilityKV, "size"))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			key := []byte("10.1.2.3")
			for pb.Next() {
				k.Add(key, 1, 0)
			}
		})
	})
}
