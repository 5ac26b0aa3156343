package exportertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
)

// page is what a proxy or a captive portal sends.
const page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>nothing stored here</body></html>"

// check is one behaviour. run returns what is wrong with the exporter.
type check struct {
	name string
	run  func(ctx context.Context, e *env) error
}

// checks lists every behaviour, simple ones first.
func checks() []check {
	list := []check{
		{"delivers", checkDelivers},
		{"shutdown unstarted and twice", checkShutdown},
		{"401 names the setting", checkUnauthorized},
		{"429 with Retry-After is throttled", checkThrottled},
		{"garbage with 200 is retried", checkGarbage},
		{"truncated answer is not success", checkTruncated},
		{"hang ends at timeout", checkHang},
		{"reset is retried", checkReset},
		{"refused is retried", checkRefused},
		{"413 is split", checkTooLarge},
		{"413 for one record is not retried", checkOneTooLarge},
		{"nothing lost until recovery", checkRecovery},
		{"shutdown drains", checkDrain},
		{"foreign bytes in records", checkForeignRecords},
		{"foreign bytes in answers", checkForeignAnswers},
	}
	for _, code := range []int{
		http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	} {
		list = append(list, check{strconv.Itoa(code) + " is retried", checkStatus(code)})
	}
	return list
}

func checkDelivers(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	for i := 0; i < 30; i += 10 {
		if err := t.push(ctx, batch{from: i, to: i + 10}); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
	if err := t.push(ctx, batch{}); err != nil {
		return fmt.Errorf("push of nothing: %w", err)
	}
	return errors.Join(e.srv.fault(), e.srv.delivered(30, true))
}

// checkShutdown holds to the contract of component.Component.
func checkShutdown(ctx context.Context, e *env) error {
	for _, over := range []map[string]any{e.direct(), e.patient()} {
		t, err := e.create(ctx, over)
		if err != nil {
			return err
		}
		for range 2 {
			if err := shutdown(ctx, t); err != nil {
				return fmt.Errorf("unstarted: %w", err)
			}
		}
		if t, err = e.create(ctx, over); err != nil {
			return err
		}
		if err := t.Start(ctx, componenttest.NewNopHost()); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		for range 3 {
			if err := shutdown(ctx, t); err != nil {
				return fmt.Errorf("started: %w", err)
			}
		}
	}
	return nil
}

// refuse pushes ten records against a script and then, with the server well
// again, pushes them once more.
func (e *env) refuse(ctx context.Context, over map[string]any, sc script, v verdict, want ...string) error {
	t, err := e.start(ctx, over)
	if err != nil {
		return err
	}
	e.srv.play(sc)
	err = e.expect(t.push(ctx, batch{to: 10}), v, append(want, e.srv.host())...)
	e.srv.play(nil)
	if again := t.push(ctx, batch{to: 10}); again != nil {
		return errors.Join(err, fmt.Errorf("push after recovery: %w", again))
	}
	return errors.Join(err, e.srv.delivered(10, true))
}

func checkUnauthorized(ctx context.Context, e *env) error {
	return e.refuse(ctx, e.direct(), always(status(http.StatusUnauthorized, `{"error":"who are you"}`)), retryable, "401", e.suite.Mend)
}

func checkStatus(code int) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		return e.refuse(ctx, e.direct(), always(status(code, `{"error":"not now"}`)), retryable, strconv.Itoa(code))
	}
}

func checkThrottled(ctx context.Context, e *env) error {
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		sc := always(status(code, "slow down", "Retry-After", "7"))
		if err := e.refuse(ctx, e.direct(), sc, throttled, strconv.Itoa(code), "Throttle (7s)"); err != nil {
			return fmt.Errorf("%d: %w", code, err)
		}
		e.srv.forget()
	}
	return nil
}

func checkGarbage(ctx context.Context, e *env) error {
	return e.refuse(ctx, e.direct(), always(status(http.StatusOK, page, "Content-Type", "text/html")), retryable)
}

func checkTruncated(ctx context.Context, e *env) error {
	return e.refuse(ctx, e.direct(), always(truncated(http.StatusOK, `{"took":1,"err`)), retryable)
}

// checkHang takes the quickest of several pushes, where a busy machine holds up the first.
func checkHang(ctx context.Context, e *env) error {
	t, err := e.start(ctx, with(e.direct(), "timeout", "200ms"))
	if err != nil {
		return err
	}
	e.srv.play(always(e.srv.hang))
	least := time.Hour
	for tries := 0; tries < 5 && least > 2500*time.Millisecond && ctx.Err() == nil && err == nil; tries++ {
		begun := time.Now()
		err = e.expect(t.push(ctx, batch{to: 10}), retryable, e.srv.host())
		if took := time.Since(begun); ctx.Err() == nil {
			least = min(least, took)
		}
	}
	if ctx.Err() != nil || least > 2500*time.Millisecond {
		err = errors.Join(err, errors.New("push with timeout 200ms took more than 2.5s"))
	}
	return err
}

func checkReset(ctx context.Context, e *env) error {
	return e.refuse(ctx, e.direct(), always(reset), retryable)
}

func checkRefused(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	e.srv.stop()
	err = e.expect(t.push(ctx, batch{to: 10}), retryable, e.srv.host())
	if restarted := e.srv.restart(); restarted != nil {
		return errors.Join(err, restarted)
	}
	if again := t.push(ctx, batch{to: 10}); again != nil {
		return errors.Join(err, fmt.Errorf("push after recovery: %w", again))
	}
	return errors.Join(err, e.srv.delivered(10, true))
}

// checkTooLarge lets the server take 20 kB at a time, where a record is 2 kB.
func checkTooLarge(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	e.srv.play(func(_ int, body []byte) answer {
		if len(body) > 20_000 {
			return status(http.StatusRequestEntityTooLarge, "")
		}
		return nil
	})
	if err := t.push(ctx, batch{to: 64, pad: 2000}); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return e.srv.delivered(64, true)
}

// checkOneTooLarge must not be retried for ever. Whether it is an error or a
// count is the exporter's choice, but good records beside it must arrive.
func checkOneTooLarge(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	lost := []byte(markOf(3))
	e.srv.play(func(_ int, body []byte) answer {
		if strings.Contains(string(body), string(lost)) {
			return status(http.StatusRequestEntityTooLarge, page)
		}
		return nil
	})
	err = t.push(ctx, batch{to: 10})
	if v := verdictOf(err); v == retryable || v == throttled {
		return fmt.Errorf("verdict is %s for a record that never fits (error: %w)", v, err)
	}
	if e.srv.count() > 50 {
		return fmt.Errorf("%d requests for ten records", e.srv.count())
	}
	e.srv.mu.Lock()
	defer e.srv.mu.Unlock()
	if len(e.srv.seen) != 9 {
		return fmt.Errorf("%d of the 9 records beside one that is too large arrived", len(e.srv.seen))
	}
	return nil
}

// checkRecovery runs the whole list of troubles under a queue with retries.
func checkRecovery(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.patient())
	if err != nil {
		return err
	}
	e.srv.play(steps(
		status(http.StatusServiceUnavailable, page),
		reset,
		status(http.StatusTooManyRequests, ""),
		status(http.StatusUnauthorized, `{}`),
		status(http.StatusOK, page),
		e.srv.hang,
		truncated(http.StatusOK, `{`),
		status(http.StatusInternalServerError, "\x00\xff"),
	))
	for i := 0; i < 500; i += 50 {
		if err := t.push(ctx, batch{from: i, to: i + 50}); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
	if err := eventually(ctx, func() error { return e.srv.delivered(500, false) }); err != nil {
		return err
	}
	e.srv.stop()
	if err := t.push(ctx, batch{from: 500, to: 600}); err != nil {
		return fmt.Errorf("push while refused: %w", err)
	}
	if err := e.srv.restart(); err != nil {
		return err
	}
	return eventually(ctx, func() error { return e.srv.delivered(600, false) })
}

// checkDrain shuts down while the server is slow and the queue is full.
func checkDrain(ctx context.Context, e *env) error {
	t, err := e.start(ctx, with(e.patient(), "timeout", "60s"))
	if err != nil {
		return err
	}
	open := make(chan struct{})
	e.srv.play(func(int, []byte) answer { return nil })
	e.srv.gate(open)
	for i := 0; i < 1000; i += 50 {
		if err := t.push(ctx, batch{from: i, to: i + 50}); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- shutdown(ctx, t) }()
	select {
	case err := <-done:
		close(open)
		return early(errors.Join(err, e.srv.delivered(1000, true)))
	case <-time.After(50 * time.Millisecond):
	}
	close(open)
	if err := <-done; err != nil {
		return err
	}
	if err := e.srv.delivered(1000, true); err != nil {
		return early(err)
	}
	return nil
}

func early(err error) error {
	return fmt.Errorf("shutdown returned while requests were in flight: %w", err)
}

func checkForeignRecords(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	err = t.push(ctx, batch{to: 5, foreign: true})
	if v := verdictOf(err); v == retryable || v == throttled {
		return fmt.Errorf("verdict is %s for records that will not change (error: %w)", v, err)
	}
	if err != nil {
		err = e.clean(err.Error())
	}
	return errors.Join(err, e.srv.fault(), e.srv.delivered(5, false))
}

// checkForeignAnswers sends every kind of answer that is no success.
func checkForeignAnswers(ctx context.Context, e *env) error {
	t, err := e.start(ctx, e.direct())
	if err != nil {
		return err
	}
	bodies := []string{
		"", page, "\x00\xff\xfe", `{"error":`, `{"error":{"type":1,"reason":[]},"status":"x"}`, `[]`, `null`, `{"items":null}`,
		`{"code":"invalid","message":"` + strings.Repeat("m", 100_000) + `"}`, strings.Repeat("[", 100_000),
	}
	codes := []int{300, 301, 304, 307, 400, 404, 405, 406, 408, 409, 415, 418, 422, 431, 451, 499, 500, 501, 505, 507, 520, 599}
	for _, code := range codes {
		for _, body := range bodies {
			e.srv.play(always(status(code, body, "Location", "http://"+e.srv.host()+"/elsewhere", "X-Influxdb-Error", strings.Repeat("\xff", 5000))))
			err := t.push(ctx, batch{to: 3})
			if err == nil {
				continue // counted by the exporter; a sink's own codes are its own tests' matter
			}
			if err := e.clean(err.Error()); err != nil {
				return fmt.Errorf("%d with %q: %w", code, excerpt(body), err)
			}
		}
	}
	return nil
}
