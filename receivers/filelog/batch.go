package filelog

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// maxRecords bounds one batch of very short lines, whose records weigh far more than their text.
	maxRecords = 10_000

	// plainAfter is how many lines in a row must be of no container format before a file is taken for plain text.
	plainAfter = 16

	attrStream = "log.iostream"
	attrAttrs  = "attrs"
)

// partial is a message of which the end has not been read yet.
type partial struct {
	active bool
	cut    bool // the bound is reached and the rest of the message is left out
	far    bool // the end is too far off to be waited for
	text   []byte
	time   int64
	start  int64 // file offset of the line it begins in, -1 if that line stands in an earlier generation of the file
	skip   int   // bytes of that line's body which belong to an earlier record
	seen   time.Time
}

// longLine is the state inside a line that is too long for the read buffer.
type longLine struct {
	active bool
	time   int64
	stream stream
}

// assembly is all that reading a file carries from one batch to the next. Copying it takes a snapshot:
// the text of a partial only ever grows behind the length that the snapshot knows.
type assembly struct {
	format format
	plains uint8 // plain lines seen while the format is unknown
	parts  [streamCount]partial
	long   longLine
}

func (a *assembly) pending() bool {
	return a.parts[streamNone].active || a.parts[streamStdout].active || a.parts[streamStderr].active
}

// oddities counts what was not as it should be in a batch.
type oddities struct {
	unparsed  int64 // lines of a container log passed on as plain text
	split     int64 // lines made into several records
	truncated int64 // lines that lost their end
}

// batch turns lines into log records. One batch is reused by one worker; begin starts it anew.
type batch struct {
	maxLogSize int
	truncate   bool
	container  bool // the path is a container's, so lines never settle on plain text

	clock   clock
	scratch []byte
	entry   entry
	counts  oddities

	logs     plog.Logs
	records  plog.LogRecordSlice
	text     strings.Builder // the bodies of all records, one after the other
	valid    bool            // the lines hold valid UTF-8 only
	observed time.Time

	// While earlier lines are read again to get back the text of partials, mute keeps records from being made,
	// and resume says where each partial begins.
	mute   bool
	resume [streamCount]partial
}

// begin starts a batch over the lines in chunk.
func (b *batch) begin(resource pcommon.Map, chunk []byte, now time.Time) {
	b.logs = plog.NewLogs()
	rl := b.logs.ResourceLogs().AppendEmpty()
	resource.CopyTo(rl.Resource().Attributes())
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(scopeName)
	b.records = sl.LogRecords()
	b.records.EnsureCapacity(min(bytes.Count(chunk, []byte{'\n'})+1, maxRecords))
	b.text = strings.Builder{}
	b.text.Grow(len(chunk))
	b.valid = utf8.Valid(chunk)
	b.observed = now
	b.counts = oddities{}
	b.mute = false
}

// addChunk adds the lines in chunk, which ends with a newline and stands at offset in its file, and returns how many bytes it took.
func (b *batch) addChunk(a *assembly, chunk []byte, offset int64) int {
	rest := chunk
	for len(rest) > 0 && b.records.Len() < maxRecords {
		end := bytes.IndexByte(rest, '\n')
		b.addLine(a, rest[:end], offset)
		rest = rest[end+1:]
		offset += int64(end + 1)
	}
	return len(chunk) - len(rest)
}

// addLine adds one line without its newline. start is where it stands in its file.
func (b *batch) addLine(a *assembly, line []byte, start int64) {
	e := &b.entry
	*e = entry{}
	if b.parse(a, line, e) {
		if e.partial || a.parts[e.stream].active {
			b.join(&a.parts[e.stream], e, start)
			return
		}
		b.emitWhole(e)
		return
	}
	*e = entry{body: line}
	if a.format == cri || a.format == docker {
		b.counts.unparsed++
	}
	if len(line) > 0 && line[0] == 0 {
		e.body = bytes.TrimLeft(line, "\x00") // the hole that a truncated file has where its writer goes on at the old place
	}
	if len(trimReturn(e.body)) > 0 {
		b.emitWhole(e)
	}
}

// parse takes the line apart by the format of its file, and finds that format out while it is unknown.
func (b *batch) parse(a *assembly, line []byte, e *entry) bool {
	switch a.format {
	case cri:
		return parseCRI(line, &b.clock, e)
	case docker:
		return parseDocker(line, &b.clock, e, &b.scratch)
	case plain:
		return false
	}
	if parseCRI(line, &b.clock, e) {
		a.format = cri
		return true
	}
	*e = entry{}
	if parseDocker(line, &b.clock, e, &b.scratch) {
		a.format = docker
		return true
	}
	if a.plains++; a.plains >= plainAfter && !b.container {
		a.format = plain
	}
	a.plains = min(a.plains, plainAfter)
	return false
}

// emitWhole adds the record of a message that stands in one line.
func (b *batch) emitWhole(e *entry) {
	body := trimReturn(e.body)
	if len(body) > b.maxLogSize {
		if b.truncate {
			b.counts.truncated++
			b.emit(body[:cutAt(body, b.maxLogSize)], e)
			return
		}
		b.counts.split++
		for len(body) > b.maxLogSize {
			n := cutAt(body, b.maxLogSize)
			b.emit(body[:n], e)
			body = body[n:]
		}
	}
	b.emit(body, e)
}

// join adds a line to the message it is a part of, and the record when that is complete.
func (b *batch) join(p *partial, e *entry, start int64) {
	if !p.active {
		*p = partial{active: true, time: e.time, start: start}
	}
	p.seen = b.observed
	body := e.body
	if from := &b.resume[e.stream]; b.mute && from.active && from.start == start {
		*p = partial{active: true, time: from.time, start: start, skip: from.skip, seen: from.seen}
		body = body[min(from.skip, len(body)):]
	}
	if !e.partial {
		body = trimReturn(body)
	}
	whole := len(body)
	for room := b.maxLogSize - len(p.text); len(body) > room; room = b.maxLogSize {
		if b.truncate {
			if !p.cut {
				b.counts.truncated++
				p.text = append(p.text, body[:cutAt(body, room)]...)
			}
			p.cut, body = true, nil
			break
		}
		b.counts.split++
		n := cutAt(body, room)
		b.emitJoined(append(p.text, body[:n]...), p.time, e.stream)
		body = body[n:]
		p.text, p.start, p.skip = nil, start, whole-len(body)
	}
	if !p.cut {
		p.text = append(p.text, body...)
	}
	if e.partial {
		return
	}
	if len(p.text) > 0 || p.skip == 0 {
		b.emitJoined(p.text, p.time, e.stream)
	}
	*p = partial{}
}

func (b *batch) emitJoined(text []byte, t int64, s stream) {
	valid := b.valid
	b.valid = false // the parts may come from earlier reads
	b.emit(text, &entry{time: t, stream: s, attrs: b.entry.attrs})
	b.valid = valid
}

// cutAt returns where to cut body, at n or a little before, so that no rune is torn.
func cutAt(body []byte, n int) int {
	for back := range min(n, utf8.UTFMax) {
		if at := n - back; at < len(body) && utf8.RuneStart(body[at]) {
			if r, _ := utf8.DecodeRune(body[at:]); r != utf8.RuneError {
				return at
			}
			break
		}
	}
	return n
}

// emit adds one record.
func (b *batch) emit(body []byte, e *entry) {
	if b.mute {
		return
	}
	record := b.records.AppendEmpty()
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(b.observed))
	record.SetTimestamp(pcommon.Timestamp(e.time))
	record.Body().SetStr(b.string(body))
	if e.stream != streamNone {
		record.Attributes().PutStr(attrStream, e.stream.String())
	}
	if e.attrs != nil {
		putAttrs(record.Attributes(), e.attrs)
	}
}

// string returns body as a valid string, which shares its memory with the other bodies of the batch.
func (b *batch) string(body []byte) string {
	if !b.valid && !utf8.Valid(body) {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	start := b.text.Len()
	b.text.Write(body)
	return b.text.String()[start:]
}

// putAttrs sets what Docker's options tag, labels and env add to a line.
func putAttrs(attributes pcommon.Map, object []byte) {
	var attrs map[string]string
	if json.Unmarshal(object, &attrs) != nil || len(attrs) == 0 {
		return
	}
	m := attributes.PutEmptyMap(attrAttrs)
	for key, value := range attrs {
		m.PutStr(key, value)
	}
}

func trimReturn(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}
