package kubelet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
)

// What `auth_type` may be.
const (
	authNone           = "none"
	authServiceAccount = "serviceAccount"
	authTLS            = "tls"
	authKubeConfig     = "kubeConfig"
)

// What `nodes` and `node_access` may be.
const (
	nodesSelf    = "self"
	nodesAll     = "all"
	accessDirect = "direct"
	accessProxy  = "proxy"
)

// What `metadata::source` may be.
const (
	sourceNone    = "none"
	sourceKubelet = "kubelet"
	sourceAPI     = "api"
)

// What `metric_groups` may list.
const (
	groupContainer = "container"
	groupPod       = "pod"
	groupNode      = "node"
	groupVolume    = "volume"
	groupSystem    = "system_container"
)

// What `endpoints` may list.
const (
	endpointSummary  = "summary"
	endpointResource = "resource"
	endpointCadvisor = "cadvisor"
	endpointProbes   = "probes"
)

// endpointPods is asked for metadata, and not by its name in `endpoints`.
const endpointPods = "pods"

// defaultTimeout ends a scrape of one node.
const defaultTimeout = 10 * time.Second

// Config is what a user may set under `receivers: kubelet:`. Options that contrib's kubeletstats receiver has are named
// as there.
type Config struct {
	// Controller is when to scrape: `collection_interval` (default 10s), `initial_delay` (default 1s) and `timeout`
	// (default 10s), which is for all requests to one node, and which ends them.
	Controller scraperhelper.ControllerConfig `mapstructure:",squash"`

	// Endpoint is the kubelet: a URL or host[:port]. Default: this host at port 10250, or 10255 over plain HTTP with
	// auth_type none. With auth_type kubeConfig it is the name of the node.
	Endpoint string `mapstructure:"endpoint"`

	// AuthType is none, serviceAccount (the default), tls or kubeConfig.
	AuthType string `mapstructure:"auth_type"`

	// CAFile holds the certificates that the kubelet's is checked against. Default: the service account's.
	CAFile string `mapstructure:"ca_file"`

	// CertFile and KeyFile are the client certificate for auth_type tls.
	CertFile string `mapstructure:"cert_file"`

	// KeyFile is the key of CertFile.
	KeyFile string `mapstructure:"key_file"`

	// TokenFile holds the bearer token. Default: the service account's. It is read again when it changes.
	TokenFile string `mapstructure:"token_file"`

	// InsecureSkipVerify takes any certificate of the kubelet.
	InsecureSkipVerify bool `mapstructure:"insecure_skip_verify"`

	// KubeConfig is the file for auth_type kubeConfig. Default: $KUBECONFIG, then ~/.kube/config.
	KubeConfig string `mapstructure:"kubeconfig"`

	// Context is the context of the kubeconfig file. Default: its current one.
	Context string `mapstructure:"context"`

	// Node is the name of the node: what to look for in the API, and k8s.node.name where the kubelet does not say it.
	Node string `mapstructure:"node"`

	// Nodes is self (the default: one kubelet) or all (those of all Node objects).
	Nodes string `mapstructure:"nodes"`

	// NodeAccess is how the kubelets of `nodes: all` are reached: direct (the default) or proxy (through the API server).
	NodeAccess string `mapstructure:"node_access"`

	// Parallel is how many nodes are scraped at once with `nodes: all`. Default 10.
	Parallel int `mapstructure:"parallel"`

	// Endpoints lists what to scrape: summary (the default), resource, cadvisor, probes.
	Endpoints []string `mapstructure:"endpoints"`

	// MetricGroups lists what to make metrics of from the summary: container, pod, node (the default), volume,
	// system_container.
	MetricGroups []string `mapstructure:"metric_groups"`

	// Metrics switches single metrics of the summary and the metadata on and off.
	Metrics map[string]Toggle `mapstructure:"metrics"`

	// AllInterfaces says for which network metrics all interfaces count and not the default one only.
	AllInterfaces AllInterfaces `mapstructure:"collect_all_network_interfaces"`

	// ExtraMetadataLabels lists container.id and k8s.volume.type, where these are wanted without more metadata.
	ExtraMetadataLabels []string `mapstructure:"extra_metadata_labels"`

	// Metadata is what Pod objects add.
	Metadata MetadataConfig `mapstructure:"metadata"`

	// Prometheus filters the series of resource, cadvisor and probes.
	Prometheus PrometheusConfig `mapstructure:"prometheus"`

	// HeapsterMetrics adds the receiver's own metrics under Heapster's names.
	HeapsterMetrics bool `mapstructure:"heapster_metrics"`
}

// Toggle switches one metric on or off.
type Toggle struct {
	// Enabled says whether it is emitted.
	Enabled bool `mapstructure:"enabled"`
}

// AllInterfaces is the `collect_all_network_interfaces` section.
type AllInterfaces struct {
	// Pod is for k8s.pod.network.*.
	Pod bool `mapstructure:"pod"`
	// Node is for k8s.node.network.*.
	Node bool `mapstructure:"node"`
}

// MetadataConfig is the `metadata` section.
type MetadataConfig struct {
	// Source is where Pod objects come from: none (the default), kubelet (its /pods) or api (the API server).
	Source string `mapstructure:"source"`
	// Labels lists the labels of pods that become attributes k8s.pod.label.<key>; * stands for any text.
	Labels []string `mapstructure:"labels"`
	// Annotations lists the annotations of pods that become attributes k8s.pod.annotation.<key>.
	Annotations []string `mapstructure:"annotations"`
}

// PrometheusConfig is the `prometheus` section. What it leaves out costs neither memory nor series.
type PrometheusConfig struct {
	// IncludeMetrics lists the metrics to take; * stands for any text. Default: all.
	IncludeMetrics []string `mapstructure:"include_metrics"`
	// ExcludeMetrics lists metrics to leave out.
	ExcludeMetrics []string `mapstructure:"exclude_metrics"`
	// ExcludeLabels lists labels to take off.
	ExcludeLabels []string `mapstructure:"exclude_labels"`
	// ExcludeSeries lists series to leave out.
	ExcludeSeries []LabelMatch `mapstructure:"exclude_series"`
}

// LabelMatch is a label and its value.
type LabelMatch struct {
	// Label is its name.
	Label string `mapstructure:"label"`
	// Value is its value; * stands for any text, and nothing for a label that is empty or not there.
	Value string `mapstructure:"value"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 10 * time.Second
	controller.Timeout = defaultTimeout
	return &Config{
		Controller: controller,
		AuthType:   authServiceAccount,
		Nodes:      nodesSelf,
		NodeAccess: accessDirect,
		Parallel:   10,
		Metadata:   MetadataConfig{Source: sourceNone},
	}
}

// lists fills in the lists whose default is not empty: a configuration would be merged into one in the default.
func (c *Config) lists() *Config {
	full := *c
	if len(full.Endpoints) == 0 {
		full.Endpoints = []string{endpointSummary}
	}
	if len(full.MetricGroups) == 0 {
		full.MetricGroups = []string{groupContainer, groupPod, groupNode}
	}
	return &full
}

// Validate reports every problem at once.
func (c *Config) Validate() error {
	var errs []error
	one := func(key, value string, of ...string) {
		if !slices.Contains(of, value) {
			errs = append(errs, fmt.Errorf("%s: %q is unknown: use one of %v", key, value, of))
		}
	}
	one("auth_type", c.AuthType, authNone, authServiceAccount, authTLS, authKubeConfig)
	one("nodes", c.Nodes, nodesSelf, nodesAll)
	one("node_access", c.NodeAccess, accessDirect, accessProxy)
	one("metadata::source", c.Metadata.Source, sourceNone, sourceKubelet, sourceAPI)
	for i, e := range c.Endpoints {
		one(fmt.Sprintf("endpoints[%d]", i), e, endpointSummary, endpointResource, endpointCadvisor, endpointProbes)
	}
	for i, g := range c.MetricGroups {
		one(fmt.Sprintf("metric_groups[%d]", i), g, groupContainer, groupPod, groupNode, groupVolume, groupSystem)
	}
	for i, l := range c.ExtraMetadataLabels {
		one(fmt.Sprintf("extra_metadata_labels[%d]", i), l, attrContainerID, attrVolumeType)
	}
	known := metricNames()
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("metrics: %q is unknown: the README lists what there is", name))
		}
	}
	errs = append(errs, c.validateAccess()...)
	return errors.Join(append(errs, c.validatePatterns()...)...)
}

func (c *Config) validateAccess() (errs []error) {
	if c.Controller.Timeout <= 0 {
		errs = append(errs, errors.New("timeout: must be more than 0: a kubelet that hangs would hold its scrape for ever"))
	}
	if c.AuthType == authTLS && (c.CertFile == "" || c.KeyFile == "") {
		errs = append(errs, errors.New("auth_type: tls needs cert_file and key_file: set both, or use serviceAccount"))
	}
	if c.InsecureSkipVerify && c.CAFile != "" {
		errs = append(errs, errors.New("insecure_skip_verify: nothing is checked against ca_file then: remove one of them"))
	}
	if c.Nodes == nodesAll {
		if c.Endpoint != "" {
			errs = append(errs, errors.New("endpoint: nodes: all takes the addresses from the API: remove it, or set nodes: self"))
		}
		if c.Parallel < 1 {
			errs = append(errs, errors.New("parallel: must be at least 1"))
		}
		if c.AuthType != authServiceAccount && c.AuthType != authKubeConfig {
			errs = append(errs, fmt.Errorf("nodes: all asks the API server, which auth_type %s cannot: use serviceAccount or kubeConfig", c.AuthType))
		}
	}
	if c.Metadata.Source == sourceAPI && c.AuthType != authServiceAccount && c.AuthType != authKubeConfig {
		errs = append(errs, fmt.Errorf("metadata::source: api needs credentials for the API server, which auth_type %s has not: use kubelet", c.AuthType))
	}
	if c.Endpoint != "" && c.AuthType != authKubeConfig {
		if _, err := parseEndpoint(c.Endpoint, c.AuthType); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (c *Config) validatePatterns() (errs []error) {
	for i, m := range c.Prometheus.ExcludeSeries {
		if m.Label == "" {
			errs = append(errs, fmt.Errorf("prometheus::exclude_series[%d]: no label: say which one", i))
		}
	}
	return errs
}

// needsPods says where Pod objects have to come from: a figure or label that needs them turns on the kubelet's.
func (c *Config) needsPods(cat *catalog) string {
	if c.Metadata.Source != sourceNone {
		return c.Metadata.Source
	}
	utilization := []stat{cpuLimitUtilization, cpuRequestUtilization, memoryLimitUtilization, memoryRequestUtilization}
	if len(c.ExtraMetadataLabels) > 0 || cat.wants(podEntity, utilization...) || cat.wants(containerEntity, utilization...) {
		return sourceKubelet
	}
	return sourceNone
}

// light says whether the summary's cheap form will do, which has only CPU and memory: it saves the kubelet much work.
func (c *Config) light(cat *catalog) bool {
	if slices.Contains(c.MetricGroups, groupVolume) {
		return false
	}
	heavy := []stat{
		fsAvailable, fsCapacity, fsUsage, networkIO, networkErrors, fsInodes, fsInodesFree, fsInodesUsed, psiTime, psiPressure,
		swapUsage, swapAvailable, processCount, pidLimit, ephemeralUsage, acceleratorTotal, acceleratorUsed, acceleratorBusy, userDefined,
		imageFSAvailable, imageFSCapacity, imageFSUsage, imageFSInodes, imageFSInodesUsed,
		runtimeFSAvailable, runtimeFSCapacity, runtimeFSUsage, runtimeFSInodes, runtimeFSInodesUsed,
	}
	for group, e := range map[string]entity{groupNode: nodeEntity, groupSystem: systemEntity, groupPod: podEntity, groupContainer: containerEntity} {
		if slices.Contains(c.MetricGroups, group) && cat.wants(e, heavy...) {
			return false
		}
	}
	return true
}
