package wasmbin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// budget is what a fuzzed function may burn, and enough for those that end.
const budget = 2_000_000

// FuzzInject rewrites bytes of any kind, runs what comes of them on little fuel, and compares it with the module as it
// is, if that ends too. What wazero does not take as it is, it must not take rewritten.
func FuzzInject(f *testing.F) {
	for _, fn := range endless {
		f.Add(wat{memory: true, table: true, functions: []function{fn}}.bytes())
	}
	f.Add(afterCall(f64, false))
	f.Add(afterCall(v128, true))
	root, err := specDir()
	require.NoError(f, err)
	for _, name := range []string{"v2/testdata/br_table.0.wasm", "v2/testdata/select.0.wasm", "v2/testdata/bulk.2.wasm", "v2/testdata/table_grow.0.wasm", "v2/testdata/memory_grow.0.wasm", "v2/testdata/simd_select.0.wasm", "v2/testdata/global.0.wasm", "tail-call/testdata/return_call.0.wasm"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		if len(module) > 64<<10 {
			t.Skip()
		}
		out, refused := wasmbin.Inject(module, wasmbin.Options{Initial: budget})
		if refused != nil {
			require.ErrorContains(t, refused, "offset 0x")
			return
		}
		ctx := context.Background()
		compile := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features).WithMemoryLimitPages(16))
		defer func() { _ = compile.Close(ctx) }()
		_, plainErr := compile.CompileModule(ctx, module)
		_, err := compile.CompileModule(ctx, out)
		if plainErr != nil {
			require.Error(t, err, "what is wrong as it is must be wrong when rewritten: %v", plainErr)
			return
		}
		require.NoError(t, err)
		same(t, compile, module, out)
	})
}

// same calls all exported functions of a module as it is and rewritten, one after another. The module as it is runs
// only what the rewritten one has ended with fuel left.
func same(t *testing.T, r wazero.Runtime, module, rewritten []byte) {
	ctx := context.Background()
	fuelled, err := r.InstantiateWithConfig(ctx, rewritten, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return // it imports something, or its start traps, maybe for want of fuel
	}
	if int64(fuelOf(fuelled).Get()) < 0 {
		t.Fatal("started on no fuel")
	}
	plain, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName(""))
	require.NoError(t, err)
	for name, def := range fuelled.ExportedFunctionDefinitions() {
		if slices.Contains(def.ParamTypes(), api.ValueTypeExternref) || len(def.ParamTypes()) > 8 {
			continue
		}
		args := make([]uint64, 0, 16)
		for _, typ := range def.ParamTypes() {
			switch args = append(args, 3); typ {
			case 0x7b:
				args = append(args, 5)
			case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64:
			default:
				args[len(args)-1] = 0
			}
		}
		fuelOf(fuelled).Set(budget)
		got := call(ctx, fuelled.ExportedFunction(name), args)
		if int64(fuelOf(fuelled).Get()) < 0 {
			require.Contains(t, got, "trap wasm error: unreachable")
			return // the states are not the same from here on
		}
		if want := call(ctx, plain.ExportedFunction(name), args); got != want && !strings.Contains(want+got, "stack overflow") {
			t.Fatalf("%s: got %s, want %s", name, got, want)
		}
	}
}
