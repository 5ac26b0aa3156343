package table

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/runtime/abi"
)

// edit applies the checked runs; sets is what the numbers of sets in verdicts grow by.
func (s *Session) edit(r *result, sets uint16) {
	own := s.table.own().rows
	for i := 0; i < len(s.runs); {
		run, edits := &s.runs[i], s.editsOf(r, i)
		i++
		if run.fresh {
			s.create(r, run, edits, sets)
			continue
		}
		// A copy is of the row as it came, so new rows are made before the row's own edits.
		for ; i < len(s.runs) && s.runs[i].row == run.row; i++ {
			s.create(r, &s.runs[i], s.editsOf(r, i), sets)
		}
		s.change(r, run, edits, own)
	}
}

// editsOf are the edits of a run.
func (s *Session) editsOf(r *result, i int) []byte {
	at, end := int(s.runs[i].at)*abi.EditSize, len(r.edits)
	if i+1 < len(s.runs) {
		end = int(s.runs[i+1].at) * abi.EditSize
	}
	return r.edits[at:end]
}

// change applies the edits of a row of the batch.
func (s *Session) change(r *result, run *run, edits []byte, own rows) {
	t, row := s.table, int(s.rows[run.row])
	if run.built {
		run.attributes.Commit(own.attributes(row))
		if run.fields > 0 {
			s.editFields(r, edits[int(run.fields-1)*abi.EditSize:], own, row)
		}
	} else {
		s.editRow(r, edits, int(run.sets), own, row)
	}
	if run.moves {
		t.move(row, s.regroup(r, edits, t.leaves[t.leafOf(row)], t.metricKeyOf(row)))
	}
}

// editRow applies the edits of a run to a row, but for the edits that move it.
func (s *Session) editRow(r *result, edits []byte, sets int, to rows, row int) {
	attributes := to.attributes(row)
	if sets > 0 {
		attributes.EnsureCapacity(attributes.Len() + sets)
	}
	var source sliceSource
	for at := 0; at < len(edits); at += abi.EditSize {
		e := editAt(edits, at)
		switch e.op() {
		case abi.OpSetAttribute, abi.OpDeleteAttribute:
			var key string
			if e.name() == abi.NameInline {
				at += abi.EditSize
				key = arenaText(r, editAt(edits, at).cell)
			} else {
				key = s.names[e.name()].text
			}
			// As in checkEdits, what is nearly every edit goes without the calls of the rest.
			if e.op() == abi.OpSetAttribute && e.typ() >= abi.TypeSlice && (source.typ == e.typ() || source.find(s, e)) && source.of != abi.TypeBytes {
				attributes.PutStr(key, slice(source.text, e.cell))
				continue
			}
			s.editKey(r, e, attributes, key)
		case abi.OpSet:
			if rules[e.name()].Level == abi.LevelRow {
				to.set(row, abi.Field(e.name()), s.value(r, e))
			}
		}
	}
}

// editFields applies those edits of a run that are of fields.
func (s *Session) editFields(r *result, edits []byte, to rows, row int) {
	for at := 0; at < len(edits); at += abi.EditSize {
		if e := editAt(edits, at); e.op() == abi.OpSet && rules[e.name()].Level == abi.LevelRow {
			to.set(row, abi.Field(e.name()), s.value(r, e))
		}
	}
}

// editKey sets or deletes what has a key.
func (s *Session) editKey(r *result, e edit, m pcommon.Map, key string) {
	switch {
	case e.op() == abi.OpDeleteAttribute || e.op() == abi.OpDeleteResource:
		m.Remove(key)
	case e.typ() == abi.TypeInt:
		m.PutInt(key, int64(e.cell))
	default:
		s.value(r, e).put(m.PutEmpty(key))
	}
}

// create makes the new row of a run.
func (s *Session) create(r *result, run *run, edits []byte, sets uint16) {
	t, first := s.table, editAt(edits, 0)
	signal, lies, key := s.bear(first)
	side := &t.sides[signal]
	s.editRow(r, edits, int(run.sets), side.rows, t.base(signal)+len(side.fresh))
	if run.moves {
		lies = s.regroup(r, edits, lies, key)
	}
	verdict := first.name()
	if verdict >= abi.Set {
		verdict += sets
	}
	side.fresh = append(side.fresh, freshRow{t.leafNumber(lies), verdict})
}

// bear adds the row of an OpNew to its signal's, and says where it lies.
func (s *Session) bear(e edit) (abi.Signal, leaf, metricKey) {
	t := s.table
	if e.typ() == abi.NewCopy {
		row := int(s.rows[e.row()])
		t.own().rows.addCopy(row)
		return t.Signal(), t.leaves[t.leafOf(row)], t.metricKeyOf(row)
	}
	signal := abi.Signal(e.typ())
	t.sides[signal].rows.add(pcommon.Timestamp(s.now))
	lies := leaf{none, none, none}
	if !s.flush {
		lies = t.leaves[t.leafOf(int(s.rows[e.row()]))]
	}
	if signal != t.Signal() || s.flush {
		lies = t.detach(lies)
	}
	lies.metric = none
	return signal, lies, metricKey{origin: none, kind: abi.MetricGauge}
}

// regroup gives the leaf that the edits of a run move its row to; lies is where it is now, key its metric.
func (s *Session) regroup(r *result, edits []byte, lies leaf, key metricKey) leaf {
	metric, resource := false, false
	for at := 0; at < len(edits); at += abi.EditSize {
		switch e := editAt(edits, at); {
		case isResource(e.op()):
			resource = true
		case e.op() == abi.OpSet && rules[e.name()].Level == abi.LevelMetric:
			metric = true
			s.value(r, e).putMetric(abi.Field(e.name()), &key)
		}
	}
	if resource {
		lies.resource = s.table.editResource(lies.resource, func(m pcommon.Map) { s.editResource(r, edits, m) })
	}
	if metric {
		lies.metric = s.table.metricNumber(key)
	}
	return lies
}

// editResource applies those edits of a run that are of the resource.
func (s *Session) editResource(r *result, edits []byte, m pcommon.Map) {
	for at := 0; at < len(edits); at += abi.EditSize {
		e := editAt(edits, at)
		if !isResource(e.op()) {
			continue
		}
		key := ""
		if e.name() == abi.NameInline {
			at += abi.EditSize
			key = arenaText(r, editAt(edits, at).cell)
		} else {
			key = s.names[e.name()].text
		}
		s.editKey(r, e, m, key)
	}
}
