package hostmetrics

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
)

// Config is what a user may set under `receivers: host_metrics:`. An empty
// section is a whole configuration: all scrapers, each with its defaults.
type Config struct {
	// Controller is when to scrape: `collection_interval` (default 1m),
	// `initial_delay` (default 1s) and `timeout` (default none).
	Controller scraperhelper.ControllerConfig `mapstructure:",squash"`

	// RootPath is where the host's root directory is mounted when obsd runs in a
	// container, for example /hostfs. Linux only. Two receivers may have two
	// root paths.
	RootPath string `mapstructure:"root_path"`

	// ResourceAttributes says which attributes the resource gets.
	ResourceAttributes ResourceAttributes `mapstructure:"resource_attributes"`

	// Scrapers says what to read. Without it, or with nothing in it, all six run.
	Scrapers Scrapers `mapstructure:"scrapers"`
}

// Toggle switches one metric or attribute on or off.
type Toggle struct {
	// Enabled says whether it is emitted.
	Enabled bool `mapstructure:"enabled"`
}

// ResourceAttributes is the `resource_attributes` section. Both are on, because
// without them nobody can tell one host's data from another's.
type ResourceAttributes struct {
	// HostName is the `host.name` attribute.
	HostName Toggle `mapstructure:"host.name"`
	// OSType is the `os.type` attribute, for example linux.
	OSType Toggle `mapstructure:"os.type"`
}

// Scrapers is the `scrapers` section. A key with nothing behind it runs that
// scraper with its defaults.
type Scrapers struct {
	// CPU reads the time, count and frequency of the CPUs.
	CPU configoptional.Optional[CPUConfig] `mapstructure:"cpu"`
	// Memory reads how memory is used.
	Memory configoptional.Optional[MemoryConfig] `mapstructure:"memory"`
	// Load reads the load averages.
	Load configoptional.Optional[LoadConfig] `mapstructure:"load"`
	// Disk reads what block devices do.
	Disk configoptional.Optional[DiskConfig] `mapstructure:"disk"`
	// Filesystem reads how full file systems are.
	Filesystem configoptional.Optional[FilesystemConfig] `mapstructure:"filesystem"`
	// Network reads what interfaces and TCP connections do.
	Network configoptional.Optional[NetworkConfig] `mapstructure:"network"`
}

// Metrics switches single metrics on and off by name.
type Metrics map[string]Toggle

// CPUConfig is the `cpu` scraper.
type CPUConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
}

// MemoryConfig is the `memory` scraper.
type MemoryConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
}

// LoadConfig is the `load` scraper.
type LoadConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
	// CPUAverage divides the load by the number of logical CPUs.
	CPUAverage bool `mapstructure:"cpu_average"`
}

// DiskConfig is the `disk` scraper.
type DiskConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
	// Include names the devices to read; without it all are.
	Include DeviceMatch `mapstructure:"include"`
	// Exclude names the devices to leave out.
	Exclude DeviceMatch `mapstructure:"exclude"`
}

// FilesystemConfig is the `filesystem` scraper.
type FilesystemConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
	// IncludeVirtual also reads file systems without a block device: tmpfs,
	// overlay, NFS and their like.
	IncludeVirtual bool `mapstructure:"include_virtual_filesystems"`
	// IncludeDevices names the devices to read; without it all are.
	IncludeDevices DeviceMatch `mapstructure:"include_devices"`
	// ExcludeDevices names the devices to leave out.
	ExcludeDevices DeviceMatch `mapstructure:"exclude_devices"`
	// IncludeFSTypes names the file system types to read; without it all are.
	IncludeFSTypes FSTypeMatch `mapstructure:"include_fs_types"`
	// ExcludeFSTypes names the file system types to leave out.
	ExcludeFSTypes FSTypeMatch `mapstructure:"exclude_fs_types"`
	// IncludeMountPoints names the mount points to read, as the host sees them;
	// without it all are.
	IncludeMountPoints MountPointMatch `mapstructure:"include_mount_points"`
	// ExcludeMountPoints names the mount points to leave out, as the host sees them.
	ExcludeMountPoints MountPointMatch `mapstructure:"exclude_mount_points"`
}

// NetworkConfig is the `network` scraper.
type NetworkConfig struct {
	// Metrics switches single metrics on and off.
	Metrics Metrics `mapstructure:"metrics"`
	// Include names the interfaces to read; without it all are.
	Include InterfaceMatch `mapstructure:"include"`
	// Exclude names the interfaces to leave out.
	Exclude InterfaceMatch `mapstructure:"exclude"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Controller: scraperhelper.NewDefaultControllerConfig(),
		ResourceAttributes: ResourceAttributes{
			HostName: Toggle{Enabled: true},
			OSType:   Toggle{Enabled: true},
		},
		Scrapers: Scrapers{
			CPU:        configoptional.Default(CPUConfig{}),
			Memory:     configoptional.Default(MemoryConfig{}),
			Load:       configoptional.Default(LoadConfig{}),
			Disk:       configoptional.Default(DiskConfig{}),
			Filesystem: configoptional.Default(FilesystemConfig{}),
			Network:    configoptional.Default(NetworkConfig{}),
		},
	}
}

// allIfNone switches all scrapers on where a configuration names none.
func (s *Scrapers) allIfNone() {
	if s.CPU.HasValue() || s.Memory.HasValue() || s.Load.HasValue() ||
		s.Disk.HasValue() || s.Filesystem.HasValue() || s.Network.HasValue() {
		return
	}
	s.CPU.GetOrInsertDefault()
	s.Memory.GetOrInsertDefault()
	s.Load.GetOrInsertDefault()
	s.Disk.GetOrInsertDefault()
	s.Filesystem.GetOrInsertDefault()
	s.Network.GetOrInsertDefault()
}

// Validate reports every problem of the section itself at once; the scrapers
// validate their own parts.
func (c *Config) Validate() error {
	var errs []error
	if c.RootPath != "" && runtime.GOOS != "linux" {
		errs = append(errs, fmt.Errorf("root_path: is for Linux only, this is %s: remove it", runtime.GOOS))
	}
	if c.RootPath != "" && !filepath.IsAbs(c.RootPath) {
		errs = append(errs, fmt.Errorf("root_path: %q is not absolute: write it with a leading slash", c.RootPath))
	}
	return errors.Join(errs...)
}

// Validate reports unknown metrics.
func (c *CPUConfig) Validate() error { return c.Metrics.check(cpuMetrics()) }

// Validate reports unknown metrics.
func (c *MemoryConfig) Validate() error { return c.Metrics.check(memoryMetrics()) }

// Validate reports unknown metrics.
func (c *LoadConfig) Validate() error { return c.Metrics.check(loadMetrics()) }

// Validate reports unknown metrics and bad filters.
func (c *DiskConfig) Validate() error {
	return errors.Join(c.Metrics.check(diskMetrics()), c.Include.check("include"), c.Exclude.check("exclude"))
}

// Validate reports unknown metrics and bad filters.
func (c *FilesystemConfig) Validate() error {
	return errors.Join(
		c.Metrics.check(filesystemMetrics()),
		c.IncludeDevices.check("include_devices"), c.ExcludeDevices.check("exclude_devices"),
		c.IncludeFSTypes.check("include_fs_types"), c.ExcludeFSTypes.check("exclude_fs_types"),
		c.IncludeMountPoints.check("include_mount_points"), c.ExcludeMountPoints.check("exclude_mount_points"),
	)
}

// Validate reports unknown metrics and bad filters.
func (c *NetworkConfig) Validate() error {
	return errors.Join(c.Metrics.check(networkMetrics()), c.Include.check("include"), c.Exclude.check("exclude"))
}

func (m Metrics) check(known []definition) error {
	var errs []error
	have := names(known)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(have, name) {
			errs = append(errs, fmt.Errorf("metrics: %q is unknown here: use one of %v", name, have))
		}
	}
	return errors.Join(errs...)
}
