package exportertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// errorLimit bounds an error text: a server's answer is quoted, not copied.
const errorLimit = 4096

// env is what one check works with: a server of its own and the exporters it
// starts.
type env struct {
	suite   Suite
	signal  pipeline.Signal
	srv     *server
	logs    *observer.ObservedLogs
	logger  *zap.Logger
	started []*target
}

func newEnv(s Suite, signal pipeline.Signal) *env {
	core, logs := observer.New(zapcore.DebugLevel)
	return &env{suite: s, signal: signal, srv: newServer(s), logs: logs, logger: zap.New(core)}
}

// direct has neither queue nor retry, so push returns the exporter's own verdict.
func (e *env) direct() map[string]any {
	return map[string]any{
		"timeout":          "10s",
		"sending_queue":    map[string]any{"enabled": false},
		e.suite.retryKey(): map[string]any{"enabled": false},
	}
}

// patient has a queue and retries without end, but quickly.
func (e *env) patient() map[string]any {
	return map[string]any{
		"timeout": "500ms",
		"sending_queue": map[string]any{
			"enabled": true, "sizer": "items", "queue_size": 100_000, "num_consumers": 2, "block_on_overflow": true,
			"batch": map[string]any{"flush_timeout": "5ms", "min_size": 0, "max_size": 100},
		},
		e.suite.retryKey(): map[string]any{
			"enabled": true, "initial_interval": "1ms", "max_interval": "5ms", "max_elapsed_time": "0s",
		},
	}
}

// with returns over with one more key.
func with(over map[string]any, key string, value any) map[string]any {
	over[key] = value
	return over
}

// create makes the exporter from the user's configuration and over.
func (e *env) create(ctx context.Context, over map[string]any) (*target, error) {
	conf := confmap.NewFromStringMap(e.suite.Config(e.srv.url()))
	if err := conf.Merge(confmap.NewFromStringMap(over)); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	cfg := e.suite.Factory.CreateDefaultConfig()
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, fmt.Errorf("config: unmarshal: %w", err)
	}
	if err := confmap.Validate(cfg); err != nil {
		return nil, fmt.Errorf("config: validate: %w", err)
	}
	set := exporter.Settings{
		ID:                component.NewIDWithName(e.suite.Factory.Type(), "suite"),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}
	set.Logger = e.logger
	t, err := newTarget(ctx, e.signal, e.suite.Factory, set, cfg)
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	return t, nil
}

// start makes and starts the exporter; close shuts it down.
func (e *env) start(ctx context.Context, over map[string]any) (*target, error) {
	t, err := e.create(ctx, over)
	if err != nil {
		return nil, err
	}
	e.started = append(e.started, t)
	if err := t.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return t, nil
}

// shutdown ends the exporter now, within its time.
func shutdown(ctx context.Context, t *target) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := t.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}

// close ends everything and looks for credentials in what was logged.
func (e *env) close(ctx context.Context) error {
	var errs []error
	for _, t := range e.started {
		errs = append(errs, shutdown(ctx, t))
	}
	e.srv.close()
	for _, entry := range e.logs.All() {
		text := entry.Message + fmt.Sprint(entry.ContextMap())
		for _, secret := range e.suite.Secrets {
			if strings.Contains(text, secret) {
				errs = append(errs, fmt.Errorf("log line %q shows the credential %q", entry.Message, secret))
			}
		}
	}
	return errors.Join(errs...)
}

// verdict is what an error makes exporterhelper do.
type verdict string

const (
	delivered verdict = "delivered"
	permanent verdict = "permanent"
	retryable verdict = "retryable"
	throttled verdict = "throttled"
)

// verdictOf reads an error as exporterhelper does.
func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return delivered
	case consumererror.IsPermanent(err):
		return permanent
	case strings.Contains(err.Error(), "Throttle ("):
		// exporterhelper does not export the type of its throttle error.
		return throttled
	default:
		return retryable
	}
}

// expect compares a verdict, and looks at the text of the error: it must
// contain all of want, no credential, and not the whole answer of the server.
func (e *env) expect(err error, v verdict, want ...string) error {
	var errs []error
	if got := verdictOf(err); got != v {
		errs = append(errs, fmt.Errorf("verdict is %s, want %s (error: %w)", got, v, orNone(err)))
	}
	if err == nil {
		return errors.Join(errs...)
	}
	text := err.Error()
	for _, w := range want {
		if !strings.Contains(text, w) {
			errs = append(errs, fmt.Errorf("error does not name %q: %s", w, excerpt(text)))
		}
	}
	return errors.Join(append(errs, e.clean(text))...)
}

// clean reports credentials and endless text.
func (e *env) clean(text string) error {
	for _, secret := range e.suite.Secrets {
		if strings.Contains(text, secret) {
			return fmt.Errorf("error shows the credential %q: %s", secret, excerpt(text))
		}
	}
	if len(text) > errorLimit {
		return fmt.Errorf("error is %d bytes long, more than %d: %s", len(text), errorLimit, excerpt(text))
	}
	return nil
}

// errNone stands for "no error" in a message.
var errNone = errors.New("none")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func excerpt(text string) string {
	if len(text) > 500 {
		return text[:500] + "..."
	}
	return text
}

// eventually polls until cond returns nil or the check's time is over.
func eventually(ctx context.Context, cond func() error) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("in %s: %w", checkTimeout, err)
		case <-tick.C:
		}
	}
}
