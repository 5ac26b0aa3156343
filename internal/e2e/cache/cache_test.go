package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeTool makes one small file and counts how often.
func fakeTool(made *atomic.Int32, err error) *Tool {
	return &Tool{
		Name: "thing", Version: "v1", Title: "Thing", Hint: "making, at once", Recipe: []byte("r1"),
		Make: func(_ context.Context, dir string) error {
			made.Add(1)
			return errors.Join(os.WriteFile(filepath.Join(dir, "thing"), []byte("whole"), 0o644), err)
		},
	}
}

func TestInstallOnce(t *testing.T) {
	root := t.TempDir()
	var made atomic.Int32
	var dirs [8]string
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() {
			dir, err := fakeTool(&made, nil).Install(t.Context(), root, &bytes.Buffer{})
			assert.NoError(t, err)
			dirs[i] = dir
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, made.Load())
	for _, dir := range dirs {
		require.Equal(t, dirs[0], dir)
	}
	content, err := os.ReadFile(filepath.Join(dirs[0], "thing"))
	require.NoError(t, err)
	require.Equal(t, "whole", string(content))
}

func TestInstallProgress(t *testing.T) {
	root := t.TempDir()
	var made atomic.Int32
	var first, second bytes.Buffer
	dir, err := fakeTool(&made, nil).Install(t.Context(), root, &first)
	require.NoError(t, err)
	require.Regexp(t, `^e2e: Thing v1, once: making, at once \.\.\.\ne2e: Thing v1 is ready after (\d+m)?\d+s: `+regexp.QuoteMeta(dir)+`\n$`, first.String())
	_, err = fakeTool(&made, nil).Install(t.Context(), root, &second)
	require.NoError(t, err)
	require.Empty(t, second.String(), "what is there is not worth a line")
}

func TestInstallAnew(t *testing.T) {
	root := t.TempDir()
	var made atomic.Int32
	one, err := fakeTool(&made, nil).Install(t.Context(), root, &bytes.Buffer{})
	require.NoError(t, err)
	changed := fakeTool(&made, nil)
	changed.Recipe = []byte("r2")
	two, err := changed.Install(t.Context(), root, &bytes.Buffer{})
	require.NoError(t, err)
	require.NotEqual(t, one, two, "another recipe makes another folder")
	require.EqualValues(t, 2, made.Load())
}

func TestInstallFails(t *testing.T) {
	root := t.TempDir()
	var made atomic.Int32
	_, err := fakeTool(&made, errors.New("no compiler")).Install(t.Context(), root, &bytes.Buffer{})
	require.EqualError(t, err, "e2e: install Thing v1: no compiler")

	unmet := fakeTool(&made, nil)
	unmet.Check = func(context.Context, io.Writer) error { return errors.New("needs a thing") }
	_, err = unmet.Install(t.Context(), root, &bytes.Buffer{})
	require.EqualError(t, err, "e2e: install Thing v1: needs a thing")

	_, err = fakeTool(&made, nil).Install(t.Context(), root, &bytes.Buffer{})
	require.NoError(t, err, "a failure leaves nothing in the way")
}

func TestInstallAfterKill(t *testing.T) {
	root := t.TempDir()
	var made atomic.Int32
	left := filepath.Join(root, fakeTool(&made, nil).folder()+".new", "half")
	require.NoError(t, os.MkdirAll(left, 0o755))
	dir, err := fakeTool(&made, nil).Install(t.Context(), root, &bytes.Buffer{})
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(dir, "half"))
}

func TestRunShowsOutput(t *testing.T) {
	err := Run(t.Context(), t.TempDir(), []string{"GOFLAGS="}, "go", "build", "-no-such-flag")
	require.ErrorContains(t, err, "go build: exit status 2:\nflag provided but not defined: -no-such-flag")
}
