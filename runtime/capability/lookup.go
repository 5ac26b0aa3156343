package capability

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Table is rows found by a key, each with a text in named columns. Whoever makes it keeps it fresh. It is safe for
// concurrent use, and takes no lock that a writer holds for long.
type Table interface {
	// Column says whether there is such a column now.
	Column(name string) bool
	// Get gives a column's text in the row of a key; false if there is no such row or the text is absent.
	Get(column string, key []byte) (string, bool)
}

// Lookup is the tables that a plugin may look things up in. What it asks for by name gets a number, which holds for the life of
// the Set: a table that is read anew may lose the column, and then has nothing in it.
type Lookup struct {
	tables map[string]Table
	files  []*fileTable
	loans  []*loan
	log    *zap.Logger

	mu      sync.Mutex
	numbers map[string]map[string]int32 // by table and column
	columns atomic.Pointer[[]column]

	stop    context.CancelFunc
	running sync.WaitGroup
}

type column struct {
	table Table
	name  string
}

func newLookup(grants map[string]TableGrant, log *zap.Logger, refused *refusals) *Lookup {
	l := &Lookup{tables: map[string]Table{}, log: log, numbers: map[string]map[string]int32{}}
	l.columns.Store(&[]column{})
	for _, name := range slices.Sorted(maps.Keys(grants)) {
		l.numbers[name] = map[string]int32{}
		if grants[name].Source != nil {
			t := &loan{name: name, grant: grants[name]}
			l.tables[name] = t
			l.loans = append(l.loans, t)
			continue
		}
		t := newFileTable(name, grants[name], log, refused.of(abi.CapabilityLookup, "file"))
		l.tables[name] = t
		l.files = append(l.files, t)
	}
	return l
}

func (l *Lookup) start(ctx context.Context, extensions map[component.ID]component.Component) error {
	var errs []error
	for _, t := range l.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.load(); err != nil {
			errs = append(errs, fmt.Errorf("grants::lookup::%s: %w", t.name, err))
		}
	}
	for _, t := range l.loans {
		if err := t.find(extensions); err != nil {
			errs = append(errs, fmt.Errorf("grants::lookup::%s: %w", t.name, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	l.await(ctx)
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, t := range l.files {
		l.running.Go(func() { t.follow(ctx) })
	}
	return nil
}

func (l *Lookup) close() {
	if l.stop != nil {
		l.stop()
		l.running.Wait()
	}
}

// Column gives the number of a table's column, or -1. It does not keep the texts.
func (l *Lookup) Column(table, name []byte) int32 {
	t := l.tables[string(table)]
	if t == nil {
		return -1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.columns.Load()
	known := l.numbers[string(table)]
	if n, ok := known[string(name)]; ok {
		if t.Column(list[n].name) {
			return n
		}
		return -1
	}
	text := string(name)
	if !t.Column(text) || len(list) >= maxColumns {
		return -1
	}
	n := int32(len(list))
	more := append(list, column{t, text}) // a variable of its own, since its address escapes
	l.columns.Store(&more)
	known[text] = n
	return n
}

// maxColumns bounds the numbers, which would grow with tables whose columns change.
const maxColumns = math.MaxUint16

// Get copies a column's text in the row of a key to dst if it has room, and returns the text's length, or -1.
func (l *Lookup) Get(number int32, key, dst []byte) int {
	list := *l.columns.Load()
	if number < 0 || int(number) >= len(list) {
		return -1
	}
	c := &list[number]
	text, ok := c.table.Get(c.name, key)
	if !ok {
		return -1
	}
	if len(text) <= len(dst) {
		copy(dst, text)
	}
	return len(text)
}
