package kubelet

import (
	"maps"
	"slices"
)

// kind is how the values of a metric relate to each other over time.
type kind uint8

const (
	gauge   kind = iota // a reading
	sum                 // an amount that may go up and down
	counter             // a total since the start of what is measured
)

// entity is what a resource stands for.
type entity uint8

const (
	nodeEntity entity = iota
	systemEntity
	podEntity
	containerEntity
	volumeEntity
	entities
)

// stat is one figure of an entity. Not every entity has every one.
type stat uint8

const (
	cpuTime stat = iota
	cpuUsage
	memoryAvailable
	memoryUsage
	memoryRSS
	memoryWorkingSet
	memoryFaults
	memoryMajorFaults
	fsAvailable
	fsCapacity
	fsUsage
	networkIO
	networkErrors
	uptime
	fsInodes
	fsInodesFree
	fsInodesUsed
	psiTime
	psiPressure
	swapUsage
	swapAvailable
	processCount
	pidLimit
	imageFSAvailable
	imageFSCapacity
	imageFSUsage
	imageFSInodes
	imageFSInodesUsed
	runtimeFSAvailable
	runtimeFSCapacity
	runtimeFSUsage
	runtimeFSInodes
	runtimeFSInodesUsed
	ephemeralUsage
	acceleratorTotal
	acceleratorUsed
	acceleratorBusy
	userDefined
	podVolumeUsage
	cpuLimitUtilization
	cpuRequestUtilization
	memoryLimitUtilization
	memoryRequestUtilization
	cpuNodeUtilization
	memoryNodeUtilization
	cpuRequest
	cpuLimit
	memoryRequest
	memoryLimit
	storageRequest
	storageLimit
	restarts
	ready
	allocatableCPU
	allocatableMemory
	allocatableStorage
	allocatablePods
	capacityCPU
	capacityMemory
	capacityStorage
	capacityPods
	stats
)

// definition is one metric. Where contrib's kubeletstats receiver (or its k8s_cluster) has it, name, unit, type and
// whether it is on are theirs.
type definition struct {
	name, unit, description string
	kind                    kind
	on                      bool
}

// catalog holds the definition of each figure of each entity; one without a name is no metric.
type catalog [entities][stats]definition

// usageStats are on by default and the same for everything that runs.
func usageStats(prefix, of string) map[stat]definition {
	return map[stat]definition{
		cpuTime:           {prefix + "cpu.time", "s", "CPU time spent by the " + of + " since it started, over all cores.", counter, true},
		cpuUsage:          {prefix + "cpu.usage", "{cpu}", "CPUs that the " + of + " used, averaged over the time between two samples.", gauge, true},
		memoryAvailable:   {prefix + "memory.available", "By", "Memory that is left to the " + of + ": its limit less the working set.", gauge, true},
		memoryUsage:       {prefix + "memory.usage", "By", "All memory in use by the " + of + ", page cache included.", gauge, true},
		memoryRSS:         {prefix + "memory.rss", "By", "Anonymous memory of the " + of + ".", gauge, true},
		memoryWorkingSet:  {prefix + "memory.working_set", "By", "Memory of the " + of + " that cannot be reclaimed at once.", gauge, true},
		memoryFaults:      {prefix + "memory.page_faults", "1", "Minor page faults of the " + of + " since it started.", gauge, true},
		memoryMajorFaults: {prefix + "memory.major_page_faults", "1", "Major page faults of the " + of + " since it started.", gauge, true},
		fsAvailable:       {prefix + "filesystem.available", "By", "Space that is left on the file system of the " + of + ".", gauge, true},
		fsCapacity:        {prefix + "filesystem.capacity", "By", "Size of the file system of the " + of + ".", gauge, true},
		fsUsage:           {prefix + "filesystem.usage", "By", "Space that the " + of + " takes on the file system.", gauge, true},
		uptime:            {prefix + "uptime", "s", "Time since the " + of + " started.", counter, false},
		fsInodes:          {prefix + "filesystem.inode.count", "{inode}", "Inodes of the file system of the " + of + ".", gauge, false},
		fsInodesFree:      {prefix + "filesystem.inode.free", "{inode}", "Inodes that are free on the file system of the " + of + ".", gauge, false},
		fsInodesUsed:      {prefix + "filesystem.inode.used", "{inode}", "Inodes that the " + of + " takes.", gauge, false},
		psiTime:           {prefix + "psi.time", "s", "Time that tasks of the " + of + " waited for a resource.", counter, false},
		psiPressure:       {prefix + "psi.pressure", "1", "Share of the time that tasks of the " + of + " waited for a resource.", gauge, false},
		swapUsage:         {prefix + "memory.swap.usage", "By", "Swap in use by the " + of + ".", gauge, false},
		swapAvailable:     {prefix + "memory.swap.available", "By", "Swap that is left to the " + of + ".", gauge, false},
	}
}

func networkStatsOf(prefix, of string) map[stat]definition {
	return map[stat]definition{
		networkIO:     {prefix + "network.io", "By", "Bytes that the " + of + " received and sent.", counter, true},
		networkErrors: {prefix + "network.errors", "1", "Network errors of the " + of + ".", counter, true},
	}
}

func nodeStatsOnly() map[stat]definition {
	const n = "k8s.node."
	return map[stat]definition{
		processCount:        {n + "pid.usage", "{process}", "Process ids in use on the node.", gauge, false},
		pidLimit:            {n + "pid.limit", "{process}", "Process ids that the node may use.", gauge, false},
		imageFSAvailable:    {n + "image_filesystem.available", "By", "Space that is left where images are stored.", gauge, false},
		imageFSCapacity:     {n + "image_filesystem.capacity", "By", "Size of the file system where images are stored.", gauge, false},
		imageFSUsage:        {n + "image_filesystem.usage", "By", "Space that images take.", gauge, false},
		imageFSInodes:       {n + "image_filesystem.inode.count", "{inode}", "Inodes of the file system where images are stored.", gauge, false},
		imageFSInodesUsed:   {n + "image_filesystem.inode.used", "{inode}", "Inodes that images take.", gauge, false},
		runtimeFSAvailable:  {n + "container_filesystem.available", "By", "Space that is left where writable layers are stored.", gauge, false},
		runtimeFSCapacity:   {n + "container_filesystem.capacity", "By", "Size of the file system where writable layers are stored.", gauge, false},
		runtimeFSUsage:      {n + "container_filesystem.usage", "By", "Space that writable layers take.", gauge, false},
		runtimeFSInodes:     {n + "container_filesystem.inode.count", "{inode}", "Inodes of the file system where writable layers are stored.", gauge, false},
		runtimeFSInodesUsed: {n + "container_filesystem.inode.used", "{inode}", "Inodes that writable layers take.", gauge, false},
		allocatableCPU:      {n + "allocatable_cpu", "{cpu}", "CPUs of the node that pods may request.", gauge, true},
		allocatableMemory:   {n + "allocatable_memory", "By", "Memory of the node that pods may request.", gauge, true},
		allocatableStorage:  {n + "allocatable_ephemeral_storage", "By", "Ephemeral storage of the node that pods may request.", gauge, true},
		allocatablePods:     {n + "allocatable_pods", "{pod}", "Pods that the node may run.", gauge, true},
		capacityCPU:         {n + "capacity_cpu", "{cpu}", "CPUs of the node.", gauge, true},
		capacityMemory:      {n + "capacity_memory", "By", "Memory of the node.", gauge, true},
		capacityStorage:     {n + "capacity_ephemeral_storage", "By", "Ephemeral storage of the node.", gauge, true},
		capacityPods:        {n + "capacity_pods", "{pod}", "Pods that the node is made for.", gauge, true},
	}
}

// utilizationStats are a usage divided by what was requested, by the limit, or by what the node has.
func utilizationStats(prefix, of string) map[stat]definition {
	return map[stat]definition{
		cpuLimitUtilization:      {prefix + "cpu_limit_utilization", "1", "CPU usage of the " + of + " divided by its limit.", gauge, false},
		cpuRequestUtilization:    {prefix + "cpu_request_utilization", "1", "CPU usage of the " + of + " divided by its request.", gauge, false},
		memoryLimitUtilization:   {prefix + "memory_limit_utilization", "1", "Memory usage of the " + of + " divided by its limit.", gauge, false},
		memoryRequestUtilization: {prefix + "memory_request_utilization", "1", "Memory usage of the " + of + " divided by its request.", gauge, false},
		cpuNodeUtilization:       {prefix + "cpu.node.utilization", "1", "CPU usage of the " + of + " divided by the node's CPUs.", gauge, false},
		memoryNodeUtilization:    {prefix + "memory.node.utilization", "1", "Memory usage of the " + of + " divided by the node's memory.", gauge, false},
	}
}

func containerStatsOnly() map[stat]definition {
	const c = "k8s.container."
	return map[stat]definition{
		ephemeralUsage:   {c + "ephemeral_storage.usage", "By", "Ephemeral storage that the container takes, by kind.", gauge, false},
		acceleratorTotal: {"container.accelerator.memory.total", "By", "Memory of an accelerator of the container.", gauge, false},
		acceleratorUsed:  {"container.accelerator.memory.usage", "By", "Memory in use on an accelerator of the container.", gauge, false},
		acceleratorBusy:  {"container.accelerator.duty_cycle", "1", "Share of the time that an accelerator of the container was busy.", gauge, false},
		userDefined:      {"container.user_defined", "", "Metrics that containers defined themselves; each is named after it.", gauge, false},
		cpuRequest:       {c + "cpu_request", "{cpu}", "CPUs that the container requests.", gauge, true},
		cpuLimit:         {c + "cpu_limit", "{cpu}", "CPUs that the container may use.", gauge, true},
		memoryRequest:    {c + "memory_request", "By", "Memory that the container requests.", gauge, true},
		memoryLimit:      {c + "memory_limit", "By", "Memory that the container may use.", gauge, true},
		storageRequest:   {c + "ephemeralstorage_request", "By", "Ephemeral storage that the container requests.", gauge, true},
		storageLimit:     {c + "ephemeralstorage_limit", "By", "Ephemeral storage that the container may use.", gauge, true},
		restarts:         {c + "restarts", "{restart}", "How often the container has been restarted.", gauge, true},
		ready:            {c + "ready", "", "1 if the container is ready, else 0.", gauge, true},
	}
}

func volumeStatsOnly() map[stat]definition {
	const v = "k8s.volume."
	return map[stat]definition{
		fsAvailable:    {v + "available", "By", "Space that is left in the volume.", gauge, true},
		fsCapacity:     {v + "capacity", "By", "Size of the volume.", gauge, true},
		fsInodes:       {v + "inodes", "1", "Inodes of the volume's file system.", gauge, true},
		fsInodesFree:   {v + "inodes.free", "1", "Inodes that are free on the volume's file system.", gauge, true},
		fsInodesUsed:   {v + "inodes.used", "1", "Inodes that the volume takes.", gauge, true},
		podVolumeUsage: {"k8s.pod.volume.usage", "By", "Space that the volume takes.", sum, false},
	}
}

// newCatalog returns all metrics, with those switched on or off that the configuration names.
func newCatalog(cfg map[string]Toggle) *catalog {
	var c catalog
	c.add(nodeEntity, usageStats("k8s.node.", "node"), networkStatsOf("k8s.node.", "node"), nodeStatsOnly())
	c.add(systemEntity, usageStats("k8s.node.system_container.", "system container"))
	c.add(podEntity, usageStats("k8s.pod.", "pod"), networkStatsOf("k8s.pod.", "pod"), utilizationStats("k8s.pod.", "pod"),
		map[stat]definition{processCount: {"k8s.pod.process.count", "{process}", "Processes of the pod.", gauge, false}})
	c.add(containerEntity, usageStats("container.", "container"), utilizationStats("k8s.container.", "container"), containerStatsOnly())
	c.add(volumeEntity, volumeStatsOnly())
	for e := range c {
		for s := range c[e] {
			if toggle, ok := cfg[c[e][s].name]; ok && c[e][s].name != "" {
				c[e][s].on = toggle.Enabled
			}
		}
	}
	return &c
}

func (c *catalog) add(e entity, sets ...map[stat]definition) {
	for _, set := range sets {
		for s, d := range set {
			c[e][s] = d
		}
	}
	if e == systemEntity { // a system container has no file system of its own
		for s := fsAvailable; s <= fsUsage; s++ {
			c[e][s] = definition{}
		}
		for s := fsInodes; s <= fsInodesUsed; s++ {
			c[e][s] = definition{}
		}
	}
}

// wants says whether any of the figures is switched on.
func (c *catalog) wants(e entity, list ...stat) bool {
	return slices.ContainsFunc(list, func(s stat) bool { return c[e][s].on })
}

// metricNames lists what the configuration may switch.
func metricNames() []string {
	all := map[string]struct{}{}
	for _, list := range newCatalog(nil) {
		for _, d := range list {
			if d.name != "" {
				all[d.name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
