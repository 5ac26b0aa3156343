package kubelet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// exposition turns an answer in Prometheus's text format into metrics. Prometheus's parser finds and checks the samples;
// of those that the filters leave, names and labels come from the bytes it points at, through names, so that the
// thousandth sample of a container costs no new strings.
type exposition struct {
	cfg     *PrometheusConfig
	names   *names
	version string

	now      pcommon.Timestamp
	sm       pmetric.ScopeMetrics
	families map[string]*family
	blocks   map[string]*block
	points   int
	bad      int
}

// maxBlocks bounds the label sets that are remembered.
const maxBlocks = 1 << 14

// block is the label set of a sample, read. The same one comes again with each metric of a container, and in the next
// scrape.
type block struct {
	labels        []label
	excluded, bad bool
}

// family is one metric of the answer.
type family struct {
	wanted     bool
	kind       model.MetricType
	help       string
	metric     pmetric.Metric
	made       bool
	points     pmetric.NumberDataPointSlice
	histograms *histograms // of a histogram or summary
}

func newExposition(cfg *PrometheusConfig, n *names, version string) *exposition {
	return &exposition{cfg: cfg, names: n, version: version, families: map[string]*family{}, blocks: map[string]*block{}}
}

// read returns the metrics of an answer under one resource, the node, how many points they have and how many samples
// could not be told. b has to have room for one byte more. Labels stay as they are, attributes of points, since that is
// where everyone who knows these series looks for them. A line that is not in the format makes the whole answer void.
func (x *exposition) read(b []byte, node string, now pcommon.Timestamp) (md pmetric.Metrics, points, bad int, err error) {
	md = pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	attributes := rm.Resource().Attributes()
	put(attributes, attrNode, node)
	attributes.PutStr("service.name", "kubelet")
	put(attributes, "service.instance.id", node)
	x.sm = rm.ScopeMetrics().AppendEmpty()
	x.sm.Scope().SetName(scopeName)
	x.sm.Scope().SetVersion(x.version)
	x.now, x.points, x.bad = now, 0, 0
	clear(x.families)
	if err := x.samples(textparse.NewPromParser(b, labels.NewSymbolTable(), false)); err != nil {
		return pmetric.Metrics{}, 0, 0, err
	}
	for _, f := range x.families {
		if f.histograms != nil {
			n, bad := f.histograms.finish(f.metric, now)
			x.points, x.bad = x.points+n, x.bad+bad
		}
	}
	x.sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Type() == pmetric.MetricTypeEmpty })
	x.sm = pmetric.ScopeMetrics{}
	return md, x.points, x.bad, nil
}

func (x *exposition) samples(p textparse.Parser) error {
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("not in Prometheus's text format: %w", err)
		}
		switch entry {
		case textparse.EntryHelp:
			name, help := p.Help()
			if f := x.family(name); f.wanted {
				f.help = x.names.get(help)
			}
		case textparse.EntryType:
			name, kind := p.Type()
			x.family(name).kind = kind
		case textparse.EntrySeries:
			series, at, value := p.Series()
			x.sample(series, at, value)
		}
	}
}

// family returns what is known of a name. The filters are asked once for each.
func (x *exposition) family(name []byte) *family {
	f, ok := x.families[string(name)]
	if !ok {
		s := x.names.get(name)
		wanted := len(x.cfg.IncludeMetrics) == 0 || kubeapi.Matches(x.cfg.IncludeMetrics, s)
		f = &family{wanted: wanted && !kubeapi.Matches(x.cfg.ExcludeMetrics, s), kind: model.MetricTypeUnknown}
		x.families[s] = f
	}
	return f
}

// sample takes one sample: name{label="value",…}.
func (x *exposition) sample(series []byte, at *int64, value float64) {
	name, rest := cutName(series)
	if len(name) == 0 {
		x.bad++
		return
	}
	f, part := x.owner(name)
	if !f.wanted {
		return
	}
	l := x.block(rest)
	if l.bad {
		x.bad++
	}
	if l.bad || l.excluded {
		return
	}
	t := x.now
	if at != nil {
		t = pcommon.Timestamp(*at) * 1e6
	}
	if f.kind == model.MetricTypeHistogram || f.kind == model.MetricTypeSummary {
		x.open(f, name[:len(name)-len(part)])
		f.histograms.add(part, l.labels, t, value)
		return
	}
	x.open(f, name)
	dp := f.points.AppendEmpty()
	dp.SetTimestamp(t)
	dp.SetDoubleValue(value)
	x.attributes(dp.Attributes(), l.labels)
	x.points++
}

// owner returns the family of a sample. A histogram's samples have names of their own: then part is what they add.
func (x *exposition) owner(name []byte) (f *family, part string) {
	if f, ok := x.families[string(name)]; ok {
		return f, ""
	}
	for _, suffix := range [...]string{"_bucket", "_sum", "_count"} {
		if base := len(name) - len(suffix); base > 0 && string(name[base:]) == suffix {
			f, ok := x.families[string(name[:base])]
			if ok && (f.kind == model.MetricTypeHistogram || f.kind == model.MetricTypeSummary && suffix != "_bucket") {
				return f, suffix
			}
		}
	}
	return x.family(name), ""
}

// open makes the metric of a family when its first sample has come.
func (x *exposition) open(f *family, name []byte) {
	if f.made {
		return
	}
	f.made = true
	f.metric = x.sm.Metrics().AppendEmpty()
	f.metric.SetName(x.names.get(name))
	f.metric.SetDescription(f.help)
	switch f.kind {
	case model.MetricTypeCounter:
		s := f.metric.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		f.points = s.DataPoints()
	case model.MetricTypeHistogram, model.MetricTypeSummary:
		f.histograms = newHistograms(f.kind == model.MetricTypeSummary)
	default:
		f.points = f.metric.SetEmptyGauge().DataPoints()
	}
}

func (x *exposition) attributes(to pcommon.Map, list []label) {
	to.EnsureCapacity(len(list))
	for _, l := range list {
		to.PutStr(l.key, l.value)
	}
}

// cutName parts a sample that the parser has checked. A name in quotes stands inside the braces; the kubelet has none.
func cutName(series []byte) (name, rest []byte) {
	for i, c := range series {
		if c == '{' || c == ' ' || c == '\t' {
			return series[:i], series[i:]
		}
	}
	return series, nil
}

// readLabels reads {name="value",…}, which the parser has checked, without those that are empty or unwanted. It returns
// false if there is anything in it that it does not know, as a name in quotes.
func (x *exposition) readLabels(to []label, b []byte) ([]label, bool) {
	i := 0
	space := func() {
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
	}
	if space(); i == len(b) {
		return to, true
	}
	if b[i] != '{' {
		return to, false
	}
	i++
	for {
		for space(); i < len(b) && b[i] == ','; space() {
			i++
		}
		if i < len(b) && b[i] == '}' {
			return to, true
		}
		from := i
		for i < len(b) && b[i] != '=' && b[i] != ' ' && b[i] != '\t' && b[i] != '"' {
			i++
		}
		name := b[from:i]
		if space(); i >= len(b) || b[i] != '=' || len(name) == 0 {
			return to, false
		}
		i++
		if space(); i >= len(b) || b[i] != '"' {
			return to, false
		}
		l := lexer{b: b}
		end, escaped := l.stringEnd(i + 1)
		if end < 0 {
			return to, false
		}
		value := b[i+1 : end]
		i = end + 1
		if len(value) > 0 {
			key := x.names.get(name)
			text := x.names.get(value)
			if escaped {
				text = unescape.Replace(text)
			}
			to = append(to, label{key, text})
		}
	}
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")

// block returns the label set that some bytes are, with the filters applied.
func (x *exposition) block(b []byte) *block {
	if l, ok := x.blocks[string(b)]; ok {
		return l
	}
	if len(x.blocks) >= maxBlocks {
		clear(x.blocks)
	}
	list, ok := x.readLabels(nil, b)
	l := &block{bad: !ok, excluded: x.excluded(list)}
	if !l.bad && !l.excluded {
		l.labels = slices.DeleteFunc(list, func(a label) bool { return kubeapi.Matches(x.cfg.ExcludeLabels, a.key) })
	}
	x.blocks[string(b)] = l
	return l
}

// excluded says whether a series is to be left out.
func (x *exposition) excluded(list []label) bool {
	return slices.ContainsFunc(x.cfg.ExcludeSeries, func(m LabelMatch) bool {
		value := ""
		if i := slices.IndexFunc(list, func(a label) bool { return a.key == m.Label }); i >= 0 {
			value = list[i].value
		}
		return kubeapi.Fits(m.Value, value)
	})
}

// whole says whether a count is one.
func whole(v float64) bool { return v >= 0 && v < math.MaxInt64 && v == math.Trunc(v) }
