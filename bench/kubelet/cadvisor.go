package kubelet

import (
	"bytes"
	"fmt"
)

// family is a metric of /metrics/cadvisor.
type family struct {
	name, kind string
	// extra are labels that each cgroup has the metric with once; nil is once without.
	extra []string
	// podOnly is of the cgroup of a pod's sandbox alone.
	podOnly bool
}

// Cadvisor is an answer of /metrics/cadvisor with the metrics that a kubelet 1.37 has switched on and marks for the
// timestamps. Each pod has three cgroups more than containers: its own, and its sandbox's.
func Cadvisor(pods, containers int) []byte {
	var b bytes.Buffer
	for _, f := range families() {
		fmt.Fprintf(&b, "# HELP %s One of the metrics that cAdvisor has.\n# TYPE %s %s\n", f.name, f.name, f.kind)
		for i := range pods {
			cgroup := fmt.Sprintf("/kubepods/burstable/pod%s", podUID(i))
			sandbox := fmt.Sprintf("%064x", i)
			f.write(&b, "", cgroup+"/"+sandbox, "registry.k8s.io/pause:3.10", sandbox, i)
			if f.podOnly {
				continue
			}
			f.write(&b, "", cgroup, "", "", i)
			for j := range containers {
				id := fmt.Sprintf("%064x", 1_000_000+i*100+j)
				f.write(&b, fmt.Sprintf("container-%d", j), cgroup+"/"+id, fmt.Sprintf("registry.example.com/team/workload-%d:1.2.3", i%12), id, i)
			}
		}
	}
	return b.Bytes()
}

func (f family) write(b *bytes.Buffer, container, id, image, name string, pod int) {
	extra := f.extra
	if extra == nil {
		extra = []string{""}
	}
	for _, e := range extra {
		fmt.Fprintf(b, "%s{container=%q,%sid=%q,image=%q,name=%q,namespace=%q,pod=%q} %d.25 %s\n",
			f.name, container, e, id, image, name, namespace(pod), podName(pod), 12345+pod, markMillis)
	}
}

func families() []family {
	disk := []string{`device="/dev/nvme0n1",`}
	var out []family
	add := func(kind string, podOnly bool, extra []string, names ...string) {
		for _, n := range names {
			out = append(out, family{name: "container_" + n, kind: kind, extra: extra, podOnly: podOnly})
		}
	}
	add("counter", false, nil, "cpu_cfs_periods_total", "cpu_cfs_throttled_periods_total", "cpu_cfs_throttled_seconds_total", "cpu_system_seconds_total",
		"cpu_usage_seconds_total", "cpu_user_seconds_total", "memory_failcnt", "oom_events_total", "memory_pgscan_total", "memory_pgsteal_total",
		"memory_workingset_refault_anon_total", "memory_workingset_refault_file_total", "pressure_cpu_stalled_seconds_total", "pressure_cpu_waiting_seconds_total",
		"pressure_io_stalled_seconds_total", "pressure_io_waiting_seconds_total", "pressure_memory_stalled_seconds_total", "pressure_memory_waiting_seconds_total")
	add("counter", false, []string{
		`failure_type="pgfault",scope="container",`, `failure_type="pgfault",scope="hierarchy",`,
		`failure_type="pgmajfault",scope="container",`, `failure_type="pgmajfault",scope="hierarchy",`,
	}, "memory_failures_total")
	add("counter", false, disk, "fs_io_time_seconds_total", "fs_reads_bytes_total", "fs_reads_total", "fs_writes_bytes_total", "fs_writes_total")
	add("gauge", false, disk, "fs_inodes_free", "fs_inodes_total", "fs_limit_bytes", "fs_usage_bytes")
	add("gauge", false, nil, "file_descriptors", "last_seen", "memory_cache", "memory_kernel_usage", "memory_mapped_file", "memory_max_usage_bytes", "memory_rss",
		"memory_swap", "memory_usage_bytes", "memory_working_set_bytes", "processes", "sockets", "spec_cpu_period", "spec_cpu_shares",
		"spec_memory_limit_bytes", "spec_memory_reservation_limit_bytes", "spec_memory_swap_limit_bytes", "start_time_seconds", "threads", "threads_max")
	add("counter", true, []string{`interface="eth0",`}, "network_receive_bytes_total", "network_receive_errors_total", "network_receive_packets_dropped_total",
		"network_receive_packets_total", "network_transmit_bytes_total", "network_transmit_errors_total", "network_transmit_packets_dropped_total",
		"network_transmit_packets_total")
	return out
}
