package k8sevents

import (
	"context"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

const (
	// leaseAnnotation holds the positions.
	leaseAnnotation = "obsd.io/k8s-events-position"
	// leaseTimeout is for one request.
	leaseTimeout = 10 * time.Second
	// leaseTries is how often a save that meets another's is tried.
	leaseTries = 3
)

// inLease keeps positions in an annotation of a Lease. It is used by one goroutine at a time.
type inLease struct {
	client          coordinationv1.LeasesGetter
	namespace, name string
	last            *coordination.Lease // as it was read or written last; nil before
}

func (l *inLease) load(ctx context.Context) (map[string]position, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	l.last = nil
	lease, err := l.client.Leases(l.namespace).Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.last = lease
	text, ok := lease.Annotations[leaseAnnotation]
	if !ok {
		return nil, nil
	}
	return decode([]byte(text))
}

// save writes the positions. If another has written since, as a leader may that does not know yet that it is none any more,
// the one further on counts.
func (l *inLease) save(ctx context.Context, positions map[string]position) error {
	for try := 0; ; try++ {
		err := l.write(ctx, positions)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) || try == leaseTries {
			return err
		}
		theirs, err := l.load(ctx)
		if err != nil {
			return err
		}
		for namespace, p := range theirs {
			if ours, ok := positions[namespace]; ok && after(p.Version, ours.Version) {
				positions[namespace] = p
			}
		}
	}
}

func (l *inLease) write(ctx context.Context, positions map[string]position) (err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	var lease *coordination.Lease
	if l.last == nil {
		lease = &coordination.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: l.name}}
	} else {
		lease = l.last.DeepCopy()
	}
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, leaseAnnotation, string(encode(positions)))
	if l.last == nil {
		lease, err = l.client.Leases(l.namespace).Create(ctx, lease, metav1.CreateOptions{})
	} else {
		lease, err = l.client.Leases(l.namespace).Update(ctx, lease, metav1.UpdateOptions{})
	}
	if apierrors.IsNotFound(err) && l.last != nil {
		l.last = nil // it was deleted: the next save makes it anew
	}
	if err != nil {
		return fmt.Errorf("lease %s/%s: %w", l.namespace, l.name, err)
	}
	l.last = lease
	return nil
}

func (*inLease) close(context.Context) error { return nil }
