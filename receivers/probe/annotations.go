package probe

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	networking "k8s.io/api/networking/v1"
)

// Annotations by which an object asks for checks. Those of the second group are what configurations of Prometheus's blackbox
// exporter go by.
const (
	annotationProbe   = "obsd.io/probe"
	annotationScheme  = "obsd.io/probe-scheme"
	annotationPort    = "obsd.io/probe-port"
	annotationPath    = "obsd.io/probe-path"
	annotationService = "obsd.io/probe-service"

	blackboxProbe  = "prometheus.io/probe"
	blackboxScheme = "prometheus.io/scheme"
	blackboxPort   = "prometheus.io/port"
	blackboxPath   = "prometheus.io/path"
)

// maxTargets is how many targets one object may have.
const maxTargets = 50

// wish is what an object asks for.
type wish struct {
	scheme  string
	ports   []string // names or numbers; none for all
	path    string   // of http and https
	anyPath bool     // no path is asked for
	service string   // of grpc and grpcs
}

// wishOf reads the annotations; there is no wish if they ask for nothing.
func wishOf(annotations map[string]string) (*wish, error) {
	get := func(own, blackbox string) (value, key string) {
		if v, ok := annotations[own]; ok || blackbox == "" {
			return v, own
		}
		return annotations[blackbox], blackbox
	}
	on, key := get(annotationProbe, blackboxProbe)
	switch on {
	case "", "false":
		return nil, nil
	case "true":
	default:
		return nil, fmt.Errorf("%s: %q is neither true nor false: the kind of check is for %s", key, on, annotationScheme)
	}
	w := &wish{scheme: "http", service: clone(annotations[annotationService])}
	if s, key := get(annotationScheme, blackboxScheme); s != "" {
		if err := oneOf(s, "http", "https", "tcp", "tls", "grpc", "grpcs"); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		w.scheme = clone(s)
	}
	if p, _ := get(annotationPort, blackboxPort); p != "" {
		for name := range strings.SplitSeq(p, ",") {
			w.ports = append(w.ports, clone(strings.TrimSpace(name)))
		}
	}
	path, key := get(annotationPath, blackboxPath)
	w.anyPath = path == ""
	if w.anyPath {
		path = "/"
	}
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %q is not a path such as /healthz", key, path)
	}
	w.path = clone(path)
	return w, nil
}

// port is one that an object says it has.
type port struct {
	name      string
	number    int32
	tcp       bool
	container string
}

// choose picks the ports that are asked for, or all that speak TCP. A number need not be among those that the object says.
func (w *wish) choose(ports []port) (list []port, err error) {
	if len(w.ports) == 0 {
		for _, p := range ports {
			if p.tcp {
				list = append(list, p)
			}
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("it has no TCP port: name one with %s", annotationPort)
		}
		return list, w.few(len(list))
	}
	for _, wanted := range w.ports {
		number, err := strconv.ParseUint(wanted, 10, 16)
		isNumber := err == nil && number > 0
		at := slices.IndexFunc(ports, func(p port) bool { return p.tcp && (p.name == wanted || isNumber && p.number == int32(number)) })
		switch {
		case at >= 0:
			list = append(list, ports[at])
		case isNumber:
			list = append(list, port{number: int32(number)})
		default:
			return nil, fmt.Errorf("%s: it has no TCP port %q", annotationPort, wanted)
		}
	}
	return list, w.few(len(list))
}

// few keeps one object from asking for very many checks.
func (w *wish) few(n int) error {
	if n > maxTargets {
		return fmt.Errorf("these are %d targets, and an object may have %d: name fewer with %s", n, maxTargets, annotationPort)
	}
	return nil
}

// paths are those to ask a host of an Ingress for: what the annotation says, or those of the rule.
func (w *wish) paths(rule *networking.IngressRule) []string {
	if !w.anyPath || rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
		return []string{w.path}
	}
	var list []string
	for i := range rule.HTTP.Paths {
		p := &rule.HTTP.Paths[i]
		path := clone(p.Path)
		if !strings.HasPrefix(path, "/") || p.PathType != nil && *p.PathType == networking.PathTypeImplementationSpecific {
			path = "/" // it may be a pattern
		}
		if !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

// ingressURL is where a host and path of an Ingress are. Its annotation may say the scheme and the port of the entrance.
func (w *wish) ingressURL(host, path string, secure bool) string {
	scheme := "http"
	if secure || w.scheme == "https" {
		scheme = "https"
	}
	if len(w.ports) == 1 {
		host = net.JoinHostPort(host, w.ports[0])
	}
	return scheme + "://" + clone(host) + path
}

func joinPort(host string, number int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(number)))
}

// forIngress says whether an Ingress can ask for this.
func (w *wish) forIngress() error {
	if w.scheme != "http" && w.scheme != "https" {
		return fmt.Errorf("%s: %q is not for an Ingress: use http or https, or nothing", annotationScheme, w.scheme)
	}
	for i, p := range w.ports {
		if number, err := strconv.ParseUint(p, 10, 16); err != nil || number == 0 || i > 0 {
			return fmt.Errorf("%s: an Ingress may name one port, by its number", annotationPort)
		}
	}
	return nil
}
