package host

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Mode says how guest code is run.
type Mode string

// Modes.
const (
	Compiler    Mode = "compiler"
	Interpreter Mode = "interpreter" // some 50 to 80 times slower
)

// Engine says how guest code is run here and, where it is interpreted, why.
func (p *Plugin) Engine() (mode Mode, why string) {
	if compiles() {
		return Compiler, ""
	}
	if !slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		return Interpreter, "wazero has no compiler for " + runtime.GOARCH
	}
	return Interpreter, "the system lets no process write code and run it (systemd: MemoryDenyWriteExecute), " +
		"or wazero has no compiler for " + runtime.GOOS + " on this " + runtime.GOARCH + " processor"
}

// empty is a module of one function that does nothing.
const empty = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b"

// compiles says which engine wazero takes, which it does not tell: the compiler alone gives up when its context has
// ended. It is a fact about the process.
var compiles = sync.OnceValue(func() bool {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer func() { _ = r.Close(ctx) }()
	return errors.Is(validate(ctx, r, []byte(empty)), errNotCompiled)
})

// errNotCompiled is what [validate] returns for a good module where guest code is compiled.
var errNotCompiled = context.Canceled

// validate checks a module as wazero does before it compiles, and stops there. A good module gives nil from the
// interpreter and errNotCompiled from the compiler.
func validate(ctx context.Context, r wazero.Runtime, module []byte) error {
	ctx, cancel := context.WithCancel(experimental.WithCompilationWorkers(ctx, 2))
	cancel()
	m, err := r.CompileModule(ctx, module)
	if err != nil {
		return err
	}
	return m.Close(ctx)
}
