package k8sleaderelector

import (
	"context"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// lock is the Lease. It says each kind of failure once, which client-go's log has every two seconds. Calls come from one
// goroutine at a time.
type lock struct {
	resourcelock.Interface
	logger    *zap.Logger
	namespace string
	failing   string // the last reason, if the last request failed
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
	switch {
	case err == nil:
		if l.failing != "" {
			l.failing = ""
			l.logger.Info("k8s_leader_elector: the API server takes requests for the lease again", zap.String("lease", l.Describe()))
		}
		return
	case ctx.Err() != nil, apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return // another was faster, or the Lease is yet to be made
	}
	reason := kubeapi.Reason(err)
	if reason == l.failing {
		return
	}
	l.failing = reason
	mend := "check that the API server runs and can be reached from here"
	if apierrors.IsForbidden(err) {
		mend = "give the service account get, create and update on leases of coordination.k8s.io in " + l.namespace
	}
	l.logger.Warn("k8s_leader_elector: the lease cannot be had; it is tried again, and this is not said again until it can",
		zap.String("lease", l.Describe()), zap.String("mend", mend), zap.Error(err))
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
