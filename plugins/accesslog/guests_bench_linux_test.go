package main

import (
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/cputime"
	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/runtime/table"
	"github.com/obsd-io/obsd/sdk"
)

// BenchmarkGuests compares the guests with the native parser on batches of 1,000 lines, from pdata to pdata. They take
// turns, since a machine's speed changes with time, and the least CPU time of a thread for a batch is what counts.
func BenchmarkGuests(b *testing.B) {
	names := []string{"native"}
	run := map[string]func(plog.Logs){"native": native}
	for _, name := range []string{"Go", "C", "Rust"} {
		names, run[name] = append(names, name), runner(b, guests[name])
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ld := scannable(1000)
	took := map[string][]time.Duration{}
	b.ResetTimer()
	for range max(b.N, 20) {
		for _, name := range names {
			batch := plog.NewLogs()
			ld.CopyTo(batch)
			start := cputime.Thread(b)
			run[name](batch)
			took[name] = append(took[name], cputime.Thread(b)-start)
		}
	}
	b.ReportMetric(0, "ns/op")
	least := func(name string) float64 { return float64(slices.Min(took[name]).Nanoseconds()) / 1000 }
	for _, name := range names {
		b.ReportMetric(least(name), name+"-ns/record")
		if name != "native" {
			b.ReportMetric(least(name)/least("native"), name+"/native")
		}
	}
}

// runner loads a guest, and returns what has it work on a batch.
func runner(b *testing.B, dir string) func(plog.Logs) {
	e := enginetest.Load(b, dir, nil)
	return func(ld plog.Logs) {
		if err := e.Run(b.Context(), table.LogsOf(ld), func(*table.Table) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// scannable makes logs whose bodies lie in one run of bytes, so that the native scanner too may read beyond their ends.
func scannable(n int) plog.Logs {
	var all []byte
	var ends []int
	for i := range n {
		all = append(all, benchLine(i)...)
		ends = append(ends, len(all))
	}
	run := string(append(all, make([]byte, sdk.ReadAhead)...))
	ld, from := plog.NewLogs(), 0
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, end := range ends {
		records.AppendEmpty().Body().SetStr(run[from:end])
		from = end
	}
	return ld
}

// text is a string for the scanner, which an author gets from a batch only.
func text(s string) sdk.Text {
	t := struct {
		p unsafe.Pointer
		n int
	}{unsafe.Pointer(unsafe.StringData(s)), len(s)}
	return *(*sdk.Text)(unsafe.Pointer(&t))
}

var keyTexts = [texts]string{
	clientAddress: "client.address", userName: "user.name", requestMethod: "http.request.method", urlPath: "url.path", urlQuery: "url.query",
	protocolVersion: "network.protocol.version", referer: "http.request.header.referer", userAgent: "user_agent.original",
}

// native is what the plugin does, without a boundary: the same parser, straight into pdata.
func native(ld plog.Logs) {
	var l line
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if t := text(record.Body().Str()); l.plain(t) || l.any(t) {
					l.set(record, t)
				}
			}
		}
	}
}

func (l *line) set(record plog.LogRecord, t sdk.Text) {
	n := 2
	for _, span := range l.texts {
		if span.Len() > 0 {
			n++
		}
	}
	attributes := record.Attributes()
	attributes.EnsureCapacity(n)
	for i, span := range l.texts {
		if span.Len() > 0 {
			attributes.PutStr(keyTexts[i], t.Cut(span))
		}
	}
	attributes.PutInt("http.response.status_code", l.status)
	if l.size >= 0 {
		attributes.PutInt("http.response.body.size", l.size)
	}
	number := severity(l.status)
	record.SetSeverityNumber(plog.SeverityNumber(number))
	switch number {
	case sdk.SeverityError:
		record.SetSeverityText("ERROR")
	case sdk.SeverityWarn:
		record.SetSeverityText("WARN")
	default:
		record.SetSeverityText("INFO")
	}
	if d := int64(record.Timestamp()) - l.time; record.Timestamp() == 0 || d < 0 || d >= 2*int64(time.Second) {
		record.SetTimestamp(pcommon.Timestamp(l.time))
	}
}
