package elasticsearch

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxPath bounds the paths that are put before the names of members.
const maxPath = 256

// field is one member of an ECS document: a value, or JSON in fields.json. What is
// shared has its name in front of it there:
//
//	"service.name":"shop"
//	^member         ^from ^to
type field struct {
	name             string
	hash             uint32
	value            pcommon.Value
	encoded          bool
	member, from, to int
}

// fields collects the members of an ECS document. They all lie on one level and
// have dots in their names. Of two with one name the later wins. Where a name
// would have to be a value and an object at once ("a" and "a.b"), the value is
// renamed to "a.value": Elasticsearch would refuse the document.
type fields struct {
	list []field
	json []byte

	// stems filters what stands before each dot of a name, whole filters the
	// names; once there is a shared part, whole is without it.
	stems, whole filter

	// What the records of a scope share.
	shared      int
	sharedJSON  int
	sharedStems filter

	// For more than fewKeys fields, made for each document: the place of the last
	// field of each name, and the names in order.
	last   map[string]int
	sorted []string
}

func (fs *fields) reset() {
	clear(fs.list[:cap(fs.list)])
	*fs = fields{list: fs.list[:0], json: fs.json[:0]}
}

// share encodes all that is there, and makes it part of every document.
func (fs *fields) share() {
	for i := range fs.list {
		f := &fs.list[i]
		f.member = len(fs.json)
		fs.json = append(appendString(fs.json, f.name), ':')
		from := len(fs.json)
		if f.encoded {
			fs.json = append(fs.json, fs.json[f.from:f.to]...)
		} else {
			fs.json = appendValue(fs.json, f.value, 0)
		}
		f.encoded, f.value, f.from, f.to = true, pcommon.Value{}, from, len(fs.json)
	}
	fs.shared, fs.sharedJSON = len(fs.list), len(fs.json)
	fs.sharedStems = fs.stems
}

// rewind goes back to what is shared.
func (fs *fields) rewind() {
	clear(fs.list[fs.shared:])
	fs.list, fs.json = fs.list[:fs.shared], fs.json[:fs.sharedJSON]
	fs.whole, fs.stems = filter{}, fs.sharedStems
}

// flatten adds a value, or the members of a map, each with its path as name. What
// lies deep, or would make long names, stays an object.
func (fs *fields) flatten(name string, v pcommon.Value, depth int) {
	if v.Type() != pcommon.ValueTypeMap || depth == objectDepth || len(name) > maxPath {
		fs.add(name, v)
		return
	}
	for k, member := range v.Map().All() {
		fs.flatten(name+"."+k, member, depth+1)
	}
}

// add adds a value.
func (fs *fields) add(name string, v pcommon.Value) {
	fs.put(field{name: name, value: v})
}

// text adds a string, if there is one.
func (fs *fields) text(name, value string) {
	if value == "" {
		return
	}
	from := fs.open()
	fs.json = appendString(fs.json, value)
	fs.close(name, from)
}

// open and close stand around what is encoded to fs.json.
func (fs *fields) open() int { return len(fs.json) }

func (fs *fields) close(name string, from int) {
	fs.put(field{name: name, encoded: true, from: from, to: len(fs.json)})
}

// put adds a field, or puts it in the place of one with the same name. One in
// the shared part stays there for the next record, and of many fields none is
// looked for; append leaves out what is covered.
func (fs *fields) put(f field) {
	if !isFieldName(f.name) {
		f.name = fieldName(f.name)
	}
	f.hash = fs.hash(f.name)
	if fs.whole.has(f.hash) && len(fs.list) <= fewKeys {
		for i := fs.shared; i < len(fs.list); i++ {
			if fs.list[i].name == f.name {
				fs.list[i] = f
				return
			}
		}
	}
	fs.whole.add(f.hash)
	fs.list = append(fs.list, f)
}

// hash returns the hash (FNV-1a) of a name, and adds those of its stems.
func (fs *fields) hash(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		if name[i] == '.' {
			fs.stems.add(h)
		}
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// append appends the document.
func (fs *fields) append(dst []byte) []byte {
	fs.sort()
	dst = append(dst, '{')
	start := len(dst)
	for i := range fs.list {
		f := &fs.list[i]
		if fs.covered(i) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		isStem := fs.stems.has(f.hash) && fs.isStem(f.name)
		if i < fs.shared && !isStem {
			dst = append(dst, fs.json[f.member:f.to]...)
			continue
		}
		if isStem {
			dst = appendString(dst, fs.beside(f.name))
		} else {
			dst = appendString(dst, f.name)
		}
		dst = append(dst, ':')
		if f.encoded {
			dst = append(dst, fs.json[f.from:f.to]...)
		} else {
			dst = appendValue(dst, f.value, 0)
		}
	}
	return append(dst, '}')
}

// sort makes the look-ups for many fields.
func (fs *fields) sort() {
	fs.last, fs.sorted = nil, nil
	if len(fs.list) <= fewKeys {
		return
	}
	fs.last = make(map[string]int, len(fs.list))
	fs.sorted = make([]string, len(fs.list))
	for i := range fs.list {
		fs.last[fs.list[i].name] = i
		fs.sorted[i] = fs.list[i].name
	}
	slices.Sort(fs.sorted)
}

// covered reports whether a later field has the name of list[i].
func (fs *fields) covered(i int) bool {
	f := &fs.list[i]
	if fs.last != nil {
		return fs.last[f.name] != i
	}
	return i < fs.shared && fs.whole.has(f.hash) && fs.find(f.name, fs.shared)
}

// find reports whether a field from list[from:] has the name.
func (fs *fields) find(name string, from int) bool {
	if fs.last != nil {
		i, ok := fs.last[name]
		return ok && i >= from
	}
	for i := from; i < len(fs.list); i++ {
		if fs.list[i].name == name {
			return true
		}
	}
	return false
}

// isStem reports whether another name starts with name and a dot.
func (fs *fields) isStem(name string) bool {
	if fs.sorted != nil {
		i, _ := slices.BinarySearch(fs.sorted, name+".")
		return i < len(fs.sorted) && strings.HasPrefix(fs.sorted[i], name) && len(fs.sorted[i]) > len(name) && fs.sorted[i][len(name)] == '.'
	}
	for i := range fs.list {
		other := fs.list[i].name
		if len(other) > len(name) && other[len(name)] == '.' && other[:len(name)] == name {
			return true
		}
	}
	return false
}

// beside returns a name for the value of a name that is a stem.
func (fs *fields) beside(name string) string {
	name += ".value"
	for fs.find(name, 0) || fs.isStem(name) {
		name += "_"
	}
	return name
}

// filter is a set of hashes that can have false hits, but no misses.
type filter [4]uint64

func (f *filter) has(h uint32) bool { return f[h>>6&3]&(1<<(h&63)) != 0 }
func (f *filter) add(h uint32)      { f[h>>6&3] |= 1 << (h & 63) }
