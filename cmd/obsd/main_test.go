package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/discovery"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/cmd/obsd/internal/config"
)

var update = flag.Bool("update", false, "write the errors that are seen into testdata/*.bad.yaml")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"obsd": main})
}

// TestScripts runs the command line as a user does: each file of testdata/script is a session.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"await": await, "signal": sendSignal},
	})
}

// await FILE TEXT [TIMES] waits until the text is in the file that often.
func await(ts *testscript.TestScript, _ bool, args []string) {
	times := 1
	if len(args) == 3 {
		var err error
		times, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if seen = string(b); err == nil && strings.Count(seen, args[1]) >= times {
			return
		}
	}
	ts.Fatalf("await: %q is not %d times in %s:\n%s", args[1], times, args[0], seen)
}

// sendSignal NAME sends a signal to the last command that was started in the background.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM}
	running := ts.BackgroundCmds()
	ts.Check(running[len(running)-1].Process.Signal(signals[args[0]]))
}

// TestBadConfigs checks the whole error text of every testdata/*.bad.yaml, which stands in its first line.
func TestBadConfigs(t *testing.T) {
	for _, path := range glob(t, "testdata/*.bad.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".bad.yaml"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			first, rest, _ := strings.Cut(string(text), "\n")
			_, err = check(t, path)
			require.Error(t, err, "this configuration passes")
			var problems config.Problems
			require.True(t, errors.As(err, &problems), "not told as problems: %v", err)
			got := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "testdata/", ""), "\n", " | ")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte("# "+got+"\n"+rest), 0o644))
				return
			}
			assert.Equal(t, strings.TrimPrefix(first, "# "), got)
		})
	}
}

// TestGoodConfigs checks that every testdata/*.good.yaml passes.
func TestGoodConfigs(t *testing.T) {
	for _, path := range glob(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			result, err := check(t, path)
			require.NoError(t, err)
			assert.Empty(t, result.Warnings)
		})
	}
}

// TestDefaultConfigIsLoopback checks that the built-in configuration listens nowhere else.
func TestDefaultConfigIsLoopback(t *testing.T) {
	result, err := check(t)
	require.NoError(t, err)
	assert.Empty(t, result.Warnings)
	for _, path := range []string{
		"receivers::otlp::protocols::grpc::endpoint", "receivers::otlp::protocols::http::endpoint",
		"exporters::prometheus::endpoint", "extensions::health_check::endpoint",
	} {
		assert.Regexp(t, `^127\.0\.0\.1:\d+$`, result.Get(path), path)
	}
}

// TestServiceDiscovery checks that the build tags of the Makefile do what they are for.
func TestServiceDiscovery(t *testing.T) {
	if !strings.Contains(os.Getenv("GOFLAGS"), "remove_all_sd") {
		t.Skip("not built with the Makefile's GOFLAGS")
	}
	assert.ElementsMatch(t, []string{"dns", "file", "http", "kubernetes", "static"}, discovery.RegisteredConfigNames())
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("no space"), "obsd: no space\n"},
		{"named already", errors.New("obsd: no space"), "obsd: no space\n"},
		{"one problem", config.Problems{{Source: "a.yaml", Line: 3, Key: "x.y", Text: "bad"}}, "obsd: the configuration has a problem:\na.yaml:3: x.y: bad\n"},
		{"two problems", config.Problems{{Source: "a.yaml", Text: "bad"}, {Source: "b.yaml", Text: "worse"}}, "obsd: the configuration has 2 problems:\na.yaml: bad\nb.yaml: worse\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			explain(&b, tc.err)
			assert.Equal(t, tc.want, b.String())
		})
	}
}

// check checks a configuration as `obsd validate` does.
func check(t *testing.T, configs ...string) (*config.Result, error) {
	o := options{configs: configs}
	set, err := o.settings(nil)
	require.NoError(t, err)
	return config.Check(t.Context(), set)
}

func glob(t *testing.T, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}
