package genlogs_test

import (
	"bytes"
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/bench/genlogs"
)

const combined = `10\.\d{1,3}\.\d{1,3}\.\d{1,3} - - \[23/Nov/2026:10:\d\d:\d\d \+0000\] "GET /\S* HTTP/1\.1" (200|201|301|404|500|503) \d{3,5} "https://example\.com/" "[^"]+"`

func TestWrite(t *testing.T) {
	tests := []struct {
		name    string
		format  genlogs.Format
		line    string
		average int // bytes
	}{
		{name: "plain", format: genlogs.Plain, line: `^` + combined + `$`, average: 148},
		{name: "CRI", format: genlogs.CRI, line: `^2026-11-23T10:\d\d:\d\d\.\d{3}000000Z stdout F ` + combined + `$`, average: 188},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var one, two bytes.Buffer
			require.NoError(t, genlogs.Write(&one, 10_000, tt.format))
			require.NoError(t, genlogs.Write(&two, 10_000, tt.format))
			require.Equal(t, one.Bytes(), two.Bytes(), "the same lines every time")
			require.InDelta(t, tt.average, one.Len()/10_000, 5)

			lines := bytes.Split(bytes.TrimSuffix(one.Bytes(), []byte("\n")), []byte("\n"))
			require.Len(t, lines, 10_000)
			want := regexp.MustCompile(tt.line)
			for _, line := range lines {
				require.True(t, want.Match(line), "%s", line)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteFails(t *testing.T) {
	require.EqualError(t, genlogs.Write(full{}, 1, genlogs.Plain), "generate lines: disk full")
}
