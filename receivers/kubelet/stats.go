package kubelet

// The objects of a summary that occur in several places.

// object calls member for each member of an object, which has to read or skip the value. A value that is no object is
// skipped.
func (l *lexer) object(member func(name []byte)) {
	if !l.open('{') {
		return
	}
	for first := true; ; {
		k, ok := l.key(&first)
		if !ok {
			return
		}
		member(k)
	}
}

// list enters a list and returns what next wants. A value that is no list is skipped, and next then says that it has
// ended.
func (l *lexer) list() *bool {
	first := l.open('[')
	if !first {
		return nil
	}
	return &first
}

func (l *lexer) cpu(c *cpuStats) {
	l.object(func(k []byte) {
		switch string(k) {
		case "time":
			c.time = l.time()
		case "usageNanoCores":
			c.rate = l.uint()
		case "usageCoreNanoSeconds":
			c.usage = l.uint()
		case "psi":
			l.psi(&c.psi)
		default:
			l.skip()
		}
	})
}

func (l *lexer) memory(m *memoryStats) {
	l.object(func(k []byte) {
		switch string(k) {
		case "availableBytes":
			m.available = l.uint()
		case "usageBytes":
			m.usage = l.uint()
		case "workingSetBytes":
			m.workingSet = l.uint()
		case "rssBytes":
			m.rss = l.uint()
		case "pageFaults":
			m.faults = l.uint()
		case "majorPageFaults":
			m.majorFaults = l.uint()
		case "psi":
			l.psi(&m.psi)
		default:
			l.skip()
		}
	})
}

func (l *lexer) fs(f *fsStats) {
	l.object(func(k []byte) { l.fsField(k, f) })
}

func (l *lexer) fsField(k []byte, f *fsStats) {
	switch string(k) {
	case "availableBytes":
		f.available = l.uint()
	case "capacityBytes":
		f.capacity = l.uint()
	case "usedBytes":
		f.used = l.uint()
	case "inodes":
		f.inodes = l.uint()
	case "inodesFree":
		f.inodesFree = l.uint()
	case "inodesUsed":
		f.inodesUsed = l.uint()
	default:
		l.skip()
	}
}

// pressureOf reads the pressure inside an object that has little else.
func (l *lexer) pressureOf(p *psi) {
	l.object(func(k []byte) {
		if string(k) == "psi" {
			l.psi(p)
			return
		}
		l.skip()
	})
}

func (l *lexer) psi(p *psi) {
	if l.noPSI {
		l.skip()
		return
	}
	l.object(func(k []byte) {
		switch string(k) {
		case "full":
			l.pressure(&p.full)
		case "some":
			l.pressure(&p.some)
		default:
			l.skip()
		}
	})
}

func (l *lexer) pressure(p *pressure) {
	l.object(func(k []byte) {
		switch string(k) {
		case "total":
			p.total = l.uint()
		case "avg10":
			p.average[0], _ = l.float()
		case "avg60":
			p.average[1], _ = l.float()
		case "avg300":
			p.average[2], _ = l.float()
		default:
			l.skip()
		}
	})
}

// pairs reads an object of which two numbers are of interest.
func (l *lexer) pairs(name1 string, to1 *num, name2 string, to2 *num) {
	l.object(func(k []byte) {
		switch {
		case string(k) == name1:
			*to1 = l.uint()
		case to2 != nil && string(k) == name2:
			*to2 = l.uint()
		default:
			l.skip()
		}
	})
}
