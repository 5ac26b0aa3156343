package capability

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/runtime/abi"
)

func newTestLog(t testing.TB, g LogGrant, level zapcore.Level) (*Log, *clock, *observer.ObservedLogs) {
	t.Helper()
	core, seen := observer.New(level)
	c := newClock()
	return newLog(g, zap.New(core), c.now, noRefusals(t).of(abi.CapabilityLog, "rate")), c, seen
}

// A severity number becomes one of the daemon's levels; none of them ends the daemon.
func TestLogLevels(t *testing.T) {
	for severity, want := range map[int32]zapcore.Level{
		-1 << 31: zapcore.InfoLevel, 0: zapcore.InfoLevel, 1: zapcore.DebugLevel, 8: zapcore.DebugLevel, 9: zapcore.InfoLevel,
		12: zapcore.InfoLevel, 13: zapcore.WarnLevel, 16: zapcore.WarnLevel, 17: zapcore.ErrorLevel, 24: zapcore.ErrorLevel,
		1<<31 - 1: zapcore.ErrorLevel,
	} {
		l, _, seen := newTestLog(t, *defaultLog(), zapcore.DebugLevel)
		l.Write(severity, []byte("hello"))
		require.Equal(t, []observer.LoggedEntry{{Entry: zapcore.Entry{Level: want, Message: "hello"}, Context: []zapcore.Field{}}}, untimed(seen), "severity %d", severity)
	}
}

func untimed(seen *observer.ObservedLogs) []observer.LoggedEntry {
	all := seen.AllUntimed()
	for i := range all {
		if all[i].Context == nil {
			all[i].Context = []zapcore.Field{}
		}
	}
	return all
}

// A line stays one line, and within its length.
func TestLogText(t *testing.T) {
	for text, want := range map[string]string{
		"two\nlines\r\n":          "two lines ",
		"tab\tstays":              "tab\tstays",
		"esc \x1b[31m\x7f end":    "esc  [31m  end",
		"bad \xff utf-8":          "bad \uFFFD utf-8",
		"\u2028\u0085":            "  ",
		strings.Repeat("é", 5000): strings.Repeat("é", 4096),
	} {
		require.Equal(t, want, clean([]byte(text)))
	}
}

// What comes faster than the rate is dropped, and the next line says how many; so does the end.
func TestLogRate(t *testing.T) {
	l, c, seen := newTestLog(t, LogGrant{Rate: 2, Burst: 3}, zapcore.InfoLevel)
	write := func(n int) {
		for range n {
			l.Write(9, []byte("line"))
		}
	}
	write(5)
	require.Equal(t, 3, seen.Len())
	c.add(499 * time.Millisecond)
	write(1)
	require.Equal(t, 3, seen.Len())
	c.add(time.Millisecond)
	write(2)
	lines := seen.TakeAll()
	require.Len(t, lines, 4)
	require.Equal(t, map[string]any{"dropped": int64(3)}, lines[3].ContextMap())
	c.add(time.Hour)
	write(4)
	require.Equal(t, 3, seen.Len(), "the bucket holds no more than the burst")
	seen.TakeAll()
	l.close()
	l.close()
	lines = seen.TakeAll()
	require.Len(t, lines, 1)
	require.Equal(t, "lines of the plugin were dropped: it wrote faster than grants::log::rate", lines[0].Message)
	require.Equal(t, map[string]any{"dropped": int64(1)}, lines[0].ContextMap())
}

// Lines below the daemon's level are not counted against the rate.
func TestLogBelowLevel(t *testing.T) {
	l, _, seen := newTestLog(t, LogGrant{Rate: 1, Burst: 1}, zapcore.InfoLevel)
	for range 10 {
		l.Write(5, []byte("debug"))
	}
	l.Write(9, []byte("info"))
	require.Equal(t, 1, seen.Len())
}

func BenchmarkLog(b *testing.B) {
	text := []byte("connection to upstream 10.1.2.3 refused")
	for name, g := range map[string]LogGrant{"written": {Rate: 1e12, Burst: 1 << 30}, "dropped": {Rate: 1e-9, Burst: 1}} {
		b.Run(name, func(b *testing.B) {
			log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "m"}), zapcore.AddSync(discard{}), zapcore.InfoLevel))
			l := newLog(g, log, time.Now, noRefusals(b).of(abi.CapabilityLog, "rate"))
			b.ReportAllocs()
			for b.Loop() {
				l.Write(9, text)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
