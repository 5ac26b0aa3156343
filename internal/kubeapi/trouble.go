package kubeapi

import (
	"context"
	"errors"
	"strings"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/quiet"
)

// Trouble says that requests about one thing fail: each kind of failure once, and when it is over. It is safe for
// concurrent use.
type Trouble struct {
	// Component is its name in log lines.
	Component string
	Logger    *zap.Logger
	// Who is asked; the API server if it is empty.
	Who string
	// What is asked for, such as pods.
	What string
	// Mend says what an operator can do about a failure.
	Mend func(error) string
	// Failed counts a request that failed, by What and a reason of few values. It may be nil.
	Failed func(ctx context.Context, what, reason string)

	outage quiet.Outage
}

// Note takes how a request went. A failure that comes of the end of ctx is none.
func (t *Trouble) Note(ctx context.Context, err error) {
	who := t.Component + ": " + t.Who
	if t.Who == "" {
		who += "the API server"
	}
	if err == nil {
		if t.outage.Over() {
			t.Logger.Info(who+" answers again", zap.String("what", t.What))
		}
		return
	}
	if ctx.Err() != nil {
		return
	}
	reason := Reason(err)
	if t.Failed != nil {
		t.Failed(ctx, t.What, reason)
	}
	if t.outage.Failed(reason) {
		t.Logger.Warn(who+" does not answer; it is asked again, and this is not said again until it does",
			zap.String("what", t.What), zap.String("mend", t.Mend(err)), zap.Error(err))
	}
}

// Reason is one word for why a request to the API server failed: that of its answer in lower case (forbidden, notfound), or
// timeout, or connection if there was no answer.
func Reason(err error) string {
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		return strings.ToLower(string(reason))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection"
}

// Mend says what an operator can do about a request that failed; rights are what it needs, such as "list and watch on pods".
func Mend(err error, rights string) string {
	switch {
	case apierrors.IsForbidden(err):
		return "give the service account " + rights
	case apierrors.IsUnauthorized(err):
		return "check the service account's token, or the credentials in the kubeconfig"
	}
	return "check that the API server runs and can be reached from here"
}
