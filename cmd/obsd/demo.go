package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	demoLog     = "obsd-data/demo/access.log"
	demoRecords = "obsd-data/logs.json"
	demoLogSize = 8 << 20
)

// newDemoCommand is `obsd demo`: the built-in configuration on an access log that it writes itself.
func newDemoCommand() *cobra.Command {
	var o options
	var rate int
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the built-in configuration on a generated access log",
		Long:  "Run the built-in configuration, but on an access log that obsd writes itself, and show one record that comes out.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rate < 1 || rate > 10_000 {
				return errors.New("--rate: write a number of lines a second from 1 to 10000")
			}
			o.sets = append([]string{"receivers.file_log.include=[" + demoLog + "]", "receivers.file_log.exclude=[]"}, o.sets...)
			set, err := o.settings(nil)
			if err != nil {
				return err
			}
			return demo(cmd.Context(), daemon{set: set, welcome: cmd.ErrOrStderr()}, rate)
		},
	}
	o.addTo(cmd.Flags())
	cmd.Flags().IntVar(&rate, "rate", 50, "`LINES` a second")
	return cmd
}

// demo runs the daemon beside the generator until the daemon ends.
func demo(ctx context.Context, d daemon, rate int) error {
	if err := os.MkdirAll(filepath.Dir(demoLog), 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var written error
	wg.Go(func() { written = generate(ctx, rate) })
	wg.Go(func() { sample(ctx, d.welcome) })
	err := d.run(ctx)
	stop()
	wg.Wait()
	return errors.Join(err, written)
}

// generate appends lines to the demo's log until ctx ends. It rotates the log, so that the demo can stay on.
func generate(ctx context.Context, rate int) error {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	f, err := os.OpenFile(demoLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = f.Close() }() // every line was written or reported
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if _, err := io.WriteString(f, accessLine(now)); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
		if info, err := f.Stat(); err == nil && info.Size() > demoLogSize {
			if f, err = rotate(f); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
}

// rotate renames the log away and begins a new one.
func rotate(f *os.File) (*os.File, error) {
	_ = f.Close() // every line was written or reported
	if err := os.Rename(demoLog, demoLog+".1"); err != nil {
		return nil, err
	}
	return os.Create(demoLog)
}

// accessLine is one line in the combined format, as nginx and Apache write it.
func accessLine(now time.Time) string {
	pick := func(s ...string) string { return s[rand.IntN(len(s))] }
	status := pick("200", "200", "200", "200", "200", "200", "201", "301", "304", "404", "404", "500", "502")
	return fmt.Sprintf("203.0.113.%d - %s [%s] \"%s %s HTTP/1.1\" %s %d \"%s\" \"%s\"\n",
		1+rand.IntN(254), pick("-", "-", "-", "alice", "bob"), now.Format("02/Jan/2006:15:04:05 -0700"),
		pick("GET", "GET", "GET", "GET", "POST", "HEAD"), pick("/", "/cart?item=42", "/api/orders", "/search?q=lamp&page=2", "/img/logo.svg", "/login"),
		status, rand.IntN(20_000), pick("-", "https://shop.example/", "https://search.example/?q=lamp"),
		pick("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8.14.1", "Mozilla/5.0 (compatible; Examplebot/2.1)"))
}

// sample shows the first record that came out, beside the line that went in.
func sample(ctx context.Context, w io.Writer) {
	begin := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		info, err := os.Stat(demoRecords)
		if err != nil || info.ModTime().Before(begin) {
			continue
		}
		if s := lastRecord(demoRecords); s != "" {
			say(w, s)
			return
		}
	}
}

// lastRecord tells the last whole record of a file of OTLP-JSON lines.
func lastRecord(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	var line []byte
	for r := bufio.NewReader(f); ; {
		next, err := r.ReadBytes('\n')
		if err != nil {
			break
		}
		line = next
	}
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
	if err != nil || logs.LogRecordCount() == 0 {
		return ""
	}
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	var b bytes.Buffer
	fmt.Fprintf(&b, "One line of %s:\n\n  %s\n\nand the record that it became:\n\n", demoLog, record.Body().AsString())
	fmt.Fprintf(&b, "  %-34s %s\n  %-34s %s\n", "time", record.Timestamp().AsTime().Format(time.RFC3339), "severity", record.SeverityText())
	for k, v := range record.Attributes().All() {
		fmt.Fprintf(&b, "  %-34s %s\n", k, v.AsString())
	}
	fmt.Fprintf(&b, "\nMore: tail -f %s\n", demoRecords)
	return b.String()
}
