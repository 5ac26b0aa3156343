package wasmprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

type wasmProcessor struct {
	id        component.ID
	telemetry component.TelemetrySettings
	config    *Config
	engine    *engine.Engine
}

func (p *wasmProcessor) start(ctx context.Context, _ component.Host) error {
	e, err := engine.Load(ctx, p.id, p.telemetry, &p.config.Plugin)
	if err != nil {
		return err
	}
	if routes := e.Manifest().Routes; len(routes) > 0 {
		_ = e.Close(ctx)
		return fmt.Errorf("plugin %q: it routes to %q, which a processor cannot: use it as the connector %s", p.id, routes, p.id.Type())
	}
	p.engine = e
	return nil
}

func (p *wasmProcessor) shutdown(ctx context.Context) error {
	if p.engine == nil {
		return nil
	}
	e := p.engine
	p.engine = nil
	return e.Close(ctx)
}

func (p *wasmProcessor) process(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	left := 0
	err := p.engine.Logs(ctx, ld, func(rows *table.Logs) error {
		left = rows.Drop(ld)
		return nil
	})
	if err == nil && left == 0 {
		err = processorhelper.ErrSkipProcessingData
	}
	return ld, err
}
