// Package resume has what receivers share that go on where they were: where a storage keeps their position, and how a batch
// that the pipeline refused is sent again.
package resume

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// RetryConfig says how a refused batch is sent again. The position does not move meanwhile, and what is read otherwise
// goes on. It stands under `retry_on_failure`.
type RetryConfig struct {
	// Enabled sends a refused batch again. Without it a refused batch is counted as lost.
	Enabled bool `mapstructure:"enabled"`

	// InitialInterval is the first wait; it doubles with each refusal.
	InitialInterval time.Duration `mapstructure:"initial_interval"`

	// MaxInterval is the longest wait.
	MaxInterval time.Duration `mapstructure:"max_interval"`

	// MaxElapsedTime is how long a batch is tried before it is counted as lost. 0 tries without end.
	MaxElapsedTime time.Duration `mapstructure:"max_elapsed_time"`
}

// NewRetryConfig waits a second at first, half a minute at the longest, and tries for as long as is given.
func NewRetryConfig(maxElapsed time.Duration) RetryConfig {
	return RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 30 * time.Second, MaxElapsedTime: maxElapsed}
}

// Check returns all that is wrong with the configuration. It has not the name by which the Collector would call it too.
func (c *RetryConfig) Check() error {
	if !c.Enabled {
		return nil
	}
	var errs []error
	if c.InitialInterval <= 0 {
		errs = append(errs, fmt.Errorf("retry_on_failure::initial_interval: %v: must be more than 0, such as 1s", c.InitialInterval))
	}
	if c.MaxInterval < c.InitialInterval {
		errs = append(errs, fmt.Errorf("retry_on_failure::max_interval: %v: must not be less than initial_interval %v",
			c.MaxInterval, c.InitialInterval))
	}
	if c.MaxElapsedTime < 0 {
		errs = append(errs, fmt.Errorf("retry_on_failure::max_elapsed_time: %v: must not be negative; 0 tries without end",
			c.MaxElapsedTime))
	}
	return errors.Join(errs...)
}

// OpenStorage returns the client of the storage extension id for the receiver self, which has to close it.
func OpenStorage(ctx context.Context, host component.Host, id, self component.ID) (storage.Client, error) {
	extension, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("storage: %q: no such extension: list it under extensions and under service::extensions", id)
	}
	keeper, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: %q: not a storage extension: name one such as file_storage", id)
	}
	client, err := keeper.GetClient(ctx, component.KindReceiver, self, "")
	if err != nil {
		return nil, fmt.Errorf("storage: %q: open: %w", id, err)
	}
	return client, nil
}
