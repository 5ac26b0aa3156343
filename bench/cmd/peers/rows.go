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
}

// variant is one way in which obsd does the work.
type variant struct {
	name, config string
	// floor is the ratio to the peer that we promise; 0 promises nothing.
	floor float64
}

// lines is how many lines the row reads. Exporting is several times slower, so those rows read less.
func (r row) lines(n int) int {
	if r.sink {
		return n * 3 / 10
	}
	return n
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
	}
}
