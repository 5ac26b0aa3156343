package main

import (
	"strings"

	"github.com/obsd-io/obsd/sdk"
)

const (
	// maxNodes bounds the keys that an instance numbers; a program may log keys without end.
	maxNodes = 1024
	// maxKey is the length of the longest key that is worth a number.
	maxKey = 256
)

// node is a key in its place: below the root, or where objects are flattened below another key.
type node struct {
	parent *node
	// word is the key's first 8 bytes, as far as mask reaches.
	word, mask uint64
	length     int
	raw        string // the key as it stands in the text
	path       string // the attribute's name
	name       sdk.Name
	role       role
	rank       uint8
	// next is the node that followed last time: most programs write their keys in one order.
	next *node
	// plain says that nothing is to be known of the key but its number.
	plain bool
}

// nowhere is next of a node that nothing followed yet; no key is its.
var nowhere = node{length: -1}

// keys knows the keys that were seen.
type keys struct {
	prefix string
	root   node
	last   *node
	nodes  map[place]*node
	// once has a node for each depth, for keys that are not worth a number.
	once [65]node
}

type place struct {
	parent *node
	raw    string
}

// numbered counts the nodes of the instance, over all configurations that it saw.
var numbered int

func (k *keys) reset(prefix string) {
	k.prefix, k.nodes = prefix, map[place]*node{}
	k.root = node{path: prefix, next: &nowhere}
}

// assign gives a role to a path: as one key with dots and, where objects are flattened, as keys that lead to it.
// A role that was given before stays.
func (k *keys) assign(path string, flatten bool, r role, rank int) {
	k.place(&k.root, path).assume(r, rank)
	if !flatten {
		return
	}
	n := &k.root
	for key := range strings.SplitSeq(path, ".") {
		n = k.place(n, key)
	}
	n.assume(r, rank)
}

func (n *node) assume(r role, rank int) {
	if n.role == roleNone {
		n.role, n.rank, n.plain = r, uint8(rank), false
	}
}

// place gives the node of a key, a new one if need be.
func (k *keys) place(parent *node, key string) *node {
	if n := k.nodes[place{parent, key}]; n != nil {
		return n
	}
	return k.add(parent, key, key)
}

// add numbers a key.
func (k *keys) add(parent *node, raw, key string) *node {
	n := newNode(parent, raw, k.join(parent, key))
	n.name, n.plain = sdk.NameOf(n.path), true
	k.nodes[place{parent, n.raw}] = &n
	return &n
}

func newNode(parent *node, raw, path string) node {
	n := node{parent: parent, raw: raw, length: len(raw), path: path, name: sdk.Inline, next: &nowhere}
	for i := range min(len(raw), 8) {
		n.word |= uint64(raw[i]) << (8 * i)
		n.mask |= 0xff << (8 * i)
	}
	return n
}

func (k *keys) join(parent *node, key string) string {
	switch {
	case parent != &k.root:
		return parent.path + "." + key
	case k.prefix != "":
		return k.prefix + key
	}
	return key
}

// is says whether a node is that of a key. It is small enough to be inlined.
func (n *node) is(t sdk.Text, parent *node, key sdk.Span) bool {
	return n.parent == parent && key.Len() == n.length && t.Word(key.Offset())&n.mask == n.word &&
		(n.length <= 8 || t.Cut(key) == n.raw)
}

// search gives the node of a key that the one before does not lead to. It is valid until the next key of that depth.
func (k *keys) search(parent *node, key *sdk.JSON, depth int) *node {
	raw := key.Raw()
	n := k.nodes[place{parent, raw}]
	if n == nil && numbered < maxNodes && len(raw) <= maxKey && parent.length <= maxKey {
		numbered++
		raw = strings.Clone(raw)
		content := raw
		if key.Escaped() {
			content = key.String("")
		}
		n = k.add(parent, raw, content)
	}
	if n == nil {
		k.once[depth] = node{parent: parent, length: maxKey + 1, path: k.join(parent, key.String("")), name: sdk.Inline, next: &nowhere}
		return &k.once[depth]
	}
	k.last.next, k.last = n, n
	return n
}
