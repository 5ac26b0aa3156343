package k8sleaderelector

import (
	"context"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// lock is the Lease. It says each kind of failure once, which client-go's log has every two seconds.
type lock struct {
	resourcelock.Interface
	trouble kubeapi.Trouble
}

func newLock(lease *resourcelock.LeaseLock, logger *zap.Logger) *lock {
	return &lock{Interface: lease, trouble: kubeapi.Trouble{
		Component: "k8s_leader_elector", Logger: logger, What: "lease " + lease.Describe(), Mend: func(err error) string {
			return kubeapi.Mend(err, "get, create and update on leases of coordination.k8s.io in "+lease.LeaseMeta.Namespace)
		},
	}}
}

// Get implements resourcelock.Interface.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	l.note(ctx, err)
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, record)
	l.note(ctx, err)
	return err
}

// Update implements resourcelock.Interface.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, record)
	l.note(ctx, err)
	return err
}

func (l *lock) note(ctx context.Context, err error) {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return // another was faster, or the Lease is yet to be made
	}
	l.trouble.Note(ctx, err)
}

// release gives the lease to whoever comes, if it is ours.
func (l *lock) release(ctx context.Context) {
	for ctx.Err() == nil {
		record, _, err := l.Get(ctx)
		if err != nil || record.HolderIdentity != l.Identity() {
			return // it runs out by itself
		}
		now := metav1.Now()
		err = l.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
		})
		if !apierrors.IsConflict(err) {
			return
		}
	}
}
