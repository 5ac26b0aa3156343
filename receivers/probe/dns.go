package probe

import (
	"crypto/tls"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// dnsChecker asks name servers a question.
type dnsChecker struct {
	cfg    *DNSConfig
	dialer *dialer
	tls    *tls.Config // nil but with the protocol tls
	kind   uint16
	rcode  int
	match  *regexp.Regexp // nil if nothing is asked
}

func newDNSChecker(cfg *DNSConfig, d *dialer, tlsConfig *tls.Config) (c *dnsChecker, err error) {
	c = &dnsChecker{cfg: cfg, dialer: d, kind: dns.TypeA, rcode: dns.RcodeSuccess}
	if cfg.Protocol == protocolTLS {
		c.tls = tlsConfig
	}
	if cfg.QueryType != "" {
		c.kind = dns.StringToType[strings.ToUpper(cfg.QueryType)]
	}
	if cfg.Rcode != "" {
		c.rcode = dns.StringToRcode[strings.ToUpper(cfg.Rcode)]
	}
	c.match, err = pattern(cfg.AnswerMatches)
	return c, err
}

func (c *dnsChecker) check(m *measure, endpoint string) (r result) {
	network := "udp"
	if c.cfg.Protocol == protocolTCP || c.cfg.Protocol == protocolTLS {
		network = "tcp"
	}
	conn, err := c.dialer.dialTLS(m, network, c.cfg.server(endpoint), c.tls)
	if err != nil {
		r.fail(m, err)
		return r
	}
	m.enter(phaseRequest)
	question := new(dns.Msg).SetQuestion(dns.Fqdn(c.cfg.QueryName), c.kind)
	question.SetEdns0(dns.DefaultMsgSize, false)
	client := dns.Client{Timeout: maxExchange}
	answer, _, err := client.ExchangeWithConnContext(m.ctx, question, &dns.Conn{Conn: conn})
	if err != nil {
		r.fail(m, err)
		return r
	}
	m.end()
	r.dns = &dnsResult{rcode: answer.Rcode, answers: len(answer.Answer)}
	switch {
	case answer.Rcode != c.rcode:
		r.failure, r.err = failRcode, fmt.Errorf("the code is %s", dns.RcodeToString[answer.Rcode])
	case c.rcode == dns.RcodeSuccess && len(answer.Answer) == 0:
		r.failure, r.err = failAnswer, fmt.Errorf("there is no answer of the type %s", dns.TypeToString[c.kind])
	case c.match != nil && !slices.ContainsFunc(answer.Answer, func(rr dns.RR) bool { return c.match.MatchString(rr.String()) }):
		r.failure, r.err = failAnswer, fmt.Errorf("none of %d answers is as answer_matches wants it", len(answer.Answer))
	}
	return r
}

// labels say which question is asked.
func (c *dnsChecker) labels() []label {
	return []label{{attrQuestion, c.cfg.QueryName}, {attrQuestionType, dns.TypeToString[c.kind]}}
}
