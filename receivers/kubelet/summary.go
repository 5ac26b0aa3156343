package kubelet

import "fmt"

// summary is an answer of /stats/summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1). Everything in it may be absent. It is
// filled again by each scrape, so a scrape allocates next to nothing once its lists are as long as they need to be.
// Lists of all pods lie one after the other; a pod knows its part of them.
type summary struct {
	node       nodeStats
	pods       []podStats
	containers []containerStats
	volumes    []volumeStats
	interfaces []interfaceStats
	devices    []acceleratorStats
	custom     []customStat

	names *names
	noPSI bool // leave pressure out
	l     lexer
}

// span is a part of a list.
type span struct{ from, to int }

type nodeStats struct {
	name       string
	start      int64
	cpu        cpuStats
	memory     memoryStats
	io         psi
	network    networkStats
	fs         fsStats
	imageFs    fsStats
	runtimeFs  fsStats
	swap       swapStats
	maxPID     num
	processes  num
	containers span // system containers
}

type podStats struct {
	name, namespace, uid string
	start                int64
	cpu                  cpuStats
	memory               memoryStats
	io                   psi
	network              networkStats
	fs                   fsStats
	swap                 swapStats
	processes            num
	containers, volumes  span
}

type containerStats struct {
	name            string
	start           int64
	cpu             cpuStats
	memory          memoryStats
	io              psi
	rootfs, logs    fsStats
	swap            swapStats
	devices, custom span
	older           bool // another container of the same name is newer
}

// cpuStats holds nanoseconds since 1970, cumulative nanoseconds of CPU, and the kubelet's own rate in billionths of a CPU.
type cpuStats struct {
	time        int64
	usage, rate num
	psi         psi
}

type memoryStats struct {
	available, usage, workingSet, rss, faults, majorFaults num
	psi                                                    psi
}

type fsStats struct{ available, capacity, used, inodes, inodesFree, inodesUsed num }

type swapStats struct{ available, usage num }

// psi is the pressure on one resource.
type psi struct {
	full, some pressure
}

// pressure holds nanoseconds, and percent over 10, 60 and 300 seconds.
type pressure struct {
	total   num
	average [3]float64
}

// networkStats is the default interface and all interfaces, which include it.
type networkStats struct {
	primary interfaceStats
	all     span
}

type interfaceStats struct {
	name                               string
	rxBytes, rxErrors, txBytes, txErrs num
}

type volumeStats struct {
	name, claim string
	fs          fsStats
}

type acceleratorStats struct {
	brand, model, id        string
	total, used, dutyCycled num
}

// customStat is a user-defined metric, which the kubelet once took from containers.
type customStat struct {
	name, kind, unit string
	value            float64
	ok               bool
}

// decode reads an answer. After an error s holds nothing of use.
func (s *summary) decode(b []byte) error {
	*s = summary{
		pods: s.pods[:0], containers: s.containers[:0], volumes: s.volumes[:0], interfaces: s.interfaces[:0],
		devices: s.devices[:0], custom: s.custom[:0], names: s.names, noPSI: s.noPSI,
		l: lexer{b: b, noPSI: s.noPSI},
	}
	l := &s.l
	if l.peek() != '{' {
		l.fail("no object")
		return l.err
	}
	found := false
	l.object(func(k []byte) {
		switch string(k) {
		case "node":
			found = l.peek() == '{'
			s.readNode(&s.node)
		case "pods":
			for first := l.list(); l.next(first, ']'); {
				s.readPod()
			}
		default:
			l.skip()
		}
	})
	if err := l.end(); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("no node in it, so it is not a kubelet's summary")
	}
	return nil
}

func (s *summary) readNode(n *nodeStats) {
	l := &s.l
	l.object(func(k []byte) {
		switch string(k) {
		case "nodeName":
			n.name = s.text()
		case "systemContainers":
			n.containers = s.readContainers()
		case "startTime":
			n.start = l.time()
		case "cpu":
			l.cpu(&n.cpu)
		case "memory":
			l.memory(&n.memory)
		case "io":
			l.pressureOf(&n.io)
		case "network":
			s.readNetwork(&n.network)
		case "fs":
			l.fs(&n.fs)
		case "runtime":
			l.object(func(k []byte) {
				switch string(k) {
				case "imageFs":
					l.fs(&n.imageFs)
				case "containerFs":
					l.fs(&n.runtimeFs)
				default:
					l.skip()
				}
			})
		case "rlimit":
			l.pairs("maxpid", &n.maxPID, "curproc", &n.processes)
		case "swap":
			l.pairs("swapAvailableBytes", &n.swap.available, "swapUsageBytes", &n.swap.usage)
		default:
			l.skip()
		}
	})
}

func (s *summary) readPod() {
	l := &s.l
	s.pods = append(s.pods, podStats{})
	p := &s.pods[len(s.pods)-1]
	l.object(func(k []byte) {
		switch string(k) {
		case "podRef":
			l.object(func(k []byte) {
				switch string(k) {
				case "name":
					p.name = s.text()
				case "namespace":
					p.namespace = s.text()
				case "uid":
					p.uid = s.text()
				default:
					l.skip()
				}
			})
		case "startTime":
			p.start = l.time()
		case "containers":
			p.containers = s.readContainers()
		case "cpu":
			l.cpu(&p.cpu)
		case "memory":
			l.memory(&p.memory)
		case "io":
			l.pressureOf(&p.io)
		case "network":
			s.readNetwork(&p.network)
		case "volume":
			p.volumes = s.readVolumes()
		case "ephemeral-storage":
			l.fs(&p.fs)
		case "process_stats":
			l.pairs("process_count", &p.processes, "", nil)
		case "swap":
			l.pairs("swapAvailableBytes", &p.swap.available, "swapUsageBytes", &p.swap.usage)
		default:
			l.skip()
		}
	})
}

// readContainers reads a list of containers. Where two have one name, as a dead one and its successor may, the newer
// one counts.
func (s *summary) readContainers() span {
	l, from := &s.l, len(s.containers)
	for first := l.list(); l.next(first, ']'); {
		s.containers = append(s.containers, containerStats{})
		c := &s.containers[len(s.containers)-1]
		s.readContainer(c)
		for i := range s.containers[from : len(s.containers)-1] {
			if o := &s.containers[from+i]; o.name == c.name && !o.older {
				o.older, c.older = o.start <= c.start, o.start > c.start
			}
		}
	}
	return span{from, len(s.containers)}
}

func (s *summary) readContainer(c *containerStats) {
	l := &s.l
	l.object(func(k []byte) {
		switch string(k) {
		case "name":
			c.name = s.text()
		case "startTime":
			c.start = l.time()
		case "cpu":
			l.cpu(&c.cpu)
		case "memory":
			l.memory(&c.memory)
		case "io":
			l.pressureOf(&c.io)
		case "rootfs":
			l.fs(&c.rootfs)
		case "logs":
			l.fs(&c.logs)
		case "accelerators":
			c.devices = s.readAccelerators()
		case "userDefinedMetrics":
			c.custom = s.readCustom()
		case "swap":
			l.pairs("swapAvailableBytes", &c.swap.available, "swapUsageBytes", &c.swap.usage)
		default:
			l.skip()
		}
	})
}

func (s *summary) readVolumes() span {
	l, from := &s.l, len(s.volumes)
	for first := l.list(); l.next(first, ']'); {
		s.volumes = append(s.volumes, volumeStats{})
		v := &s.volumes[len(s.volumes)-1]
		l.object(func(k []byte) {
			switch string(k) {
			case "name":
				v.name = s.text()
			case "pvcRef":
				l.object(func(k []byte) {
					if string(k) == "name" {
						v.claim = s.text()
						return
					}
					l.skip()
				})
			default:
				l.fsField(k, &v.fs)
			}
		})
	}
	return span{from, len(s.volumes)}
}

func (s *summary) readNetwork(n *networkStats) {
	l := &s.l
	l.object(func(k []byte) {
		if string(k) != "interfaces" {
			s.interfaceField(k, &n.primary)
			return
		}
		from := len(s.interfaces)
		for first := l.list(); l.next(first, ']'); {
			s.interfaces = append(s.interfaces, interfaceStats{})
			i := &s.interfaces[len(s.interfaces)-1]
			l.object(func(k []byte) { s.interfaceField(k, i) })
		}
		n.all = span{from, len(s.interfaces)}
	})
}

func (s *summary) interfaceField(k []byte, i *interfaceStats) {
	switch l := &s.l; string(k) {
	case "name":
		i.name = s.text()
	case "rxBytes":
		i.rxBytes = l.uint()
	case "rxErrors":
		i.rxErrors = l.uint()
	case "txBytes":
		i.txBytes = l.uint()
	case "txErrors":
		i.txErrs = l.uint()
	default:
		l.skip()
	}
}

func (s *summary) readAccelerators() span {
	l, from := &s.l, len(s.devices)
	for first := l.list(); l.next(first, ']'); {
		s.devices = append(s.devices, acceleratorStats{})
		a := &s.devices[len(s.devices)-1]
		l.object(func(k []byte) {
			switch string(k) {
			case "make":
				a.brand = s.text()
			case "model":
				a.model = s.text()
			case "id":
				a.id = s.text()
			case "memoryTotal":
				a.total = l.uint()
			case "memoryUsed":
				a.used = l.uint()
			case "dutyCycle":
				a.dutyCycled = l.uint()
			default:
				l.skip()
			}
		})
	}
	return span{from, len(s.devices)}
}

func (s *summary) readCustom() span {
	l, from := &s.l, len(s.custom)
	for first := l.list(); l.next(first, ']'); {
		s.custom = append(s.custom, customStat{})
		c := &s.custom[len(s.custom)-1]
		l.object(func(k []byte) {
			switch string(k) {
			case "name":
				c.name = s.text()
			case "type":
				c.kind = s.text()
			case "units":
				c.unit = s.text()
			case "value":
				c.value, c.ok = l.float()
			default:
				l.skip()
			}
		})
	}
	return span{from, len(s.custom)}
}

// text reads a string that outlives the document.
func (s *summary) text() string {
	b, _ := s.l.str()
	return s.names.get(b)
}
