package bench

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/cputime"
)

// usualCore is how many bytes of English text a core of a usual server takes out of deflate in a second of CPU time, with Go's
// compress/flate. That is an assumption: golang/go#38324 gives 205 MB/s for Decode/Newton/Default/1e6, before its change, of a machine
// with 32 threads that it does not name. We take it for a fast desktop, and three quarters of it for a server that is rented.
const usualCore = 150e6

// core measures how fast a core of this machine is at the moment. Whoever shares the machine makes it slower, by caches, memory
// and threads of one core, also in CPU time.
type core struct {
	packed  []byte
	decoder io.ReadCloser
	speeds  []float64 // bytes a second of CPU time
}

// newCore packs a megabyte of the text that Go's own benchmark takes. It is nil where Go was installed without its tests' data.
func newCore(t *testing.T) *core {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "testdata", "Isaac.Newton-Opticks.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	text = bytes.Repeat(text, 1e6/len(text)+1)[:1e6]
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &core{packed: packed.Bytes(), decoder: flate.NewReader(&packed)}
}

// measure adds a measurement, which takes some hundredths of a second.
func (c *core) measure(t *testing.T) {
	t.Helper()
	if c == nil {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := cputime.Thread(t)
	const rounds = 3
	for range rounds {
		require.NoError(t, c.decoder.(flate.Resetter).Reset(bytes.NewReader(c.packed), nil))
		_, err := io.Copy(io.Discard, c.decoder)
		require.NoError(t, err)
	}
	c.speeds = append(c.speeds, rounds*1e6/(cputime.Thread(t)-began).Seconds())
}

// speed is the median of what was measured, in bytes a second.
func (c *core) speed() float64 {
	slices.Sort(c.speeds)
	return c.speeds[len(c.speeds)/2]
}
