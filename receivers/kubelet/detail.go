package kubelet

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The figures of a summary whose points have attributes.

func (w *writer) network(n *networkStats, all bool) {
	list := w.s.interfaces[n.all.from:n.all.to]
	if !all {
		list = nil
		if n.primary.name != "" || n.primary.rxBytes.ok || n.primary.txBytes.ok {
			list = []interfaceStats{n.primary}
		}
	}
	w.traffic(networkIO, list, func(i *interfaceStats) (rx, tx num) { return i.rxBytes, i.txBytes })
	w.traffic(networkErrors, list, func(i *interfaceStats) (rx, tx num) { return i.rxErrors, i.txErrs })
}

func (w *writer) traffic(s stat, list []interfaceStats, of func(*interfaceStats) (rx, tx num)) {
	if !slices.ContainsFunc(list, func(i interfaceStats) bool { rx, tx := of(&i); return rx.ok || tx.ok }) {
		return
	}
	points, ok := w.page.metric(s)
	if !ok {
		return
	}
	points.EnsureCapacity(2 * len(list))
	for i := range list {
		rx, tx := of(&list[i])
		w.direction(points, rx, list[i].name, "receive")
		w.direction(points, tx, list[i].name, "transmit")
	}
}

func (w *writer) direction(to pmetric.NumberDataPointSlice, n num, name, direction string) {
	if !n.ok {
		return
	}
	dp := w.page.point(to, counter)
	dp.SetIntValue(clamp(n.v))
	dp.Attributes().EnsureCapacity(2)
	dp.Attributes().PutStr("interface", name)
	dp.Attributes().PutStr("direction", direction)
}

// psi writes the pressure on CPU, memory and I/O; a kubelet without PSI sends none.
func (w *writer) psi(cpu, memory, io *psi) {
	if !w.page.catalog.wants(w.page.entity, psiTime, psiPressure) {
		return
	}
	list := [...]struct {
		resource, stall string
		p               *pressure
	}{
		{"cpu", "some", &cpu.some},
		{"cpu", "full", &cpu.full},
		{"memory", "some", &memory.some},
		{"memory", "full", &memory.full},
		{"io", "some", &io.some},
		{"io", "full", &io.full},
	}
	known := list[:0:len(list)]
	for _, e := range list {
		if e.p.total.ok {
			known = append(known, e)
		}
	}
	if len(known) == 0 {
		return
	}
	if points, ok := w.page.metric(psiTime); ok {
		for _, e := range known {
			dp := w.page.point(points, counter)
			dp.SetDoubleValue(float64(e.p.total.v) / 1e9)
			dp.Attributes().PutStr("system.psi.resource", e.resource)
			dp.Attributes().PutStr("system.psi.stall_type", e.stall)
		}
	}
	if points, ok := w.page.metric(psiPressure); ok {
		for _, e := range known {
			for i, window := range [...]string{"10s", "60s", "300s"} {
				dp := w.page.point(points, gauge)
				dp.SetDoubleValue(e.p.average[i] / 100)
				dp.Attributes().PutStr("system.psi.resource", e.resource)
				dp.Attributes().PutStr("system.psi.stall_type", e.stall)
				dp.Attributes().PutStr("system.psi.window", window)
			}
		}
	}
}

func (w *writer) ephemeral(c *containerStats) {
	if !c.rootfs.used.ok && !c.logs.used.ok {
		return
	}
	points, ok := w.page.metric(ephemeralUsage)
	if !ok {
		return
	}
	for _, e := range [...]struct {
		kind string
		used num
	}{{"rootfs", c.rootfs.used}, {"logs", c.logs.used}} {
		if e.used.ok {
			dp := w.page.point(points, gauge)
			dp.SetIntValue(clamp(e.used.v))
			dp.Attributes().PutStr("fs.type", e.kind)
		}
	}
}

func (w *writer) accelerators(c *containerStats) {
	list := w.s.devices[c.devices.from:c.devices.to]
	w.accelerator(acceleratorTotal, list, func(a *acceleratorStats) num { return a.total })
	w.accelerator(acceleratorUsed, list, func(a *acceleratorStats) num { return a.used })
	w.accelerator(acceleratorBusy, list, func(a *acceleratorStats) num { return a.dutyCycled })
}

func (w *writer) accelerator(s stat, list []acceleratorStats, of func(*acceleratorStats) num) {
	if !slices.ContainsFunc(list, func(a acceleratorStats) bool { return of(&a).ok }) {
		return
	}
	points, ok := w.page.metric(s)
	if !ok {
		return
	}
	for i := range list {
		n := of(&list[i])
		if !n.ok {
			continue
		}
		dp := w.page.point(points, gauge)
		if s == acceleratorBusy {
			dp.SetDoubleValue(float64(n.v) / 100)
		} else {
			dp.SetIntValue(clamp(n.v))
		}
		put(dp.Attributes(), "accelerator.make", list[i].brand)
		put(dp.Attributes(), "accelerator.model", list[i].model)
		put(dp.Attributes(), "accelerator.id", list[i].id)
	}
}

// userDefined passes a container's own metrics on under their names. One that says it is a delta is a gauge here, for
// it is a rate over some time.
func (w *writer) userDefined(c *containerStats) {
	if !w.page.catalog.wants(containerEntity, userDefined) {
		return
	}
	for _, m := range w.s.custom[c.custom.from:c.custom.to] {
		if !m.ok || m.name == "" {
			continue
		}
		k := gauge
		if m.kind == "cumulative" {
			k = counter
		}
		points := w.page.add("container.user_defined."+m.name, m.unit, "", k)
		w.page.point(points, k).SetDoubleValue(m.value)
	}
}

// state writes what the metadata says of a container.
func (w *writer) state(cm *containerMeta) {
	if w.cfg.Metadata.Source == sourceNone {
		return
	}
	if cm.counts {
		r := &cm.resources
		w.page.float(cpuRequest, r.cpuRequest.v, r.cpuRequest.ok)
		w.page.float(cpuLimit, r.cpuLimit.v, r.cpuLimit.ok)
		w.page.int(memoryRequest, r.memoryRequest.whole())
		w.page.int(memoryLimit, r.memoryLimit.whole())
		w.page.int(storageRequest, r.storageRequest.whole())
		w.page.int(storageLimit, r.storageLimit.whole())
	}
	w.page.int(restarts, cm.restarts)
	w.page.int(ready, cm.ready)
}

// writeUnmeasured writes what is known of containers that run or are about to but are not in the summary yet, as one
// that has just been scheduled: its requests count from then on.
func (w *writer) writeUnmeasured() {
	if w.meta == nil || w.cfg.Metadata.Source == sourceNone || !w.groups[groupContainer] {
		return
	}
	clear(w.seen)
	for i := range w.s.pods {
		p := &w.s.pods[i]
		for _, c := range w.s.containers[p.containers.from:p.containers.to] {
			w.seen[rateKey{p.uid, c.name}] = struct{}{}
		}
	}
	for _, uid := range w.meta.order {
		pm := w.meta.pods[uid]
		p := podStats{name: pm.name, namespace: pm.namespace, uid: uid}
		for i := range pm.containers {
			cm := &pm.containers[i]
			if _, ok := w.seen[rateKey{uid, cm.name}]; ok || !cm.counts {
				continue
			}
			m := w.page.open(containerEntity, 0, maxAttributes+pm.extra())
			w.pod(&p, pm, m)
			put(m, attrContainer, cm.name)
			w.identity(m, cm)
			w.state(cm)
		}
	}
}

// resources writes what the Node object says that the node has, and what of it pods may request.
func (w *writer) resources() {
	if w.meta == nil || w.meta.node == nil {
		return
	}
	for _, r := range [...]struct {
		nodeResources
		cpu, memory, storage, pods stat
	}{
		{w.meta.node.allocatable, allocatableCPU, allocatableMemory, allocatableStorage, allocatablePods},
		{w.meta.node.capacity, capacityCPU, capacityMemory, capacityStorage, capacityPods},
	} {
		w.page.float(r.cpu, r.nodeResources.cpu.v, r.nodeResources.cpu.ok)
		w.page.int(r.memory, r.nodeResources.memory.whole())
		w.page.int(r.storage, r.nodeResources.storage.whole())
		w.page.int(r.pods, r.nodeResources.pods.whole())
	}
}
