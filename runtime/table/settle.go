package table

import (
	"github.com/obsd-io/obsd/runtime/abi"
)

// Settle ends a batch whose rows all stay in one piece: it applies what is pending to the very pdata of Reset. It
// removes rows whose verdict is abi.Drop, moves rows whose resource or metric was edited to groups of their own, adds
// the new rows of the table's own signal, and removes groups that are left without rows. A resource or metric that was
// edited alike for all its rows is changed in place. It returns how many rows there are; the table's are void.
func (t *Table) Settle() int {
	t.inPlace()
	own, dropped, moves := t.own(), 0, false
	for row, v := range t.Verdicts {
		if v == abi.Drop {
			dropped++
		} else if len(t.moved) > 0 && t.moved[row] != t.home[row] {
			moves = true
		}
	}
	if moves || len(own.fresh) > 0 {
		p := t.placer(t.Signal(), t.data, true)
		if moves {
			for row, to := range t.moved {
				if to != t.home[row] && t.Verdicts[row] != abi.Drop {
					p.tree.move(row, p.group(to))
				}
			}
		}
		for i, f := range own.fresh {
			p.tree.move(len(t.home)+i, p.group(f.leaf))
		}
	}
	if moves || dropped > 0 {
		own.rows.sweep(t, func(row int32) bool {
			return t.Verdicts[row] == abi.Drop || len(t.moved) > 0 && t.moved[row] != t.home[row]
		})
	}
	return len(t.home) - dropped + len(own.fresh)
}

// placer puts rows of one signal into the groups of a Data, making those that it does not have yet.
type placer struct {
	t    *Table
	tree tree
	// of has the tree's number of each group, by the leaf with the levels below it none.
	of map[leaf]int32
	// batch says that the Data is the batch itself, whose groups have the table's own numbers.
	batch bool

	last, lastGroup int32
}

func (t *Table) placer(signal abi.Signal, d Data, batch bool) placer {
	return placer{t: t, tree: t.sides[signal].rows.tree(d), of: map[leaf]int32{}, batch: batch, last: none}
}

// group is the tree's number of a leaf.
func (p *placer) group(number int32) int32 {
	if number != p.last {
		p.last, p.lastGroup = number, p.find(p.t.leaves[number])
	}
	return p.lastGroup
}

func (p *placer) find(l leaf) int32 {
	n, ok := p.of[l]
	if ok {
		return n
	}
	t := p.t
	switch {
	case l.scope == none:
		if p.batch && l.resource < t.batch.resources {
			return l.resource
		}
		n = p.tree.addResource(&t.resources[l.resource])
	case l.metric == none:
		if p.batch && l.resource < t.batch.resources && l.scope < t.batch.scopes {
			return l.scope
		}
		n = p.tree.addScope(p.find(leaf{l.resource, none, none}), &t.scopes[l.scope])
	default:
		if p.batch && l.resource < t.batch.resources && l.scope < t.batch.scopes && l.metric < t.batch.metrics {
			return l.metric
		}
		n = p.tree.addMetric(p.find(leaf{l.resource, l.scope, none}), &t.metrics[l.metric])
	}
	p.of[l] = n
	return n
}

// mixed stands for groups whose rows go different ways.
const mixed = -2

// inPlace finds the resources and metrics of the batch that were edited alike for all their rows that are not dropped,
// edits these, and has the rows stay.
func (t *Table) inPlace() {
	if len(t.moved) == 0 {
		return
	}
	resources, metrics := filled(t.batch.resources), filled(t.batch.metrics)
	for row, to := range t.moved {
		if t.Verdicts[row] != abi.Drop {
			t.note(t.leaves[t.home[row]], t.leaves[to], resources, metrics)
		}
	}
	for _, f := range t.own().fresh {
		l := t.leaves[f.leaf]
		from := leaf{t.resources[l.resource].origin, l.scope, none}
		if l.metric != none {
			from.metric = t.metrics[l.metric].origin
		}
		t.note(from, l, resources, metrics)
	}
	back := map[leaf]int32{} // made group → the batch's, per level
	for i, made := range resources {
		if made >= t.batch.resources {
			t.resources[made].resource.Attributes().CopyTo(t.resources[i].resource.Attributes())
			back[leaf{made, none, none}] = int32(i)
		}
	}
	for i, made := range metrics {
		if made >= t.batch.metrics {
			k, m := t.metrics[made].metricKey, t.metrics[i].source
			m.SetName(k.name)
			m.SetUnit(k.unit)
			m.SetDescription(k.description)
			back[leaf{none, none, made}] = int32(i)
		}
	}
	if len(back) > 0 {
		t.remap(back)
	}
}

func filled(n int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = none
	}
	return s
}

// note takes down that a row of from goes to to.
func (t *Table) note(from, to leaf, resources, metrics []int32) {
	merge := func(all []int32, at, to int32) {
		if at < 0 || int(at) >= len(all) {
			return
		}
		if all[at] == none {
			all[at] = to
		} else if all[at] != to {
			all[at] = mixed
		}
	}
	merge(resources, from.resource, to.resource)
	merge(metrics, from.metric, to.metric)
}

// remap has the rows that go to made groups go to the batch's groups that took these over.
func (t *Table) remap(back map[leaf]int32) {
	to := make([]int32, len(t.leaves))
	for i := range to {
		l := t.leaves[i]
		if n, ok := back[leaf{l.resource, none, none}]; ok {
			l.resource = n
		}
		if n, ok := back[leaf{none, none, l.metric}]; ok && l.metric != none {
			l.metric = n
		}
		to[i] = t.leafNumber(l)
	}
	for row, l := range t.moved {
		t.moved[row] = to[l]
	}
	fresh := t.own().fresh
	for i := range fresh {
		fresh[i].leaf = to[fresh[i].leaf]
	}
}
