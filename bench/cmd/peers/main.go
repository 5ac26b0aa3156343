// Command peers runs obsd and another Collector on the same log lines, one after the other, and prints what each took
// as a Markdown table. `make bench-peers` runs it; README.md of the folder bench says how the figures are taken.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	met, err := bench(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	obsd, peerSource string
	lines, rounds    int
	rows             *regexp.Regexp
	check            bool
}

func parseOptions(args []string) (options, error) {
	var o options
	var rows string
	set := flag.NewFlagSet("peers", flag.ContinueOnError)
	set.StringVar(&o.obsd, "obsd", cmp.Or(os.Getenv("OBSD_BIN"), "bin/obsd"), "the obsd `binary`; OBSD_BIN in the environment sets it too")
	set.StringVar(&o.peerSource, "peer", "bench/peer", "the `folder` of the peer's module")
	set.IntVar(&o.lines, "lines", 1_000_000, "`number` of lines for rows that end in nop; the others take three tenths of it")
	set.IntVar(&o.rounds, "rounds", 3, "how often each row is run; the table shows medians")
	set.StringVar(&rows, "rows", "", "run only the rows whose name matches this regular `expression`")
	set.BoolVar(&o.check, "check", false, "exit with code 1 if a ratio is below its floor")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if o.lines < 10 || o.rounds < 1 {
		return o, fmt.Errorf("-lines must be at least 10 and -rounds at least 1")
	}
	var err error
	if o.rows, err = regexp.Compile(rows); err != nil {
		return o, fmt.Errorf("-rows: %w", err)
	}
	return o, nil
}

// bench runs all rows and says whether every ratio reached its floor; without -check it always says so.
func bench(ctx context.Context, args []string) (met bool, err error) {
	o, err := parseOptions(args)
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(o.obsd); err != nil {
		return false, fmt.Errorf("-obsd: %w: run `make build`", err)
	}
	peer, err := buildPeer(ctx, o.peerSource)
	if err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "obsd-bench-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(work) }() // a temporary folder
	r := &runner{obsd: o.obsd, peer: peer, work: work, rounds: o.rounds}
	var results []result
	for _, row := range rows() {
		if !o.rows.MatchString(row.name) {
			continue
		}
		got, err := r.row(ctx, row, row.lines(o.lines))
		if err != nil {
			return false, err
		}
		results = append(results, got...)
	}
	fmt.Print(table(results))
	low := belowFloor(results)
	for _, text := range low {
		fmt.Fprintln(os.Stderr, "peers:", text)
	}
	return !o.check || len(low) == 0, nil
}
