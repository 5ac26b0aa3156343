package k8sevents

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	v1 "k8s.io/api/core/v1"
)

// Attributes of records.
const (
	attrReason    = "k8s.event.reason"
	attrAction    = "k8s.event.action"
	attrName      = "k8s.event.name"
	attrUID       = "k8s.event.uid"
	attrCount     = "k8s.event.count"
	attrStartTime = "k8s.event.start_time"
	attrSource    = "k8s.event.source"
	attrVersion   = "k8s.object.resource_version"
)

// Attributes of resources.
const (
	attrObjectKind       = "k8s.object.kind"
	attrObjectName       = "k8s.object.name"
	attrObjectUID        = "k8s.object.uid"
	attrObjectFieldPath  = "k8s.object.fieldpath"
	attrObjectAPIVersion = "k8s.object.api_version"
	attrNamespace        = "k8s.namespace.name"
	attrNode             = "k8s.node.name"
	attrNodeUID          = "k8s.node.uid"
	attrContainer        = "k8s.container.name"
)

// objectPrefixes are those of the name and uid of objects of a kind.
var objectPrefixes = map[string]string{
	"Pod":                     "k8s.pod.",
	"Deployment":              "k8s.deployment.",
	"ReplicaSet":              "k8s.replicaset.",
	"StatefulSet":             "k8s.statefulset.",
	"DaemonSet":               "k8s.daemonset.",
	"Job":                     "k8s.job.",
	"CronJob":                 "k8s.cronjob.",
	"ReplicationController":   "k8s.replicationcontroller.",
	"HorizontalPodAutoscaler": "k8s.hpa.",
	"Service":                 "k8s.service.",
	"PersistentVolumeClaim":   "k8s.persistentvolumeclaim.",
	"PersistentVolume":        "k8s.persistentvolume.",
}

// object is what events have in common that share a resource.
type object struct {
	v1.ObjectReference
	host string
}

func objectOf(e *v1.Event) object {
	o := object{ObjectReference: e.InvolvedObject, host: e.Source.Host}
	o.ResourceVersion = "" // it may differ from event to event
	return o
}

// fillResource writes the identity of the object that an event is about.
func fillResource(m pcommon.Map, o *object) {
	m.EnsureCapacity(10)
	put := func(key, value string) {
		if value != "" {
			m.PutStr(key, value)
		}
	}
	put(attrObjectKind, o.Kind)
	put(attrObjectName, o.Name)
	put(attrObjectUID, string(o.UID))
	put(attrObjectFieldPath, o.FieldPath)
	put(attrObjectAPIVersion, o.APIVersion)
	put(attrNode, o.host)
	put(attrNamespace, o.Namespace)
	switch o.Kind {
	case "Node":
		put(attrNode, o.Name)
		if string(o.UID) != o.Name { // kubelets that do not know the uid give the name
			put(attrNodeUID, string(o.UID))
		}
	case "Namespace":
		put(attrNamespace, o.Name)
	}
	if prefix, ok := objectPrefixes[o.Kind]; ok {
		put(prefix+"name", o.Name)
		put(prefix+"uid", string(o.UID))
	}
	put(attrContainer, containerOf(o.FieldPath))
}

// containerOf is the name in spec.containers{name}, and in its kin for init and ephemeral containers.
func containerOf(fieldPath string) string {
	list, rest, ok := strings.Cut(fieldPath, "{")
	name, ended := strings.CutSuffix(rest, "}")
	if !ok || !ended || list != "spec.containers" && list != "spec.initContainers" && list != "spec.ephemeralContainers" {
		return ""
	}
	return name
}

// fillRecord writes what an event says.
func fillRecord(lr plog.LogRecord, e *v1.Event, now time.Time) {
	lr.SetTimestamp(pcommon.NewTimestampFromTime(timeOf(e)))
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	lr.SetSeverityText(e.Type)
	lr.SetSeverityNumber(severityOf(e.Type))
	lr.Body().SetStr(e.Message)
	m := lr.Attributes()
	m.EnsureCapacity(8)
	put := func(key, value string) {
		if value != "" {
			m.PutStr(key, value)
		}
	}
	put(attrReason, e.Reason)
	put(attrAction, e.Action)
	put(attrName, e.Name)
	put(attrUID, string(e.UID))
	m.PutInt(attrCount, int64(countOf(e)))
	put(attrStartTime, startOf(e).UTC().Format(time.RFC3339Nano))
	put(attrSource, sourceOf(e))
	put(attrVersion, e.InvolvedObject.ResourceVersion)
}

func severityOf(kind string) plog.SeverityNumber {
	switch strings.ToLower(kind) {
	case "normal":
		return plog.SeverityNumberInfo
	case "warning":
		return plog.SeverityNumberWarn
	case "error":
		return plog.SeverityNumberError
	case "critical":
		return plog.SeverityNumberFatal
	}
	return plog.SeverityNumberUnspecified
}

// startOf is when an event happened for the first time.
func startOf(e *v1.Event) time.Time {
	switch {
	case !e.FirstTimestamp.IsZero():
		return e.FirstTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// sourceOf is the component that says so, such as kubelet.
func sourceOf(e *v1.Event) string {
	if e.ReportingController != "" {
		return e.ReportingController
	}
	return e.Source.Component
}
