package heapster

import "maps"

// Metric says how a metric of ours is called by Heapster, and in which unit.
type Metric struct {
	// Name is Heapster's, such as cpu/usage_rate.
	Name string
	// Scale is what our value is multiplied by.
	Scale float64
	// Float tells that Heapster had it as a float; the others were integers.
	Float bool
	// Cumulative tells that the value grows from a start on.
	Cumulative bool
	// Rate is the name of the gauge made of it, in units a second. Empty for none.
	Rate string
	// Attribute and Value choose points: those whose attribute has the value. Empty for all.
	Attribute, Value string
	// Label is the value of the label resource_id. "Volume:" gets the volume's name behind it. Empty for no label.
	Label string
	// Sum adds all points up. Without it the first counts, such as that of a node's first network interface.
	Sum bool
}

// Prefixes of our names, by what the metric is of.
const (
	ofContainer       = "container."
	ofPod             = "k8s.pod."
	ofNode            = "k8s.node."
	ofNamespace       = "k8s.namespace."
	ofCluster         = "k8s.cluster."
	ofSystemContainer = "k8s.node.system_container."
)

// VolumeLabel is what the label resource_id of a volume begins with.
const VolumeLabel = "Volume:"

const (
	milli = 1e3 // cores to millicores, seconds to milliseconds
	nano  = 1e9 // seconds to nanoseconds
)

// Table is the one list of which of our metrics is which of Heapster's, by our name.
func Table() map[string][]Metric {
	t := make(map[string][]Metric)
	for _, prefix := range []string{ofContainer, ofPod, ofNode, ofSystemContainer} {
		usage(t, prefix)
	}
	for _, prefix := range []string{ofPod, ofNode} {
		network(t, prefix)
	}
	for _, prefix := range []string{ofPod, ofNode, ofNamespace, ofCluster} {
		sums(t, prefix)
	}
	for _, prefix := range []string{ofNode, ofCluster} {
		capacity(t, prefix)
	}
	filesystem(t, ofContainer)
	filesystem(t, ofNode)
	maps.Copy(t, map[string][]Metric{
		"k8s.pod.filesystem.usage":               {{Name: "ephemeral_storage/usage", Scale: 1}},
		"k8s.pod.volume.usage":                   {{Name: "filesystem/usage", Scale: 1, Label: VolumeLabel}},
		"k8s.volume.capacity":                    {{Name: "filesystem/limit", Scale: 1, Label: VolumeLabel}},
		"k8s.volume.available":                   {{Name: "filesystem/available", Scale: 1, Label: VolumeLabel}},
		"k8s.volume.inodes":                      {{Name: "filesystem/inodes", Scale: 1, Label: VolumeLabel}},
		"k8s.volume.inodes.free":                 {{Name: "filesystem/inodes_free", Scale: 1, Label: VolumeLabel}},
		"k8s.node.capacity_cpu":                  {{Name: "cpu/node_capacity", Scale: milli, Float: true}},
		"k8s.node.capacity_memory":               {{Name: "memory/node_capacity", Scale: 1, Float: true}},
		"k8s.node.capacity_ephemeral_storage":    {{Name: "ephemeral_storage/node_capacity", Scale: 1, Float: true}},
		"k8s.container.restarts":                 {{Name: "restart_count", Scale: 1, Cumulative: true}},
		"k8s.container.cpu_request":              {{Name: "cpu/request", Scale: milli}},
		"k8s.container.cpu_limit":                {{Name: "cpu/limit", Scale: milli}},
		"k8s.container.memory_request":           {{Name: "memory/request", Scale: 1}},
		"k8s.container.memory_limit":             {{Name: "memory/limit", Scale: 1}},
		"k8s.container.ephemeralstorage_request": {{Name: "ephemeral_storage/request", Scale: 1}},
		"k8s.container.ephemeralstorage_limit":   {{Name: "ephemeral_storage/limit", Scale: 1}},
		"k8s.container.ephemeral_storage.usage": {
			{Name: "ephemeral_storage/usage", Scale: 1, Sum: true},
			{Name: "filesystem/usage", Scale: 1, Label: "logs", Attribute: "fs.type", Value: "logs"},
		},
	})
	return t
}

func usage(t map[string][]Metric, prefix string) {
	t[prefix+"cpu.time"] = []Metric{{Name: "cpu/usage", Scale: nano, Cumulative: true}}
	t[prefix+"cpu.usage"] = []Metric{{Name: "cpu/usage_rate", Scale: milli}}
	t[prefix+"memory.usage"] = []Metric{{Name: "memory/usage", Scale: 1}}
	t[prefix+"memory.working_set"] = []Metric{{Name: "memory/working_set", Scale: 1}}
	t[prefix+"memory.rss"] = []Metric{{Name: "memory/rss", Scale: 1}}
	t[prefix+"memory.page_faults"] = []Metric{{Name: "memory/page_faults", Scale: 1, Cumulative: true, Rate: "memory/page_faults_rate"}}
	t[prefix+"memory.major_page_faults"] = []Metric{{Name: "memory/major_page_faults", Scale: 1, Cumulative: true, Rate: "memory/major_page_faults_rate"}}
	t[prefix+"uptime"] = []Metric{{Name: "uptime", Scale: milli, Cumulative: true}}
}

func network(t map[string][]Metric, prefix string) {
	direction := func(suffix string) []Metric {
		const attribute = "direction"
		return []Metric{
			{Name: "network/rx" + suffix, Scale: 1, Cumulative: true, Rate: "network/rx" + suffix + "_rate", Attribute: attribute, Value: "receive"},
			{Name: "network/tx" + suffix, Scale: 1, Cumulative: true, Rate: "network/tx" + suffix + "_rate", Attribute: attribute, Value: "transmit"},
		}
	}
	t[prefix+"network.io"] = direction("")
	t[prefix+"network.errors"] = direction("_errors")
}

// sums are what k8s_aggregate adds at each level.
func sums(t map[string][]Metric, prefix string) {
	t[prefix+"cpu.usage"] = []Metric{{Name: "cpu/usage_rate", Scale: milli}}
	t[prefix+"memory.usage"] = []Metric{{Name: "memory/usage", Scale: 1}}
	t[prefix+"memory.working_set"] = []Metric{{Name: "memory/working_set", Scale: 1}}
	for _, kind := range []string{"request", "limit"} {
		t[prefix+"cpu."+kind] = []Metric{{Name: "cpu/" + kind, Scale: milli}}
		t[prefix+"memory."+kind] = []Metric{{Name: "memory/" + kind, Scale: 1}}
	}
}

func capacity(t map[string][]Metric, prefix string) {
	for _, r := range []struct {
		ours, theirs string
		scale        float64
	}{{"cpu", "cpu", milli}, {"memory", "memory", 1}, {"ephemeral_storage", "ephemeral_storage", 1}} {
		t[prefix+"allocatable_"+r.ours] = []Metric{{Name: r.theirs + "/node_allocatable", Scale: r.scale, Float: true}}
		t[prefix+r.ours+".utilization"] = []Metric{{Name: r.theirs + "/node_utilization", Scale: 1, Float: true}}
		t[prefix+r.ours+".reservation"] = []Metric{{Name: r.theirs + "/node_reservation", Scale: 1, Float: true}}
	}
}

func filesystem(t map[string][]Metric, prefix string) {
	for ours, theirs := range map[string]string{
		"usage": "usage", "capacity": "limit", "available": "available", "inode.count": "inodes", "inode.free": "inodes_free",
	} {
		t[prefix+"filesystem."+ours] = []Metric{{Name: "filesystem/" + theirs, Scale: 1, Label: "/"}}
	}
}
