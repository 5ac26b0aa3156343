package probe

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// discovery finds targets by the annotations of objects of one kind in one namespace. Of the objects it keeps only the
// targets.
type discovery struct {
	r        *probeReceiver
	kind     string // as in URLs: pods
	checkers *checkers
	owners   map[string]string // objects with targets or with a mistake, by namespace/name: the mistake
}

// checkers are what found targets are checked by.
type checkers struct {
	http checker
	tcp  checker
	tls  checker // TCP with a handshake
	grpc func(service string, secure bool) checker
}

func (r *probeReceiver) newCheckers(ctx context.Context, k *KubernetesConfig) (*checkers, error) {
	secure, err := k.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, err
	}
	if secure == nil {
		secure = &tls.Config{MinVersion: tls.VersionTLS12} // `insecure`, against which the annotation asks for TLS
	}
	web, err := newHTTPChecker(ctx, &HTTPConfig{TLS: k.TLS}, &r.dialer, nil)
	if err != nil {
		return nil, err
	}
	return &checkers{
		http: web, tcp: &tcpChecker{dialer: &r.dialer}, tls: &tcpChecker{&r.dialer, secure},
		grpc: func(service string, isSecure bool) checker {
			c := &grpcChecker{cfg: &GRPCConfig{Service: service}, dialer: &r.dialer}
			if isSecure {
				c.tls = secure
			}
			return c
		},
	}, nil
}

// discover follows the objects that name targets until the receiver is shut down.
func (r *probeReceiver) discover(ctx context.Context, k *KubernetesConfig) error {
	rest, err := k.API.REST()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	made, err := r.newCheckers(ctx, k)
	if err != nil {
		return err
	}
	f := &kubeapi.Follower{Component: "probe", Logger: r.set.Logger, Failed: r.tel.fail}
	for _, kind := range k.discovers() {
		for _, namespace := range k.scopes() {
			d := &discovery{r: r, kind: kind, checkers: made, owners: map[string]string{}}
			res := kubeapi.Resource{Name: kind, Client: client.CoreV1().RESTClient(), Namespace: namespace}
			switch kind {
			case discoverServices:
				res.Kind = &v1.Service{}
				r.background.Go(func() { f.Follow(r.ctx, res, storeOf(d, (*discovery).ofService, nil)) })
			case discoverIngresses:
				res.Kind, res.Client = &networking.Ingress{}, client.NetworkingV1().RESTClient()
				r.background.Go(func() { f.Follow(r.ctx, res, storeOf(d, (*discovery).ofIngress, nil)) })
			case discoverPods:
				res.Kind = &v1.Pod{}
				r.background.Go(func() { f.Follow(r.ctx, res, storeOf(d, (*discovery).ofPod, trimPod)) })
			}
		}
	}
	return nil
}

// object is a kind of objects that can have targets.
type object interface {
	runtime.Object
	metav1.Object
}

// storeOf takes objects to their targets. Of those that ask for no checks, which are most, nothing is held until a first list is
// whole, and of others what trim leaves.
func storeOf[T any, O kubeapi.Object[T]](d *discovery, targets func(*discovery, O, *wish) ([]*target, error), trim func(O)) kubeapi.Store[O] {
	put := func(o O) { d.put(o, func(w *wish) ([]*target, error) { return targets(d, o, w) }) }
	return kubeapi.Store[O]{
		Put:  put,
		Gone: func(o O) { d.set(o, nil, "") },
		All: func(all []O) {
			gone := maps.Clone(d.owners)
			for _, o := range all {
				put(o)
				delete(gone, name(o))
			}
			for owner := range gone {
				d.forget(owner)
			}
		},
		Trim: func(o O) {
			if w, err := wishOf(o.GetAnnotations()); w == nil && err == nil {
				kubeapi.Empty(o)
				return
			}
			o.SetManagedFields(nil)
			if trim != nil {
				trim(o)
			}
		},
	}
}

// trimPod takes out of a pod what ofPod does not look at.
func trimPod(p *v1.Pod) {
	containers := make([]v1.Container, len(p.Spec.Containers))
	for i := range containers {
		containers[i] = v1.Container{Name: p.Spec.Containers[i].Name, Ports: p.Spec.Containers[i].Ports}
	}
	p.Spec = v1.PodSpec{NodeName: p.Spec.NodeName, Containers: containers}
	p.Status = v1.PodStatus{Phase: p.Status.Phase, PodIP: p.Status.PodIP}
}

func name(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// put makes the targets of an object that is new or has changed.
func (d *discovery) put(o object, targets func(*wish) ([]*target, error)) {
	w, err := wishOf(o.GetAnnotations())
	var list []*target
	if err == nil && w != nil {
		list, err = targets(w)
	}
	if err != nil {
		d.set(o, nil, err.Error())
		return
	}
	d.set(o, list, "")
}

// set notes the targets of an object, or the mistake for which it has none. A mistake is said once.
func (d *discovery) set(o metav1.Object, list []*target, mistake string) {
	owner := name(o)
	before, known := d.owners[owner]
	if !known && len(list) == 0 && mistake == "" {
		return
	}
	if mistake != "" && mistake != before {
		d.r.set.Logger.Warn("probe: an object asks for checks that cannot be made; it is passed over until it changes",
			zap.String("kind", d.kind), zap.String("object", owner), zap.String("mistake", mistake))
	}
	d.r.schedule.set(d.kind+"/"+owner, list, time.Now())
	if len(list) == 0 && mistake == "" {
		delete(d.owners, owner)
		return
	}
	d.owners[owner] = mistake
}

func (d *discovery) forget(owner string) {
	d.r.schedule.set(d.kind+"/"+owner, nil, time.Now())
	delete(d.owners, owner)
}

// ofService checks the ports of a Service at the name that it has in the cluster.
func (d *discovery) ofService(s *v1.Service, w *wish) ([]*target, error) {
	var ports []port
	for _, p := range s.Spec.Ports {
		ports = append(ports, port{name: p.Name, number: p.Port, tcp: p.Protocol == v1.ProtocolTCP || p.Protocol == ""})
	}
	chosen, err := w.choose(ports)
	if err != nil {
		return nil, err
	}
	host := s.Name + "." + s.Namespace + ".svc"
	points := []label{{"namespace", clone(s.Namespace)}, {"service", clone(s.Name)}}
	resource := []label{{"k8s.namespace.name", points[0].value}, {"k8s.service.name", points[1].value}}
	var list []*target
	for _, p := range chosen {
		list = append(list, d.target(w, host, p.number, points, resource))
	}
	return list, nil
}

// ofPod checks the ports of a pod that runs. One that is not ready is checked too, for that may be why.
func (d *discovery) ofPod(p *v1.Pod, w *wish) ([]*target, error) {
	if p.Status.Phase != v1.PodRunning || p.Status.PodIP == "" || p.DeletionTimestamp != nil {
		return nil, nil
	}
	var ports []port
	for i := range p.Spec.Containers {
		for _, cp := range p.Spec.Containers[i].Ports {
			ports = append(ports, port{
				name: cp.Name, number: cp.ContainerPort, tcp: cp.Protocol == v1.ProtocolTCP || cp.Protocol == "",
				container: p.Spec.Containers[i].Name,
			})
		}
	}
	chosen, err := w.choose(ports)
	if err != nil {
		return nil, err
	}
	var list []*target
	for _, c := range chosen {
		if c.container == "" && len(p.Spec.Containers) == 1 {
			c.container = p.Spec.Containers[0].Name
		}
		points := []label{{"namespace", clone(p.Namespace)}, {"pod", clone(p.Name)}, {"pod_uid", clone(string(p.UID))}}
		resource := []label{
			{"k8s.namespace.name", points[0].value},
			{"k8s.pod.name", points[1].value},
			{"k8s.pod.uid", points[2].value},
			{"k8s.node.name", clone(p.Spec.NodeName)},
		}
		if c.container != "" {
			container := clone(c.container)
			points, resource = append(points, label{"container", container}), append(resource, label{"k8s.container.name", container})
		}
		list = append(list, d.target(w, clone(p.Status.PodIP), c.number, points, resource))
	}
	return list, nil
}

// ofIngress checks the hosts and paths of an Ingress from where obsd is.
func (d *discovery) ofIngress(in *networking.Ingress, w *wish) ([]*target, error) {
	if err := w.forIngress(); err != nil {
		return nil, err
	}
	points := []label{{"namespace", clone(in.Namespace)}, {"ingress", clone(in.Name)}}
	resource := []label{{"k8s.namespace.name", points[0].value}, {"k8s.ingress.name", points[1].value}}
	var list []*target
	for i := range in.Spec.Rules {
		rule := &in.Spec.Rules[i]
		if rule.Host == "" || strings.HasPrefix(rule.Host, "*") {
			continue // there is no name to ask for
		}
		secure := slices.ContainsFunc(in.Spec.TLS, func(t networking.IngressTLS) bool { return covers(t.Hosts, rule.Host) })
		for _, path := range w.paths(rule) {
			list = append(list, &target{
				kind: kindHTTP, endpoint: w.ingressURL(rule.Host, path, secure), checker: d.checkers.http,
				timeout: d.r.timeout(0), points: points, resource: resource,
			})
		}
	}
	return list, w.few(len(list))
}

// covers says whether a host is one of a list, in which a first * stands for one part of a name.
func covers(list []string, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(list, func(h string) bool { return h == host || h == "*."+parent })
}

// target makes the target for a port.
func (d *discovery) target(w *wish, host string, number int32, points, resource []label) *target {
	t := &target{timeout: d.r.timeout(0), points: points, resource: resource}
	address := joinPort(host, number)
	switch w.scheme {
	case "http", "https":
		t.kind, t.checker, t.endpoint = kindHTTP, d.checkers.http, w.scheme+"://"+address+w.path
	case "tcp":
		t.kind, t.checker, t.endpoint = kindTCP, d.checkers.tcp, address
	case "tls":
		t.kind, t.checker, t.endpoint = kindTCP, d.checkers.tls, address
	default:
		t.kind, t.checker, t.endpoint = kindGRPC, d.checkers.grpc(w.service, w.scheme == "grpcs"), address
		t.points = append(slices.Clip(points), grpcLabels(w.service)...)
	}
	return t
}

// clone keeps a string from holding the object that it came in.
func clone(s string) string { return strings.Clone(s) }
