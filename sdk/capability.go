package sdk

import (
	"strconv"
	"time"
	"unsafe"
)

// Log writes a line into the daemon's log, under the plugin's name. What comes faster than the user granted is dropped and
// counted. It wants the capability log.
func Log(severity Severity, text string) { hostLog(int32(severity), text) }

// unasked is the number of what the host has not been asked for yet; -1 is the host's own "no".
const unasked = -2

// Series is a time series of the plugin's own telemetry, which the daemon exports with its own. It wants the capability
// metrics.
type Series struct {
	definition string // as JSON; it waits for the first record, since the host takes no calls before
	number     int32
}

// Counter defines a series that sums up what is recorded, which must not be negative; call it once for each series. The
// host puts obsd_plugin_ before the name. The unit is one of UCUM, such as By, s or {row}. Attributes are keys and values
// in turn; they tell series of one name apart.
func Counter(name, unit, description string, attributes ...string) *Series {
	return newSeries("counter", name, unit, description, attributes)
}

// Gauge defines a series that holds what was recorded last, see [Counter].
func Gauge(name, unit, description string, attributes ...string) *Series {
	return newSeries("gauge", name, unit, description, attributes)
}

// Histogram defines a series that holds the distribution of what is recorded, see [Counter].
func Histogram(name, unit, description string, attributes ...string) *Series {
	return newSeries("histogram", name, unit, description, attributes)
}

func newSeries(kind, name, unit, description string, attributes []string) *Series {
	if len(attributes)%2 != 0 {
		panic("BUG: sdk: " + kind + " " + strconv.Quote(name) + ": an attribute's key has no value")
	}
	b := append([]byte(`{"kind":`), quote(kind)...)
	b = append(append(b, `,"name":`...), quote(name)...)
	b = append(append(b, `,"unit":`...), quote(unit)...)
	b = append(append(b, `,"description":`...), quote(description)...)
	b = append(b, `,"attributes":{`...)
	for i := 0; i < len(attributes); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(attributes[i])...), ':'), quote(attributes[i+1])...)
	}
	return &Series{definition: string(append(b, "}}"...)), number: unasked}
}

// Record adds to a counter, sets a gauge, or records into a histogram. What a counter cannot take, and what goes beyond the
// series that the user granted, is counted by the host and is lost.
func (s *Series) Record(v float64) {
	if s.number == unasked || !numbersLast {
		s.number = hostMetric(s.definition)
	}
	hostMetricRecord(s.number, v)
}

// KV is the plugin's key-value store: one for all instances, bounded in size, so a value may go at any time. It wants
// the capability kv.
type KV struct {
	// TTL is how long a value lives that is set or first added to; 0, and what is more, is the grant's own limit.
	TTL time.Duration
}

// ttl is the time to live in milliseconds, rounded up.
func (s KV) ttl() int64 { return int64((s.TTL + time.Millisecond - 1) / time.Millisecond) }

// Get gives the value of a key, and whether there is one. It is valid until the function returns.
func (s KV) Get(key string) (string, bool) {
	return answer(func(to unsafe.Pointer, room uint32) int64 { return hostKVGet(key, to, room) })
}

// Set sets the value of a key; false if it is larger than the store.
func (s KV) Set(key, value string) bool { return hostKVSet(key, value, s.ttl()) == 0 }

// Add adds to the number of a key, in one step for all instances, and gives the sum. A key that is not there counts as 0, and
// so does one whose value Set wrote, unless it is 8 bytes long.
func (s KV) Add(key string, delta int64) int64 { return hostKVAdd(key, delta, s.ttl()) }

// Delete removes a key; false if it is not there.
func (s KV) Delete(key string) bool { return hostKVDelete(key) == 0 }

// Lookup is a column of a table that the user granted and the host keeps fresh. It wants the capability lookup.
type Lookup struct {
	table, column string
	number        int32
}

// NewLookup names a column of a table, for example in a package's var block.
func NewLookup(table, column string) *Lookup {
	return &Lookup{table: table, column: column, number: unasked}
}

// Found says whether the table is granted and has the column, so that a plugin's Configure can tell the user.
func (l *Lookup) Found() bool {
	if l.number < 0 || !numbersLast {
		l.number = hostLookup(l.table, l.column)
	}
	return l.number >= 0
}

// Get gives the column's value in the row of a key, and whether there is one. It is valid until the function returns.
func (l *Lookup) Get(key string) (string, bool) {
	if !l.Found() {
		return "", false
	}
	return answer(func(to unsafe.Pointer, room uint32) int64 { return hostLookupGet(l.number, key, to, room) })
}

// answer is the text that get copies to an address if there is room for it, and tells the length of. Texts lie one behind
// the other until the next batch.
func answer(get func(to unsafe.Pointer, room uint32) int64) (string, bool) {
	for {
		b := plugin.answers
		n := len(b)
		length := int(get(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), n), uint32(cap(b)-n)))
		if length < 0 {
			return "", false
		}
		if length <= cap(b)-n {
			plugin.answers = b[:n+length]
			return unsafe.String(unsafe.SliceData(plugin.answers[n:]), length), true
		}
		// What was given before stays in the old buffer.
		plugin.answers = make([]byte, 0, 2*cap(b)+length+answersRoom)
	}
}

// answersRoom is the least room for answers.
const answersRoom = 1 << 10
