package filelog

import "bytes"

// stream is where the process in the container wrote a line to.
type stream uint8

const (
	streamNone stream = iota // plain files, and lines that did not parse
	streamStdout
	streamStderr
	streamCount
)

// String returns the value of log.iostream.
func (s stream) String() string {
	switch s {
	case streamStdout:
		return "stdout"
	case streamStderr:
		return "stderr"
	}
	return ""
}

// format is how the lines of one file are written.
type format uint8

const (
	unknown format = iota // not yet seen enough lines
	plain
	cri
	docker
)

// String returns the name that the option `format` has for it.
func (f format) String() string {
	return [...]string{unknown: formatAuto, plain: formatPlain, cri: formatCRI, docker: formatDocker}[f]
}

func formatOf(name string) format {
	switch name {
	case formatPlain:
		return plain
	case formatCRI:
		return cri
	case formatDocker:
		return docker
	}
	return unknown
}

// entry is one line taken apart. Its bytes belong to the read buffer and are good until the next read.
type entry struct {
	body    []byte
	attrs   []byte // the object after "attrs" in a Docker line, or nil
	time    int64  // Unix nanoseconds, 0 if the line has none
	stream  stream
	partial bool // the line goes on in the next entry of the same stream
}

const criHead = len("stdout ")

// parseCRI takes a line of the container runtime interface apart:
//
//	2026-11-23T10:00:00.000000000Z stdout F the message
//	^time                          ^stream ^tag: F full, P partial; more tags may follow after a colon
func parseCRI(line []byte, c *clock, e *entry) bool {
	space := bytes.IndexByte(line[:min(len(line), 36)], ' ')
	if space < 0 {
		return false
	}
	rest := line[space+1:]
	if len(rest) <= criHead {
		return false
	}
	switch string(rest[:criHead]) {
	case "stdout ":
		e.stream = streamStdout
	case "stderr ":
		e.stream = streamStderr
	default:
		return false
	}
	e.partial = rest[criHead] == 'P'
	if !e.partial && rest[criHead] != 'F' {
		return false
	}
	var ok bool
	if e.body, ok = cutTag(rest[criHead+1:]); !ok {
		return false
	}
	e.time, ok = c.parse(line[:space])
	return ok
}

// cutTag returns what follows the tag, of which the first letter is cut already.
func cutTag(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return b, true
	}
	if b[0] == ' ' {
		return b[1:], true
	}
	if b[0] != ':' {
		return nil, false
	}
	_, rest, _ := bytes.Cut(b, []byte{' '})
	return rest, true
}
