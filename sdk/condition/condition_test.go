package condition_test

import (
	"slices"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/condition"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// A plugin that drops what a condition holds for, of any signal. That it agrees with the host's evaluation of the same
// condition is tested with the host's filter, over all types and paths.
func TestRows(t *testing.T) {
	var when *condition.Condition
	var rows condition.Rows
	var columns int
	process := func(b *sdk.Batch) {
		rows.Reset(b, columns)
		for row := range b.Rows() {
			if rows.Row = row; rows.Match(when) {
				b.Drop(row)
			}
		}
	}
	sdk.Register(sdk.Plugin{
		Name: "drop", Logs: process, Metrics: process, Traces: process,
		Configure: func(p *sdk.Plugin, c sdk.JSON) (err error) {
			var parser condition.Parser
			when, err = parser.Parse(c.Get("when").String(""))
			p.Reads, columns = parser.Columns, len(parser.Columns)
			return err
		},
	})
	for _, c := range []struct {
		name, config          string
		logs, metrics, traces bool // dropped
	}{
		{"int", `{"when": "severity_number > 5"}`, true, false, false},
		{"text", `{"when": "HasPrefix(name, \"GET\") or body == \"x\""}`, true, false, true},
		{"other types", `{"when": "value > 1 or attributes[\"k\"] == true"}`, false, true, true},
		{"two columns", `{"when": "start_time == time"}`, false, true, false},
		{"not set", `{"when": "log.event_name == \"\" or span.trace_id == nil and metric.name != \"m\""}`, true, false, true},
		{"resource", `{"when": "resource.attributes[\"r\"] == \"x\""}`, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := sdktest.New(t, c.config)
			resource := map[string]any{"r": "x"}
			got := []bool{
				p.Run(sdktest.Log{Body: "x", Severity: 9, Resource: resource})[0].Dropped,
				p.RunPoints(sdktest.Point{Name: "m", Type: abi.MetricSum, Value: 1.5, Time: 7, StartTime: 7, Resource: resource})[0].Dropped,
				p.RunSpans(sdktest.Span{Name: "GET /", StartTime: 1, Attributes: map[string]any{"k": true}, Resource: resource})[0].Dropped,
			}
			if want := []bool{c.logs, c.metrics, c.traces}; !slices.Equal(got, want) {
				t.Errorf("dropped of logs, metrics and traces: got %t, want %t", got, want)
			}
		})
	}
}
