package prometheus

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/obsd-io/obsd/internal/golden"
)

// parsed is what one of Prometheus's own parsers makes of an exposition.
type parsed struct {
	series     map[string]float64
	histograms map[string]bool
	types      map[string]string
	exemplars  int
}

// parse reads an exposition as a Prometheus server would, and fails on what
// would make the server refuse the scrape.
func parse(tb testing.TB, body, contentType string) parsed {
	tb.Helper()
	p, err := textparse.New([]byte(body), contentType, labels.NewSymbolTable(), textparse.ParserOptions{FallbackContentType: "text/plain"})
	require.NoError(tb, err)
	got := parsed{series: map[string]float64{}, histograms: map[string]bool{}, types: map[string]string{}}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		require.NoError(tb, err, "parse %s:\n%s", contentType, body)
		var l labels.Labels
		switch entry {
		case textparse.EntryType:
			name, typ := p.Type()
			got.types[string(name)] = string(typ)
			continue
		case textparse.EntrySeries:
			_, _, v := p.Series()
			p.Labels(&l)
			require.NotContains(tb, got.series, l.String(), "two lines of one series")
			got.series[l.String()] = v
		case textparse.EntryHistogram:
			_, _, h, fh := p.Histogram()
			p.Labels(&l)
			require.NotContains(tb, got.histograms, l.String())
			got.histograms[l.String()] = true
			if h != nil {
				require.NoError(tb, h.Validate(), l.String())
			} else {
				require.NoError(tb, fh.Validate(), l.String())
			}
		default:
			continue
		}
		duplicate, is := l.HasDuplicateLabelNames()
		require.False(tb, is, "label %q stands twice in %s", duplicate, l)
		require.True(tb, l.IsValid(model.UTF8Validation), l.String())
		var ex exemplar.Exemplar
		for p.Exemplar(&ex) {
			got.exemplars++
		}
	}
}

func TestGolden(t *testing.T) {
	utf8 := func(c *Config) { c.TranslationStrategy = otlptranslator.NoUTF8EscapingWithSuffixes }
	all := func(c *Config) {
		c.ResourceToTelemetry.Enabled = true
		c.SendTimestamps = true
		c.Namespace = "my-ns"
		c.ConstLabels = map[string]string{"zone": "z1", "state": "const"}
	}
	plain := func(c *Config) {
		c.WithoutScopeInfo = true
		c.TranslationStrategy = otlptranslator.UnderscoreEscapingWithoutSuffixes
	}
	for name, tc := range map[string]struct {
		in, accept string
		edit       []func(*Config)
	}{
		"numbers.txt":            {in: "numbers.json", accept: acceptText},
		"numbers.openmetrics":    {in: "numbers.json", accept: acceptOpenMetrics},
		"numbers.utf8":           {in: "numbers.json", accept: acceptUTF8, edit: []func(*Config){utf8}},
		"numbers.utf8.old":       {in: "numbers.json", accept: acceptText, edit: []func(*Config){utf8}},
		"numbers.all":            {in: "numbers.json", accept: acceptOpenMetrics, edit: []func(*Config){all}},
		"numbers.plain":          {in: "numbers.json", accept: acceptOpenMetrics, edit: []func(*Config){plain}},
		"histograms.txt":         {in: "histograms.json", accept: acceptText},
		"histograms.openmetrics": {in: "histograms.json", accept: acceptOpenMetrics},
		"histograms.proto":       {in: "histograms.json", accept: acceptProto},
		"resources.txt":          {in: "resources.json", accept: acceptText},
		"resources.openmetrics":  {in: "resources.json", accept: acceptOpenMetrics},
		"resources.browser":      {in: "resources.json", accept: "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := os.ReadFile(filepath.Join("testdata", "golden", tc.in))
			require.NoError(t, err)
			md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(in)
			require.NoError(t, err)
			r := newRig(t, tc.edit...)
			r.push(t, md)
			body, contentType := r.scrape(t, tc.accept)
			require.NotEmpty(t, parse(t, body, contentType).series)
			require.Empty(t, r.dropped(t))
			if strings.HasPrefix(contentType, "application/vnd") {
				body = prototexts(t, body)
			}
			golden.Require(t, filepath.Join("golden", name), body)
		})
	}
}

// prototexts writes a protobuf exposition as text. The text form of protobuf
// deliberately varies its spaces, so they are made even.
func prototexts(t *testing.T, body string) string {
	t.Helper()
	var out strings.Builder
	r := strings.NewReader(body)
	for {
		var mf dto.MetricFamily
		err := protodelim.UnmarshalFrom(byteReader{r}, &mf)
		if errors.Is(err, io.EOF) {
			return strings.ReplaceAll(out.String(), ":  ", ": ")
		}
		require.NoError(t, err)
		out.WriteString(prototext.Format(&mf) + "\n")
	}
}

type byteReader struct{ *strings.Reader }
