package model

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/obsd-io/obsd/internal/heapster"
)

// root is where Heapster's model was.
const root = "/api/v1/model"

// oldNames are names of metrics that Heapster still took after it had renamed them.
var oldNames = map[string]string{
	"cpu-usage":      "cpu/usage_rate",
	"cpu-limit":      "cpu/limit",
	"memory-usage":   "memory/usage",
	"memory-limit":   "memory/limit",
	"memory-working": "memory/working_set",
}

// heapsterRoutes are those of Heapster's docs/model.md.
func (m *Model) heapsterRoutes(mux *http.ServeMux) {
	objects := map[string]func(r *http.Request) string{
		"": func(*http.Request) string { return "cluster" },
		"/nodes/{node}": func(r *http.Request) string {
			return heapster.NodeKey(r.PathValue("node"))
		},
		"/nodes/{node}/freecontainers/{container}": func(r *http.Request) string {
			return heapster.NodeKey(r.PathValue("node")) + "/container:" + r.PathValue("container")
		},
		"/namespaces/{namespace}": func(r *http.Request) string {
			return heapster.NamespaceKey(r.PathValue("namespace"))
		},
		"/namespaces/{namespace}/pods/{pod}": func(r *http.Request) string {
			return heapster.PodKey(r.PathValue("namespace"), r.PathValue("pod"))
		},
		"/namespaces/{namespace}/pods/{pod}/containers/{container}": func(r *http.Request) string {
			return heapster.PodKey(r.PathValue("namespace"), r.PathValue("pod")) + "/container:" + r.PathValue("container")
		},
	}
	for path, key := range objects {
		names := func(w http.ResponseWriter, r *http.Request) { m.listMetrics(w, key(r)) }
		both(mux, root+path+"/metrics", names)
		mux.HandleFunc("GET "+root+path+"/metrics/{metric...}", func(w http.ResponseWriter, r *http.Request) { m.getMetric(w, r, key(r)) })
	}
	m.listRoutes(mux)
	mux.HandleFunc("GET "+root+"/namespaces/{namespace}/pod-list/{pods}/metrics/{metric...}", m.getPodList)
}

// both handles a path with and without a slash at its end, as Heapster did.
func both(mux *http.ServeMux, path string, h http.HandlerFunc) {
	mux.HandleFunc("GET "+path, h)
	mux.HandleFunc("GET "+path+"/{$}", h)
}

// listRoutes are those that list names.
func (m *Model) listRoutes(mux *http.ServeMux) {
	list := func(path string, parent func(r *http.Request) string, choose func(o *object, r *http.Request) string) {
		both(mux, root+path, func(w http.ResponseWriter, r *http.Request) {
			if parent != nil && !m.store.exists(parent(r)) {
				unknown(w, parent(r))
				return
			}
			writeJSON(w, http.StatusOK, m.store.list(time.Now(), func(o *object) string { return choose(o, r) }))
		})
	}
	list("/nodes", nil, func(o *object, _ *http.Request) string { return only(o.kind == heapster.Node, o.node.Value()) })
	list("/namespaces", nil, func(o *object, _ *http.Request) string { return o.namespace })
	node := func(r *http.Request) string { return heapster.NodeKey(r.PathValue("node")) }
	list("/nodes/{node}/freecontainers", node, func(o *object, r *http.Request) string {
		return only(o.kind == heapster.SystemContainer && o.node.Value() == r.PathValue("node"), o.container)
	})
	namespace := func(r *http.Request) string { return heapster.NamespaceKey(r.PathValue("namespace")) }
	list("/namespaces/{namespace}/pods", namespace, func(o *object, r *http.Request) string {
		return only(o.pod != "" && o.namespace == r.PathValue("namespace"), o.pod)
	})
	pod := func(r *http.Request) string { return heapster.PodKey(r.PathValue("namespace"), r.PathValue("pod")) }
	list("/namespaces/{namespace}/pods/{pod}/containers", pod, func(o *object, r *http.Request) string {
		return only(o.kind == heapster.Container && o.namespace == r.PathValue("namespace") && o.pod == r.PathValue("pod"), o.container)
	})
	list("/debug/allkeys", nil, func(o *object, _ *http.Request) string { return o.key })
}

func only(yes bool, name string) string {
	if yes {
		return name
	}
	return ""
}

func (m *Model) listMetrics(w http.ResponseWriter, key string) {
	names, ok := m.store.metrics(key)
	if !ok {
		unknown(w, key)
		return
	}
	writeJSON(w, http.StatusOK, names)
}

func (m *Model) getMetric(w http.ResponseWriter, r *http.Request, key string) {
	q, err := parseQuery(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	values, outcome := m.store.values(key, q)
	switch outcome {
	case found:
		writeJSON(w, http.StatusOK, values)
	case noObject:
		unknown(w, key)
	case noMetric:
		http.Error(w, fmt.Sprintf("%s has no metric %q: .../metrics lists those it has", key, q.name), http.StatusNotFound)
	case otherLabels:
		http.Error(w, fmt.Sprintf("%s has %q under other labels: %s", key, q.name, labelSets(m.store.labels(key, q.name))), http.StatusNotFound)
	}
}

// labelSets writes labels as the parameter that asks for them.
func labelSets(labels []string) string {
	for i, label := range labels {
		if labels[i] = "none"; label != "" {
			labels[i] = "labels=resource_id:" + label
		}
	}
	return strings.Join(labels, ", ")
}

// getPodList answers for several pods, in the order they were asked for; a pod that is not known has no values.
func (m *Model) getPodList(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list := results{Items: []result{}}
	for pod := range strings.SplitSeq(r.PathValue("pods"), ",") {
		values, _ := m.store.values(heapster.PodKey(r.PathValue("namespace"), pod), q)
		list.Items = append(list.Items, values)
	}
	writeJSON(w, http.StatusOK, list)
}

// parseQuery reads the name of a metric and the parameters start, end and labels.
func parseQuery(r *http.Request) (query, error) {
	q := query{name: r.PathValue("metric"), start: math.MinInt64, end: math.MaxInt64}
	if name, ok := oldNames[q.name]; ok {
		q.name = name
	}
	params := r.URL.Query()
	for key, into := range map[string]*int64{"start": &q.start, "end": &q.end} {
		text := params.Get(key)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return q, fmt.Errorf("%s: %q is no time: write it like 2026-11-26T01:02:03Z", key, text)
		}
		*into = at.UnixNano()
	}
	if q.start > q.end {
		return q, fmt.Errorf("start: is after end")
	}
	var err error
	q.label, err = parseLabels(params.Get("labels"))
	return q, err
}

// parseLabels reads key:value pairs with commas between. The only label that tells series of an object apart is
// resource_id, whose value may hold colons.
func parseLabels(text string) (label string, err error) {
	if text == "" {
		return "", nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, ":")
		switch {
		case !ok || key == "" || value == "":
			return "", fmt.Errorf("labels: %q is no key:value", pair)
		case key != "resource_id":
			return "", fmt.Errorf("labels: %q is not known: the label of file systems is resource_id", key)
		}
		label = value
	}
	return label, nil
}

func unknown(w http.ResponseWriter, key string) {
	http.Error(w, fmt.Sprintf("nothing is known of %s: %s/debug/allkeys lists what is", key, root), http.StatusNotFound)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away is not our concern
}
