package elasticsearch

import (
	"bytes"
	"net/http"
	"testing"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/exporters/exportertest"
)

func TestConformance(t *testing.T) {
	exportertest.Suite{
		Factory: NewFactory(),
		Signals: []pipeline.Signal{pipeline.SignalLogs},
		Config: func(url string) map[string]any {
			return map[string]any{"endpoint": url, "user": "obsd", "password": "hunter2"}
		},
		RetryKey: "retry",
		Secrets:  []string{"hunter2", "b2JzZDpodW50ZXIy"},
		Mend:     "check user, password, api_key or auth",
		Success:  func(w http.ResponseWriter, body []byte) { writeResults(w, parseBulk(body), nil) },
		Records:  func(body []byte) int { return bytes.Count(body, []byte("\n")) / 2 },
	}.Run(t)
}
