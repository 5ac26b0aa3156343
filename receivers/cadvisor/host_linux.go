package cadvisor

import (
	"os"
	"runtime"
	"time"

	"github.com/google/cadvisor/lib/machine"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/utils/sysinfo"
	"github.com/google/cadvisor/lib/version"
	"go.uber.org/zap"
)

// hostInfo is what is known of the machine. No file system is looked at: one that hangs would hang us.
type hostInfo struct {
	machine *info.MachineInfo
	read    time.Time
	logger  *zap.Logger
}

func newHostInfo(logger *zap.Logger) *hostInfo {
	h := &hostInfo{logger: logger}
	h.refresh(time.Now(), 0)
	return h
}

// refresh reads it again when it is old. A part that cannot be read stays empty.
func (h *hostInfo) refresh(now time.Time, every time.Duration) {
	if h.machine != nil && now.Sub(h.read) < every {
		return
	}
	h.read = now
	m := &info.MachineInfo{Timestamp: now, NumCores: runtime.NumCPU()}
	note := func(what string, err error) {
		if err != nil {
			h.logger.Debug("cannot read "+what, zap.Error(err))
		}
	}
	if cpuinfo, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.NumPhysicalCores = machine.GetPhysicalCores(cpuinfo)
		m.NumSockets = machine.GetSockets(cpuinfo)
		m.CPUVendorID = machine.GetCPUVendorID(cpuinfo)
	}
	var err error
	m.MemoryCapacity, err = machine.GetMachineMemoryCapacity()
	note("the machine's memory", err)
	m.SwapCapacity, err = machine.GetMachineSwapCapacity()
	note("the machine's swap", err)
	m.DiskMap, err = sysinfo.GetBlockDeviceInfo(sysfs.NewRealSysFs())
	note("block devices", err)
	h.machine = m
}

// GetMachineInfo implements the library's MachineInfoFactory.
func (h *hostInfo) GetMachineInfo() (*info.MachineInfo, error) { return h.machine, nil }

// GetVersionInfo implements the library's MachineInfoFactory.
func (h *hostInfo) GetVersionInfo() (*info.VersionInfo, error) {
	return &info.VersionInfo{KernelVersion: machine.KernelVersion(), ContainerOsVersion: machine.ContainerOsVersion(), CadvisorVersion: version.Info["version"]}, nil
}
