package elasticsearch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/exporter"
)

const (
	// replyBase and replyPerDocument bound how much of an answer is read.
	replyBase        = 256 << 10
	replyPerDocument = 4 << 10

	// maxDelay bounds what a server can ask for with Retry-After.
	maxDelay = 10 * time.Minute
)

// verdict is what an answer means for the documents of a request.
type verdict int

const (
	// answered: each document has its own result.
	answered verdict = iota
	// later: nothing is wrong with the documents. Send all again.
	later
	// tooLarge: the request is too large (413).
	tooLarge
	// malformed: the server could not read the request (400).
	malformed
)

// answer is the result of one bulk request.
type answer struct {
	verdict verdict
	// items are the results of the documents; nil if all are stored.
	items []item
	// node is the address that answered.
	node string
	// err says what is wrong, unless the verdict is answered.
	err error
	// delay is what the server asked to wait.
	delay time.Duration
}

// client sends bulk requests to the nodes in turn.
type client struct {
	nodes   *elastictransport.Client
	http    *http.Client
	packer  *packer
	timeout time.Duration
	path    string
	query   string
	user    string
	pass    string
	apiKey  string
}

// newClient makes the client. It does no I/O but for reading TLS files.
func newClient(ctx context.Context, cfg *Config, host component.Host, set exporter.Settings) (*client, error) {
	c := &client{
		timeout: cfg.ClientConfig.Timeout,
		path:    "/_bulk",
		query:   bulkQuery(cfg),
		user:    cfg.User,
		pass:    string(cfg.Password),
		apiKey:  string(cfg.APIKey),
		packer:  newPacker(cfg.ClientConfig.Compression == configcompression.TypeGzip, gzipLevel(cfg)),
	}
	hc := cfg.ClientConfig
	hc.Compression = "" // The packer has done it.
	hc.Timeout = 0      // Each request has its own, see bulk.
	var err error
	if c.http, err = hc.ToClient(ctx, host.GetExtensions(), set.TelemetrySettings); err != nil {
		return nil, fmt.Errorf("elasticsearch: make http client: %w", err)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	urls := make([]*url.URL, 0, len(cfg.urls()))
	for _, address := range cfg.urls() {
		u, err := parseEndpoint(address)
		if err != nil {
			return nil, fmt.Errorf("elasticsearch: endpoint: %w", err)
		}
		urls = append(urls, u)
	}
	c.nodes, err = elastictransport.NewClient(append(failover(len(urls)),
		elastictransport.WithURLs(urls...),
		elastictransport.WithTransport(viaClient{c.http}),
		elastictransport.WithUserAgent(set.BuildInfo.Command+"/"+set.BuildInfo.Version))...)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: make transport: %w", err)
	}
	return c, nil
}

// gzipLevel is the configured level; 0 means that none is given.
func gzipLevel(cfg *Config) int {
	if level := int(cfg.ClientConfig.CompressionParams.Level); level != 0 {
		return level
	}
	return 1
}

// bulkQuery asks for no more of the answer than is looked at. Elasticsearch
// leaves out array members without a field that is asked for, so the status of
// every document is: places and count must hold.
func bulkQuery(cfg *Config) string {
	q := url.Values{}
	filter := "errors,items.*.status,items.*.error.type,items.*.error.reason"
	if cfg.ids() {
		filter += ",items.*._id"
	}
	q.Set("filter_path", filter)
	if cfg.Pipeline != "" {
		q.Set("pipeline", cfg.Pipeline)
	}
	return q.Encode()
}

// failover offers a request to the other nodes when one cannot be reached. What
// a node answers is never sent again from here: the retry sender above does it.
func failover(nodes int) []elastictransport.Option {
	if nodes == 1 {
		return []elastictransport.Option{elastictransport.WithDisableRetry()}
	}
	const noStatus = -1 // The transport would take an empty list for its default.
	return []elastictransport.Option{
		elastictransport.WithRetry(nodes-1, noStatus),
		elastictransport.WithRetryOnError(func(req *http.Request, _ error) bool { return req.Context().Err() == nil }),
	}
}

// viaClient is a http.Client as a RoundTripper, to keep its cookies.
type viaClient struct{ client *http.Client }

// RoundTrip implements http.RoundTripper.
func (v viaClient) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := v.client.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // It repeats the whole URL.
	}
	return resp, err
}

// bulk sends a body with n documents and reads the answer into room.
func (c *client) bulk(ctx context.Context, body []byte, n int, room *bytes.Buffer) answer {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	payload, err := c.packer.pack(body)
	defer payload.release()
	if err != nil {
		return answer{verdict: later, err: fmt.Errorf("elasticsearch: compress request: %w", err)}
	}
	req, err := c.request(ctx, payload)
	if err != nil {
		return answer{verdict: later, err: fmt.Errorf("elasticsearch: make request: %w", err)}
	}
	resp, err := c.nodes.Perform(req)
	node := req.URL.Scheme + "://" + req.URL.Host
	if err != nil {
		return answer{verdict: later, node: node, err: unreachable(node, err, c.timeout)}
	}
	room.Reset()
	_, err = room.ReadFrom(io.LimitReader(resp.Body, int64(replyBase+n*replyPerDocument)))
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(node, resp, room.Bytes())
	}
	if err != nil {
		return answer{verdict: later, node: node, err: fmt.Errorf("elasticsearch: bulk to %s: read answer: %w: what is stored is not known, all is sent again", node, err)}
	}
	items, err := parseReply(room.Bytes(), n)
	if err != nil {
		return answer{verdict: later, node: node, err: fmt.Errorf(
			"elasticsearch: bulk to %s: answer with status 200 is not of the bulk API: %w: check that endpoint is Elasticsearch itself (answer: %s)", node, err, quote(room.Bytes(), 200))}
	}
	return answer{verdict: answered, node: node, items: items}
}

func (c *client) request(ctx context.Context, p *payload) (*http.Request, error) {
	// The transport puts the address of a node before the path.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.path+"?"+c.query, http.NoBody)
	if err != nil {
		return nil, err
	}
	p.attach(req)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Accept", "application/json")
	if c.packer.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	switch {
	case c.apiKey != "":
		req.Header.Set("Authorization", "ApiKey "+c.apiKey)
	case c.user != "":
		req.SetBasicAuth(c.user, c.pass)
	}
	return req, nil
}

// close ends idle connections and the timers of dead nodes.
func (c *client) close(ctx context.Context) error {
	err := c.nodes.Close(ctx)
	c.http.CloseIdleConnections()
	return err
}

func unreachable(node string, err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("elasticsearch: bulk to %s: no answer in %s: see whether the server is overloaded, or raise timeout: %w", node, timeout, err)
	}
	return fmt.Errorf("elasticsearch: bulk to %s: %w: check endpoint, tls and proxy_url, and that the server runs", node, err)
}

// refusal reads an answer that is not 200. No status makes the exporter lose
// anything by itself: what a wrong setting or a proxy causes can be mended.
func refusal(node string, resp *http.Response, body []byte) answer {
	code := resp.StatusCode
	a := answer{verdict: later, node: node, delay: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	switch code {
	case http.StatusRequestEntityTooLarge:
		a.verdict = tooLarge
	case http.StatusBadRequest:
		a.verdict = malformed
	}
	a.err = fmt.Errorf("elasticsearch: bulk to %s: %d %s: %s: %s", node, code, http.StatusText(code), parseError(body), mend(code))
	return a
}

// mend says what an operator can do about a status.
func mend(code int) string {
	switch {
	case code == http.StatusUnauthorized:
		return "check user, password, api_key or auth"
	case code == http.StatusForbidden:
		return "give the user or API key the privileges create_doc and auto_configure on the target, or check user, password, api_key or auth"
	case code == http.StatusRequestEntityTooLarge:
		return "lower flush::bytes, or raise http.max_content_length on the server and the limit of any proxy"
	case code == http.StatusTooManyRequests:
		return "the server is busy, it is sent again; lower sending_queue::num_consumers if that goes on"
	case code == http.StatusBadRequest:
		return "check endpoint and pipeline, and that the server is Elasticsearch 7.17 or later"
	case code >= 500:
		return "it is sent again; look at the log of the server"
	case code >= 300 && code < 400:
		return "set endpoint to the address it redirects to"
	default:
		return "check that endpoint is Elasticsearch itself, with the path of any proxy"
	}
}

// retryAfter reads seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	var delay time.Duration
	if seconds, err := strconv.Atoi(header); err == nil {
		delay = time.Duration(min(seconds, int(maxDelay/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		delay = at.Sub(now)
	}
	return min(max(delay, 0), maxDelay)
}
