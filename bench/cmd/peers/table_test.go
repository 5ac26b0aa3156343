package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/process"
)

func measured(cpu time.Duration, mb int64) measurement {
	return measurement{lines: 1_000_000, usage: process.Usage{CPU: cpu, PeakRSS: mb * 1e6}, ready: 123 * time.Millisecond, allocated: mb * 1e8}
}

func sample() []result {
	peer := []measurement{measured(20*time.Second, 90), measured(40*time.Second, 92), measured(21*time.Second, 91)}
	return []result{
		{row: "a → nop", variant: variant{name: "quick", floor: 10}, peer: peer, obsd: []measurement{measured(time.Second, 50), measured(time.Second, 60), measured(time.Second, 55)}},
		{row: "a → nop", variant: variant{name: "slow", floor: 10}, peer: peer, obsd: []measurement{measured(4*time.Second, 50), measured(4*time.Second, 60), measured(4*time.Second, 55)}},
		{row: "b", variant: variant{name: "free"}, peer: peer, obsd: []measurement{measured(80*time.Second, 50), measured(80*time.Second, 50), measured(80*time.Second, 50)}},
	}
}

func TestTable(t *testing.T) {
	const want = `| work | obsd | lines (or scrapes) per CPU second: obsd | peer | ratio | floor | allocated by each: obsd | peer | peak RSS: obsd | peer | start to ready: obsd | peer |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| a → nop | quick | 1,000,000 | 47,600 | 21.0 | 10 | 5.5 kB | 9.1 kB | 55 MB | 91 MB | 120ms | 120ms |
| a → nop | slow | 250,000 | 47,600 | 5.2 | 10 | 5.5 kB | 9.1 kB | 55 MB | 91 MB | 120ms | 120ms |
| b | free | 12,500 | 47,600 | 0.3 | - | 5.0 kB | 9.1 kB | 50 MB | 91 MB | 120ms | 120ms |
`
	assert.Equal(t, want, table(sample()))
	assert.Equal(t, []string{"a → nop (slow): ratio 5.2 is below the floor of 10"}, belowFloor(sample()))
}

func TestMedian(t *testing.T) {
	assert.InDelta(t, 2.0, median([]float64{3, 1, 2}), 0)
	assert.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
}

func TestThousands(t *testing.T) {
	for value, want := range map[float64]string{0: "0.0", 7.42: "7.4", 999: "999", 1234: "1,230", 47_619: "47,600", 999_999: "1,000,000", 1_000_000: "1,000,000"} {
		assert.Equal(t, want, thousands(value))
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name, wantErr string
		args          []string
	}{
		{name: "defaults"},
		{name: "too few lines", args: []string{"-lines", "1"}, wantErr: "-lines must be at least 10 and -rounds at least 1"},
		{name: "bad expression", args: []string{"-rows", "("}, wantErr: "-rows: error parsing regexp: missing closing ): `(`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := parseOptions(tt.args)
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1_000_000, o.lines)
			require.True(t, o.rows.MatchString("any"))
		})
	}
}

// TestConfigs finds a misspelt file name before an hour of measuring does.
func TestConfigs(t *testing.T) {
	for _, row := range rows() {
		files := []string{row.peer}
		for _, v := range row.obsd {
			files = append(files, v.config)
		}
		for _, name := range files {
			_, err := configs.ReadFile("configs/" + name)
			assert.NoError(t, err)
		}
	}
}

func TestTotal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# HELP otelcol_receiver_accepted_log_records_total x\n"+
			"otelcol_receiver_accepted_log_records_total{receiver=\"file_log\",transport=\"\"} 1.5e+06\n"+
			"otelcol_receiver_accepted_log_records_total{receiver=\"otlp\",transport=\"grpc\"} 7\n"+
			"otelcol_receiver_accepted_spans_total{receiver=\"otlp\"} 9\n")
	}))
	defer server.Close()
	n, err := total(t.Context(), server.URL, acceptedMetric)
	require.NoError(t, err)
	require.EqualValues(t, 1_500_007, n)
}

func TestWaitFor(t *testing.T) {
	var n int64
	require.NoError(t, waitFor(t.Context(), 2, func(context.Context) (int64, error) {
		n++
		if n == 1 {
			return 0, errors.New("not up yet")
		}
		return n, nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, waitFor(ctx, 1, func(context.Context) (int64, error) { return 0, nil }), context.Canceled)
}

func TestRowsCountWhatTheyDo(t *testing.T) {
	for name, want := range map[string]int{"": 1_000_000, "/stats/summary": 200, "/metrics/cadvisor": 40} {
		assert.Equal(t, want, row{kubelet: name}.lines(1_000_000))
	}
	assert.Equal(t, 300_000, row{sink: true}.lines(1_000_000))
	assert.Equal(t, "scrapes", row{kubelet: "/stats/summary"}.unit())
}
