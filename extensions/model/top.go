package model

import (
	"errors"
	"math"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/obsd-io/obsd/internal/heapster"
)

// apiVersion is that of the objects of metrics.k8s.io.
const apiVersion = v1beta1.GroupName + "/v1beta1"

// metricsRoutes are those of metrics.k8s.io/v1beta1: what an API server's aggregator asks for when it discovers the API,
// and what `kubectl top` and autoscalers ask.
func (m *Model) metricsRoutes(mux *http.ServeMux) {
	const group, version = "/apis/" + v1beta1.GroupName, "/apis/" + apiVersion
	both(mux, "/apis", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{apiGroup()}})
	})
	both(mux, group, func(w http.ResponseWriter, _ *http.Request) {
		answer := apiGroup()
		answer.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
		writeJSON(w, http.StatusOK, answer)
	})
	both(mux, version, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, apiResources()) })

	mux.HandleFunc("GET "+version+"/nodes", m.listNodes)
	mux.HandleFunc("GET "+version+"/nodes/{node}", m.getNode)
	mux.HandleFunc("GET "+version+"/pods", m.listPods)
	mux.HandleFunc("GET "+version+"/namespaces/{namespace}/pods", m.listPods)
	mux.HandleFunc("GET "+version+"/namespaces/{namespace}/pods/{pod}", m.getPod)
}

func apiGroup() metav1.APIGroup {
	v := metav1.GroupVersionForDiscovery{GroupVersion: apiVersion, Version: "v1beta1"}
	return metav1.APIGroup{Name: v1beta1.GroupName, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
}

func apiResources() metav1.APIResourceList {
	verbs := metav1.Verbs{"get", "list"}
	return metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: apiVersion,
		APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	}
}

func (m *Model) listNodes(w http.ResponseWriter, r *http.Request) {
	choose, err := selectors(r)
	if err != nil {
		writeStatus(w, err)
		return
	}
	list := v1beta1.NodeMetricsList{TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: apiVersion}, Items: []v1beta1.NodeMetrics{}}
	for _, u := range m.store.usages(time.Now(), func(o *object) bool { return o.kind == heapster.Node }) {
		if n := u.nodeMetrics(); choose(&n.ObjectMeta) {
			list.Items = append(list.Items, n)
		}
	}
	writeJSON(w, http.StatusOK, list)
}

func (m *Model) getNode(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("node")
	list := m.store.usages(time.Now(), func(o *object) bool { return o.kind == heapster.Node && o.node.Value() == name })
	if len(list) == 0 {
		writeStatus(w, apierrors.NewNotFound(v1beta1.Resource("nodes"), name))
		return
	}
	n := list[0].nodeMetrics()
	n.TypeMeta = metav1.TypeMeta{Kind: "NodeMetrics", APIVersion: apiVersion}
	writeJSON(w, http.StatusOK, n)
}

// listPods answers for a namespace, or for all where the path names none.
func (m *Model) listPods(w http.ResponseWriter, r *http.Request) {
	choose, err := selectors(r)
	if err != nil {
		writeStatus(w, err)
		return
	}
	list := v1beta1.PodMetricsList{TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: apiVersion}, Items: []v1beta1.PodMetrics{}}
	for _, p := range m.podMetrics(r.PathValue("namespace"), "") {
		if choose(&p.ObjectMeta) {
			list.Items = append(list.Items, p)
		}
	}
	writeJSON(w, http.StatusOK, list)
}

func (m *Model) getPod(w http.ResponseWriter, r *http.Request) {
	list := m.podMetrics(r.PathValue("namespace"), r.PathValue("pod"))
	if len(list) == 0 {
		writeStatus(w, apierrors.NewNotFound(v1beta1.Resource("pods"), r.PathValue("namespace")+"/"+r.PathValue("pod")))
		return
	}
	list[0].TypeMeta = metav1.TypeMeta{Kind: "PodMetrics", APIVersion: apiVersion}
	writeJSON(w, http.StatusOK, list[0])
}

// podMetrics gathers the containers of pods; an empty namespace or name stands for all.
func (m *Model) podMetrics(namespace, name string) []v1beta1.PodMetrics {
	var pods []v1beta1.PodMetrics
	for _, u := range m.store.usages(time.Now(), func(o *object) bool {
		return o.kind == heapster.Container && (namespace == "" || o.namespace == namespace) && (name == "" || o.pod == name)
	}) {
		last := len(pods) - 1
		if last < 0 || pods[last].Name != u.pod || pods[last].Namespace != u.namespace {
			pods = append(pods, v1beta1.PodMetrics{
				ObjectMeta: metav1.ObjectMeta{Name: u.pod, Namespace: u.namespace, Labels: u.labels, CreationTimestamp: metav1.NewTime(time.Now())},
				Timestamp:  metav1.NewTime(u.at), Window: metav1.Duration{Duration: u.window},
			})
			last++
		}
		p := &pods[last]
		p.Containers = append(p.Containers, v1beta1.ContainerMetrics{Name: u.container, Usage: u.resources()})
		if u.at.Before(p.Timestamp.Time) { // the pod is as old as its oldest value
			p.Timestamp = metav1.NewTime(u.at)
		}
		p.Window.Duration = max(p.Window.Duration, u.window)
	}
	return pods
}

func (u *usage) nodeMetrics() v1beta1.NodeMetrics {
	return v1beta1.NodeMetrics{
		ObjectMeta: metav1.ObjectMeta{Name: u.node, Labels: u.labels, CreationTimestamp: metav1.NewTime(time.Now())},
		Timestamp:  metav1.NewTime(u.at), Window: metav1.Duration{Duration: u.window}, Usage: u.resources(),
	}
}

// resources has what is known: a container without a CPU value yet has its memory.
func (u *usage) resources() corev1.ResourceList {
	list := corev1.ResourceList{}
	if u.hasCPU {
		list[corev1.ResourceCPU] = *resource.NewScaledQuantity(int64(math.Round(u.cpu*1e6)), resource.Nano)
	}
	if u.hasMemory {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(u.memory), resource.BinarySI)
	}
	return list
}

// selectors reads labelSelector and fieldSelector, and refuses what this API does not do.
func selectors(r *http.Request) (func(*metav1.ObjectMeta) bool, error) {
	params := r.URL.Query()
	if watch := params.Get("watch"); watch == "true" || watch == "1" {
		return nil, apierrors.NewMethodNotSupported(v1beta1.Resource("metrics"), "watch")
	}
	byLabel, err := labels.Parse(params.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("labelSelector: " + err.Error())
	}
	byField, err := fields.ParseSelector(params.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("fieldSelector: " + err.Error())
	}
	return func(o *metav1.ObjectMeta) bool {
		return byLabel.Matches(labels.Set(o.Labels)) &&
			byField.Matches(fields.Set{"metadata.name": o.Name, "metadata.namespace": o.Namespace})
	}, nil
}

// writeStatus answers with an error as Kubernetes writes it.
func writeStatus(w http.ResponseWriter, err error) {
	status := metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: err.Error()}
	var known apierrors.APIStatus // which is no error itself
	if errors.As(err, &known) {
		status = known.Status()
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	writeJSON(w, int(status.Code), status)
}
