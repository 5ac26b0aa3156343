package kubetest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// serveOne answers what is about one object: get, create, update, delete.
func (a *API) serveOne(w http.ResponseWriter, r *http.Request, resource resourceID, namespace, name string) {
	var sent *unstructured.Unstructured
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			sent, err = a.decode(body)
		}
		if err != nil {
			answerStatus(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
			return
		}
		sent.SetNamespace(namespace)
		name = sent.GetName()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.objects[resource][namespace+"/"+name]
	switch {
	case r.Method == http.MethodPost && old != nil:
		answerStatus(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, name)
	case r.Method == http.MethodPost:
		a.put(resource, sent)
		answerJSON(w, http.StatusCreated, sent.Object)
	case old == nil:
		answerStatus(w, http.StatusNotFound, metav1.StatusReasonNotFound, name)
	case r.Method == http.MethodPut && sent.GetResourceVersion() != "" && sent.GetResourceVersion() != old.GetResourceVersion():
		answerStatus(w, http.StatusConflict, metav1.StatusReasonConflict, name)
	case r.Method == http.MethodPut:
		a.put(resource, sent)
		answerJSON(w, http.StatusOK, sent.Object)
	case r.Method == http.MethodDelete:
		a.remove(resource, namespace+"/"+name)
		answerJSON(w, http.StatusOK, old.Object)
	case r.Method == http.MethodGet:
		answerJSON(w, http.StatusOK, old.Object)
	default:
		answerStatus(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, r.Method)
	}
}

// decode reads an object that a client sent, in JSON or protobuf.
func (a *API) decode(body []byte) (*unstructured.Unstructured, error) {
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	_, u := a.open(o)
	return u, nil
}

// selection is what of a resource a client wants.
type selection struct {
	resource  resourceID
	namespace string
	fields    fields.Selector
	labels    labels.Selector
}

func parseSelection(r *http.Request, resource resourceID, namespace string) (s selection, err error) {
	s = selection{resource: resource, namespace: namespace}
	if s.fields, err = fields.ParseSelector(r.URL.Query().Get("fieldSelector")); err == nil {
		s.labels, err = labels.Parse(r.URL.Query().Get("labelSelector"))
	}
	return s, err
}

func (s selection) has(u *unstructured.Unstructured) bool {
	if u == nil || s.namespace != "" && s.namespace != u.GetNamespace() || !s.labels.Matches(labels.Set(u.GetLabels())) {
		return false
	}
	for _, f := range s.fields.Requirements() {
		value, _, _ := unstructured.NestedString(u.Object, strings.Split(f.Field, ".")...)
		if (value == f.Value) != (f.Operator == "=" || f.Operator == "==") {
			return false
		}
	}
	return true
}

// chosen returns the objects of a selection, in the order of their names. The caller holds the lock.
func (a *API) chosen(s selection) (list []*unstructured.Unstructured) {
	for _, u := range a.objects[s.resource] {
		if s.has(u) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(x, y *unstructured.Unstructured) int { return strings.Compare(key(x), key(y)) })
	return list
}

// serveList answers with all objects of a selection, or with a page of them. Servers divide no list whose state may be of any age.
func (a *API) serveList(w http.ResponseWriter, r *http.Request, resource resourceID, namespace string) {
	s, err := parseSelection(r, resource, namespace)
	if err != nil {
		answerStatus(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := r.URL.Query()
	list, version, after := a.chosen(s), strconv.FormatInt(a.version, 10), ""
	if q.Has("continue") {
		version, after, _ = strings.Cut(q.Get("continue"), " ")
		list = slices.DeleteFunc(list, func(u *unstructured.Unstructured) bool { return key(u) <= after })
	}
	meta := map[string]any{"resourceVersion": version}
	if limit, _ := strconv.Atoi(q.Get("limit")); limit > 0 && limit < len(list) && q.Get("resourceVersion") != "0" {
		list = list[:limit]
		meta["continue"] = version + " " + key(list[limit-1])
	}
	items := []any{}
	for _, u := range list {
		items = append(items, u.Object)
	}
	answerJSON(w, http.StatusOK, map[string]any{"kind": a.kind(resource) + "List", "apiVersion": resource.group, "items": items, "metadata": meta})
}

// kind is the name of a resource's kind. The caller holds the lock or does not care.
func (a *API) kind(resource resourceID) string {
	for kind := range scheme.Scheme.AllKnownTypes() {
		if kind.GroupVersion().String() == resource.group && idOf(kind) == resource {
			return kind.Kind
		}
	}
	return ""
}

// serveWatch streams changes until the client or the test ends it.
func (a *API) serveWatch(w http.ResponseWriter, r *http.Request, resource resourceID, namespace string, ends <-chan struct{}) {
	s, err := parseSelection(r, resource, namespace)
	if err != nil {
		answerStatus(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	q := r.URL.Query()
	from, _ := strconv.ParseInt(q.Get("resourceVersion"), 10, 64) // empty is 0: any version
	out := watcher{w: w, kind: a.kind(resource), group: resource.group, bookmarks: q.Get("allowWatchBookmarks") == "true"}
	a.mu.Lock()
	if from != 0 && from < a.oldest {
		a.mu.Unlock()
		answerStatus(w, http.StatusGone, metav1.StatusReasonExpired, "too old resource version")
		return
	}
	out.begin()
	initial := q.Get("sendInitialEvents") == "true"
	if from == 0 || initial {
		for _, u := range a.chosen(s) {
			out.send(watch.Added, u.Object)
		}
		from = a.version
	}
	if initial {
		out.bookmark(from, true)
	}
	a.mu.Unlock()
	for {
		a.mu.Lock()
		for _, c := range a.log {
			if c.version > from {
				from = c.version
				out.tell(s, c)
			}
		}
		changed := a.changed
		a.mu.Unlock()
		out.flush()
		select {
		case <-changed:
		case <-ends:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// watcher writes the events of one watch.
type watcher struct {
	w           http.ResponseWriter
	kind, group string
	bookmarks   bool
}

func (o *watcher) begin() {
	o.w.Header().Set("Content-Type", "application/json")
	o.flush()
}

func (o *watcher) flush() { _ = http.NewResponseController(o.w).Flush() } // a client that went away is not our concern

func (o *watcher) send(kind watch.EventType, object map[string]any) {
	_ = json.NewEncoder(o.w).Encode(map[string]any{"type": kind, "object": object}) // as above
}

func (o *watcher) bookmark(version int64, initial bool) {
	m := map[string]any{"resourceVersion": strconv.FormatInt(version, 10)}
	if initial {
		m["annotations"] = map[string]any{metav1.InitialEventsAnnotationKey: "true"}
	}
	o.send(watch.Bookmark, map[string]any{"kind": o.kind, "apiVersion": o.group, "metadata": m})
}

// tell sends a change as this watch sees it: an object may enter or leave the selection by a change.
func (o *watcher) tell(s selection, c change) {
	switch before, after := s.has(c.old), s.has(c.now); {
	case c.kind == watch.Bookmark:
		if o.bookmarks {
			o.bookmark(c.version, false)
		}
	case c.resource != s.resource:
	case c.kind == watch.Deleted && before, before && !after:
		o.send(watch.Deleted, c.now.Object)
	case before:
		o.send(watch.Modified, c.now.Object)
	case after:
		o.send(watch.Added, c.now.Object)
	}
}
