package k8smetadata

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// association is by what a pod is found.
type association uint8

const (
	uid association = iota
	container
	name
	ip
	connection
	none // a resource tells of no pod
)

// associationNames are in the order of the constants.
var associationNames = [...]string{byUID, byContainer, byName, byIP, byConnection, "none"}

func associationNamed(text string) association {
	return association(slices.Index(associationNames[:], text))
}

// identity is what a resource tells of its pod.
type identity struct {
	uid, container, namespace, name string
	containerName                   string
	restarts                        int  // of the container, -1 if not known
	other                           bool // it tells of a node, a workload or the like
	ip, peer                        netip.Addr
}

// identify reads a resource's attributes once.
func identify(m pcommon.Map, peer netip.Addr) identity {
	id := identity{restarts: -1, peer: peer}
	for key, v := range m.All() {
		if len(key) < len("k8s.pod.ip") || key[0] != 'k' && key[0] != 'c' {
			continue
		}
		switch key {
		case "k8s.pod.uid":
			id.uid = v.Str()
		case "container.id":
			id.container = kubeapi.ContainerID(v.Str())
		case "k8s.namespace.name":
			id.namespace = v.Str()
		case "k8s.pod.name":
			id.name = v.Str()
		case "k8s.pod.ip":
			id.ip = parseIP(v.Str())
		case "k8s.container.name":
			id.containerName = v.Str()
		case "k8s.container.restart_count":
			id.restarts = number(v)
		default:
			id.other = id.other || isOther(key)
		}
	}
	return id
}

// isOther says whether an attribute may be that of an object of Kubernetes which is no pod.
func isOther(key string) bool {
	rest, ok := strings.CutPrefix(key, "k8s.")
	kind, _, _ := strings.Cut(rest, ".")
	return ok && kind != "pod" && kind != "container" && kind != "namespace" && kind != "cluster"
}

func number(v pcommon.Value) int {
	if v.Type() == pcommon.ValueTypeInt {
		return int(v.Int())
	}
	if n, err := strconv.Atoi(v.Str()); err == nil {
		return n
	}
	return -1
}

func parseIP(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// peerOf is the address of the client that sent a batch, if there is one and it may be a pod's.
func peerOf(ctx context.Context) (a netip.Addr) {
	switch addr := client.FromContext(ctx).Addr.(type) {
	case *net.TCPAddr:
		a, _ = netip.AddrFromSlice(addr.IP)
	case *net.UDPAddr:
		a, _ = netip.AddrFromSlice(addr.IP)
	case *net.IPAddr:
		a, _ = netip.AddrFromSlice(addr.IP)
	}
	if a = a.Unmap(); a.IsLoopback() {
		return netip.Addr{}
	}
	return a
}

// find tries the associations in their order. Without a pod, by is the first one for which the resource has something, or none.
func (e *enricher) find(id *identity) (p *podtable.Pod, by association) {
	by = none
	for _, a := range e.order {
		p, told := e.try(a, id)
		if p != nil {
			return p, a
		}
		if told && by == none {
			by = a
		}
	}
	return nil, by
}

// try finds a pod by one association. told says that the resource has something for it.
func (e *enricher) try(a association, id *identity) (p *podtable.Pod, told bool) {
	switch a {
	case uid:
		if told = id.uid != ""; told {
			p = e.table.ByUID(id.uid)
		}
		return p, told
	case container:
		if told = id.container != ""; told {
			p = e.table.ByContainer(id.container)
		}
	case name:
		if told = id.namespace != "" && id.name != ""; told {
			p = e.table.ByName(id.namespace, id.name)
		}
	case ip:
		if told = id.ip.IsValid(); told {
			p = e.table.ByIP(id.ip)
		}
	case connection:
		// What tells of a node or a workload, and of no pod, was sent by an agent and not by what it tells of.
		if told = id.peer.IsValid() && (!id.other || id.uid != "" || id.name != ""); told {
			p = e.table.ByIP(id.peer)
		}
	}
	if p != nil && !id.agrees(p, a) {
		p = nil
	}
	return p, told
}

// agrees says that nothing which a resource tells is against its being of a pod. An agent that hands on what others sent has an
// address too, and a pod of a StatefulSet has the name of the one before.
func (id *identity) agrees(p *podtable.Pod, a association) bool {
	if id.uid != "" && !p.HasUID(id.uid) {
		return false
	}
	if id.name != "" && id.name != p.Name() || id.namespace != "" && id.namespace != p.Namespace() {
		return false
	}
	return a != ip && a != connection || id.container == "" || p.ContainerByID(id.container) != nil
}

// key names what a resource's pod is looked for by, for the memory of what was not found.
func (id *identity) key(by association) string {
	switch by {
	case uid:
		return "u" + id.uid
	case container:
		return "c" + id.container
	case name:
		return "n" + id.namespace + "/" + id.name
	case ip:
		return "i" + id.ip.String()
	}
	return "i" + id.peer.String()
}
