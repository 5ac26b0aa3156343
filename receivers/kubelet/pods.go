package kubelet

import (
	"fmt"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// podList reads an answer of /pods. Of a Pod object it keeps what podMeta has.
type podList struct {
	cfg   *MetadataConfig
	names *names
	l     lexer
	key   []byte
}

// podFields are the parts of a Pod object that attributes are made of once it is read.
type podFields struct {
	ownerKind, ownerName, templateHash, qos string
	labels, annotations                     []label
	statuses                                []containerMeta
	over                                    bool // it has succeeded or failed
}

func (r *podList) decode(b []byte) (*metadata, error) {
	r.l = lexer{b: b}
	l, m, found := &r.l, &metadata{pods: map[string]*podMeta{}}, false
	if l.peek() != '{' {
		l.fail("no object")
		return nil, l.err
	}
	l.object(func(k []byte) {
		if string(k) != "items" {
			l.skip()
			return
		}
		found = true
		for first := l.list(); l.next(first, ']'); {
			p := r.pod()
			if _, ok := m.pods[p.uid]; !ok && p.uid != "" {
				m.pods[p.uid] = p
				m.order = append(m.order, p.uid)
			}
		}
	})
	if err := l.end(); err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("no items in it, so it is not a list of pods")
	}
	return m, nil
}

func (r *podList) pod() *podMeta {
	l, p, f := &r.l, &podMeta{}, podFields{}
	l.object(func(k []byte) {
		switch string(k) {
		case "metadata":
			r.meta(p, &f)
		case "spec":
			r.spec(p)
		case "status":
			r.status(&f)
		default:
			l.skip()
		}
	})
	p.finish(&f)
	return p
}

// finish makes the attributes and sums.
func (p *podMeta) finish(f *podFields) {
	for _, a := range kubeapi.OwnerAttributes(f.ownerKind, f.ownerName, f.templateHash) {
		p.attributes = append(p.attributes, label{a.Key, a.Value})
	}
	if f.qos != "" {
		p.attributes = append(p.attributes, label{"k8s.pod.qos_class", f.qos})
	}
	p.attributes = append(append(p.attributes, f.labels...), f.annotations...)
	for _, s := range f.statuses {
		if c := p.container(s.name); c != nil {
			c.id, c.restarts, c.ready = s.id, s.restarts, s.ready
		}
	}
	for i := range p.containers {
		p.containers[i].counts = p.containers[i].counts && !f.over // what has ended requests nothing
	}
	p.sumUp()
}

func (r *podList) meta(p *podMeta, f *podFields) {
	l := &r.l
	l.object(func(k []byte) {
		switch string(k) {
		case "name":
			p.name = r.text()
		case "namespace":
			p.namespace = r.text()
		case "uid":
			p.uid = r.text()
		case "labels":
			f.labels = r.pairs("k8s.pod.label.", r.cfg.Labels, func(k []byte) {
				if string(k) == "pod-template-hash" {
					at := l.i
					f.templateHash = r.text()
					l.i = at
				}
			})
		case "annotations":
			f.annotations = r.pairs("k8s.pod.annotation.", r.cfg.Annotations, func([]byte) {})
		case "ownerReferences":
			for first := l.list(); l.next(first, ']'); {
				r.owner(f)
			}
		default:
			l.skip()
		}
	})
}

// pairs reads those labels or annotations that the configuration asks for; look may look at each value first.
func (r *podList) pairs(prefix string, wanted []string, look func(key []byte)) (out []label) {
	l := &r.l
	l.object(func(k []byte) {
		look(k)
		if len(wanted) == 0 || !kubeapi.Matches(wanted, r.names.get(k)) {
			l.skip()
			return
		}
		r.key = append(append(r.key[:0], prefix...), k...)
		out = append(out, label{r.names.get(r.key), r.text()})
	})
	return out
}

// owner keeps the reference to the controller.
func (r *podList) owner(f *podFields) {
	l, kind, name, controller := &r.l, "", "", false
	l.object(func(k []byte) {
		switch string(k) {
		case "kind":
			kind = r.text()
		case "name":
			name = r.text()
		case "controller":
			controller = l.peek() == 't'
			l.skip()
		default:
			l.skip()
		}
	})
	if controller {
		f.ownerKind, f.ownerName = kind, name
	}
}

func (r *podList) spec(p *podMeta) {
	l := &r.l
	l.object(func(k []byte) {
		switch string(k) {
		case "containers":
			r.containers(p, true)
		case "initContainers":
			r.containers(p, false)
		case "volumes":
			for first := l.list(); l.next(first, ']'); {
				p.volumes = append(p.volumes, r.volume())
			}
		default:
			l.skip()
		}
	})
}

// containers reads containers, or init containers, of which only those that are restarted for ever count.
func (r *podList) containers(p *podMeta, counts bool) {
	l := &r.l
	for first := l.list(); l.next(first, ']'); {
		c := p.addContainer(counts)
		l.object(func(k []byte) {
			switch string(k) {
			case "name":
				c.name = r.text()
			case "image":
				c.image = r.text()
			case "resources":
				r.resources(&c.resources)
			case "restartPolicy":
				c.counts = counts || r.text() == "Always"
			default:
				l.skip()
			}
		})
	}
}

// addContainer adds a container.
func (p *podMeta) addContainer(counts bool) *containerMeta {
	p.containers = append(p.containers, containerMeta{counts: counts})
	return &p.containers[len(p.containers)-1]
}

func (r *podList) resources(to *resources) {
	l := &r.l
	l.object(func(k []byte) {
		limit := string(k) == "limits"
		if !limit && string(k) != "requests" {
			l.skip()
			return
		}
		l.object(func(k []byte) {
			name := r.names.get(k)
			to.set(name, limit, parseQty(r.text()))
		})
	})
}

// volume reads a volume. The one key beside its name is its type.
func (r *podList) volume() (v volumeMeta) {
	l := &r.l
	l.object(func(k []byte) {
		switch string(k) {
		case "name":
			v.name = r.text()
		case "persistentVolumeClaim":
			v.kind = "persistentVolumeClaim"
			l.object(func(k []byte) {
				if string(k) == "claimName" {
					v.claim = r.text()
					return
				}
				l.skip()
			})
		default:
			v.kind = r.names.get(k)
			l.skip()
		}
	})
	return v
}

func (r *podList) status(f *podFields) {
	l := &r.l
	l.object(func(k []byte) {
		switch string(k) {
		case "phase":
			phase := r.text()
			f.over = phase == "Succeeded" || phase == "Failed"
		case "qosClass":
			f.qos = r.text()
		case "containerStatuses", "initContainerStatuses":
			for first := l.list(); l.next(first, ']'); {
				f.statuses = append(f.statuses, r.containerStatus())
			}
		default:
			l.skip()
		}
	})
}

func (r *podList) containerStatus() (s containerMeta) {
	l := &r.l
	l.object(func(k []byte) {
		switch string(k) {
		case "name":
			s.name = r.text()
		case "containerID":
			s.id = kubeapi.ContainerID(r.text())
		case "restartCount":
			s.restarts = l.uint()
		case "ready":
			s.ready = num{ok: true}
			if l.peek() == 't' {
				s.ready.v = 1
			}
			l.skip()
		default:
			l.skip()
		}
	})
	return s
}

func (r *podList) text() string {
	b, _ := r.l.str()
	return r.names.get(b)
}
