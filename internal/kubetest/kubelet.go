package kubetest

import (
	_ "embed" // the captured answers
	"encoding/json"
	"net/http"
	"time"
)

//go:embed testdata/summary.json
var summary []byte

//go:embed testdata/pods.json
var pods []byte

// Cores is how many CPUs everything uses that a [Kubelet] tells of.
const Cores = 0.25

// Kubelet answers /stats/summary and /pods as one of Kubernetes 1.37.2 did, whose answers were captured: node1 with the
// pods crasher, incluster, logger and web in the namespace default. Only the times and counters go on, as if everything used
// [Cores] CPUs and received 1,000 bytes a second. It is for tests of what comes behind the receiver.
func Kubelet() http.Handler {
	begin := time.Now()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pods", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(pods) // a client that went away is not our concern
	})
	mux.HandleFunc("GET /stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		var answer map[string]any
		if err := json.Unmarshal(summary, &answer); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		goOn(answer, time.Now(), time.Since(begin))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // as above
	})
	return mux
}

// goOn moves the times and counters of an answer, and of all below it.
func goOn(v any, now time.Time, since time.Duration) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			goOn(e, now, since)
		}
	case map[string]any:
		for key, e := range v {
			n, number := e.(float64)
			switch {
			case key == "time":
				v[key] = now.UTC().Format(time.RFC3339)
			case key == "usageNanoCores":
				v[key] = Cores * 1e9
			case key == "usageCoreNanoSeconds" && number:
				v[key] = uint64(n + Cores*float64(since.Nanoseconds()))
			case (key == "rxBytes" || key == "txBytes") && number:
				v[key] = uint64(n + 1000*since.Seconds())
			default:
				goOn(e, now, since)
			}
		}
	}
}
