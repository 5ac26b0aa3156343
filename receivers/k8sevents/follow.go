package k8sevents

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// listTimeout is for one page of a list.
const listTimeout = time.Minute

var (
	errClosed  = errors.New("the watch was closed")
	errSilent  = errors.New("the watch did not end when it should have")
	errStopped = errors.New("it is to stop")
)

// follower follows the events of one namespace, or of all. It belongs to one goroutine.
type follower struct {
	r         *eventReceiver
	namespace string
	pos       position
	sent      recent
	batch     batch
	trouble   kubeapi.Trouble
}

func newFollower(r *eventReceiver, namespace string) *follower {
	return &follower{
		r: r, namespace: namespace, pos: r.checkpoints.of(namespace), sent: newRecent(), trouble: r.eventsTrouble(),
	}
}

// run reads events until ctx ends; a batch that the pipeline holds then may take until sending ends.
func (f *follower) run(ctx, sending context.Context) {
	t, wait := &f.r.timing, time.Duration(0)
	for {
		began := time.Now()
		err := f.turn(ctx, sending)
		if ctx.Err() != nil {
			return
		}
		f.trouble.Note(ctx, err)
		if err == nil && time.Since(began) >= t.settled {
			wait = 0
			continue
		}
		wait = min(max(2*wait, t.again), t.longest)
		if !pause(ctx, wait/2+rand.N(wait/2+1)) {
			return
		}
	}
}

// turn watches once, and lists where a watch cannot go on from the position.
//
// It asks for the newest version first. The API server keeps no cache of events, so a watch from a version that its store
// has not reached would wait for it without a word, as after etcd was put back to an older state.
func (f *follower) turn(ctx, sending context.Context) error {
	page, err := f.list(ctx, 1, "")
	if err != nil {
		return err
	}
	newest := page.ResourceVersion
	switch {
	case f.pos.Version == "" && f.r.cfg.StartAt == startAtEnd:
		f.pos.Version = newest
		f.r.checkpoints.move(sending, f.namespace, f.pos, true)
	case f.pos.Version == "":
		if err := f.catchUp(ctx, sending, func(*v1.Event) bool { return true }); err != nil {
			return err
		}
	case after(f.pos.Version, newest):
		f.r.tel.ended(ctx, endReset)
		f.r.set.Logger.Warn("k8s_events: the API server's versions began anew; of its events those are sent that are newer than the last one",
			zap.String("position", f.pos.Version), zap.String("version", newest))
		last := f.pos.Newest
		if err := f.catchUp(ctx, sending, func(e *v1.Event) bool { return !timeOf(e).Before(last) }); err != nil {
			return err
		}
	}
	err = f.watch(ctx, sending)
	switch {
	case errors.Is(err, errClosed):
		f.r.tel.ended(ctx, endClosed)
	case errors.Is(err, errSilent):
		f.r.tel.ended(ctx, endSilent)
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		f.r.tel.ended(ctx, endExpired)
		from := f.pos.Version
		return f.catchUp(ctx, sending, func(e *v1.Event) bool { return after(e.ResourceVersion, from) })
	default:
		return err
	}
	return nil
}

func (f *follower) list(ctx context.Context, limit int64, next string) (*v1.EventList, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return f.r.events.Events(f.namespace).List(ctx, metav1.ListOptions{Limit: limit, Continue: next})
}

// catchUp lists all events and sends those that are wanted. The position moves at the end only, since the pages are in the
// order of names.
func (f *follower) catchUp(ctx, sending context.Context, wanted func(*v1.Event) bool) error {
	for next := ""; ; {
		page, err := f.list(ctx, maxBatch, next)
		if err != nil {
			return err
		}
		slices.SortStableFunc(page.Items, func(a, b v1.Event) int { return timeOf(&a).Compare(timeOf(&b)) })
		for i := range page.Items {
			if e := &page.Items[i]; wanted(e) {
				f.add(ctx, e)
			}
			if len(f.batch.marks) == maxBatch && !f.deliver(ctx, sending) {
				return errStopped
			}
		}
		if next = page.Continue; next == "" {
			f.batch.version = page.ResourceVersion
		}
		if !f.deliver(ctx, sending) {
			return errStopped
		}
		if next == "" {
			return nil
		}
	}
}

// add puts an event into the batch if it has happened since it was sent last.
func (f *follower) add(ctx context.Context, e *v1.Event) {
	key, o := f.sent.key(e), occurrenceOf(e)
	if f.sent.has(key, o) || f.batch.holds(key, o) {
		f.r.tel.add(ctx, f.r.tel.unchanged, 1)
		return
	}
	f.batch.add(key, e, f.r.set.BuildInfo.Version, time.Now())
}

// watch sends events as they come until the watch ends: errClosed if the API server ended it, errSilent if it did not.
func (f *follower) watch(ctx, sending context.Context) error {
	t := &f.r.timing
	seconds := int64((t.watch + rand.N(t.watch/2+1)).Seconds())
	open, cancel := context.WithTimeoutCause(ctx, time.Duration(seconds)*time.Second+t.grace, errSilent)
	defer cancel()
	w, err := f.r.events.Events(f.namespace).Watch(open, metav1.ListOptions{
		ResourceVersion: f.pos.Version, TimeoutSeconds: &seconds, AllowWatchBookmarks: true,
	})
	if err != nil {
		if errors.Is(context.Cause(open), errSilent) {
			return errSilent
		}
		return err
	}
	defer w.Stop()
	f.trouble.Note(ctx, nil)
	for {
		ended := f.gather(open, w)
		if !f.deliver(ctx, sending) {
			return errStopped
		}
		if ended != nil {
			return ended
		}
		if open.Err() != nil {
			return errClosed // it was the pipeline that took so long
		}
	}
}

// gather fills the batch: what comes within a short time after the first. It returns an error at the end of the watch.
func (f *follower) gather(ctx context.Context, w watch.Interface) error {
	var enough <-chan time.Time
	for len(f.batch.marks) < maxBatch {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return errClosed
			}
			if err := f.take(ctx, e); err != nil {
				return err
			}
			if enough == nil {
				enough = time.After(f.r.timing.linger)
			}
		case <-enough:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// take handles one word of a watch.
func (f *follower) take(ctx context.Context, told watch.Event) error {
	if told.Type == watch.Error {
		return apierrors.FromObject(told.Object)
	}
	e, ok := told.Object.(*v1.Event)
	if !ok {
		return fmt.Errorf("a watch of events told of a %T", told.Object)
	}
	if told.Type == watch.Added || told.Type == watch.Modified {
		f.add(ctx, e)
	}
	f.batch.version = e.ResourceVersion
	return nil
}
