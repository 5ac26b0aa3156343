package k8sevents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// position says which events of a namespace were sent: all that the API server had at a version, which is that of its
// store and grows with each change of any event.
type position struct {
	Version string `json:"resource_version"`
	// Newest is when the newest of them happened: all there is to go by when the store's versions begin anew.
	Newest time.Time `json:"newest,omitzero"`
}

// after says that a version is newer than another. Kubernetes promises since 1.35 that versions can be compared as numbers,
// and its API servers have kept to that from the beginning. What is no number is taken as newer: rather twice than never.
func after(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}

// keeper keeps positions by namespace.
type keeper interface {
	// load returns nil if nothing was ever saved.
	load(ctx context.Context) (map[string]position, error)
	save(ctx context.Context, positions map[string]position) error
	close(ctx context.Context) error
}

// checkpoints knows the positions of all namespaces and hands them to a keeper.
type checkpoints struct {
	keeper keeper
	atOnce bool // save what was delivered before anything more is: for keepers that are cheap to write
	// unread is told of positions that are none, saved of each save.
	unread func(error)
	saved  func(context.Context, error)

	mu      sync.Mutex
	known   map[string]position
	changed bool
	saving  sync.Mutex
}

// load takes up what the keeper has. What is no position counts as none: waiting would not make it one.
func (c *checkpoints) load(ctx context.Context) error {
	known, err := c.keeper.load(ctx)
	if errors.Is(err, errNoPosition) {
		c.unread(err)
	} else if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.changed = known, false
	if c.known == nil {
		c.known = map[string]position{}
	}
	return nil
}

func (c *checkpoints) of(namespace string) position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[namespace]
}

// move notes a position; delivered says that records were sent on the way to it.
func (c *checkpoints) move(ctx context.Context, namespace string, p position, delivered bool) {
	c.mu.Lock()
	c.known[namespace] = p
	c.changed = true
	c.mu.Unlock()
	if delivered && c.atOnce {
		c.save(ctx)
	}
}

// save writes the positions if they have changed. What could not be written is, with the next save.
func (c *checkpoints) save(ctx context.Context) {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	known, changed := maps.Clone(c.known), c.changed
	c.changed = false
	c.mu.Unlock()
	if !changed {
		return
	}
	err := c.keeper.save(ctx, known)
	if err != nil {
		c.mu.Lock()
		c.changed = true
		c.mu.Unlock()
	}
	c.saved(ctx, err)
}

// run saves now and then until ctx ends; a save under way then may take until saving ends.
func (c *checkpoints) run(ctx, saving context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.save(saving)
		case <-ctx.Done():
			return
		}
	}
}

// nowhere is a keeper that forgets.
type nowhere struct{}

func (nowhere) load(context.Context) (map[string]position, error) { return nil, nil }
func (nowhere) save(context.Context, map[string]position) error   { return nil }
func (nowhere) close(context.Context) error                       { return nil }

// storageKey is where the storage has the positions.
const storageKey = "positions"

// inStorage keeps positions in a storage extension.
type inStorage struct{ client storage.Client }

func (s inStorage) load(ctx context.Context) (map[string]position, error) {
	data, err := s.client.Get(ctx, storageKey)
	if err != nil || data == nil {
		return nil, err
	}
	return decode(data)
}

func (s inStorage) save(ctx context.Context, positions map[string]position) error {
	return s.client.Set(ctx, storageKey, encode(positions))
}

func (s inStorage) close(ctx context.Context) error { return s.client.Close(ctx) }

func encode(positions map[string]position) []byte {
	data, err := json.Marshal(positions)
	if err != nil {
		panic("BUG: a position holds nothing that JSON cannot: " + err.Error())
	}
	return data
}

func decode(data []byte) (positions map[string]position, err error) {
	if err := json.Unmarshal(data, &positions); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPosition, err)
	}
	return positions, nil
}

var errNoPosition = errors.New("what is kept is no position")
