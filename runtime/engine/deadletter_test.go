package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/table"
)

// A row that the plugin failed on is a line of the file: OTLP/JSON that says why.
func TestDeadLetterFile(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError, c.DeadLetter.Path = DeadLetter, filepath.Join(t.TempDir(), "dead.json")
	e := mustLoad(t, c)
	ld := logs("one", "! two", "three", "? four")
	ld.ResourceLogs().At(0).Resource().Attributes().PutStr("service.name", "s")
	recordsOf(ld).At(1).Attributes().PutStr("k", "v")
	left, err := settleLogs(t.Context(), e, ld)
	require.NoError(t, err)
	require.Equal(t, 2, left)
	b, err := os.ReadFile(c.DeadLetter.Path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	require.Len(t, lines, 2)
	dead, err := new(plog.JSONUnmarshaler).UnmarshalLogs([]byte(lines[0]))
	require.NoError(t, err)
	service, _ := dead.ResourceLogs().At(0).Resource().Attributes().Get("service.name")
	require.Equal(t, "s", service.Str())
	r := recordsOf(dead).At(0)
	require.Equal(t, "! two", r.Body().Str())
	attributes := r.Attributes().AsRaw()
	require.NotEmpty(t, attributes[deadTime])
	delete(attributes, deadTime)
	require.Equal(t, map[string]any{
		"k": "v", deadReason: `plugin "wasm/x": process: trap: wasm error: unreachable`, deadKind: "trap", deadPlugin: "wasm/x",
		deadDigest: e.Page().Digest,
	}, attributes)
	require.Empty(t, e.Page().Lost)
}

// A row that cannot be put aside is lost, and counted.
func TestDeadLetterFull(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError, c.DeadLetter.Path, c.DeadLetter.MaxSize = DeadLetter, filepath.Join(t.TempDir(), "dead.json"), minDeadLetter
	tel, set := newTelemetry(t)
	e, err := tryLoad(t, c, set)
	require.NoError(t, err)
	left, err := settleLogs(t.Context(), e, logs("!"+strings.Repeat("x", minDeadLetter)))
	require.NoError(t, err)
	require.Zero(t, left)
	require.Equal(t, []Lost{{"logs", "dead letter", 1}}, e.Page().Lost)
	require.Regexp(t, `^a row that a plugin failed on could not be put aside and is lost: the row has \d+ bytes as OTLP/JSON, over dead_letter::max_size \(64KiB\)$`, tel.errorLogs()[1])
}

func TestDeadFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead")
	d, err := openDeadFile(DeadLetterFile{Path: path, MaxSize: 10, MaxFiles: 2})
	require.NoError(t, err)
	for _, line := range []string{"aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n"} {
		require.NoError(t, d.write([]byte(line)))
	}
	require.NoError(t, d.close())
	require.NoError(t, d.close())
	for name, want := range map[string]string{"": "gggg\n", ".1": "eeee\nffff\n", ".2": "cccc\ndddd\n"} {
		b, err := os.ReadFile(path + name)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	require.NoFileExists(t, path+".3")
	d, err = openDeadFile(DeadLetterFile{Path: path, MaxSize: 10})
	require.NoError(t, err)
	require.NoError(t, d.write([]byte("hhhh\n")))
	require.NoError(t, d.write([]byte("iiii\n"))) // no older file is kept
	require.NoError(t, d.close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "iiii\n", string(b))
}

// Rows are visited by the numbers that a table gives them, whatever the signal.
func TestVisit(t *testing.T) {
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	key := func(m pcommon.Map, i int64) { m.PutInt("i", i) }
	g := metrics.AppendEmpty()
	g.SetName("gauge")
	gauge := g.SetEmptyGauge().DataPoints()
	key(gauge.AppendEmpty().Attributes(), 0)
	key(gauge.AppendEmpty().Attributes(), 1)
	metrics.AppendEmpty().SetName("nothing")
	key(metrics.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().Attributes(), 2)
	key(metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes(), 3)
	key(metrics.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes(), 4)
	key(metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().Attributes(), 5)
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range int64(3) {
		key(spans.AppendEmpty().Attributes(), i)
	}
	for _, d := range []table.Data{table.MetricsOf(md), table.TracesOf(td)} {
		all := table.NewData(d.Signal)
		for i := range d.Rows() {
			alone := table.NewData(d.Signal)
			visit(d, []int32{int32(i)}, func(r row) {
				v, _ := r.attributes.Get("i")
				require.EqualValues(t, i, v.Int())
				r.copyTo(alone)
				r.copyTo(all)
			})
			require.Equal(t, 1, alone.Rows())
			_, err := marshal(alone)
			require.NoError(t, err)
		}
		require.Equal(t, d.Rows(), all.Rows())
		require.Equal(t, d.Rows(), clone(d).Rows())
	}
}
