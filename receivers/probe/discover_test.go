package probe

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.uber.org/zap/zapcore"
	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

func meta(name string, annotations ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{}}
	for i := 0; i < len(annotations); i += 2 {
		m.Annotations[annotations[i]] = annotations[i+1]
	}
	return m
}

func service(m metav1.ObjectMeta, ports ...v1.ServicePort) *v1.Service {
	return &v1.Service{ObjectMeta: m, Spec: v1.ServiceSpec{Ports: ports}}
}

func pod(m metav1.ObjectMeta, ip string, containers ...v1.Container) *v1.Pod {
	m.UID = "uid-of-pod"
	return &v1.Pod{ObjectMeta: m, Spec: v1.PodSpec{NodeName: "node1", Containers: containers}, Status: v1.PodStatus{Phase: v1.PodRunning, PodIP: ip}}
}

func container(name string, ports ...int32) v1.Container {
	c := v1.Container{Name: name}
	for _, p := range ports {
		c.Ports = append(c.Ports, v1.ContainerPort{Name: "p" + strconv.Itoa(int(p)), ContainerPort: p})
	}
	return c
}

func ingress(m metav1.ObjectMeta, secure []string, hosts ...string) *networking.Ingress {
	in := &networking.Ingress{ObjectMeta: m, Spec: networking.IngressSpec{TLS: []networking.IngressTLS{{Hosts: secure}}}}
	exact, odd := networking.PathTypePrefix, networking.PathTypeImplementationSpecific
	for _, h := range hosts {
		in.Spec.Rules = append(in.Spec.Rules, networking.IngressRule{Host: h, IngressRuleValue: networking.IngressRuleValue{HTTP: &networking.HTTPIngressRuleValue{
			Paths: []networking.HTTPIngressPath{{Path: "/cart", PathType: &exact}, {Path: "/(.*)", PathType: &odd}},
		}}})
	}
	return in
}

func kubernetesConfig(a *kubetest.API) *Config {
	cfg := config()
	cfg.Kubernetes = configoptional.Some(KubernetesConfig{API: kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: a.Kubeconfig()}})
	return cfg
}

// foundTargets are the targets there are, as text.
func (r *rig) foundTargets() (out []string) {
	r.schedule.mu.Lock()
	defer r.schedule.mu.Unlock()
	for _, t := range r.schedule.queue {
		line := t.kind + " " + t.endpoint
		for _, l := range t.points {
			line += " " + l.key + "=" + l.value
		}
		line += " |"
		for _, l := range t.resource {
			line += " " + l.key + "=" + l.value
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func (r *rig) finds(t *testing.T, count int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.Len(c, r.foundTargets(), count) }, deadline, 5*time.Millisecond)
}

// TestTrim holds nothing of an object that asks for no checks until a first list is whole, and of another what it is checked by.
func TestTrim(t *testing.T) {
	d := &discovery{}
	full := func(annotations ...string) *v1.Pod {
		p := pod(meta("web", annotations...), "10.0.0.1", container("main", 80))
		p.Spec.Containers[0].Env = []v1.EnvVar{{Name: "A", Value: "b"}}
		p.Status.HostIP = "10.1.0.1"
		return p
	}
	store := storeOf(d, (*discovery).ofPod, trimPod)
	quiet := full()
	store.Trim(quiet)
	require.Equal(t, &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}, quiet)
	for _, asked := range []string{"true", "maybe"} { // a mistake is told of as well
		p := full(annotationProbe, asked)
		store.Trim(p)
		require.Equal(t, pod(meta("web", annotationProbe, asked), "10.0.0.1", container("main", 80)), p)
	}
}

// TestDiscover compares what is found by annotations of all shapes.
func TestDiscover(t *testing.T) {
	a := kubetest.NewAPI(t)
	web, udp := v1.ServicePort{Name: "web", Port: 80}, v1.ServicePort{Name: "dns", Port: 53, Protocol: v1.ProtocolUDP}
	admin := v1.ServicePort{Name: "admin", Port: 8080, Protocol: v1.ProtocolTCP}
	a.Set(
		service(meta("all-ports", annotationProbe, "true"), web, udp, admin),
		service(meta("one-port", annotationProbe, "true", annotationPort, "admin", annotationPath, "/healthz?full=1"), web, admin),
		service(meta("two-ports", annotationProbe, "true", annotationPort, "80, 9999", annotationScheme, "https"), web),
		service(meta("blackbox", blackboxProbe, "true", blackboxPath, "/live", blackboxPort, "8080", blackboxScheme, "http"), web, admin),
		service(meta("own-before-blackbox", blackboxProbe, "true", annotationProbe, "false"), web),
		service(meta("tcp", annotationProbe, "true", annotationScheme, "tcp"), web),
		service(meta("tls", annotationProbe, "true", annotationScheme, "tls"), web),
		service(meta("grpc", annotationProbe, "true", annotationScheme, "grpc", annotationService, "cart"), web),
		service(meta("grpcs", annotationProbe, "true", annotationScheme, "grpcs"), web),
		service(meta("nothing"), web),
		pod(meta("pod", annotationProbe, "true", annotationPort, "p90"), "10.0.0.1", container("main", 80), container("side", 90)),
		pod(meta("pod-six", annotationProbe, "true", annotationPort, "7"), "fd00::1", container("main", 80)),
		pod(meta("pod-other-port", annotationProbe, "true", annotationPort, "7"), "10.0.0.2", container("main", 80), container("side", 90)),
		pod(meta("pod-without-ip", annotationProbe, "true"), "", container("main", 80)),
		ingress(meta("entrance", annotationProbe, "true"), []string{"*.example.com"}, "shop.example.com", "shop.example.org", "*.example.net", ""),
		ingress(meta("entrance-path", blackboxProbe, "true", blackboxPath, "/ready", blackboxPort, "8443", blackboxScheme, "https"), nil, "shop.example.com"),
	)
	r := begin(t, kubernetesConfig(a))
	r.finds(t, 18)
	golden.Require(t, "discover.want", strings.Join(r.foundTargets(), "\n")+"\n")
	require.Zero(t, r.logs.FilterLevelExact(zapcore.WarnLevel).Len(), "%v", r.logs.All())
}

// TestDiscoverChanges follows objects as they change and go.
func TestDiscoverChanges(t *testing.T) {
	a := kubetest.NewAPI(t)
	web := v1.ServicePort{Name: "web", Port: 80}
	one := service(meta("one", annotationProbe, "true"), web)
	a.Set(one)
	cfg := kubernetesConfig(a)
	cfg.Kubernetes.Get().Namespaces = []string{"shop", "bank"}
	r := begin(t, cfg)
	r.finds(t, 1)
	other := service(meta("other", annotationProbe, "true"), web)
	other.Namespace = "elsewhere"
	running := pod(meta("pod", annotationProbe, "true"), "10.0.0.1", container("main", 80, 81))
	a.Set(other, running)
	r.finds(t, 3)
	a.Set(service(meta("one"), web))
	r.finds(t, 2)
	ended := running.DeepCopy()
	ended.Status.Phase = v1.PodSucceeded
	a.Set(ended)
	r.finds(t, 0)
	a.Set(running, one)
	r.finds(t, 3)
	a.Compact()
	a.CloseWatches()
	a.Delete(running, one)
	a.Set(service(meta("two", annotationProbe, "true"), web))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, []string{"http http://two.shop.svc:80/ namespace=shop service=two | k8s.namespace.name=shop k8s.service.name=two"}, r.foundTargets())
	}, deadline, 5*time.Millisecond)
}

// TestMistakes says once what is wrong with an object.
func TestMistakes(t *testing.T) {
	a := kubetest.NewAPI(t)
	web := v1.ServicePort{Name: "web", Port: 80}
	wrong := service(meta("wrong", annotationProbe, "true", annotationPort, "metrics"), web)
	a.Set(wrong)
	r := begin(t, kubernetesConfig(a))
	mistakes := func() (out []string) {
		for _, e := range r.logs.FilterLevelExact(zapcore.WarnLevel).All() {
			out = append(out, e.ContextMap()["mistake"].(string))
		}
		return out
	}
	require.Eventually(t, func() bool { return len(mistakes()) == 1 }, deadline, 5*time.Millisecond)
	again := wrong.DeepCopy()
	again.Labels = map[string]string{"a": "b"}
	a.Set(again, service(meta("wrong", annotationProbe, "yes"), web))
	require.Eventually(t, func() bool { return len(mistakes()) == 2 }, deadline, 5*time.Millisecond)
	a.Set(service(meta("wrong", annotationProbe, "true"), web))
	r.finds(t, 1)
	require.Equal(t, []string{
		`obsd.io/probe-port: it has no TCP port "metrics"`,
		`obsd.io/probe: "yes" is neither true nor false: the kind of check is for obsd.io/probe-scheme`,
	}, mistakes())
}

// TestFoundPod checks a pod that answers, down to the attributes that stand beside the kubelet's.
func TestFoundPod(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	ip, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	a := kubetest.NewAPI(t)
	a.Set(pod(meta("web", annotationProbe, "true", annotationPort, port), ip, container("main")))
	r := begin(t, kubernetesConfig(a))
	require.Eventually(t, func() bool { return r.total("") > 0 }, deadline, time.Millisecond)
	got := r.sink.text()
	require.Contains(t, got, "{k8s.container.name=main, k8s.namespace.name=shop, k8s.node.name=node1, k8s.pod.name=web, k8s.pod.uid=uid-of-pod}\n")
	require.Contains(t, got, fmt.Sprintf(
		"  probe.checks {container=main, namespace=shop, pod=web, pod_uid=uid-of-pod, probe.target=http://%s:%s/, probe.type=http, result=successful} 1 ", ip, port))
}

func TestWishes(t *testing.T) {
	f := func(want string, annotations ...string) {
		t.Helper()
		w, err := wishOf(meta("", annotations...).Annotations)
		if err == nil && w != nil {
			_, err = w.choose([]port{{name: "web", number: 80, tcp: true}})
		}
		require.EqualError(t, err, want)
	}
	f(`obsd.io/probe: "http" is neither true nor false: the kind of check is for obsd.io/probe-scheme`, annotationProbe, "http")
	f(`prometheus.io/probe: "1" is neither true nor false: the kind of check is for obsd.io/probe-scheme`, blackboxProbe, "1")
	f(`obsd.io/probe-scheme: "ftp" is unknown: use one of [http https tcp tls grpc grpcs]`, annotationProbe, "true", annotationScheme, "ftp")
	f(`prometheus.io/path: "healthz" is not a path such as /healthz`, blackboxProbe, "true", blackboxPath, "healthz")
	f(`obsd.io/probe-path: "//evil.example/x" is not a path such as /healthz`, annotationProbe, "true", annotationPath, "//evil.example/x")
	f(`obsd.io/probe-port: it has no TCP port "0"`, annotationProbe, "true", annotationPort, "0")
	f(`obsd.io/probe-port: it has no TCP port "65536"`, annotationProbe, "true", annotationPort, "65536")
	f(`these are 51 targets, and an object may have 50: name fewer with obsd.io/probe-port`, annotationProbe, "true", annotationPort, strings.Repeat("1,", 50)+"1")
	w := wish{scheme: "http"}
	_, err := w.choose([]port{{name: "dns", number: 53}})
	require.EqualError(t, err, "it has no TCP port: name one with obsd.io/probe-port")
	w = wish{scheme: "grpc"}
	require.EqualError(t, w.forIngress(), `obsd.io/probe-scheme: "grpc" is not for an Ingress: use http or https, or nothing`)
	w = wish{scheme: "http", ports: []string{"web"}}
	require.EqualError(t, w.forIngress(), "obsd.io/probe-port: an Ingress may name one port, by its number")
}

// FuzzWish holds what annotations can ask for to the object that they stand on.
func FuzzWish(f *testing.F) {
	f.Add("true", "http", "80,web", "/x?y#z")
	f.Add("true", "grpcs", "99999", "@evil.example/")
	f.Add("true", "https", "", "//evil.example")
	f.Fuzz(func(t *testing.T, probe, scheme, ports, path string) {
		w, err := wishOf(map[string]string{annotationProbe: probe, annotationScheme: scheme, annotationPort: ports, annotationPath: path})
		if err != nil || w == nil {
			return
		}
		chosen, err := w.choose([]port{{name: "web", number: 80, tcp: true}})
		if err != nil {
			return
		}
		d := &discovery{r: &probeReceiver{cfg: config()}, checkers: &checkers{grpc: func(string, bool) checker { return nil }}}
		for _, p := range chosen {
			tg := d.target(w, "web.shop.svc", p.number, nil, nil)
			if tg.kind != kindHTTP {
				require.NoError(t, hostPort(tg.endpoint))
				continue
			}
			require.NoError(t, httpURL(tg.endpoint))
			req, err := http.NewRequest(http.MethodGet, tg.endpoint, nil)
			require.NoError(t, err)
			require.Equal(t, "web.shop.svc", req.URL.Hostname())
		}
	})
}
