// Package exportertest is one behaviour suite for exporters that push over HTTP.
//
// An exporter proves that it keeps the rule of the house, delivered or counted,
// by running the suite from one short test:
//
//	func TestConformance(t *testing.T) {
//		exportertest.Suite{
//			Factory: elasticsearch.NewFactory(),
//			Signals: []pipeline.Signal{pipeline.SignalLogs},
//			Config: func(url string) map[string]any {
//				return map[string]any{"endpoint": url, "user": "me", "password": "hunter2"}
//			},
//			Secrets: []string{"hunter2"},
//			Mend:    "user, password",
//			Success: func(w http.ResponseWriter, body []byte) { ... },
//			Records: func(body []byte) int { return bytes.Count(body, []byte("\n")) / 2 },
//		}.Run(t)
//	}
//
// The suite owns the server. It answers as real servers and the proxies before
// them do: success, 401, 413, 429 with Retry-After, 5xx, a page of HTML with
// 200, no answer at all, a closed or reset connection; and then it recovers.
package exportertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"testing"
	"time"

	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/goleak"
)

// checkTimeout ends a check that waits for something that never comes.
const checkTimeout = 30 * time.Second

// Suite describes the exporter under test. Only RetryKey may be left out.
type Suite struct {
	// Factory makes the exporter.
	Factory exporter.Factory

	// Signals are the signals that the exporter takes. Every check runs for each.
	Signals []pipeline.Signal

	// Config returns the user's configuration for a server at url, as it would
	// stand in the YAML below the component's id. The suite adds `timeout`,
	// `sending_queue` and the retry section itself. It must hold credentials.
	Config func(url string) map[string]any

	// RetryKey is the configuration key of the retry section
	// (configretry.BackOffConfig); "retry_on_failure" when empty.
	RetryKey string

	// Secrets are the credentials that Config holds. They must never turn up in
	// an error or a log line.
	Secrets []string

	// Mend is a text that the error for a 401 must contain: the names of the
	// settings to look at.
	Mend string

	// Success answers a request the way the server says that all of it is stored.
	Success func(w http.ResponseWriter, body []byte)

	// Records counts the records in the (decompressed) body of a request.
	Records func(body []byte) int
}

// Run runs every check for every signal, each as a subtest
// named <signal>/<check>.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	if err := s.validate(); err != nil {
		t.Fatal(err)
	}
	for _, signal := range s.Signals {
		for _, c := range checks() {
			t.Run(signal.String()+"/"+c.name, func(t *testing.T) {
				if err := s.runCheck(t.Context(), signal, c); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// validate reports what the author of a suite forgot.
func (s Suite) validate() error {
	var errs []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Factory", s.Factory == nil},
		{"Signals", len(s.Signals) == 0},
		{"Config", s.Config == nil},
		{"Secrets", len(s.Secrets) == 0},
		{"Mend", s.Mend == ""},
		{"Success", s.Success == nil},
		{"Records", s.Records == nil},
	} {
		if field.missing {
			errs = append(errs, fmt.Errorf("exportertest: suite: %s is not set", field.name))
		}
	}
	return errors.Join(errs...)
}

// retryKey is RetryKey or its default.
func (s Suite) retryKey() string {
	if s.RetryKey == "" {
		return "retry_on_failure"
	}
	return s.RetryKey
}

// runCheck runs one check against a server of its own. It turns a panic of the
// exporter into an error, and it reports goroutines that outlive the exporter.
func (s Suite) runCheck(ctx context.Context, signal pipeline.Signal, c check) (err error) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	e := newEnv(s, signal)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		err = errors.Join(err, e.close(context.WithoutCancel(ctx)))
		if leak := outlive(ctx, before); leak != nil {
			err = errors.Join(err, fmt.Errorf("after shutdown: %w", leak))
		}
		cancel()
	}()
	return c.run(ctx, e)
}

// outlive looks for goroutines that are left, until there are none or the check's time is over. Each look takes up to half a second,
// in which a busy machine may run none of them.
func outlive(ctx context.Context, before goleak.Option) error {
	for {
		if leak := goleak.Find(before); leak == nil || ctx.Err() != nil {
			return leak
		}
	}
}
