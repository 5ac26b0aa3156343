package k8scluster

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// stat is one metric: its place in the catalog.
type stat int

const (
	deploymentDesired stat = iota
	deploymentAvailable
	deploymentReady
	deploymentUpdated
	replicaSetDesired
	replicaSetAvailable
	replicaSetReady
	controllerDesired
	controllerAvailable
	controllerReady
	statefulSetDesired
	statefulSetCurrent
	statefulSetReady
	statefulSetUpdated
	statefulSetAvailable
	daemonSetCurrent
	daemonSetDesired
	daemonSetMisscheduled
	daemonSetReady
	daemonSetAvailable
	daemonSetUpdated
	jobActive
	jobDesired
	jobFailed
	jobMaxParallel
	jobSuccessful
	cronJobActive
	hpaCurrent
	hpaDesired
	hpaMax
	hpaMin
	quotaHard
	quotaUsed
	namespacePhase
	nodeCondition
	podPhase
	podStatusReason
	podCondition
	podCPURequest
	podCPULimit
	podMemoryRequest
	podMemoryLimit
	podStorageRequest
	podStorageLimit
	containerCPURequest
	containerCPULimit
	containerMemoryRequest
	containerMemoryLimit
	containerEphemeralRequest
	containerEphemeralLimit
	containerStorageRequest
	containerStorageLimit
	containerReady
	containerRestarts
	containerState
	containerReason
	containerTerminated
	stats // those of the configured conditions and allocatable resources follow
)

// definition is one metric. Where contrib's k8s_cluster receiver has it, name, unit and type are its own.
type definition struct {
	name, unit, description string
	// label is the attribute of its points, if they have one.
	label string
	// float is set if values are not whole; sum if it is a sum that may fall and not a gauge; off if it is so by default.
	float, sum, off bool
}

const (
	unitCPU   = "{cpu}"
	unitBytes = "By"
	unitPod   = "{pod}"
	unitNode  = "{node}"
	unitNone  = ""
)

func gauge(name, unit, description string) definition {
	return definition{name: name, unit: unit, description: description}
}

func (d definition) by(label string) definition { d.label = label; return d }
func (d definition) fractions() definition      { d.float = true; return d }
func (d definition) asSum() definition          { d.sum = true; return d }
func (d definition) hidden() definition         { d.off = true; return d }

// static is all metrics whose names do not depend on the configuration.
func static() [stats]definition {
	const d, rs, rc, st = "k8s.deployment.", "k8s.replicaset.", "k8s.replication_controller.", "k8s.statefulset."
	const ds, job, hpa, pod, c = "k8s.daemonset.", "k8s.job.", "k8s.hpa.", "k8s.pod.", "k8s.container."
	return [stats]definition{
		deploymentDesired:         gauge(d+"desired", unitPod, "Pods that the Deployment should have."),
		deploymentAvailable:       gauge(d+"available", unitPod, "Pods of the Deployment that have been ready for minReadySeconds."),
		deploymentReady:           gauge(d+"ready", unitPod, "Pods of the Deployment that are ready."),
		deploymentUpdated:         gauge(d+"updated", unitPod, "Pods of the Deployment that are of its newest template."),
		replicaSetDesired:         gauge(rs+"desired", unitPod, "Pods that the ReplicaSet should have."),
		replicaSetAvailable:       gauge(rs+"available", unitPod, "Pods of the ReplicaSet that have been ready for minReadySeconds."),
		replicaSetReady:           gauge(rs+"ready", unitPod, "Pods of the ReplicaSet that are ready."),
		controllerDesired:         gauge(rc+"desired", unitPod, "Pods that the ReplicationController should have."),
		controllerAvailable:       gauge(rc+"available", unitPod, "Pods of the controller that have been ready for minReadySeconds."),
		controllerReady:           gauge(rc+"ready", unitPod, "Pods of the ReplicationController that are ready."),
		statefulSetDesired:        gauge(st+"desired_pods", unitPod, "Pods that the StatefulSet should have."),
		statefulSetCurrent:        gauge(st+"current_pods", unitPod, "Pods of the StatefulSet that are of its current revision."),
		statefulSetReady:          gauge(st+"ready_pods", unitPod, "Pods of the StatefulSet that are ready."),
		statefulSetUpdated:        gauge(st+"updated_pods", unitPod, "Pods of the StatefulSet that are of its newest revision."),
		statefulSetAvailable:      gauge(st+"pod.available", unitPod, "Pods of the StatefulSet that have been ready for minReadySeconds.").asSum(),
		daemonSetCurrent:          gauge(ds+"current_scheduled_nodes", unitNode, "Nodes that run a pod of the DaemonSet and should."),
		daemonSetDesired:          gauge(ds+"desired_scheduled_nodes", unitNode, "Nodes that should run a pod of the DaemonSet."),
		daemonSetMisscheduled:     gauge(ds+"misscheduled_nodes", unitNode, "Nodes that run a pod of the DaemonSet and should not."),
		daemonSetReady:            gauge(ds+"ready_nodes", unitNode, "Nodes that should run a pod and have one that is ready."),
		daemonSetAvailable:        gauge(ds+"available_nodes", unitNode, "Nodes that should run a pod and have one that has been ready for minReadySeconds."),
		daemonSetUpdated:          gauge(ds+"updated_nodes", unitNode, "Nodes that run a pod of the DaemonSet of its newest template."),
		jobActive:                 gauge(job+"active_pods", unitPod, "Pods of the Job that run or are to run."),
		jobDesired:                gauge(job+"desired_successful_pods", unitPod, "Pods that should succeed for the Job to be complete."),
		jobFailed:                 gauge(job+"failed_pods", unitPod, "Pods of the Job that failed."),
		jobMaxParallel:            gauge(job+"max_parallel_pods", unitPod, "Pods of the Job that may run at a time."),
		jobSuccessful:             gauge(job+"successful_pods", unitPod, "Pods of the Job that succeeded."),
		cronJobActive:             gauge("k8s.cronjob.active_jobs", "{job}", "Jobs of the CronJob that run."),
		hpaCurrent:                gauge(hpa+"current_replicas", unitPod, "Pods that the autoscaler last saw."),
		hpaDesired:                gauge(hpa+"desired_replicas", unitPod, "Pods that the autoscaler wants."),
		hpaMax:                    gauge(hpa+"max_replicas", unitPod, "Pods that the autoscaler may want at most."),
		hpaMin:                    gauge(hpa+"min_replicas", unitPod, "Pods that the autoscaler may want at least."),
		quotaHard:                 gauge("k8s.resource_quota.hard_limit", "{resource}", "Limit of a resource; requests.cpu and limits.cpu in thousandths.").by("resource"),
		quotaUsed:                 gauge("k8s.resource_quota.used", "{resource}", "Use of a resource; requests.cpu and limits.cpu in thousandths.").by("resource"),
		namespacePhase:            gauge("k8s.namespace.phase", unitNone, "1 if the namespace is active, 0 if it is being removed, else -1."),
		nodeCondition:             gauge("k8s.node.condition", "{condition}", "A condition: 1 if it is true, 0 if false, -1 if unknown.").by("condition").hidden(),
		podPhase:                  gauge(pod+"phase", unitNone, "Phase of the pod: 1 Pending, 2 Running, 3 Succeeded, 4 Failed, 5 Unknown."),
		podStatusReason:           gauge(pod+"status_reason", unitNone, "1 Evicted, 2 NodeAffinity, 3 NodeLost, 4 Shutdown, 5 UnexpectedAdmissionError, 6 another.").hidden(),
		podCondition:              gauge(pod+"condition", "{condition}", "A condition: 1 if it is true, 0 if false, -1 if unknown.").by("condition"),
		podCPURequest:             gauge(pod+"cpu.request", unitCPU, "CPUs that the scheduler sets aside for the pod.").fractions().hidden(),
		podCPULimit:               gauge(pod+"cpu.limit", unitCPU, "CPUs that the pod may use.").fractions().hidden(),
		podMemoryRequest:          gauge(pod+"memory.request", unitBytes, "Memory that the scheduler sets aside for the pod.").hidden(),
		podMemoryLimit:            gauge(pod+"memory.limit", unitBytes, "Memory that the pod may use.").hidden(),
		podStorageRequest:         gauge(pod+"ephemeral_storage.request", unitBytes, "Ephemeral storage that the scheduler sets aside for the pod.").hidden(),
		podStorageLimit:           gauge(pod+"ephemeral_storage.limit", unitBytes, "Ephemeral storage that the pod may use.").hidden(),
		containerCPURequest:       gauge(c+"cpu_request", unitCPU, "CPUs that the container requests.").fractions(),
		containerCPULimit:         gauge(c+"cpu_limit", unitCPU, "CPUs that the container may use.").fractions(),
		containerMemoryRequest:    gauge(c+"memory_request", unitBytes, "Memory that the container requests."),
		containerMemoryLimit:      gauge(c+"memory_limit", unitBytes, "Memory that the container may use."),
		containerEphemeralRequest: gauge(c+"ephemeralstorage_request", unitBytes, "Ephemeral storage that the container requests."),
		containerEphemeralLimit:   gauge(c+"ephemeralstorage_limit", unitBytes, "Ephemeral storage that the container may use."),
		containerStorageRequest:   gauge(c+"storage_request", unitBytes, "Storage that the container requests."),
		containerStorageLimit:     gauge(c+"storage_limit", unitBytes, "Storage that the container may use."),
		containerReady:            gauge(c+"ready", unitNone, "1 if the container is ready, else 0."),
		containerRestarts:         gauge(c+"restarts", "{restart}", "How often the container has been restarted."),
		containerState:            gauge(c+"status.state", "{container}", "1 for the state that the container is in.").by("k8s.container.status.state").asSum(),
		containerReason:           gauge(c+"status.reason", "{container}", "1 for the reason why the container waits or has terminated.").by("k8s.container.status.reason").asSum(),
		containerTerminated:       gauge(c+"status.last_terminated_time", "s", "When the container before this one ended, in seconds since 1970.").by("k8s.container.status.last_terminated_reason"),
	}
}

// metricNames lists what `metrics` may name.
func metricNames() (names []string) {
	for _, d := range static() {
		names = append(names, d.name)
	}
	return names
}

// catalog is what the configuration makes of the metrics and attributes.
type catalog struct {
	metrics []definition
	on      []bool
	// conditions and allocatable find the metric of a node's condition or resource.
	conditions, allocatable map[string]stat
	podConditions           []string
	attributes              map[string]bool
}

func newCatalog(cfg *Config) *catalog {
	all := static()
	c := &catalog{
		metrics: all[:], conditions: map[string]stat{}, allocatable: map[string]stat{},
		podConditions: cfg.PodConditionsToReport, attributes: attributes(),
	}
	for _, condition := range cfg.NodeConditionsToReport {
		d := gauge("k8s.node.condition_"+snake(condition), unitNone, "Condition "+condition+": 1 if it is true, 0 if false, -1 if unknown.")
		c.conditions[condition] = c.add(d)
	}
	for _, kind := range cfg.AllocatableTypesToReport {
		unit, float := allocatableUnit(kind)
		d := gauge("k8s.node.allocatable_"+snake(kind), unit, "What pods may request of the node's "+kind+".")
		d.float = float
		c.allocatable[kind] = c.add(d)
	}
	for _, d := range c.metrics {
		toggle, ok := cfg.Metrics[d.name]
		c.on = append(c.on, ok && toggle.Enabled || !ok && !d.off)
	}
	maps.Copy(c.attributes, enabled(cfg.ResourceAttributes))
	return c
}

func (c *catalog) add(d definition) stat {
	if i := slices.IndexFunc(c.metrics, func(o definition) bool { return o.name == d.name }); i >= 0 {
		return stat(i) // named twice
	}
	c.metrics = append(c.metrics, d)
	return stat(len(c.metrics) - 1)
}

func enabled(toggles map[string]Toggle) map[string]bool {
	m := map[string]bool{}
	for name, t := range toggles {
		m[name] = t.Enabled
	}
	return m
}

func allocatableUnit(kind string) (unit string, float bool) {
	switch kind {
	case "cpu":
		return unitCPU, true
	case "memory", "ephemeral-storage", "storage":
		return unitBytes, false
	case "pods":
		return unitPod, false
	}
	return "{" + kind + "}", false
}

// snake writes MemoryPressure as memory_pressure, PIDPressure as pid_pressure and ephemeral-storage as ephemeral_storage.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			b.WriteByte('_')
			continue
		}
		if i > 0 && starts(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// starts says whether a word starts at i: at a capital after a small letter, at the last capital of several before a small
// letter, and between letters and digits.
func starts(runes []rune, i int) bool {
	before, r := runes[i-1], runes[i]
	switch {
	case unicode.IsDigit(before) != unicode.IsDigit(r):
		return unicode.IsLetter(before) || unicode.IsDigit(before)
	case unicode.IsLower(before):
		return unicode.IsUpper(r)
	}
	return unicode.IsUpper(before) && unicode.IsUpper(r) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
}
