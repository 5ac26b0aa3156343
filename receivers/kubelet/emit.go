package kubelet

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Attributes of resources, as the semantic conventions name them.
const (
	attrNode            = "k8s.node.name"
	attrSystemContainer = "k8s.node.system_container.name"
	attrPod             = "k8s.pod.name"
	attrPodUID          = "k8s.pod.uid"
	attrNamespace       = "k8s.namespace.name"
	attrContainer       = "k8s.container.name"
	attrContainerID     = "container.id"
	attrImage           = "container.image.name"
	attrVolume          = "k8s.volume.name"
	attrVolumeType      = "k8s.volume.type"
	attrClaim           = "k8s.persistentvolumeclaim.name"
)

// maxAttributes is what a resource of a pod has without labels and annotations.
const maxAttributes = 10

// writer turns summaries of one node into metrics.
type writer struct {
	cfg    *Config
	groups map[string]bool
	page   *page
	rates  *rates
	seen   map[rateKey]struct{}

	s    *summary
	meta *metadata // nil without
	node string
	now  time.Time
}

func newWriter(cfg *Config, c *catalog, version string) *writer {
	w := &writer{cfg: cfg, groups: map[string]bool{}, page: newPage(c, version), rates: newRates(), seen: map[rateKey]struct{}{}}
	for _, g := range cfg.MetricGroups {
		w.groups[g] = true
	}
	return w
}

// write returns the metrics of a summary, and how many points they have. The summary may be filled anew afterwards.
func (w *writer) write(s *summary, meta *metadata, node string, now time.Time) (pmetric.Metrics, int) {
	w.s, w.meta, w.node, w.now, w.rates.now = s, meta, node, now, now
	if s.node.name != "" {
		w.node = s.node.name
	}
	w.page.begin(pcommon.NewTimestampFromTime(now), 1+len(s.pods)+len(s.containers))
	w.writeNode()
	for i := range s.pods {
		w.writePod(&s.pods[i])
	}
	w.writeUnmeasured()
	w.rates.end()
	w.s, w.meta = nil, nil
	return w.page.done(), w.page.points
}

func (w *writer) writeNode() {
	n := &w.s.node
	if w.groups[groupNode] {
		put(w.page.open(nodeEntity, n.start, 1), attrNode, w.node)
		w.uptime(n.start)
		w.cpu(rateKey{}, n.start, &n.cpu)
		w.memory(&n.memory, &n.swap)
		w.fs(&n.fs)
		w.network(&n.network, w.cfg.AllInterfaces.Node)
		w.psi(&n.cpu.psi, &n.memory.psi, &n.io)
		w.page.int(processCount, n.processes)
		w.page.int(pidLimit, n.maxPID)
		w.otherFS(&n.imageFs, imageFSAvailable)
		w.otherFS(&n.runtimeFs, runtimeFSAvailable)
		w.resources()
	}
	if !w.groups[groupSystem] {
		return
	}
	for _, c := range w.s.containers[n.containers.from:n.containers.to] {
		if c.older {
			continue
		}
		m := w.page.open(systemEntity, c.start, 2)
		put(m, attrNode, w.node)
		put(m, attrSystemContainer, c.name)
		w.usage("", &c)
	}
}

// usage writes what every container has.
func (w *writer) usage(uid string, c *containerStats) (cpus float64, known bool) {
	w.uptime(c.start)
	cpus, known = w.cpu(rateKey{uid: uid, name: c.name}, c.start, &c.cpu)
	w.memory(&c.memory, &c.swap)
	w.psi(&c.cpu.psi, &c.memory.psi, &c.io)
	return cpus, known
}

func (w *writer) writePod(p *podStats) {
	meta := w.meta.pod(p.uid)
	if w.groups[groupPod] {
		w.pod(p, meta, w.page.open(podEntity, p.start, maxAttributes+meta.extra()))
		w.uptime(p.start)
		cpus, known := w.cpu(rateKey{uid: p.uid}, p.start, &p.cpu)
		w.memory(&p.memory, &p.swap)
		w.fs(&p.fs)
		w.network(&p.network, w.cfg.AllInterfaces.Pod)
		w.psi(&p.cpu.psi, &p.memory.psi, &p.io)
		w.page.int(processCount, p.processes)
		w.utilization(meta.total(), cpus, known, p.memory.usage)
	}
	if w.groups[groupContainer] {
		for i := p.containers.from; i < p.containers.to; i++ {
			if c := &w.s.containers[i]; !c.older {
				w.writeContainer(p, c, meta)
			}
		}
	}
	if w.groups[groupVolume] {
		for i := p.volumes.from; i < p.volumes.to; i++ {
			w.writeVolume(p, &w.s.volumes[i], meta)
		}
	}
}

// pod sets the attributes that say which pod it is, and those that its metadata adds.
func (w *writer) pod(p *podStats, meta *podMeta, m pcommon.Map) {
	put(m, attrPodUID, p.uid)
	put(m, attrPod, p.name)
	put(m, attrNamespace, p.namespace)
	put(m, attrNode, w.node)
	meta.put(m)
}

func (w *writer) writeContainer(p *podStats, c *containerStats, meta *podMeta) {
	m := w.page.open(containerEntity, c.start, maxAttributes+meta.extra())
	w.pod(p, meta, m)
	put(m, attrContainer, c.name)
	cm := meta.container(c.name)
	w.identity(m, cm)
	cpus, known := w.usage(p.uid, c)
	w.fs(&c.rootfs)
	w.ephemeral(c)
	w.accelerators(c)
	w.userDefined(c)
	w.utilization(cm.requested(), cpus, known, c.memory.usage)
	if cm != nil {
		w.state(cm)
	}
}

// identity sets what the metadata knows of a container.
func (w *writer) identity(m pcommon.Map, cm *containerMeta) {
	if cm == nil {
		return
	}
	if w.cfg.Metadata.Source != sourceNone || slices.Contains(w.cfg.ExtraMetadataLabels, attrContainerID) {
		put(m, attrContainerID, cm.id)
	}
	if w.cfg.Metadata.Source != sourceNone {
		put(m, attrImage, cm.image)
	}
}

func (w *writer) writeVolume(p *podStats, v *volumeStats, meta *podMeta) {
	m := w.page.open(volumeEntity, p.start, maxAttributes+meta.extra())
	w.pod(p, meta, m)
	put(m, attrVolume, v.name)
	vm := meta.volume(v.name)
	if w.cfg.Metadata.Source != sourceNone || slices.Contains(w.cfg.ExtraMetadataLabels, attrVolumeType) {
		put(m, attrVolumeType, vm.kind)
		if v.claim == "" {
			put(m, attrClaim, vm.claim)
		}
	}
	put(m, attrClaim, v.claim)
	w.fs(&v.fs)
	w.page.int(podVolumeUsage, v.fs.used)
}

func (w *writer) uptime(start int64) {
	if since := w.now.UnixNano() - start; start > 0 && since >= 0 {
		w.page.int(uptime, num{v: uint64(since / int64(time.Second)), ok: true})
	}
}

func (w *writer) cpu(key rateKey, start int64, c *cpuStats) (cpus float64, known bool) {
	w.page.float(cpuTime, float64(c.usage.v)/1e9, c.usage.ok)
	cpus, known = w.rates.usage(key, start, c)
	w.page.float(cpuUsage, cpus, known)
	return cpus, known
}

func (w *writer) memory(m *memoryStats, s *swapStats) {
	w.page.int(memoryAvailable, m.available)
	w.page.int(memoryUsage, m.usage)
	w.page.int(memoryRSS, m.rss)
	w.page.int(memoryWorkingSet, m.workingSet)
	w.page.int(memoryFaults, m.faults)
	w.page.int(memoryMajorFaults, m.majorFaults)
	w.page.int(swapUsage, s.usage)
	w.page.int(swapAvailable, s.available)
}

func (w *writer) fs(f *fsStats) {
	w.page.int(fsAvailable, f.available)
	w.page.int(fsCapacity, f.capacity)
	w.page.int(fsUsage, f.used)
	w.page.int(fsInodes, f.inodes)
	w.page.int(fsInodesFree, f.inodesFree)
	w.page.int(fsInodesUsed, f.inodesUsed)
}

// otherFS writes one of the runtime's file systems; its figures follow each other in the catalog.
func (w *writer) otherFS(f *fsStats, first stat) {
	for i, n := range [...]num{f.available, f.capacity, f.used, f.inodes, f.inodesUsed} {
		w.page.int(first+stat(i), n)
	}
}

// utilization divides usage by requests and limits, and by what the node has.
func (w *writer) utilization(r *resources, cpus float64, known bool, memory num) {
	w.page.ratio(cpuLimitUtilization, cpus, r.cpuLimit.v, known && r.cpuLimit.ok)
	w.page.ratio(cpuRequestUtilization, cpus, r.cpuRequest.v, known && r.cpuRequest.ok)
	w.page.ratio(memoryLimitUtilization, float64(memory.v), r.memoryLimit.v, memory.ok && r.memoryLimit.ok)
	w.page.ratio(memoryRequestUtilization, float64(memory.v), r.memoryRequest.v, memory.ok && r.memoryRequest.ok)
	if w.meta != nil && w.meta.node != nil {
		node := &w.meta.node.capacity
		w.page.ratio(cpuNodeUtilization, cpus, node.cpu.v, known && node.cpu.ok)
		w.page.ratio(memoryNodeUtilization, float64(memory.v), node.memory.v, memory.ok && node.memory.ok)
	}
}
