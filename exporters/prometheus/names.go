package prometheus

import (
	"strings"
	"unicode"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/otlptranslator"
)

const (
	leLabel       = "le"
	quantileLabel = "quantile"
	jobLabel      = "job"
	instanceLabel = "instance"
	scopePrefix   = "otel_scope_"
	exported      = "exported_"

	// nameCacheSize bounds the caches of translated names: metric and attribute
	// names come from outside and may never repeat.
	nameCacheSize = 16384
)

// metricKey is what a translated metric name depends on.
type metricKey struct {
	name, unit string
	typ        dto.MetricType
}

// metricName is a translated metric name. valid is false for a name that no
// exposition may carry.
type metricName struct {
	name, unit string
	valid      bool
}

// namer translates OpenTelemetry names and remembers the outcome, so that a
// point of a known metric costs one map look-up. It is used under the store's lock.
type namer struct {
	metrics      otlptranslator.MetricNamer
	labels       otlptranslator.LabelNamer
	units        otlptranslator.UnitNamer
	namespaceErr error
	targetInfo   string

	metricCache map[metricKey]metricName
	labelCache  map[string]string
}

func newNamer(cfg *Config) *namer {
	strategy := cfg.TranslationStrategy
	if strategy == "" {
		strategy = otlptranslator.UnderscoreEscapingWithSuffixes
		if !cfg.AddMetricSuffixes {
			strategy = otlptranslator.UnderscoreEscapingWithoutSuffixes
		}
	}
	utf8Names := !strategy.ShouldEscape()
	n := &namer{
		// Prometheus's own OTLP endpoint keeps runs of underscores by default,
		// and a name must not depend on the way the data came.
		labels:      otlptranslator.LabelNamer{UTF8Allowed: utf8Names, PreserveMultipleUnderscores: true},
		units:       otlptranslator.UnitNamer{UTF8Allowed: utf8Names},
		metricCache: map[metricKey]metricName{},
		labelCache:  map[string]string{},
	}
	namespace := cfg.Namespace
	n.targetInfo = targetInfo
	if namespace != "" {
		namespace, n.namespaceErr = n.labels.Build(namespace)
		n.targetInfo = namespace + "_" + targetInfo
	}
	n.metrics = otlptranslator.NewMetricNamer(namespace, strategy)
	return n
}

// utf8Names says whether names outside [a-zA-Z0-9_:] are exposed as they are.
func (n *namer) utf8Names() bool { return n.metrics.UTF8Allowed }

// metric translates the name of a metric.
func (n *namer) metric(key metricKey) metricName {
	if got, ok := n.metricCache[key]; ok {
		return got
	}
	if len(n.metricCache) >= nameCacheSize {
		clear(n.metricCache)
	}
	key.name, key.unit = strings.Clone(key.name), strings.Clone(key.unit)
	got := n.buildMetric(key)
	n.metricCache[key] = got
	return got
}

func (n *namer) buildMetric(key metricKey) metricName {
	if !readable(key.name) || !readable(key.unit) {
		return metricName{name: clean(key.name)}
	}
	name, err := n.metrics.Build(otlptranslator.Metric{Name: key.name, Unit: key.unit, Type: translatorType(key.typ)})
	legacy := err == nil && model.LegacyValidation.IsValidMetricName(name)
	valid := legacy || err == nil && n.utf8Names() && model.UTF8Validation.IsValidMetricName(name)
	if !valid {
		return metricName{name: key.name}
	}
	got := metricName{name: name, valid: true}
	// A UNIT line is refused by parsers unless the name ends in the unit, and
	// escaping on the way out could take that ending away.
	unit := n.units.Build(key.unit)
	if legacy && unit != "" && strings.HasSuffix(strings.TrimSuffix(name, "_total"), "_"+unit) {
		got.unit = unit
	}
	return got
}

func translatorType(typ dto.MetricType) otlptranslator.MetricType {
	switch typ {
	case dto.MetricType_COUNTER:
		return otlptranslator.MetricTypeMonotonicCounter
	case dto.MetricType_GAUGE:
		return otlptranslator.MetricTypeGauge
	case dto.MetricType_HISTOGRAM:
		return otlptranslator.MetricTypeHistogram
	case dto.MetricType_SUMMARY:
		return otlptranslator.MetricTypeSummary
	default:
		return otlptranslator.MetricTypeUnknown
	}
}

// label translates an attribute key to a label name; ok is false if there is no
// valid one. Names between double underscores are Prometheus's own, so such a
// key is exposed as `exported_<key>`.
func (n *namer) label(key string) (name string, ok bool) {
	if got, hit := n.labelCache[key]; hit {
		return got, got != ""
	}
	if len(n.labelCache) >= nameCacheSize {
		clear(n.labelCache)
	}
	key = strings.Clone(key)
	name = n.buildLabel(key)
	n.labelCache[key] = name
	return name, name != ""
}

func (n *namer) buildLabel(key string) string {
	if !readable(key) {
		return ""
	}
	name, err := n.labels.Build(key)
	if err != nil {
		return ""
	}
	if strings.HasPrefix(name, "__") {
		name = exported + strings.Trim(name, "_")
	}
	// The encoders hold a colon to be plain in a label name, as it is in a metric
	// name, and leave it unquoted; no parser takes that.
	name = strings.ReplaceAll(name, ":", "_")
	if model.LegacyValidation.IsValidLabelName(name) || n.utf8Names() && model.UTF8Validation.IsValidLabelName(name) {
		return name
	}
	return ""
}

// escaped is the name that a scraper without UTF-8 names gets to see.
func escaped(name string) string {
	return model.EscapeName(name, model.UnderscoreEscaping)
}

// readable says whether a name is UTF-8 without control characters. Escaping
// strategies would make something of those as well, but nothing anyone wants.
func readable(name string) bool {
	return utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsControl) < 0
}
