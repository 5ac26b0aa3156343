package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/obsd-io/obsd/bench/genlogs"
	"github.com/obsd-io/obsd/bench/kubelet"
	"github.com/obsd-io/obsd/bench/sink"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/e2e/process"
	"github.com/obsd-io/obsd/internal/porttest"
)

// acceptedMetric is the Collector's own counter of records that a pipeline took from a receiver. Its full name ends in
// a unit and in _total in some versions.
const acceptedMetric = "otelcol_receiver_accepted_log_records"

// allocatedMetric is the Collector's counter of bytes that it ever allocated.
const allocatedMetric = "otelcol_process_runtime_total_alloc_bytes"

// pollInterval is how often progress is looked at. Each look costs the measured process about a millisecond.
const pollInterval = 100 * time.Millisecond

// stallTimeout ends a run that makes no progress.
const stallTimeout = 60 * time.Second

// runner runs rows; work is a folder of its own.
type runner struct {
	obsd, peer, work string
	rounds, runs     int
}

// measurement is one run of one program.
type measurement struct {
	lines int
	usage process.Usage
	ready time.Duration
	// allocated is the bytes that the program allocated meanwhile.
	allocated int64
}

// since takes off what had been spent until an earlier moment of the run.
func (m measurement) since(before measurement) measurement {
	m.lines -= before.lines
	m.allocated -= before.allocated
	m.usage.CPU -= before.usage.CPU
	return m
}

// perCPUSecond is how many lines went through for each second of CPU time.
func (m measurement) perCPUSecond() float64 { return float64(m.lines) / m.usage.CPU.Seconds() }

// result is what all rounds of one variant gave, beside the peer's runs of the same rounds.
type result struct {
	row        string
	variant    variant
	obsd, peer []measurement
}

// program is one of the programs that a row compares.
type program struct{ title, binary, config string }

// row runs the peer and all variants of obsd in each round, and turns the order round each time, so that a machine that
// gets slower or quicker does it to both.
func (r *runner) row(ctx context.Context, row row, lines int) ([]result, error) {
	var logs string
	var err error
	if row.kubelet == "" {
		if logs, err = r.logs(lines); err != nil {
			return nil, err
		}
	}
	programs := []program{{title: "peer", binary: r.peer, config: row.peer}}
	for _, v := range row.obsd {
		programs = append(programs, program{title: "obsd, " + v.name, binary: r.obsd, config: v.config})
	}
	if err := r.warmUp(ctx, programs, logs); err != nil {
		return nil, err
	}
	runs := make([][]measurement, len(programs))
	for round := range r.rounds {
		for i := range programs {
			if round%2 == 1 {
				i = len(programs) - 1 - i
			}
			m, err := r.run(ctx, programs[i], row, logs, lines)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", row.name, programs[i].title, err)
			}
			fmt.Fprintf(os.Stderr, "peers: %s: round %d of %d: %s: %s %s per CPU second\n",
				row.name, round+1, r.rounds, programs[i].title, thousands(m.perCPUSecond()), row.unit())
			runs[i] = append(runs[i], m)
		}
	}
	var results []result
	for i, v := range row.obsd {
		results = append(results, result{row: row.name, variant: v, obsd: runs[i+1], peer: runs[0]})
	}
	return results, nil
}

// warmUp starts and ends each program once: files are then in memory, and obsd has compiled its plugins, which it does
// once on each machine.
func (r *runner) warmUp(ctx context.Context, programs []program, logs string) error {
	for _, p := range programs {
		metrics, err := porttest.Reserve()
		if err != nil {
			return err
		}
		d, err := r.start(ctx, p, metrics, "LOGS="+logs, "SINK=http://127.0.0.1:1", "KUBELET=http://127.0.0.1:1", "KUBELET_ADDRESS=127.0.0.1:1")
		if err != nil {
			return fmt.Errorf("%s: %w", p.title, err)
		}
		if err := d.Kill(); err != nil {
			return err
		}
	}
	return nil
}

// logs writes the lines to a folder that looks like /var/log/pods, once for each number of lines.
func (r *runner) logs(lines int) (dir string, err error) {
	dir = filepath.Join(r.work, "logs-"+strconv.Itoa(lines))
	path := filepath.Join(dir, genlogs.PodPath)
	if _, err := os.Stat(path); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return dir, errors.Join(genlogs.Write(f, lines, genlogs.CRI), f.Close())
}

// run starts one program and measures it until all lines, or scrapes, are through: from its start, or from its first scrapes
// on.
func (r *runner) run(ctx context.Context, p program, row row, logs string, lines int) (m measurement, err error) {
	target, err := sink.Start()
	if err != nil {
		return m, err
	}
	defer func() { _ = target.Close() }()
	node, err := kubelet.Start(110, 2)
	if err != nil {
		return m, err
	}
	defer func() { _ = node.Close() }()
	metrics, err := porttest.Reserve()
	if err != nil {
		return m, err
	}
	d, err := r.start(ctx, p, metrics, "LOGS="+logs, "SINK="+target.URL, "KUBELET="+node.URL, "KUBELET_ADDRESS="+strings.TrimPrefix(node.URL, "http://"))
	if err != nil {
		return m, err
	}
	defer func() { err = joinStop(err, d) }()

	own := "http://" + metrics + "/metrics"
	progress := func(ctx context.Context) (int64, error) {
		switch {
		case row.sink:
			return target.Records(), nil
		case row.kubelet != "": // a scrape is done when the next one begins
			return node.Scrapes(row.kubelet) - 1, nil
		}
		return total(ctx, own, acceptedMetric)
	}
	spent := func(lines int) (m measurement, err error) {
		if err := waitFor(ctx, int64(lines), progress); err != nil {
			return m, fmt.Errorf("%w\n%s", err, d.Log())
		}
		if m.usage, err = d.Usage(); err != nil {
			return m, err
		}
		m.allocated, err = total(ctx, own, allocatedMetric)
		m.lines, m.ready = lines, d.StartTime
		return m, err
	}
	var before measurement
	if n := row.before(lines); n > 0 {
		if before, err = spent(n); err != nil {
			return m, err
		}
	}
	m, err = spent(before.lines + lines)
	return m.since(before), err
}

// start starts a program in a new folder, with its own metrics on the given address.
func (r *runner) start(ctx context.Context, p program, metrics string, env ...string) (*daemon.Daemon, error) {
	binary, err := filepath.Abs(p.binary)
	if err != nil {
		return nil, err
	}
	config, err := configs.ReadFile("configs/" + p.config)
	if err != nil {
		return nil, err
	}
	r.runs++
	dir := filepath.Join(r.work, "run-"+strconv.Itoa(r.runs))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(metrics)
	if err != nil {
		return nil, err
	}
	return daemon.Start(ctx, daemon.Settings{Binary: binary, Config: string(config), Dir: dir, Env: append(env, "METRICS_PORT="+port)})
}

// joinStop kills the program: its work is done and measured, and what is left in its queues is of no interest.
func joinStop(err error, d *daemon.Daemon) error {
	if stop := d.Kill(); err == nil {
		err = stop
	}
	return err
}

// waitFor waits until progress has reached the number. It gives up when nothing moves any more.
func waitFor(ctx context.Context, want int64, progress func(context.Context) (int64, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	last, moved := int64(-1), time.Now()
	for {
		n, err := progress(ctx)
		switch {
		case err == nil && n >= want:
			return nil
		case err == nil && n != last:
			last, moved = n, time.Now()
		case time.Since(moved) > stallTimeout:
			return fmt.Errorf("stopped at %d of %d records (last error: %w)", last, want, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// total adds up one of the program's own counters.
func total(ctx context.Context, url, counter string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var sum float64
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), counter) {
			continue
		}
		fields := strings.Fields(lines.Text())
		n, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", counter, err)
		}
		sum += n
	}
	return int64(sum), lines.Err()
}
