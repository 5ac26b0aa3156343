package influxdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// delivery is what became of the lines of a payload.
type delivery struct {
	losses
	accepted int64
	unclear  int   // lines refused alone, without a clear word about the line
	why      error // of the last of these
}

// giveUpUnclear is how many lines must be refused, and none accepted, before
// the fault is held to be the request's and not the lines'.
const giveUpUnclear = 8

// deliver sends the lines in buf, which end at ends. An error means that the
// payload is to be sent again later; sending a line twice does no harm.
func (e *influxExporter) deliver(ctx context.Context, buf []byte, ends []int) (delivery, error) {
	var d delivery
	if err := e.send(ctx, buf, 0, ends, &d); err != nil {
		return delivery{}, err
	}
	if d.unclear > 0 && d.accepted == 0 && d.total() == int64(d.unclear) {
		// Nothing shows that it is the lines: a wrong setting must not cost data.
		return delivery{}, d.why
	}
	return d, nil
}

// send sends the lines from start on. Where the server refuses them together it
// halves them, until the bad ones stand alone.
func (e *influxExporter) send(ctx context.Context, buf []byte, start int, ends []int, d *delivery) error {
	n := len(ends)
	lines := buf[start:ends[n-1]]
	r, err := e.post(ctx, lines, n)
	if err != nil {
		return err
	}
	switch r.verdict {
	case accepted:
		d.accepted += int64(n)
		return nil
	case partly:
		d.add(r.reason, r.lost, r.message)
		d.accepted += int64(n - r.lost)
		return nil
	}
	if n == 1 {
		return d.refused(r, lines)
	}
	half := n / 2
	if err := e.send(ctx, buf, start, ends[:half], d); err != nil {
		return err
	}
	return e.send(ctx, buf, ends[half-1], ends[half:], d)
}

// refused counts a line that the server refused alone.
func (d *delivery) refused(r reply, line []byte) error {
	detail := r.message
	if !strings.Contains(detail, "unable to parse") {
		detail += ": " + message(nil, line)
	}
	d.add(r.reason, 1, detail)
	if r.verdict == badRequest {
		d.unclear++
		d.why = r.err
		if d.unclear >= giveUpUnclear && d.accepted == 0 {
			return r.err
		}
	}
	return nil
}

// post sends one request. An error means that it is to be sent again later.
func (e *influxExporter) post(ctx context.Context, lines []byte, n int) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(lines))
	if err != nil {
		return reply{}, fmt.Errorf("influxdb: write to %s: %w", e.shown, err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", e.userAgent)
	if e.auth != "" {
		req.Header.Set("Authorization", e.auth)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return reply{}, e.transportError(err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	_ = resp.Body.Close()
	if err != nil {
		return reply{}, fmt.Errorf("influxdb: write to %s: read reply with status %d: %w", e.shown, resp.StatusCode, err)
	}
	r := readReply(resp.StatusCode, resp.Header, body, n, &e.target, e.now())
	r.message = e.redact(r.message)
	r.err = e.replyError(resp.StatusCode, r)
	if r.verdict != failed {
		return r, nil
	}
	if r.delay > 0 {
		return r, exporterhelper.NewThrottleRetry(r.err, min(r.delay, e.maxDelay))
	}
	return r, r.err
}

// replyError puts a refusal into words.
func (e *influxExporter) replyError(status int, r reply) error {
	parts := []string{fmt.Sprintf("influxdb: write to %s: status %d", e.shown, status), r.message, r.mend}
	return errors.New(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": "))
}

// transportError leaves out the URL that the HTTP client puts into its errors:
// its parameters may be the user's secret.
func (e *influxExporter) transportError(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("influxdb: write to %s: %w", e.shown, err)
}

// redact keeps a server from telling the credentials to a log.
func (e *influxExporter) redact(s string) string {
	for _, secret := range e.secrets {
		s = strings.ReplaceAll(s, secret, "[secret]")
	}
	return s
}

// stayPost follows only redirects that keep the method: a POST that turns into
// a GET would be answered kindly and store nothing.
func stayPost(req *http.Request, via []*http.Request) error {
	if req.Method != http.MethodPost || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}
