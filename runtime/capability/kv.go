package capability

import (
	"encoding/binary"
	"sync"
	"time"
)

// pairOverhead is what a pair is reckoned to take beside its bytes: its entry, its place in the map, and the allocations'
// rounding.
const pairOverhead = 128

// KV is a bounded store of keys and values. When it is full, what was used least recently gives way.
//
// It is one map under one mutex: an operation holds it for less than 0.1 µs, and a plugin has few instances. Shards would each need a
// bound of their own, and would evict while others have room.
type KV struct {
	now     func() time.Time
	most    int64
	ttl     time.Duration
	refused *refusal

	mu    sync.Mutex
	pairs map[string]*pair
	size  int64
	// used is the ring of pairs: used.next is the one used last, used.previous the one that gives way first.
	used pair
}

type pair struct {
	key            string
	value          []byte
	expires        int64 // nanoseconds since 1970; 0 is never
	next, previous *pair
}

func newKV(g KVGrant, now func() time.Time, refused *refusal) *KV {
	k := &KV{now: now, most: int64(g.MaxSize), ttl: g.TTL, refused: refused, pairs: map[string]*pair{}}
	k.used.next, k.used.previous = &k.used, &k.used
	return k
}

// Get copies the value of a key to dst if it has room, and returns the value's length, or -1.
func (k *KV) Get(key, dst []byte) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.find(key)
	if p == nil {
		return -1
	}
	k.use(p)
	if len(p.value) <= len(dst) {
		copy(dst, p.value)
	}
	return len(p.value)
}

// Set keeps copies of key and value for ttl milliseconds, or as long as the grant says: for 0, for less, and for more
// than that. It is false if the pair is larger than the store.
func (k *KV) Set(key, value []byte, ttl int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set(key, value, k.expiry(ttl))
}

// Add adds to a number of 8 bytes, little-endian, and returns it. A key that is absent, or whose value is no such number,
// starts at 0 with that ttl. A number for which there is no room is not kept.
func (k *KV) Add(key []byte, delta, ttl int64) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var number [8]byte
	if p := k.find(key); p != nil && len(p.value) == len(number) {
		sum := int64(binary.LittleEndian.Uint64(p.value)) + delta
		binary.LittleEndian.PutUint64(p.value, uint64(sum))
		k.use(p)
		return sum
	}
	binary.LittleEndian.PutUint64(number[:], uint64(delta))
	k.set(key, number[:], k.expiry(ttl))
	return delta
}

// Delete takes a pair out, and says whether there was one.
func (k *KV) Delete(key []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.find(key)
	if p == nil {
		return false
	}
	k.remove(p)
	return true
}

// find gives the pair of a key that has not expired.
func (k *KV) find(key []byte) *pair {
	p := k.pairs[string(key)]
	if p == nil {
		return nil
	}
	if p.expires != 0 && p.expires <= k.now().UnixNano() {
		k.remove(p)
		return nil
	}
	return p
}

func (k *KV) set(key, value []byte, expires int64) bool {
	if int64(len(key)+len(value))+pairOverhead > k.most {
		k.refused.count()
		return false
	}
	p := k.pairs[string(key)]
	if p == nil {
		p = &pair{key: string(key)}
		p.next, p.previous = p, p
		k.pairs[p.key] = p
		k.size += int64(len(key)) + pairOverhead
	}
	k.use(p)
	old := int64(cap(p.value))
	if len(value) > cap(p.value) || len(value) < cap(p.value)/4 {
		p.value = make([]byte, 0, len(value))
	}
	p.value = append(p.value[:0], value...)
	p.expires = expires
	// The pair itself is the last in the ring, and fits: it never gives way to itself.
	for k.size += int64(cap(p.value)) - old; k.size > k.most; {
		k.remove(k.used.previous)
	}
	return true
}

func (k *KV) remove(p *pair) {
	p.previous.next, p.next.previous = p.next, p.previous
	delete(k.pairs, p.key)
	k.size -= int64(len(p.key)+cap(p.value)) + pairOverhead
}

// use moves a pair to the front of the ring.
func (k *KV) use(p *pair) {
	p.previous.next, p.next.previous = p.next, p.previous
	p.previous, p.next = &k.used, k.used.next
	p.previous.next, p.next.previous = p, p
}

// expiry is when a value set now with a ttl in milliseconds expires.
func (k *KV) expiry(ttl int64) int64 {
	d := k.ttl
	if ttl > 0 && (d == 0 || ttl < d.Milliseconds()) {
		d = time.Duration(min(ttl, maxTTL)) * time.Millisecond
	}
	if d == 0 {
		return 0
	}
	return k.now().Add(d).UnixNano()
}

// maxTTL is a century in milliseconds, so that no time overflows.
const maxTTL = 100 * 365 * 24 * 3600 * 1000
