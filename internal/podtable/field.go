package podtable

import "slices"

// Field is one thing that is known of a pod or of one of its containers.
type Field uint8

// Fields, which are named as the attributes of the semantic conventions.
const (
	NamespaceName Field = iota
	PodName
	PodUID
	PodIP
	PodStartTime
	NodeName
	NodeUID
	ClusterUID
	DeploymentName
	DeploymentUID
	ReplicaSetName
	ReplicaSetUID
	StatefulSetName
	StatefulSetUID
	DaemonSetName
	DaemonSetUID
	ReplicationControllerName
	ReplicationControllerUID
	JobName
	JobUID
	CronJobName
	CronJobUID
	ContainerName
	ContainerID
	ImageName
	ImageTag
	ImageRepoDigests

	fields
)

var fieldNames = [fields]string{
	"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.pod.ip", "k8s.pod.start_time", "k8s.node.name",
	"k8s.node.uid", "k8s.cluster.uid", "k8s.deployment.name", "k8s.deployment.uid", "k8s.replicaset.name", "k8s.replicaset.uid",
	"k8s.statefulset.name", "k8s.statefulset.uid", "k8s.daemonset.name", "k8s.daemonset.uid", "k8s.replicationcontroller.name", "k8s.replicationcontroller.uid",
	"k8s.job.name", "k8s.job.uid", "k8s.cronjob.name", "k8s.cronjob.uid",
	"k8s.container.name", "container.id", "container.image.name", "container.image.tag",
	"container.image.repo_digests",
}

// MoreFields are those that are kept if [Keep.More] has them: they need more than Pod objects, or memory.
func MoreFields() []Field {
	return []Field{NodeUID, ClusterUID, DeploymentUID, CronJobUID, ImageRepoDigests}
}

// Prefixes of what labels and annotations are called.
const (
	PodLabel       = "k8s.pod.label."
	PodAnnotation  = "k8s.pod.annotation."
	NamespaceLabel = "k8s.namespace.label."
	NodeLabel      = "k8s.node.label."
)

// FieldNames lists what all fields are called.
func FieldNames() []string { return slices.Clone(fieldNames[:]) }

// FieldNamed finds a field by its name.
func FieldNamed(name string) (Field, bool) {
	i := slices.Index(fieldNames[:], name)
	return Field(max(i, 0)), i >= 0
}

// String is the attribute's name.
func (f Field) String() string { return fieldNames[f] }

// OfContainer says whether it is a container's and not the pod's.
func (f Field) OfContainer() bool { return f >= ContainerName }
