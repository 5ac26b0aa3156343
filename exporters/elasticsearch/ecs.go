package elasticsearch

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// ecsResource gives a resource attribute its name in the Elastic Common Schema.
// Attributes that are not listed keep their name; those that name the agent
// become agent.name and agent.version, so their name is empty.
func ecsResource(key string) string {
	switch key {
	case "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version", "telemetry.distro.name", "telemetry.distro.version":
		return ""
	case "service.instance.id":
		return "service.node.name"
	case "deployment.environment", "deployment.environment.name":
		return "service.environment"
	case "cloud.platform":
		return "cloud.service.name"
	case "container.image.tags":
		return "container.image.tag"
	case "host.name":
		return "host.hostname"
	case "host.arch":
		return "host.architecture"
	case "process.executable.path":
		return "process.executable"
	case "process.runtime.name":
		return "service.runtime.name"
	case "process.runtime.version":
		return "service.runtime.version"
	case "os.name":
		return "host.os.name"
	case "os.type":
		return "host.os.platform"
	case "os.description":
		return "host.os.full"
	case "os.version":
		return "host.os.version"
	}
	return ecsKubernetes(key)
}

func ecsKubernetes(key string) string {
	switch key {
	case "k8s.namespace.name":
		return "kubernetes.namespace"
	case "k8s.cluster.name":
		return "orchestrator.cluster.name"
	case "k8s.deployment.name", "k8s.node.name", "k8s.pod.name", "k8s.pod.uid", "k8s.job.name", "k8s.cronjob.name",
		"k8s.statefulset.name", "k8s.replicaset.name", "k8s.daemonset.name", "k8s.container.name":
		return "kubernetes" + key[len("k8s"):]
	}
	return key
}

// ecsRecord gives a record attribute its name in the Elastic Common Schema.
func ecsRecord(key string) string {
	switch key {
	case "event.name":
		return "event.action"
	case "exception.message":
		return "error.message"
	case "exception.stacktrace":
		return "error.stacktrace"
	case "exception.type":
		return "error.type"
	case "exception.escaped":
		return "event.error.exception.handled"
	}
	return key
}

// beginECS collects what the records of a scope share.
func (e *encoder) beginECS(resource pcommon.Resource, scope pcommon.InstrumentationScope) {
	fs := &e.fields
	fs.reset()
	for k, v := range resource.Attributes().All() {
		if name := ecsResource(k); name != "" && !isRouting(k) {
			fs.flatten(name, v, 0)
		}
		if k == "host.name" {
			fs.add(k, v)
		}
	}
	for k, v := range scope.Attributes().All() {
		if !isRouting(k) {
			fs.flatten(k, v, 0)
		}
	}
	attrs := resource.Attributes()
	fs.text("agent.name", agentName(attrs))
	if version := textOf(attrs, "telemetry.distro.version"); version != "" {
		fs.text("agent.version", version)
	} else {
		fs.text("agent.version", textOf(attrs, "telemetry.sdk.version"))
	}
	fs.text("host.os.type", osType(attrs))
	fs.share()
}

// textOf returns a string attribute, or "".
func textOf(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return v.AsString()
	}
	return ""
}

// agentName is sdk/language/distro, as far as they are known.
func agentName(m pcommon.Map) string {
	name, language, distro := textOf(m, "telemetry.sdk.name"), textOf(m, "telemetry.sdk.language"), textOf(m, "telemetry.distro.name")
	if name == "" {
		name = "otlp"
	}
	switch {
	case distro != "" && language == "":
		return name + "/unknown/" + distro
	case distro != "":
		return name + "/" + language + "/" + distro
	case language != "":
		return name + "/" + language
	}
	return name
}

// osType is one of the values that the Elastic Common Schema allows, or "".
func osType(m pcommon.Map) string {
	switch textOf(m, "os.name") {
	case "Android":
		return "android"
	case "iOS":
		return "ios"
	}
	switch kind := textOf(m, "os.type"); kind {
	case "windows", "linux":
		return kind
	case "darwin":
		return "macos"
	case "aix", "hpux", "solaris":
		return "unix"
	}
	return ""
}

// appendECS appends the layout of ecs mode.
func (e *encoder) appendECS(lr plog.LogRecord, to route) {
	fs := &e.fields
	fs.rewind()
	for k, v := range lr.Attributes().All() {
		if !isRouting(k) {
			fs.flatten(ecsRecord(k), v, 0)
		}
	}
	if name := lr.EventName(); name != "" {
		fs.text("event.action", name)
	}
	from := fs.open()
	fs.json = e.clock.append(fs.json, e.timestamp(lr))
	fs.close("@timestamp", from)
	if to.index == "" {
		fs.text("data_stream.type", streamType)
		fs.text("data_stream.dataset", to.dataset)
		fs.text("data_stream.namespace", to.namespace)
	}
	if id := lr.TraceID(); !id.IsEmpty() {
		from = fs.open()
		fs.json = appendHex(fs.json, id[:])
		fs.close("trace.id", from)
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		from = fs.open()
		fs.json = appendHex(fs.json, id[:])
		fs.close("span.id", from)
	}
	if n := lr.SeverityNumber(); n != plog.SeverityNumberUnspecified {
		from = fs.open()
		fs.json = strconv.AppendInt(fs.json, int64(n), 10)
		fs.close("event.severity", from)
	}
	fs.text("log.level", lr.SeverityText())
	if body := lr.Body(); body.Type() != pcommon.ValueTypeEmpty {
		from = fs.open()
		fs.json = e.appendText(fs.json, body)
		fs.close("message", from)
	}
	e.body = fs.append(e.body)
}
