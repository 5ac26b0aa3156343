package k8smetadata

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/configtest"
)

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, "testdata", func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	require.NoError(t, createDefaultConfig().(*Config).Validate())
	require.NoError(t, (&Config{Extract: createDefaultConfig().(*Config).extract()}).Validate())
}

func TestWithoutTheExtension(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		config := createDefaultConfig().(*Config)
		config.Pods = component.MustNewID(id)
		p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(NewFactory().Type()), config, consumertest.NewNop())
		require.NoError(t, err)
		require.EqualError(t, p.Start(t.Context(), hostOf(newTable())), want)
		require.NoError(t, p.Shutdown(t.Context()))
	}
	f("none", `k8s_metadata: pods: there is no extension "none": define it below extensions, and list it in service::extensions`)
	f("other", `k8s_metadata: pods: the extension "other" knows no pods: name one of type k8s_pods`)
}

// TestAssociations finds a pod by everything that tells of it.
func TestAssociations(t *testing.T) {
	h := start(t, func(c *Config) { c.UnknownWait = 0 })
	h.table.Put(pod("a", "10.1.0.1"))
	f := func(want string, attributes ...string) {
		t.Helper()
		require.Equal(t, want, h.send(t.Context(), t, attributes...))
	}
	f(image+before+"namespace.name=shop "+around+labels+"pod.name=a "+after, "k8s.pod.uid", "u-a")
	f(image+before+"namespace.name=shop "+around+labels+"pod.name=a pod.uid=u-a "+after, "container.id", "c-a")
	f(image+before+"namespace.name=shop "+around+labels+"pod.name=a pod.uid=u-a "+after, "container.id", "docker://c-a")
	f(image+before+around+labels+"pod.uid=u-a "+after, "k8s.namespace.name", "shop", "k8s.pod.name", "a")
	f(image+before+"namespace.name=shop "+around+labels+"pod.name=a pod.uid=u-a "+after, "k8s.pod.ip", "10.1.0.1")
	require.Equal(t, image+before+"namespace.name=shop "+around+labels+"pod.name=a pod.uid=u-a "+after,
		h.send(from(t.Context(), "10.1.0.1"), t))
	require.Equal(t, image+before+"namespace.name=shop "+around+labels+"pod.uid=u-a "+after,
		h.send(from(t.Context(), "10.1.0.1"), t, "k8s.pod.name", "a"), "a name without a namespace is not enough, but speaks for the client")
	for i, by := range []string{byUID, byContainer, byName, byIP, byConnection} {
		require.EqualValues(t, []int64{1, 2, 1, 1, 2}[i], h.value(t, "obsd_k8s_metadata_lookups", "association", by, "outcome", "hit"), by)
	}

	f("", "host.name", "n1")
	f("", "k8s.pod.name", "a")
	f("", "k8s.pod.ip", "nonsense")
	require.EqualValues(t, 3, h.value(t, "obsd_k8s_metadata_lookups", "association", "none"))
	f("", "k8s.pod.uid", "u-b", "host.name", "n1")
	f("", "container.id", "c-b")
	require.EqualValues(t, 2, h.value(t, "obsd_k8s_metadata_bare", "reason", "unknown"))
	require.EqualValues(t, 1, h.value(t, "obsd_k8s_metadata_lookups", "association", byUID, "outcome", "miss"))
	require.EqualValues(t, 1, h.value(t, "obsd_k8s_metadata_lookups", "association", byContainer, "outcome", "miss"))
	require.Len(t, h.sink.AllLogs(), 12, "nothing is lost")
}

// TestOrder goes on to the next association where one gives nothing.
func TestOrder(t *testing.T) {
	h := start(t, func(c *Config) {
		c.PodAssociation, c.Extract, c.UnknownWait = []string{byConnection, byIP}, []string{"k8s.pod.name"}, 0
	})
	h.table.Put(pod("a", "10.1.0.1"))
	require.Equal(t, "pod.name=a", h.send(from(t.Context(), "10.9.9.9"), t, "k8s.pod.ip", "10.1.0.1"))
	require.Equal(t, "pod.name=a", h.send(from(t.Context(), "::ffff:10.1.0.1"), t, "k8s.pod.ip", "10.9.9.9"))
	require.Equal(t, "", h.send(t.Context(), t, "k8s.pod.uid", "u-a"), "it is not on the list")
}

// TestNotAnothers leaves resources alone that tell of another pod than the one that sent them.
func TestNotAnothers(t *testing.T) {
	h := start(t, func(c *Config) { c.Extract, c.UnknownWait = []string{"k8s.pod.label.*"}, 0 })
	h.table.Put(pod("agent", "10.1.0.1"))
	f := func(want string, attributes ...string) {
		t.Helper()
		require.Equal(t, want, h.send(from(t.Context(), "10.1.0.1"), t, attributes...))
	}
	f("pod.label.app=cart pod.label.pod-template-hash=5d8", "service.name", "x")
	f("pod.label.app=cart pod.label.pod-template-hash=5d8", "k8s.node.name", "n1", "k8s.pod.name", "agent")
	f("pod.label.app=cart pod.label.pod-template-hash=5d8", "container.id", "c-agent")
	f("", "k8s.pod.uid", "u-other")
	f("", "k8s.pod.name", "other")
	f("", "k8s.namespace.name", "bank")
	f("", "container.id", "c-other")
	f("", "k8s.node.name", "n1")
	f("", "k8s.deployment.name", "x", "k8s.namespace.name", "shop")
	// A pod of a StatefulSet has the name of the one before.
	f("", "k8s.namespace.name", "shop", "k8s.pod.name", "agent", "k8s.pod.uid", "u-before")
}

func TestHostNetwork(t *testing.T) {
	h := start(t, func(c *Config) { c.Extract, c.UnknownWait = []string{"k8s.pod.name"}, 0 })
	p := pod("a", "10.0.0.1")
	p.Spec.HostNetwork = true
	h.table.Put(p)
	require.Equal(t, "", h.send(from(t.Context(), "10.0.0.1"), t))
	require.Equal(t, "", h.send(t.Context(), t, "k8s.pod.ip", "10.0.0.1"))
	require.Equal(t, "pod.name=a", h.send(t.Context(), t, "k8s.pod.ip", "10.0.0.1", "k8s.pod.uid", "u-a"))
}

// TestAddressReused gives the records of an address to the pod that has it now.
func TestAddressReused(t *testing.T) {
	h := start(t, func(c *Config) { c.Extract, c.UnknownWait = []string{"k8s.pod.name"}, 0 })
	first, second := pod("a", "10.1.0.1"), pod("b", "10.1.0.1")
	second.CreationTimestamp = metav1.NewTime(time.Unix(1e9, 0))
	h.table.Put(first)
	h.table.Put(second)
	require.Equal(t, "pod.name=b", h.send(from(t.Context(), "10.1.0.1"), t))
	h.table.Gone(second, time.Now())
	require.Equal(t, "", h.send(from(t.Context(), "10.1.0.1"), t), "nobody knows whose it is now")
}

// TestAfterItsDeletion gives a pod's last records what belongs to it.
func TestAfterItsDeletion(t *testing.T) {
	h := start(t, func(c *Config) { c.Extract = []string{"k8s.deployment.name"} })
	h.table.Put(pod("a", "10.1.0.1"))
	h.table.Gone(pod("a", "10.1.0.1"), time.Now())
	require.Equal(t, "deployment.name=cart", h.send(t.Context(), t, "k8s.pod.uid", "u-a"))
	require.Equal(t, "deployment.name=cart", h.send(t.Context(), t, "container.id", "c-a"))
}

// TestExisting does not touch what is there.
func TestExisting(t *testing.T) {
	h := start(t, nil)
	h.table.Put(pod("a", "10.1.0.1"))
	require.Equal(t, image+before+"namespace.name=shop "+around+labels+after,
		h.send(t.Context(), t, "k8s.pod.uid", "u-a", "k8s.pod.name", "mine"))
	got := h.send(t.Context(), t, "k8s.pod.uid", "u-a", "k8s.pod.label.app", "", "container.image.name", "mine")
	require.NotContains(t, got, "label.app")
	require.NotContains(t, got, "image.name")
}

// TestContainers sets what is a container's where it is known which one it is.
func TestContainers(t *testing.T) {
	h := start(t, func(c *Config) { c.Extract = []string{"container.*", "k8s.container.*"} })
	p := pod("a", "")
	p.Spec.Containers = append(p.Spec.Containers, v1.Container{Name: "proxy", Image: "envoy"})
	p.Spec.InitContainers = []v1.Container{{Name: "init", Image: "init:1"}}
	p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &v1.ContainerStateTerminated{ContainerID: "containerd://c-before"}
	h.table.Put(p)
	h.table.Put(pod("b", ""))
	f := func(want string, attributes ...string) {
		t.Helper()
		require.Equal(t, want, h.send(t.Context(), t, attributes...))
	}
	f("", "k8s.pod.uid", "u-a")
	f("container.image.name=envoy", "k8s.pod.uid", "u-a", "k8s.container.name", "proxy")
	f("container.image.name=init container.image.tag=1", "k8s.pod.uid", "u-a", "k8s.container.name", "init")
	f("container.image.name=cart container.image.tag=1.2", "k8s.pod.uid", "u-a", "k8s.container.name", "main")
	for restarts, id := range map[string]string{"3": "container.id=c-a ", "2": "container.id=c-before ", "1": ""} {
		f(id+"container.image.name=cart container.image.tag=1.2",
			"k8s.pod.uid", "u-a", "k8s.container.name", "main", "k8s.container.restart_count", restarts)
	}
	f("container.image.name=cart container.image.tag=1.2 container.name=main", "container.id", "c-before")
	f("", "k8s.pod.uid", "u-a", "k8s.container.name", "none")
	f("container.image.name=cart container.image.tag=1.2 container.name=main", "k8s.pod.uid", "u-b")
	f("", "k8s.pod.uid", "u-b", "container.id", "c-new")
}

// TestExtract sets what is listed.
func TestExtract(t *testing.T) {
	f := func(want string, patterns ...string) {
		t.Helper()
		h := start(t, func(c *Config) { c.Extract = patterns })
		p := pod("a", "10.1.0.1")
		p.Status.ContainerStatuses[0].ImageID = "docker-pullable://registry/cart@sha256:07"
		h.table.Put(p)
		h.table.PutNamespace(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "red"}}})
		h.table.PutNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "u-n1", Labels: map[string]string{"zone": "z"}}})
		require.Equal(t, want, h.send(t.Context(), t, "k8s.pod.uid", "u-a"))
	}
	f("node.name=n1", "k8s.node.name")
	f("node.uid=u-n1", "k8s.node.uid")
	f("container.image.repo_digests=[registry/cart@sha256:07]", "container.image.repo_digests")
	f("pod.label.app=cart", "k8s.pod.label.app")
	f("pod.label.pod-template-hash=5d8", "k8s.pod.label.*-hash")
	f("pod.annotation.owner=red pod.ip=10.1.0.1 pod.label.app=cart pod.label.pod-template-hash=5d8 pod.name=a", "k8s.pod.*")
	f("namespace.label.team=red namespace.name=shop node.label.zone=z", "k8s.namespace.*", "k8s.node.label.zone")
	f("replicaset.name=cart-5d8 replicaset.uid=r1", "k8s.replicaset.*", "k8s.job.*")
	f("", "k8s.pod.label.none", "k8s.node.label.*.")
}

// TestSignals has the same done to metrics and traces. Metrics may be of the pod as a whole: they get no container.
func TestSignals(t *testing.T) {
	table := newTable()
	table.Listed(true)
	table.Put(pod("a", ""))
	f, config := NewFactory(), createDefaultConfig().(*Config)
	config.Extract = []string{"k8s.pod.name", "container.image.name"}
	set := processortest.NewNopSettings(f.Type())
	metrics, traces := new(consumertest.MetricsSink), new(consumertest.TracesSink)
	m, err := f.CreateMetrics(t.Context(), set, config, metrics)
	require.NoError(t, err)
	tr, err := f.CreateTraces(t.Context(), set, config, traces)
	require.NoError(t, err)
	for _, c := range []component.Component{m, tr} {
		require.NoError(t, c.Start(t.Context(), hostOf(table)))
		defer func() { require.NoError(t, c.Shutdown(t.Context())) }()
	}
	md, td := pmetric.NewMetrics(), ptrace.NewTraces()
	rm, rs := md.ResourceMetrics().AppendEmpty(), td.ResourceSpans().AppendEmpty()
	rm.Resource().Attributes().PutStr("k8s.pod.uid", "u-a")
	rs.Resource().Attributes().PutStr("k8s.pod.uid", "u-a")
	rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	require.NoError(t, m.ConsumeMetrics(t.Context(), md))
	require.NoError(t, tr.ConsumeTraces(t.Context(), td))
	require.Equal(t, "pod.name=a pod.uid=u-a", written(metrics.AllMetrics()[0].ResourceMetrics().At(0).Resource().Attributes()))
	require.Equal(t, "container.image.name=cart pod.name=a pod.uid=u-a",
		written(traces.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes()))
}
