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

// static is all metrics whose names do not depend on the configuration.
func static() [stats]definition {
	const d, rs, rc, st, ds, job, hpa, pod, c = "k8s.deployment.", "k8s.replicaset.", "k8s.replication_controller.", "k8s.statefulset.",
		"k8s.daemonset.", "k8s.job.", "k8s.hpa.", "k8s.pod.", "k8s.container."
	return [stats]definition{
		deploymentDesired:         {name: d + "desired", unit: unitPod, description: "Pods that the Deployment should have."},
		deploymentAvailable:       {name: d + "available", unit: unitPod, description: "Pods of the Deployment that have been ready for minReadySeconds."},
		deploymentReady:           {name: d + "ready", unit: unitPod, description: "Pods of the Deployment that are ready."},
		deploymentUpdated:         {name: d + "updated", unit: unitPod, description: "Pods of the Deployment that are of its newest template."},
		replicaSetDesired:         {name: rs + "desired", unit: unitPod, description: "Pods that the ReplicaSet should have."},
		replicaSetAvailable:       {name: rs + "available", unit: unitPod, description: "Pods of the ReplicaSet that have been ready for minReadySeconds."},
		replicaSetReady:           {name: rs + "ready", unit: unitPod, description: "Pods of the ReplicaSet that are ready."},
		controllerDesired:         {name: rc + "desired", unit: unitPod, description: "Pods that the ReplicationController should have."},
		controllerAvailable:       {name: rc + "available", unit: unitPod, description: "Pods of the ReplicationController that have been ready for minReadySeconds."},
		controllerReady:           {name: rc + "ready", unit: unitPod, description: "Pods of the ReplicationController that are ready."},
		statefulSetDesired:        {name: st + "desired_pods", unit: unitPod, description: "Pods that the StatefulSet should have."},
		statefulSetCurrent:        {name: st + "current_pods", unit: unitPod, description: "Pods of the StatefulSet that are of its current revision."},
		statefulSetReady:          {name: st + "ready_pods", unit: unitPod, description: "Pods of the StatefulSet that are ready."},
		statefulSetUpdated:        {name: st + "updated_pods", unit: unitPod, description: "Pods of the StatefulSet that are of its newest revision."},
		statefulSetAvailable:      {name: st + "pod.available", unit: unitPod, description: "Pods of the StatefulSet that have been ready for minReadySeconds.", sum: true},
		daemonSetCurrent:          {name: ds + "current_scheduled_nodes", unit: unitNode, description: "Nodes that run a pod of the DaemonSet and should."},
		daemonSetDesired:          {name: ds + "desired_scheduled_nodes", unit: unitNode, description: "Nodes that should run a pod of the DaemonSet."},
		daemonSetMisscheduled:     {name: ds + "misscheduled_nodes", unit: unitNode, description: "Nodes that run a pod of the DaemonSet and should not."},
		daemonSetReady:            {name: ds + "ready_nodes", unit: unitNode, description: "Nodes that should run a pod of the DaemonSet and have one that is ready."},
		daemonSetAvailable:        {name: ds + "available_nodes", unit: unitNode, description: "Nodes that should run a pod of the DaemonSet and have one that has been ready for minReadySeconds."},
		daemonSetUpdated:          {name: ds + "updated_nodes", unit: unitNode, description: "Nodes that run a pod of the DaemonSet of its newest template."},
		jobActive:                 {name: job + "active_pods", unit: unitPod, description: "Pods of the Job that run or are to run."},
		jobDesired:                {name: job + "desired_successful_pods", unit: unitPod, description: "Pods that should succeed for the Job to be complete."},
		jobFailed:                 {name: job + "failed_pods", unit: unitPod, description: "Pods of the Job that failed."},
		jobMaxParallel:            {name: job + "max_parallel_pods", unit: unitPod, description: "Pods of the Job that may run at a time."},
		jobSuccessful:             {name: job + "successful_pods", unit: unitPod, description: "Pods of the Job that succeeded."},
		cronJobActive:             {name: "k8s.cronjob.active_jobs", unit: "{job}", description: "Jobs of the CronJob that run."},
		hpaCurrent:                {name: hpa + "current_replicas", unit: unitPod, description: "Pods that the autoscaler last saw."},
		hpaDesired:                {name: hpa + "desired_replicas", unit: unitPod, description: "Pods that the autoscaler wants."},
		hpaMax:                    {name: hpa + "max_replicas", unit: unitPod, description: "Pods that the autoscaler may want at most."},
		hpaMin:                    {name: hpa + "min_replicas", unit: unitPod, description: "Pods that the autoscaler may want at least."},
		quotaHard:                 {name: "k8s.resource_quota.hard_limit", unit: "{resource}", description: "Limit of a resource in the namespace; requests.cpu and limits.cpu in thousandths of a CPU.", label: "resource"},
		quotaUsed:                 {name: "k8s.resource_quota.used", unit: "{resource}", description: "Use of a resource in the namespace; requests.cpu and limits.cpu in thousandths of a CPU.", label: "resource"},
		namespacePhase:            {name: "k8s.namespace.phase", description: "1 if the namespace is active, 0 if it is being removed, else -1."},
		nodeCondition:             {name: "k8s.node.condition", unit: "{condition}", description: "Each condition of the node: 1 if it is true, 0 if false, -1 if unknown.", label: "condition", off: true},
		podPhase:                  {name: pod + "phase", description: "Phase of the pod: 1 Pending, 2 Running, 3 Succeeded, 4 Failed, 5 Unknown."},
		podStatusReason:           {name: pod + "status_reason", description: "Why the pod is in its state, if it says so: 1 Evicted, 2 NodeAffinity, 3 NodeLost, 4 Shutdown, 5 UnexpectedAdmissionError, 6 another.", off: true},
		podCondition:              {name: pod + "condition", unit: "{condition}", description: "A condition of the pod: 1 if it is true, 0 if false, -1 if unknown.", label: "condition"},
		podCPURequest:             {name: pod + "cpu.request", unit: unitCPU, description: "CPUs that the scheduler sets aside for the pod until it ends.", float: true, off: true},
		podCPULimit:               {name: pod + "cpu.limit", unit: unitCPU, description: "CPUs that the pod may use.", float: true, off: true},
		podMemoryRequest:          {name: pod + "memory.request", unit: unitBytes, description: "Memory that the scheduler sets aside for the pod until it ends.", off: true},
		podMemoryLimit:            {name: pod + "memory.limit", unit: unitBytes, description: "Memory that the pod may use.", off: true},
		podStorageRequest:         {name: pod + "ephemeral_storage.request", unit: unitBytes, description: "Ephemeral storage that the scheduler sets aside for the pod until it ends.", off: true},
		podStorageLimit:           {name: pod + "ephemeral_storage.limit", unit: unitBytes, description: "Ephemeral storage that the pod may use.", off: true},
		containerCPURequest:       {name: c + "cpu_request", unit: unitCPU, description: "CPUs that the container requests.", float: true},
		containerCPULimit:         {name: c + "cpu_limit", unit: unitCPU, description: "CPUs that the container may use.", float: true},
		containerMemoryRequest:    {name: c + "memory_request", unit: unitBytes, description: "Memory that the container requests."},
		containerMemoryLimit:      {name: c + "memory_limit", unit: unitBytes, description: "Memory that the container may use."},
		containerEphemeralRequest: {name: c + "ephemeralstorage_request", unit: unitBytes, description: "Ephemeral storage that the container requests."},
		containerEphemeralLimit:   {name: c + "ephemeralstorage_limit", unit: unitBytes, description: "Ephemeral storage that the container may use."},
		containerStorageRequest:   {name: c + "storage_request", unit: unitBytes, description: "Storage that the container requests."},
		containerStorageLimit:     {name: c + "storage_limit", unit: unitBytes, description: "Storage that the container may use."},
		containerReady:            {name: c + "ready", description: "1 if the container is ready, else 0."},
		containerRestarts:         {name: c + "restarts", unit: "{restart}", description: "How often the container has been restarted."},
		containerState:            {name: c + "status.state", unit: "{container}", description: "1 for the state that the container is in.", label: "k8s.container.status.state", sum: true},
		containerReason:           {name: c + "status.reason", unit: "{container}", description: "1 for the reason why the container waits or has terminated.", label: "k8s.container.status.reason", sum: true},
		containerTerminated:       {name: c + "status.last_terminated_time", unit: "s", description: "When the container before this one ended, in seconds since 1970.", label: "k8s.container.status.last_terminated_reason"},
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
		c.conditions[condition] = c.add(definition{
			name: "k8s.node.condition_" + snake(condition), description: "Condition " + condition + " of the node: 1 if it is true, 0 if false, -1 if unknown.",
		})
	}
	for _, kind := range cfg.AllocatableTypesToReport {
		unit, float := allocatableUnit(kind)
		c.allocatable[kind] = c.add(definition{
			name: "k8s.node.allocatable_" + snake(kind), unit: unit, float: float, description: "What pods may request of the node's " + kind + ".",
		})
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
