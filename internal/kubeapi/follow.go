package kubeapi

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// Resource is one kind of objects to follow.
type Resource struct {
	// Name is as in URLs and in RBAC: pods.
	Name string
	// Kind is an empty object of the kind.
	Kind runtime.Object
	// Client is that of the API group, from a clientset.
	Client rest.Interface
	// Namespace holds the objects; all namespaces if it is empty.
	Namespace string
	// Fields and Labels are selectors, or empty.
	Fields, Labels string
}

// list reads all objects, or a page of them, and takes out of each what trim does.
func (r *Resource) list(ctx context.Context, o metav1.ListOptions, trim cache.TransformFunc) (runtime.Object, error) {
	if o.ResourceVersion == "0" && r.Fields == "" && r.Labels == "" && trim != nil {
		// A server answers with a state of any age at once, whatever the limit. Of the newest it makes pages. That is cheap for it
		// where all objects are wanted, and not where it looks through all of them for a few.
		o.ResourceVersion = ""
	}
	got, err := r.request(&o).Do(ctx).Get()
	if err != nil || trim == nil {
		return got, err
	}
	return got, meta.EachListItem(got, func(o runtime.Object) error {
		_, err := trim(o)
		return err
	})
}

// watch follows changes.
func (r *Resource) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return r.request(&o).Watch(ctx)
}

func (r *Resource) request(o *metav1.ListOptions) *rest.Request {
	o.FieldSelector, o.LabelSelector = r.Fields, r.Labels
	var timeout time.Duration
	if o.TimeoutSeconds != nil {
		timeout = time.Duration(*o.TimeoutSeconds) * time.Second
	}
	return r.Client.Get().NamespaceIfScoped(r.Namespace, r.Namespace != "").Resource(r.Name).
		VersionedParams(o, scheme.ParameterCodec).Timeout(timeout)
}

// Follower follows objects of the API server for one component.
type Follower struct {
	// Component is its name in log lines.
	Component string
	// Logger gets a warning for each kind of failure once, and word when it is over.
	Logger *zap.Logger
	// Failed counts a request that failed, by the name of the resource and a reason of few values. It may be nil.
	Failed func(ctx context.Context, resource, reason string)
}

// Follow lists and watches a resource until ctx ends, and hands what comes to store. It is client-go's reflector that does
// so: it asks again after failures, later and later, opens watches that were closed, and lists anew when what it knows is too
// old for the server (410). It lets a server that can do so stream the first list, object by object, and asks others for pages. If
// store is a cache.TransformingStore, its function is applied in place to each object of a first list as it comes in.
func (f *Follower) Follow(ctx context.Context, r Resource, store cache.ReflectorStore) {
	trouble := Trouble{Component: f.Component, Logger: f.Logger, What: r.Name, Failed: f.Failed, Mend: func(err error) string {
		if apierrors.IsNotFound(err) {
			return "this API server has no " + r.Name + " of the version that obsd knows"
		}
		return Mend(err, "list and watch on "+r.Name)
	}}
	note := func(ctx context.Context, err error) {
		if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) && !apierrors.IsInvalid(err) { // else the list is fetched anew
			trouble.Note(ctx, err)
		}
	}
	var trim cache.TransformFunc
	if t, ok := store.(cache.TransformingStore); ok {
		trim = t.Transformer()
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			got, err := r.list(ctx, o, trim)
			note(ctx, err)
			return got, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			got, err := r.watch(ctx, o)
			note(ctx, err)
			return got, err
		},
	}
	silent := logr.Discard() // what matters is said by trouble
	cache.NewReflectorWithOptions(lw, r.Kind, store, cache.ReflectorOptions{Name: f.Component + ", " + r.Name, Logger: &silent}).
		RunWithContext(klog.NewContext(ctx, silent))
}

// Store adapts functions to cache.ReflectorStore. It keeps no objects: the functions cut out of them what is needed, and clone
// strings that are parts of longer ones. Calls come from one goroutine.
type Store[O runtime.Object] struct {
	// Put takes an object that is new or has changed.
	Put func(O)
	// Gone takes the last state of an object that is no more.
	Gone func(O)
	// All takes all objects there are, instead of all before.
	All func([]O)
	// Trim takes what is not needed out of an object of a first list, of which all objects are held until its end. It may be nil.
	Trim func(O)
}

// Transformer implements cache.TransformingStore.
func (s Store[O]) Transformer() cache.TransformFunc {
	if s.Trim == nil {
		return nil
	}
	return func(obj any) (any, error) {
		if o, ok := obj.(O); ok {
			s.Trim(o)
		}
		return obj, nil
	}
}

// Add implements cache.ReflectorStore.
func (s Store[O]) Add(obj any) error { return call(s.Put, obj) }

// Update implements cache.ReflectorStore.
func (s Store[O]) Update(obj any) error { return call(s.Put, obj) }

// Delete implements cache.ReflectorStore.
func (s Store[O]) Delete(obj any) error { return call(s.Gone, obj) }

// Replace implements cache.ReflectorStore.
func (s Store[O]) Replace(list []any, _ string) error {
	objects := make([]O, 0, len(list))
	for _, obj := range list {
		o, ok := obj.(O)
		if !ok {
			return fmt.Errorf("not a %T: %T", o, obj)
		}
		objects = append(objects, o)
	}
	s.All(objects)
	return nil
}

// Object is a pointer to one of the API's types.
type Object[T any] interface {
	*T
	runtime.Object
	metav1.Object
}

// Empty takes all out of an object but what names it and its version. It is for Trim of objects of which no more is needed.
func Empty[T any, O Object[T]](o O) {
	namespace, name, version := o.GetNamespace(), o.GetName(), o.GetResourceVersion()
	*o = *new(T)
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetResourceVersion(version)
}

// Resync implements cache.ReflectorStore.
func (Store[O]) Resync() error { return nil }

func call[O runtime.Object](do func(O), obj any) error {
	o, ok := obj.(O)
	if !ok {
		return fmt.Errorf("not a %T: %T", o, obj)
	}
	do(o)
	return nil
}
