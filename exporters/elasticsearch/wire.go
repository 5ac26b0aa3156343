package elasticsearch

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// packer makes request bodies from pooled buffers. A body is compressed once,
// whatever number of nodes it is then offered to.
type packer struct {
	gzip    bool
	writers sync.Pool // *gzip.Writer
	bodies  sync.Pool // *payload
}

func newPacker(compress bool, level int) *packer {
	p := &packer{gzip: compress}
	p.writers.New = func() any {
		w, err := gzip.NewWriterLevel(io.Discard, level)
		if err != nil { // Validate has let a level pass that only others know.
			w = gzip.NewWriter(io.Discard)
		}
		return w
	}
	p.bodies.New = func() any { return &payload{pool: &p.bodies} }
	return p
}

// pack returns a payload that holds body, compressed if that is asked for. The
// caller calls release when it is done.
func (p *packer) pack(body []byte) (*payload, error) {
	out := p.bodies.Get().(*payload)
	out.buf.Reset()
	out.refs.Store(1)
	if !p.gzip {
		_, err := out.buf.Write(body)
		return out, err
	}
	w := p.writers.Get().(*gzip.Writer)
	defer p.writers.Put(w)
	w.Reset(&out.buf)
	if _, err := w.Write(body); err != nil {
		return out, err
	}
	return out, w.Close()
}

// payload is the body of a request as it goes over the wire. A transport may
// read it even after it has returned the answer, so the buffer goes back to its
// pool only when everyone who could still read has let go of it.
type payload struct {
	buf  bytes.Buffer
	refs atomic.Int32
	pool *sync.Pool
}

func (p *payload) release() {
	if p.refs.Add(-1) == 0 {
		p.pool.Put(p)
	}
}

// attach makes the payload the body of a request.
func (p *payload) attach(req *http.Request) {
	req.GetBody = func() (io.ReadCloser, error) {
		p.refs.Add(1)
		return &payloadReader{payload: p}, nil
	}
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(p.buf.Len())
}

// payloadReader reads a payload once. Read and Close may run at the same time.
type payloadReader struct {
	mu      sync.Mutex
	payload *payload
	off     int
}

// Read implements io.Reader.
func (r *payloadReader) Read(dst []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.payload == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	rest := r.payload.buf.Bytes()[r.off:]
	if len(rest) == 0 {
		return 0, io.EOF
	}
	n := copy(dst, rest)
	r.off += n
	return n, nil
}

// Close implements io.Closer.
func (r *payloadReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.payload != nil {
		r.payload.release()
		r.payload = nil
	}
	return nil
}
