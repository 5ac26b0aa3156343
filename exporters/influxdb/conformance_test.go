package influxdb

import (
	"bytes"
	"net/http"
	"testing"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/exporters/exportertest"
)

func TestConformance(t *testing.T) {
	suite := exportertest.Suite{
		Factory: NewFactory(),
		Signals: []pipeline.Signal{pipeline.SignalMetrics, pipeline.SignalLogs},
		Config: func(url string) map[string]any {
			return map[string]any{"endpoint": url, "org": "o", "bucket": "b", "token": "hunter2"}
		},
		Secrets: []string{"hunter2"},
		Mend:    "check token",
		Success: func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusNoContent) },
		Records: func(body []byte) int { return bytes.Count(body, []byte("\n")) },
	}
	t.Run("v2", suite.Run)
	suite.Config = func(url string) map[string]any {
		return map[string]any{"endpoint": url, "v1_compatibility": map[string]any{
			"enabled": true, "db": "d", "username": "u", "password": "hunter2",
		}}
	}
	suite.Mend = "check v1_compatibility::username and v1_compatibility::password"
	t.Run("v1", suite.Run)
}
