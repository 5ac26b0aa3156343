package exportertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"
)

// model is the smallest exporter that does all right: one line per record. Its
// faults are what the suite must find.
type model struct {
	exporter.Logs
	cfg    *modelConfig
	faults modelFaults
	client *http.Client
	once   sync.Once
}

type modelConfig struct {
	Endpoint string                                                   `mapstructure:"endpoint"`
	Token    string                                                   `mapstructure:"token"`
	Timeout  time.Duration                                            `mapstructure:"timeout"`
	Queue    configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Retry    configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
}

type modelFaults struct {
	verdicts     map[int]func(error) error // by status
	neverSplits  bool
	bodyIgnored  bool
	noTimeout    bool
	showsToken   bool
	logsToken    bool
	copiesAnswer bool
	hidesHost    bool
	halves       bool
	doubles      bool
	panics       bool
	panicsTwice  bool
	leaks        bool
	forgetsQueue bool
}

func modelFactory(faults modelFaults) exporter.Factory {
	return exporter.NewFactory(component.MustNewType("model"),
		func() component.Config {
			return &modelConfig{
				Timeout: time.Second,
				Queue:   configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
				Retry:   configretry.NewDefaultBackOffConfig(),
			}
		},
		exporter.WithLogs(func(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Logs, error) {
			cfg := c.(*modelConfig)
			m := &model{cfg: cfg, faults: faults, client: &http.Client{Timeout: cfg.Timeout, Transport: &http.Transport{}}}
			if faults.noTimeout {
				m.client.Timeout = 0
			}
			if faults.logsToken {
				set.Logger.Info("exporter made with token " + cfg.Token)
			}
			var err error
			m.Logs, err = exporterhelper.NewLogs(ctx, set, c, m.push, exporterhelper.WithQueue(cfg.Queue), exporterhelper.WithRetry(cfg.Retry),
				exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}),
				exporterhelper.WithStart(func(context.Context, component.Host) error {
					if faults.leaks {
						go func() { select {} }()
					}
					return nil
				}),
				exporterhelper.WithShutdown(func(context.Context) error { m.client.CloseIdleConnections(); return nil }))
			return m, err
		}, component.StabilityLevelDevelopment))
}

func (m *model) Shutdown(ctx context.Context) (err error) {
	if m.faults.panicsTwice {
		return m.Logs.Shutdown(ctx)
	}
	m.once.Do(func() {
		if m.faults.forgetsQueue {
			go func() { _ = m.Logs.Shutdown(ctx) }()
			return
		}
		err = m.Logs.Shutdown(ctx)
	})
	return err
}

func (m *model) push(ctx context.Context, ld plog.Logs) error {
	var lines []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for i, lr := range sl.LogRecords().All() {
				fields := lr.Attributes().AsRaw()
				if m.faults.panics && lr.Body().AsString() == "" {
					panic("empty body")
				}
				if m.faults.halves && i%2 == 1 {
					continue
				}
				lines = append(lines, fmt.Sprintln(fields["suite.mark"], fields["suite.pad"]))
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return m.send(ctx, lines)
}

func (m *model) send(ctx context.Context, lines []string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.cfg.Endpoint, strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return m.fail(fmt.Errorf("model: push to %s: %w", m.cfg.Endpoint, err))
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !m.faults.copiesAnswer {
		answer = answer[:min(len(answer), 100)]
	}
	if m.faults.doubles {
		m.faults.doubles = false
		return errors.Join(m.send(ctx, lines), m.send(ctx, lines))
	}
	code := resp.StatusCode
	text := fmt.Errorf("model: push to %s: status %d: look at token: %q", m.cfg.Endpoint, code, answer)
	wrap := m.faults.verdicts[code]
	switch {
	case wrap != nil:
		return wrap(m.fail(text))
	case code == http.StatusOK && m.faults.bodyIgnored, code == http.StatusOK && err == nil && string(answer) == "stored":
		return nil
	case code == http.StatusRequestEntityTooLarge && len(lines) > 1 && !m.faults.neverSplits:
		return errors.Join(m.send(ctx, lines[:len(lines)/2]), m.send(ctx, lines[len(lines)/2:]))
	case code == http.StatusRequestEntityTooLarge:
		return consumererror.NewPermanent(m.fail(text))
	case resp.Header.Get("Retry-After") != "":
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return exporterhelper.NewThrottleRetry(m.fail(text), time.Duration(seconds)*time.Second)
	}
	return m.fail(text)
}

func (m *model) fail(err error) error {
	if m.faults.showsToken {
		err = fmt.Errorf("%w (token %s)", err, m.cfg.Token)
	}
	if m.faults.hidesHost {
		err = errors.New("push: no good, look at token, 401 403 429 500 502 503 504")
	}
	return err
}

func modelSuite(faults modelFaults) Suite {
	return Suite{
		Factory: modelFactory(faults),
		Signals: []pipeline.Signal{pipeline.SignalLogs},
		Config:  func(url string) map[string]any { return map[string]any{"endpoint": url, "token": "hunter2"} },
		Secrets: []string{"hunter2"},
		Mend:    "token",
		Success: func(w http.ResponseWriter, _ []byte) { _, _ = io.WriteString(w, "stored") },
		Records: func(body []byte) int { return bytes.Count(body, []byte("\n")) },
	}
}

func TestModelPasses(t *testing.T) {
	modelSuite(modelFaults{}).Run(t)
}

func TestSuiteFinds(t *testing.T) {
	permanently := func(code int) modelFaults {
		return modelFaults{verdicts: map[int]func(error) error{code: consumererror.NewPermanent}}
	}
	for _, tc := range []struct {
		name   string
		faults modelFaults
		check  string
		want   string
		short  time.Duration // for the check; 0 where it does not wait for the fault
	}{
		{"401 is permanent", permanently(401), "401 names the setting", "verdict is permanent, want retryable", 0},
		{"503 is permanent", permanently(503), "503 is retried", "verdict is permanent, want retryable", 0},
		{"429 is permanent", permanently(429), "429 with Retry-After is throttled", "verdict is permanent, want throttled", 0},
		{"413 is never split", modelFaults{neverSplits: true}, "413 is split", "push: Permanent error: ", 0},
		{"413 takes good records along", modelFaults{neverSplits: true}, "413 for one record is not retried", "0 of the 9 records", 0},
		{
			"413 is retried",
			modelFaults{verdicts: map[int]func(error) error{413: func(err error) error { return err }}},
			"413 for one record is not retried", "verdict is retryable for a record that never fits", 0,
		},
		{"body is not read", modelFaults{bodyIgnored: true}, "garbage with 200 is retried", "verdict is delivered, want retryable", 0},
		{"body is not read to its end", modelFaults{bodyIgnored: true}, "truncated answer is not success", "verdict is delivered, want retryable", 0},
		{"no timeout", modelFaults{noTimeout: true}, "hang ends at timeout", "took ", 3 * time.Second},
		{"password in error", modelFaults{showsToken: true}, "reset is retried", `error shows the credential "hunter2"`, 0},
		{"password in log", modelFaults{logsToken: true}, "delivers", `shows the credential "hunter2"`, 0},
		{"answer copied", modelFaults{copiesAnswer: true}, "foreign bytes in answers", "bytes long, more than 4096", 0},
		{"endpoint not named", modelFaults{hidesHost: true}, "refused is retried", "error does not name \"127.0.0.1:", 0},
		{"status not named", modelFaults{hidesHost: true}, "401 names the setting", "error does not name \"127.0.0.1:", 0},
		{"half is lost", modelFaults{halves: true}, "delivers", "15 of 30 records did not arrive", 0},
		{"all is doubled", modelFaults{doubles: true}, "delivers", "10 of 30 records arrived more than once", 0},
		{"panics on odd records", modelFaults{panics: true}, "foreign bytes in records", "panic: empty body", 0},
		{"second shutdown panics", modelFaults{panicsTwice: true}, "shutdown unstarted and twice", "panic: close of closed channel", 0},
		{"queue is forgotten", modelFaults{forgetsQueue: true}, "shutdown drains", "shutdown returned while requests were in flight", 0},
		{"recovery loses", permanently(503), "nothing lost until recovery", "of 500 records did not arrive", 10 * time.Second},
		{"goroutine leak", modelFaults{leaks: true}, "delivers", "after shutdown: found unexpected goroutines", 3 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			suite := modelSuite(tc.faults)
			require.NoError(t, suite.validate())
			ctx := t.Context()
			if tc.short > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.short)
				defer cancel()
			}
			err := suite.runCheck(ctx, pipeline.SignalLogs, find(t, tc.check))
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
}

func find(t *testing.T, name string) check {
	for _, c := range checks() {
		if c.name == name {
			return c
		}
	}
	require.Fail(t, "no check named "+name)
	return check{}
}

func TestValidate(t *testing.T) {
	assert.NoError(t, modelSuite(modelFaults{}).validate())
	assert.EqualError(t, Suite{}.validate(), strings.Join([]string{
		"exportertest: suite: Factory is not set",
		"exportertest: suite: Signals is not set",
		"exportertest: suite: Config is not set",
		"exportertest: suite: Secrets is not set",
		"exportertest: suite: Mend is not set",
		"exportertest: suite: Success is not set",
		"exportertest: suite: Records is not set",
	}, "\n"))
}

func TestForeignRecordsOfEverySignal(t *testing.T) {
	b := batch{to: 3, foreign: true, pad: 10}
	assert.Equal(t, 3+8+1, logs(b).LogRecordCount())
	assert.Positive(t, metrics(b).DataPointCount())
	assert.Equal(t, 5, traces(b).SpanCount())
}
