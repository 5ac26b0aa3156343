package host

import "strings"

// maxOutput bounds what is kept of a guest's standard output and error, in bytes.
const maxOutput = 2048

// output keeps the first bytes that a guest writes.
type output struct{ buf []byte }

// Write keeps what still fits, and says that it took all.
func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p[:min(len(p), maxOutput-len(o.buf))]...)
	return len(p), nil
}

// String is valid UTF-8 whatever the guest wrote.
func (o *output) String() string { return strings.ToValidUTF8(string(o.buf), "\uFFFD") }

func (o *output) reset() { o.buf = o.buf[:0] }
