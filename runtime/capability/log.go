package capability

import (
	"strings"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxLine is the longest line of a plugin in bytes; what is longer is cut.
const maxLine = 8 << 10

// Log is a plugin's way into the daemon's log: a bucket of lines that fills at the granted rate.
type Log struct {
	log     *zap.Logger
	now     func() time.Time
	rate    float64
	burst   float64
	refused *refusal

	mu      sync.Mutex
	lines   float64 // in the bucket
	filled  time.Time
	dropped int64 // since the last line that was written
}

func newLog(g LogGrant, log *zap.Logger, now func() time.Time, refused *refusal) *Log {
	return &Log{
		log: log, now: now, rate: g.Rate, burst: float64(g.Burst), refused: refused,
		lines: float64(g.Burst), filled: now(),
	}
}

// Write writes a line of a severity number of OpenTelemetry, 0 to 24. It copies the text.
func (l *Log) Write(severity int32, text []byte) {
	entry := l.log.Check(level(severity), "")
	if entry == nil {
		return
	}
	dropped, ok := l.take()
	if !ok {
		l.refused.count()
		return
	}
	entry.Message = clean(text)
	if dropped > 0 {
		entry.Write(zap.Int64("dropped", dropped))
		return
	}
	entry.Write()
}

// take takes a line out of the bucket, and says how many were dropped since the one before.
func (l *Log) take() (dropped int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.lines = min(l.burst, l.lines+l.rate*now.Sub(l.filled).Seconds())
	l.filled = now
	if l.lines < 1 {
		l.dropped++
		return 0, false
	}
	l.lines--
	dropped, l.dropped = l.dropped, 0
	return dropped, true
}

// close mentions what was dropped and not mentioned yet.
func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped > 0 {
		l.log.Warn("lines of the plugin were dropped: it wrote faster than grants::log::rate", zap.Int64("dropped", l.dropped))
		l.dropped = 0
	}
}

// level maps a severity number (OpenTelemetry's logs data model, "Field: SeverityNumber") to the daemon's levels: nothing
// that a plugin writes may end the daemon.
func level(severity int32) zapcore.Level {
	switch {
	case severity >= 17:
		return zapcore.ErrorLevel
	case severity >= 13:
		return zapcore.WarnLevel
	case severity >= 9 || severity <= 0:
		return zapcore.InfoLevel
	default:
		return zapcore.DebugLevel
	}
}

// clean makes one line of valid UTF-8, so that a plugin can forge no other.
func clean(text []byte) string {
	s := string(text[:min(len(text), maxLine)])
	s = strings.TrimRight(strings.ToValidUTF8(s, "\uFFFD"), "\n")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
