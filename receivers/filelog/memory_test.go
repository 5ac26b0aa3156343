package filelog

import (
	"context"
	"errors"
	"maps"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// memory is a storage extension whose contents outlive its clients, and which can be told to fail.
type memory struct {
	component.StartFunc
	component.ShutdownFunc

	mu     sync.Mutex
	values map[string][]byte
	full   bool
	open   *memoryClient // only the newest client writes: the older ones belong to killed receivers
	writes int
}

func newMemory() *memory { return &memory{values: make(map[string][]byte)} }

func (m *memory) host() storageHost {
	return storageHost{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{storageID(): m}}
}

func (m *memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = &memoryClient{m: m}
	return m.open, nil
}

func (m *memory) fail(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

func (m *memory) copy() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

type memoryClient struct{ m *memory }

func (c *memoryClient) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := c.Batch(ctx, op)
	return op.Value, err
}

func (c *memoryClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *memoryClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

func (c *memoryClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.open != c {
		return errors.New("killed")
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = c.m.values[op.Key]
		case storage.Set, storage.Delete:
			c.m.writes++
			if c.m.full {
				return errors.New("no space left on device")
			}
			c.m.values[op.Key] = op.Value
			if op.Type == storage.Delete {
				delete(c.m.values, op.Key)
			}
		}
	}
	return nil
}

func (c *memoryClient) Close(context.Context) error { return nil }
