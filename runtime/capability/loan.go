package capability

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"
)

// Source is an extension with a table that plugins may look things up in. The methods have types of Go alone, so that an
// extension need not import this package.
type Source interface {
	// LookupBy gives the table with its rows found by one kind of key, or an error that says which kinds there are. column and get
	// are as those of [Table]; ready is closed when the table has been filled for the first time.
	LookupBy(key string) (column func(name string) bool, get func(column string, key []byte) (string, bool), ready <-chan struct{}, err error)
}

// readyWait is how long the start of a plugin waits for the tables of extensions to be filled.
const readyWait = 10 * time.Second

// loan is a [Table] that an extension has.
type loan struct {
	name   string
	grant  TableGrant
	column func(name string) bool
	get    func(column string, key []byte) (string, bool)
	ready  <-chan struct{}
}

// Column implements [Table].
func (t *loan) Column(name string) bool { return t.column(name) }

// Get implements [Table].
func (t *loan) Get(column string, key []byte) (string, bool) { return t.get(column, key) }

// find asks the extension for the table.
func (t *loan) find(extensions map[component.ID]component.Component) (err error) {
	id := *t.grant.Source
	extension, ok := extensions[id]
	if !ok {
		return fmt.Errorf("source: there is no extension %q; define it below extensions, and list it in service::extensions", id)
	}
	source, ok := extension.(Source)
	if !ok {
		return fmt.Errorf("source: the extension %q has no tables; name one of type k8s_pods", id)
	}
	if t.column, t.get, t.ready, err = source.LookupBy(t.grant.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// await waits until the tables of extensions are filled, but not long: a plugin without them is better than none.
func (l *Lookup) await(ctx context.Context) {
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	for _, t := range l.loans {
		select {
		case <-t.ready:
			continue
		default:
		}
		select {
		case <-t.ready:
		case <-ctx.Done():
			return
		case <-timer.C:
			l.log.Warn("a lookup table is not filled yet; the plugin starts without, and finds rows as they come",
				zap.String("table", t.name), zap.Stringer("source", t.grant.Source))
			return
		}
	}
}
