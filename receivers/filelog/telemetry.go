package filelog

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// Reasons for which records or bytes are counted as lost.
const (
	reasonPermanent = "permanent_error"   // the pipeline refused a batch for good
	reasonRetries   = "retries_exhausted" // the pipeline refused a batch for longer than retry_on_failure allows
	reasonTruncated = "truncated"         // a file was truncated before it was read to its end
	reasonGone      = "gone"              // a rotated file was deleted or packed while it was not open
	reasonDeleted   = "deleted"           // a deleted file was held open for too long
)

// What an operator can do about each.
const (
	mendTruncated = "rotate by renaming instead of copytruncate"
	mendGone      = "let rotated files stay unpacked for longer, and give file_log a storage"
	mendDeleted   = "raise max_deleted_size, or let rotated files live longer"
	mendPermanent = "see the error: the exporter or processor says what it does not take"
	mendRetries   = "set retry_on_failure::max_elapsed_time to 0, which tries without end"
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	attrs metric.MeasurementOption

	lostRecords metric.Int64Counter
	lostBytes   metric.Int64Counter
	truncated   metric.Int64Counter
	split       metric.Int64Counter
	unparsed    metric.Int64Counter
	restarted   metric.Int64Counter
	unsaved     metric.Int64Counter

	registration metric.Registration
	receiver     attribute.KeyValue
}

func newTelemetry(meter metric.Meter, id string) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	t.attrs = metric.WithAttributeSet(attribute.NewSet(t.receiver))
	var errs []error
	counter := func(into *metric.Int64Counter, name, unit, description string) {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		*into = c
		errs = append(errs, err)
	}
	counter(&t.lostRecords, "obsd_file_log_lost_records", "{records}", "Log records that were read but not delivered, by reason.")
	counter(&t.lostBytes, "obsd_file_log_lost_bytes", "By", "Bytes of log files that could not be read, by reason.")
	counter(&t.truncated, "obsd_file_log_truncated_records", "{records}", "Lines longer than max_log_size that lost their end.")
	counter(&t.split, "obsd_file_log_split_records", "{records}", "Lines longer than max_log_size that became several records.")
	counter(&t.unparsed, "obsd_file_log_unparsed_records", "{records}", "Lines of container logs that are not of the file's format and were passed on as plain text.")
	counter(&t.restarted, "obsd_file_log_truncated_files", "{files}", "Times a file was truncated and read anew from its start.")
	counter(&t.unsaved, "obsd_file_log_checkpoint_failures", "{writes}", "Writes of positions that the storage did not take.")
	return t, errors.Join(errs...)
}

// observe registers the gauges, which read the receiver's state when they are asked.
func (t *telemetry) observe(meter metric.Meter, lag, open, followed func() int64) error {
	lagBytes, err1 := meter.Int64ObservableGauge("obsd_file_log_lag_bytes", metric.WithUnit("By"),
		metric.WithDescription("Bytes of the followed files that are not delivered yet."))
	openFiles, err2 := meter.Int64ObservableGauge("obsd_file_log_open_files", metric.WithUnit("{files}"),
		metric.WithDescription("Files that are open."))
	followedFiles, err3 := meter.Int64ObservableGauge("obsd_file_log_followed_files", metric.WithUnit("{files}"),
		metric.WithDescription("Paths that are followed."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(lagBytes, lag(), t.attrs)
		o.ObserveInt64(openFiles, open(), t.attrs)
		o.ObserveInt64(followedFiles, followed(), t.attrs)
		return nil
	}, lagBytes, openFiles, followedFiles)
	t.registration = registration
	return err
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister()
		t.registration = nil
	}
}

func (t *telemetry) count(ctx context.Context, o oddities) {
	add := func(c metric.Int64Counter, n int64) {
		if n > 0 {
			c.Add(ctx, n, t.attrs)
		}
	}
	add(t.unparsed, o.unparsed)
	add(t.split, o.split)
	add(t.truncated, o.truncated)
}

func (t *telemetry) because(reason string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(t.receiver, attribute.String("reason", reason)))
}

// loseRecords counts records as lost, and says so at most once a minute for each reason.
func (r *fileLog) loseRecords(n int, reason, path string, err error) {
	r.tel.lostRecords.Add(r.ctx, int64(n), r.tel.because(reason))
	mend := map[string]string{reasonPermanent: mendPermanent, reasonRetries: mendRetries, reasonTruncated: mendTruncated}[reason]
	if r.warned.Allow("records "+reason, time.Now()) {
		r.log.Warn("file_log: records lost; more of the same kind within a minute are only counted",
			zap.String("reason", reason), zap.String("path", path), zap.Int("records", n), zap.String("mend", mend), zap.Error(err))
	}
}

// loseBytes counts bytes that were never read as lost.
func (r *fileLog) loseBytes(n int64, reason, path, mend string) {
	r.tel.lostBytes.Add(r.ctx, n, r.tel.because(reason))
	if r.warned.Allow("bytes "+reason, time.Now()) {
		r.log.Warn("file_log: unread log lost; more of the same kind within a minute is only counted",
			zap.String("reason", reason), zap.String("path", path), zap.Int64("bytes", n), zap.String("mend", mend))
	}
}

// mendFor says what an operator can do about a file that cannot be opened.
func mendFor(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let the user obsd runs as read it, for example through the group adm, or exclude it"
	case errors.Is(err, errNotRegular):
		return "exclude it, or make the glob match files only"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files (ulimit -n), or lower max_concurrent_files"
	}
	return "check the file and the disk it is on"
}
