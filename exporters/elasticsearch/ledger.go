package elasticsearch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	meterName = "github.com/obsd-io/obsd/exporters/elasticsearch"

	// maxReasons bounds the values of the attribute reason: an error type comes
	// from the server.
	maxReasons = 50
	// lossInterval is the least time between two log lines about losses.
	lossInterval = 10 * time.Second
	// excerptLength bounds how much of a document a log line shows.
	excerptLength = 512
)

// What becomes of a document. All but retried are final.
const (
	outcomeDelivered = "delivered"
	// outcomeThere: a document with our own id was stored before.
	outcomeThere = "already_there"
	outcomeRetry = "retried"
	outcomeLost  = "lost"
)

// Reasons that are ours, beside the error types of Elasticsearch.
const (
	reasonTooLarge = "too_large"
	reasonRefused  = "request_refused"
	reasonOther    = "other"
)

// ledger counts what becomes of documents, and logs losses, but not each.
type ledger struct {
	counter metric.Int64Counter
	id      component.ID
	logger  *zap.Logger
	now     func() time.Time

	mu       sync.Mutex
	options  map[entry]metric.MeasurementOption
	next     time.Time
	unlogged int
}

// entry is one combination of attributes.
type entry struct{ outcome, reason string }

func newLedger(set component.TelemetrySettings, id component.ID) (*ledger, error) {
	counter, err := set.MeterProvider.Meter(meterName).Int64Counter("obsd_elasticsearch_documents",
		metric.WithDescription("Documents sent to Elasticsearch, by outcome (delivered, already_there, retried, lost) and reason."),
		metric.WithUnit("{document}"))
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: make counter: %w", err)
	}
	return &ledger{
		counter: counter,
		id:      id,
		logger:  set.Logger,
		now:     time.Now,
		options: map[entry]metric.MeasurementOption{},
	}, nil
}

// count adds n documents. The reason is empty for what is delivered.
func (l *ledger) count(ctx context.Context, outcome, reason string, n int) {
	if n > 0 {
		l.counter.Add(ctx, int64(n), l.option(outcome, reason))
	}
}

// option returns the attributes of an entry, made once. When there are too many
// reasons, the reason is "other".
func (l *ledger) option(outcome, reason string) metric.MeasurementOption {
	reason = label(reason)
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{outcome, reason}
	if option, ok := l.options[e]; ok {
		return option
	}
	if len(l.options) >= maxReasons {
		e.reason = reasonOther
		if option, ok := l.options[e]; ok {
			return option
		}
	}
	attrs := []attribute.KeyValue{attribute.String("exporter", l.id.String()), attribute.String("outcome", outcome)}
	if e.reason != "" {
		attrs = append(attrs, attribute.String("reason", e.reason))
	}
	l.options[e] = metric.WithAttributeSet(attribute.NewSet(attrs...))
	return l.options[e]
}

// label returns a reason that is fit for a label, or "other".
func label(reason string) string {
	if len(reason) > 64 {
		return reasonOther
	}
	for i := range len(reason) {
		if c := reason[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return reasonOther
		}
	}
	return reason
}

// loss is one document that is not stored and not sent again.
type loss struct {
	reason string
	detail string
	status int
	index  []byte
	source []byte
}

// lose counts a loss and logs it, or counts it for the next line.
func (l *ledger) lose(ctx context.Context, what loss) {
	l.count(ctx, outcomeLost, what.reason, 1)
	l.mu.Lock()
	l.unlogged++
	now := l.now()
	if now.Before(l.next) {
		l.mu.Unlock()
		return
	}
	lost := l.unlogged
	l.unlogged, l.next = 0, now.Add(lossInterval)
	l.mu.Unlock()
	l.logger.Error("documents lost: Elasticsearch does not take them",
		zap.String("index", printable(string(what.index), 255)),
		zap.Int("status", what.status),
		zap.String("reason", what.reason),
		zap.String("detail", what.detail),
		zap.String("document", printable(string(what.source[:min(len(what.source), 2*excerptLength)]), excerptLength)),
		zap.Int("lost_since_last_line", lost),
		zap.String("mend", mendDocument(what)))
}

// close logs how many losses no line has told of.
func (l *ledger) close() {
	l.mu.Lock()
	lost := l.unlogged
	l.unlogged = 0
	l.mu.Unlock()
	if lost > 0 {
		l.logger.Error("documents lost: Elasticsearch does not take them", zap.Int("lost_since_last_line", lost))
	}
}

// mendDocument says what can be done about a lost document.
func mendDocument(what loss) string {
	switch {
	case what.reason == reasonTooLarge:
		return "shorten the record, or raise http.max_content_length on the server and the limit of any proxy"
	case what.status == 403:
		return "remove the block on the index or give the privilege create_doc on it; add 403 to retry::retry_on_status to wait instead"
	case what.status == 404:
		return "create the index or allow action.auto_create_index"
	case what.status == 409:
		return "set logs_dynamic_id, so that a document sent twice is known"
	default:
		return "change the index template or the record, so that each field has one type; see detail"
	}
}
