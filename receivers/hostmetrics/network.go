package hostmetrics

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"

	"github.com/shirou/gopsutil/v4/net"
)

// networkSource reads what interfaces and TCP connections do.
type networkSource struct {
	host       host
	interfaces filter
}

func newNetworkSource(cfg *NetworkConfig, h host) networkSource {
	return networkSource{host: h, interfaces: filter{
		include: newMatcher(cfg.Include.MatchType, cfg.Include.Interfaces),
		exclude: newMatcher(cfg.Exclude.MatchType, cfg.Exclude.Interfaces),
	}}
}

func (s networkSource) scrape(ctx context.Context, p *page) error {
	var failed partial
	if p.wants("system.network.packets", "system.network.dropped", "system.network.errors", "system.network.io") {
		failed.add(4, "read interface counters", s.counters(ctx, p))
	}
	if p.wants("system.network.connections") {
		failed.add(1, "count tcp connections", s.connections(ctx, p))
	}
	if p.wants("system.network.conntrack.count", "system.network.conntrack.max") {
		failed.add(2, "read connection tracking", s.conntrack(ctx, p))
	}
	return failed.err()
}

func (s networkSource) counters(ctx context.Context, p *page) error {
	all, err := net.IOCountersByFileWithContext(ctx, true, s.host.procNet("dev"))
	for _, c := range all {
		if !s.interfaces.allows(c.Name) {
			continue
		}
		receive := []string{"device", c.Name, "direction", "receive"}
		transmit := []string{"device", c.Name, "direction", "transmit"}
		p.integer("system.network.packets", c.PacketsSent, transmit...)
		p.integer("system.network.packets", c.PacketsRecv, receive...)
		p.integer("system.network.dropped", c.Dropout, transmit...)
		p.integer("system.network.dropped", c.Dropin, receive...)
		p.integer("system.network.errors", c.Errout, transmit...)
		p.integer("system.network.errors", c.Errin, receive...)
		p.integer("system.network.io", c.BytesSent, transmit...)
		p.integer("system.network.io", c.BytesRecv, receive...)
	}
	return err
}

// connections counts TCP connections by state, those without any as zero.
func (s networkSource) connections(ctx context.Context, p *page) error {
	counts := map[string]uint64{}
	var err error
	if runtime.GOOS == "linux" {
		for _, state := range tcpStates() {
			counts[state] = 0
		}
		err = s.linuxConnections(counts)
	} else {
		var all []net.ConnectionStat
		all, err = net.ConnectionsWithContext(ctx, "tcp")
		for _, c := range all {
			counts[c.Status]++
		}
	}
	if err != nil {
		return err
	}
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		p.integer("system.network.connections", counts[state], "protocol", "tcp", "state", state)
	}
	return nil
}

// tcpStates are Linux's states by their number in /proc/net/tcp, named as
// gopsutil and so the Collector name them.
func tcpStates() map[string]string {
	return map[string]string{
		"01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "06": "TIME_WAIT",
		"07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": "LISTEN", "0B": "CLOSING",
	}
}

// linuxConnections reads the kernel's tables. gopsutil would look through the
// open files of every process to find whose each connection is, which nobody
// asked for and only root may do.
func (s networkSource) linuxConnections(counts map[string]uint64) error {
	if err := countStates(s.host.procNet("tcp"), counts); err != nil {
		return err
	}
	err := countStates(s.host.procNet("tcp6"), counts)
	if errors.Is(err, fs.ErrNotExist) { // IPv6 is switched off
		return nil
	}
	return err
}

func countStates(path string, counts map[string]uint64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(readStates(f, counts), f.Close())
}

// readStates counts the lines of a table by the state that their fourth column names.
func readStates(table io.Reader, counts map[string]uint64) error {
	const stateColumn = 3
	states := tcpStates()
	lines := bufio.NewScanner(table)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) <= stateColumn {
			continue
		}
		if state, ok := states[string(fields[stateColumn])]; ok {
			counts[state]++
		}
	}
	return lines.Err()
}

func (s networkSource) conntrack(ctx context.Context, p *page) error {
	all, err := net.FilterCountersWithContext(ctx)
	if err != nil {
		return fmt.Errorf("%w (is the nf_conntrack module loaded?)", err)
	}
	for _, c := range all {
		p.integer("system.network.conntrack.count", uint64(c.ConnTrackCount))
		p.integer("system.network.conntrack.max", uint64(c.ConnTrackMax))
	}
	return nil
}
