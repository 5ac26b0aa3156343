package probe

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// Kinds of checks.
const (
	kindHTTP = "http"
	kindTCP  = "tcp"
	kindDNS  = "dns"
	kindGRPC = "grpc"
)

// What `kubernetes::discover` may list.
const (
	discoverServices  = "services"
	discoverIngresses = "ingresses"
	discoverPods      = "pods"
)

// What `dns::protocol` may be.
const (
	protocolUDP = "udp"
	protocolTCP = "tcp"
	protocolTLS = "tls"
)

const (
	defaultTimeout = 5 * time.Second
	defaultMaxBody = 1 << 20
	// maxExchange is longer than any check: its own time is what ends it.
	maxExchange = 24 * time.Hour
)

// Config is what a user may set under `receivers: probe:`.
type Config struct {
	// Controller is when to check: `collection_interval` (default 30s), `initial_delay` (default 1s) and `timeout` (default
	// 5s), which is for one check from the look-up of the name to the end of the answer, and which ends it.
	Controller scraperhelper.ControllerConfig `mapstructure:",squash"`

	// Parallel is how many checks run at once. Default 50.
	Parallel int `mapstructure:"parallel"`

	// HTTP lists groups of HTTP checks.
	HTTP []HTTPConfig `mapstructure:"http"`

	// TCP lists groups of TCP checks.
	TCP []TCPConfig `mapstructure:"tcp"`

	// DNS lists groups of DNS checks.
	DNS []DNSConfig `mapstructure:"dns"`

	// GRPC lists groups of checks by gRPC's health protocol.
	GRPC []GRPCConfig `mapstructure:"grpc"`

	// Kubernetes finds targets by annotations.
	Kubernetes configoptional.Optional[KubernetesConfig] `mapstructure:"kubernetes"`
}

// HTTPConfig is a group of HTTP checks.
type HTTPConfig struct {
	// Name becomes the attribute probe.name. It tells groups apart that check the same endpoint.
	Name string `mapstructure:"name"`

	// Endpoints lists URLs.
	Endpoints []string `mapstructure:"endpoints"`

	// Timeout is for one check, instead of the receiver's.
	Timeout time.Duration `mapstructure:"timeout"`

	// Method is the request's. Default GET.
	Method string `mapstructure:"method"`

	// Body is the request's.
	Body string `mapstructure:"body"`

	// Headers are the request's; Host is the name that the server is asked for.
	Headers configopaque.MapList `mapstructure:"headers"`

	// Status lists the codes that are good, each as 200 or as 200-299. Default: 200-299.
	Status []string `mapstructure:"status"`

	// BodyMatches is a regular expression (RE2) that the answer's body must match.
	BodyMatches string `mapstructure:"body_matches"`

	// BodyMatchesNot is a regular expression that it must not match.
	BodyMatchesNot string `mapstructure:"body_matches_not"`

	// MaxBodySize is how many bytes of the body are read; the rest is not looked at. Default 1 MiB.
	MaxBodySize int `mapstructure:"max_body_size"`

	// FollowRedirects goes where the answer sends it, ten times at most. Otherwise a redirect is an answer like others.
	FollowRedirects bool `mapstructure:"follow_redirects"`

	// ProxyURL is the proxy to go through. Default: none, whatever the environment says.
	ProxyURL string `mapstructure:"proxy_url"`

	// TLS is the Collector's section for clients.
	TLS configtls.ClientConfig `mapstructure:"tls"`

	// Auth names an extension that authenticates requests.
	Auth configoptional.Optional[configauth.Config] `mapstructure:"auth"`
}

// TCPConfig is a group of TCP checks.
type TCPConfig struct {
	// Name becomes the attribute probe.name. It tells groups apart that check the same endpoint.
	Name string `mapstructure:"name"`

	// Endpoints lists host:port.
	Endpoints []string `mapstructure:"endpoints"`

	// Timeout is for one check, instead of the receiver's.
	Timeout time.Duration `mapstructure:"timeout"`

	// TLS, if it is there, makes a TLS handshake too.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
}

// DNSConfig is a group of DNS checks: one question to several servers.
type DNSConfig struct {
	// Name becomes the attribute probe.name. It tells groups apart that check the same endpoint.
	Name string `mapstructure:"name"`

	// Endpoints lists servers as host or host:port. The port is 53, or 853 with the protocol tls.
	Endpoints []string `mapstructure:"endpoints"`

	// Timeout is for one check, instead of the receiver's.
	Timeout time.Duration `mapstructure:"timeout"`

	// QueryName is what is asked for.
	QueryName string `mapstructure:"query_name"`

	// QueryType is the type of records. Default A.
	QueryType string `mapstructure:"query_type"`

	// Protocol is udp (the default), tcp or tls.
	Protocol string `mapstructure:"protocol"`

	// Rcode is the code that is good. Default NOERROR, with at least one answer.
	Rcode string `mapstructure:"rcode"`

	// AnswerMatches is a regular expression that one of the answers must match, each written as in a zone file.
	AnswerMatches string `mapstructure:"answer_matches"`

	// TLS is for the protocol tls.
	TLS configtls.ClientConfig `mapstructure:"tls"`
}

// GRPCConfig is a group of checks by grpc.health.v1.
type GRPCConfig struct {
	// Name becomes the attribute probe.name. It tells groups apart that check the same endpoint.
	Name string `mapstructure:"name"`

	// Endpoints lists host:port.
	Endpoints []string `mapstructure:"endpoints"`

	// Timeout is for one check, instead of the receiver's.
	Timeout time.Duration `mapstructure:"timeout"`

	// Service is the one whose health is asked for. Default: that of the whole server.
	Service string `mapstructure:"service"`

	// TLS, if it is there, is used; otherwise the connection is in the clear.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
}

// KubernetesConfig finds targets by the annotations of objects.
type KubernetesConfig struct {
	// API names the API server: `auth_type` (serviceAccount, the default, or kubeConfig), `kubeconfig`, `context`.
	API kubeapi.Config `mapstructure:",squash"`

	// Discover lists what is looked at: services, ingresses, pods. Default: all three.
	Discover []string `mapstructure:"discover"`

	// Namespaces lists those whose objects are looked at. Default: all.
	Namespaces []string `mapstructure:"namespaces"`

	// TLS is for targets whose scheme has it.
	TLS configtls.ClientConfig `mapstructure:"tls"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 30 * time.Second
	controller.Timeout = defaultTimeout
	return &Config{
		Controller: controller,
		Parallel:   50,
		Kubernetes: configoptional.Default(KubernetesConfig{API: kubeapi.NewDefaultConfig()}),
	}
}

// discovers are the kinds of objects to look at.
func (c *KubernetesConfig) discovers() []string {
	if len(c.Discover) == 0 {
		return []string{discoverServices, discoverIngresses, discoverPods}
	}
	return c.Discover
}

// scopes are the namespaces to look at, "" for all.
func (c *KubernetesConfig) scopes() []string {
	if len(c.Namespaces) == 0 {
		return []string{""}
	}
	return c.Namespaces
}
