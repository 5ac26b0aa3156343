package main

import "embed"

//go:embed configs/*.yaml
var configs embed.FS

// row is one kind of work, done by the peer and by obsd in one or more ways.
type row struct {
	name string
	// peer is the peer's configuration, in the folder configs.
	peer string
	obsd []variant
	// sink is set where records leave the process over HTTP; then the records that arrive are counted.
	sink bool
	// kubelet is set where a kubelet is scraped: the path, whose scrapes are counted.
	kubelet string
}

// variant is one way in which obsd does the work.
type variant struct {
	name, config string
	// floor is the ratio to the peer that we promise; 0 promises nothing.
	floor float64
}

// lines is how many lines the row reads. Exporting is several times slower, so those rows read less. A row that scrapes
// makes a scrape of the summary instead of 5,000 lines, or one of cAdvisor's page instead of 25,000.
func (r row) lines(n int) int {
	switch {
	case r.sink:
		return n * 3 / 10
	case r.kubelet == "/stats/summary":
		return max(n/5_000, 10)
	case r.kubelet != "":
		return max(n/25_000, 10)
	}
	return n
}

// before is how many scrapes are made before measuring: starting is no part of what one costs. Lines are read from the start.
func (r row) before(scrapes int) int {
	if r.kubelet == "" {
		return 0
	}
	return scrapes / 10
}

// unit is what the row counts.
func (r row) unit() string {
	if r.kubelet != "" {
		return "scrapes"
	}
	return "lines"
}

func rows() []row {
	return []row{
		{
			name: "lines as they are → nop", peer: "peer-raw.yaml",
			obsd: []variant{{name: "file_log", config: "obsd-raw.yaml"}},
		},
		{
			name: "CRI + pod identity → nop", peer: "peer-cri.yaml",
			obsd: []variant{{name: "file_log", config: "obsd-cri.yaml", floor: 19}},
		},
		{
			name: "CRI + access log → nop", peer: "peer-accesslog.yaml",
			obsd: []variant{{name: "file_log, wasm", config: "obsd-accesslog.yaml", floor: 15}},
		},
		{
			name: "CRI + access log → elasticsearch", peer: "peer-elasticsearch.yaml", sink: true,
			obsd: []variant{{name: "file_log, wasm, elasticsearch", config: "obsd-elasticsearch.yaml"}},
		},
		{
			name: "CRI → influxdb", peer: "peer-influxdb.yaml", sink: true,
			obsd: []variant{{name: "file_log, influxdb", config: "obsd-influxdb.yaml"}},
		},
		{
			name: "scrapes of /stats/summary, 110 pods → nop", peer: "peer-summary.yaml", kubelet: "/stats/summary",
			obsd: []variant{{name: "kubelet", config: "obsd-summary.yaml", floor: 3}},
		},
		{
			name: "scrapes of /metrics/cadvisor, 110 pods → nop", peer: "peer-cadvisor.yaml", kubelet: "/metrics/cadvisor",
			obsd: []variant{{name: "kubelet", config: "obsd-cadvisor.yaml", floor: 2}},
		},
	}
}
