package probe

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// problems gathers what is wrong with a configuration.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

func (p *problems) note(key string, err error) {
	if err != nil {
		p.add("%s: %w", key, err)
	}
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var p problems
	if c.Controller.Timeout <= 0 {
		p.add("timeout: must be more than 0: a target that hangs would hold its check for ever")
	}
	if c.Parallel < 1 {
		p.add("parallel: must be at least 1")
	}
	for i := range c.HTTP {
		c.HTTP[i].validate(fmt.Sprintf("http[%d]", i), &p)
	}
	for i := range c.TCP {
		key := fmt.Sprintf("tcp[%d]", i)
		p.endpoints(key, c.TCP[i].Endpoints, hostPort)
		p.notNegative(key+"::timeout", int64(c.TCP[i].Timeout))
	}
	for i := range c.DNS {
		c.DNS[i].validate(fmt.Sprintf("dns[%d]", i), &p)
	}
	for i := range c.GRPC {
		key := fmt.Sprintf("grpc[%d]", i)
		p.endpoints(key, c.GRPC[i].Endpoints, hostPort)
		p.notNegative(key+"::timeout", int64(c.GRPC[i].Timeout))
	}
	if k := c.Kubernetes.Get(); k != nil {
		for i, d := range k.Discover {
			p.note(fmt.Sprintf("kubernetes::discover[%d]", i), oneOf(d, discoverServices, discoverIngresses, discoverPods))
		}
	} else if len(c.HTTP)+len(c.TCP)+len(c.DNS)+len(c.GRPC) == 0 {
		p.add("no target: list some under http, tcp, dns or grpc, or set kubernetes to find them by annotations")
	}
	c.distinct(&p)
	return errors.Join(p...)
}

// distinct reports endpoints of which two targets would make the same series.
func (c *Config) distinct(p *problems) {
	seen := map[string]bool{}
	note := func(key, kind, name string, endpoints []string, more ...string) {
		for i, e := range endpoints {
			id := strings.Join(append(more, kind, name, e), "\x00")
			if seen[id] {
				p.add("%s::endpoints[%d]: %q is listed twice: give one of the groups a name of its own", key, i, e)
			}
			seen[id] = true
		}
	}
	for i, g := range c.HTTP {
		note(fmt.Sprintf("http[%d]", i), kindHTTP, g.Name, g.Endpoints)
	}
	for i, g := range c.TCP {
		note(fmt.Sprintf("tcp[%d]", i), kindTCP, g.Name, g.Endpoints)
	}
	for i, g := range c.DNS {
		note(fmt.Sprintf("dns[%d]", i), kindDNS, g.Name, g.Endpoints, g.QueryName, g.QueryType)
	}
	for i, g := range c.GRPC {
		note(fmt.Sprintf("grpc[%d]", i), kindGRPC, g.Name, g.Endpoints, g.Service)
	}
}

func (c *HTTPConfig) validate(key string, p *problems) {
	p.endpoints(key, c.Endpoints, httpURL)
	p.notNegative(key+"::timeout", int64(c.Timeout))
	p.notNegative(key+"::max_body_size", int64(c.MaxBodySize))
	if _, err := http.NewRequest(c.Method, "http://localhost/", http.NoBody); err != nil {
		p.add("%s::method: %q is no method", key, c.Method)
	}
	for i, s := range c.Status {
		_, err := parseStatus(s)
		p.note(fmt.Sprintf("%s::status[%d]", key, i), err)
	}
	p.pattern(key+"::body_matches", c.BodyMatches)
	p.pattern(key+"::body_matches_not", c.BodyMatchesNot)
	if c.ProxyURL != "" {
		p.note(key+"::proxy_url", httpURL(c.ProxyURL))
	}
}

func (c *DNSConfig) validate(key string, p *problems) {
	p.endpoints(key, c.Endpoints, func(e string) error { return hostPort(c.server(e)) })
	p.notNegative(key+"::timeout", int64(c.Timeout))
	if _, ok := dns.IsDomainName(c.QueryName); !ok || c.QueryName == "" {
		p.add("%s::query_name: %q is no name that can be asked for", key, c.QueryName)
	}
	if _, ok := dns.StringToType[strings.ToUpper(c.QueryType)]; !ok && c.QueryType != "" {
		p.add("%s::query_type: %q is no type of records: use one such as A, AAAA, CNAME, MX, SRV or TXT", key, c.QueryType)
	}
	if _, ok := dns.StringToRcode[strings.ToUpper(c.Rcode)]; !ok && c.Rcode != "" {
		p.add("%s::rcode: %q is no code: use one such as NOERROR or NXDOMAIN", key, c.Rcode)
	}
	if c.Protocol != "" {
		p.note(key+"::protocol", oneOf(c.Protocol, protocolUDP, protocolTCP, protocolTLS))
	}
	p.pattern(key+"::answer_matches", c.AnswerMatches)
}

// server is host:port of a server.
func (c *DNSConfig) server(endpoint string) string {
	if _, _, err := net.SplitHostPort(endpoint); err == nil {
		return endpoint
	}
	port := "53"
	if c.Protocol == protocolTLS {
		port = "853"
	}
	return net.JoinHostPort(strings.Trim(endpoint, "[]"), port)
}

func (p *problems) endpoints(key string, list []string, check func(string) error) {
	if len(list) == 0 {
		p.add("%s::endpoints: none given: list what to check, or remove the group", key)
	}
	for i, e := range list {
		p.note(fmt.Sprintf("%s::endpoints[%d]", key, i), check(e))
	}
}

func (p *problems) notNegative(key string, v int64) {
	if v < 0 {
		p.add("%s: must not be negative; 0 is the default", key)
	}
}

func (p *problems) pattern(key, text string) {
	_, err := regexp.Compile(text)
	p.note(key, err)
}

func oneOf(value string, of ...string) error {
	if slices.Contains(of, value) {
		return nil
	}
	return fmt.Errorf("%q is unknown: use one of %v", value, of)
}

func hostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	number, convErr := strconv.ParseUint(port, 10, 16)
	if err != nil || convErr != nil || number == 0 || host == "" {
		return fmt.Errorf("%q is not host:port", text)
	}
	return nil
}

func httpURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not a URL such as https://example.com/healthz", text)
	}
	if u.User != nil {
		return fmt.Errorf("%q has a password in it, which would be an attribute of metrics: use auth or headers", u.Redacted())
	}
	return nil
}

// statusRange is a range of HTTP status codes.
type statusRange struct{ from, to int }

func parseStatus(text string) (statusRange, error) {
	from, to, several := strings.Cut(text, "-")
	if !several {
		to = from
	}
	f, err1 := strconv.Atoi(from)
	t, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || f < 100 || t > 599 || f > t {
		return statusRange{}, fmt.Errorf("%q is neither a code such as 204 nor a range such as 200-299", text)
	}
	return statusRange{f, t}, nil
}
