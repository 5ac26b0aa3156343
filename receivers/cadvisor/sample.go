package cadvisor

import (
	"context"

	info "github.com/google/cadvisor/lib/model"
)

// sample is one cgroup with who it is and its figures.
type sample struct {
	place
	identity
	spec  info.ContainerSpec
	stats *info.ContainerStats
	// psi says that the figures of pressure are real: without them the kernel's zeros would look like no pressure.
	psi bool
	// oom says that the count of processes killed for want of memory was read, even if it is zero.
	oom bool
	// own says that processes and open files are counted for the cgroup itself, not for those below it.
	own bool
}

// source reads figures. It is used by one goroutine at a time, all but processes.
type source interface {
	// read returns what could be read, sorted by path, and the error of what could not.
	read(ctx context.Context) ([]sample, error)
	// machine is what the figures are of, nil if unknown.
	machine() *info.MachineInfo
	close() error
}

// hasNetwork says whether any interface was read.
func (s *sample) hasNetwork() bool {
	return s.stats.Network != nil && len(s.stats.Network.Interfaces) > 0
}
