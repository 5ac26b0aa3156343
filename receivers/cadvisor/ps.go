package cadvisor

import (
	"encoding/json"
	"errors"
	"net/http"
)

// processLister lists the processes of a container on request, from any goroutine.
type processLister interface {
	// processes takes the path of a cgroup, the id of a container, or NAMESPACE/POD/CONTAINER.
	processes(container string) ([]processInfo, error)
}

// processInfo is a process, in the form of cAdvisor's /api/v2.1/ps.
type processInfo struct {
	User          string  `json:"user"`
	PID           int     `json:"pid"`
	PPID          int     `json:"parent_pid"`
	StartTime     string  `json:"start_time"`
	PercentCPU    float64 `json:"percent_cpu"`
	PercentMemory float64 `json:"percent_mem"`
	RSS           uint64  `json:"rss"`
	VirtualSize   uint64  `json:"virtual_size"`
	Status        string  `json:"status"`
	RunningTime   string  `json:"running_time"`
	CgroupPath    string  `json:"cgroup_path"`
	Cmd           string  `json:"cmd"`
	FDCount       int     `json:"fd_count"` // -1 if they are not for our eyes
	Processor     int     `json:"psr"`
}

// psPattern is where the model extension serves the process lists.
const psPattern = "GET /api/v1/cadvisor/ps/{container...}"

var errNoContainer = errors.New("no such container: name one by NAMESPACE/POD/CONTAINER, by its id, or by the path of its cgroup")

// psHandler answers with a container's processes as JSON.
func psHandler(lister processLister) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, err := lister.processes(r.PathValue("container"))
		switch {
		case errors.Is(err, errNoContainer):
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list) // the asker has gone
	})
}
