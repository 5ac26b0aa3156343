// Package k8smetadata is the processor "k8s_metadata", which puts what the extension k8s_pods knows of a pod onto the resources
// of its logs, metrics and traces: owner, node, image, labels and annotations. It finds the pod by its uid, a container's id, its
// name, its address or that of the client, and holds a batch up for a while where the pod is not known yet.
//
// Sources: the attributes of contrib's k8sattributes processor.
package k8smetadata

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/processor"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// enricher is the processor of one pipeline.
type enricher struct {
	config *Config
	order  []association
	fields []podtable.Field // to set
	labels []labelRule
	// onlyContainer says that a resource which names no container is taken to be of its pod's only one. Metrics are not: they may
	// be of the pod as a whole.
	onlyContainer bool
	tel           *telemetry

	table *podtable.Table
	until time.Time // the end of the wait for the first lists
	over  chan struct{}
	held  atomic.Int32
	given givenUp
}

// labelRule is which labels of one kind are set.
type labelRule struct {
	prefix   string
	patterns []string // nil for all
}

func newEnricher(set processor.Settings, config *Config) (*enricher, error) {
	e := &enricher{config: config, over: make(chan struct{})}
	for _, name := range config.associations() {
		e.order = append(e.order, associationNamed(name))
	}
	patterns := config.extract()
	for i, name := range podtable.FieldNames() {
		if kubeapi.Matches(patterns, name) {
			e.fields = append(e.fields, podtable.Field(i))
		}
	}
	for _, prefix := range labelPrefixes {
		chosen := labelPatterns(patterns, prefix)
		if len(chosen) == 0 {
			continue
		}
		all := func(p string) bool { return strings.HasSuffix(p, "*") && kubeapi.Matches([]string{p}, prefix) }
		if slices.ContainsFunc(chosen, all) {
			chosen = nil
		}
		e.labels = append(e.labels, labelRule{prefix, chosen})
	}
	var err error
	e.tel, err = newTelemetry(set)
	return e, err
}

// start finds the extension.
func (e *enricher) start(_ context.Context, host component.Host) error {
	id := e.config.Pods
	extension, ok := host.GetExtensions()[id]
	if !ok {
		return fmt.Errorf("k8s_metadata: pods: there is no extension %q: "+
			"define it below extensions, and list it in service::extensions", id)
	}
	pods, ok := extension.(interface{ Table() *podtable.Table })
	if !ok {
		return fmt.Errorf("k8s_metadata: pods: the extension %q knows no pods: name one of type k8s_pods", id)
	}
	e.table = pods.Table()
	e.until = time.Now().Add(e.config.Wait)
	return nil
}

// shutdown lets batches go that are held up. It may be called twice and before start.
func (e *enricher) shutdown(context.Context) error {
	select {
	case <-e.over:
	default:
		close(e.over)
	}
	return nil
}

// process sets the attributes of n resources. It never fails: a batch goes on, with or without.
func (e *enricher) process(ctx context.Context, n int, at func(int) pcommon.Map) {
	if n == 0 {
		return
	}
	e.awaitLists(ctx)
	var c counts
	peer := peerOf(ctx)
	var missing []missed
	for i := range n {
		m := at(i)
		id := identify(m, peer)
		if by, done := e.enrich(m, &id, &c); !done {
			missing = append(missing, missed{m, id, by})
		}
	}
	if len(missing) > 0 {
		e.awaitUnknown(ctx, missing, &c)
	}
	e.tel.add(ctx, &c)
}

// enrich sets a resource's attributes. It is not done if the resource tells of a pod, by one association or more, that is not
// known; by is the first of them.
func (e *enricher) enrich(m pcommon.Map, id *identity, c *counts) (by association, done bool) {
	p, by := e.find(id)
	switch {
	case p != nil:
		c.hits[by]++
		e.put(m, p, id)
		return by, true
	case by == none:
		c.without++
		return by, true
	}
	return by, false
}

// put sets what is to be set and not there yet.
func (e *enricher) put(m pcommon.Map, p *podtable.Pod, id *identity) {
	run, exact := e.container(p, id)
	namespace, node := e.table.Around(p)
	m.EnsureCapacity(m.Len() + len(e.fields) + len(p.Labels()) + len(namespace) + len(node))
	for _, f := range e.fields {
		if f == podtable.ContainerID && !exact {
			continue
		}
		switch text := e.table.Value(p, f, run); {
		case text == "":
		case f == podtable.ImageRepoDigests:
			setList(m, f.String(), text)
		default:
			set(m, f.String(), text)
		}
	}
	if len(e.labels) == 0 {
		return
	}
	for _, list := range [...][]podtable.Label{p.Labels(), namespace, node} {
		for _, l := range list {
			if name := l.Name(); e.wants(name) {
				set(m, name, l.Value())
			}
		}
	}
}

func set(m pcommon.Map, name, text string) {
	if v, there := m.GetOrPutEmpty(name); !there {
		v.SetStr(text)
	}
}

// setList sets a list of one text.
func setList(m pcommon.Map, name, text string) {
	if v, there := m.GetOrPutEmpty(name); !there {
		v.SetEmptySlice().AppendEmpty().SetStr(text)
	}
}

// wants says whether a label is to be set.
func (e *enricher) wants(name string) bool {
	for i := range e.labels {
		if rule := &e.labels[i]; len(name) > len(rule.prefix) && name[:len(rule.prefix)] == rule.prefix {
			return rule.patterns == nil || kubeapi.Matches(rule.patterns, name)
		}
	}
	return false
}

// container is the container that a resource is of, or nil; exact says that its id is known to be the resource's.
func (e *enricher) container(p *podtable.Pod, id *identity) (run *podtable.Container, exact bool) {
	if id.container != "" {
		if run = p.ContainerByID(id.container); run != nil {
			return run, true
		}
	}
	switch {
	case id.containerName != "":
		return p.ContainerNamed(id.containerName, id.restarts)
	case id.container == "" && e.onlyContainer:
		return p.OnlyContainer(), false
	}
	return nil, false
}
