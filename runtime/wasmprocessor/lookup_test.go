package wasmprocessor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/podtable"
	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/wasmprocessor"
)

// podsExtension gives plugins a table of pods, as the extension k8s_pods does.
type podsExtension struct {
	component.StartFunc
	component.ShutdownFunc
	table *podtable.Table
}

func (e *podsExtension) LookupBy(key string) (func(string) bool, func(string, []byte) (string, bool), <-chan struct{}, error) {
	return e.table.Column, func(column string, k []byte) (string, bool) { return e.table.Lookup(key, column, k) }, e.table.Ready(), nil
}

// extensions is a host that has it.
type extensions map[component.ID]component.Component

func (e extensions) GetExtensions() map[component.ID]component.Component { return e }

// asker is a plugin that sets a record's body to the column of a table's row of that key, whose text has four bytes.
func asker(table, column, key string) wasmtest.Plugin {
	const resultAt, partsAt = 8192, 16384 // where wasmtest keeps them
	const arenaAt = partsAt + 16          // behind the edit
	result := wasmtest.Result{
		Rows: 1, Edits: []uint64{abi.Edit(0, uint16(abi.FieldBody), abi.OpSet, abi.TypeString), abi.Cell(0, 4)}, Arena: "....",
	}
	memory, packed := result.Memory()
	data := map[uint32][]byte{
		0: []byte(table), 100: []byte(column), 200: []byte(key),
		resultAt: memory[resultAt : resultAt+abi.ResultHeaderSize], partsAt: memory[partsAt:],
	}
	return wasmtest.Plugin{
		Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"writes":["body"],"capabilities":["lookup"]}`,
		Data:     data,
		Imports: []wasmtest.Import{
			{Module: abi.HostModule, Name: abi.HostLookup, Params: strings.Repeat(wasmtest.I32Type, 4), Results: wasmtest.I32Type},
			{Module: abi.HostModule, Name: abi.HostLookupGet, Params: strings.Repeat(wasmtest.I32Type, 5), Results: wasmtest.I64Type},
		},
		Process: slices.Concat(
			wasmtest.I32(0), wasmtest.I32(int32(len(table))), wasmtest.I32(100), wasmtest.I32(int32(len(column))), wasmtest.Call(0),
			wasmtest.I32(200), wasmtest.I32(int32(len(key))), wasmtest.I32(arenaAt), wasmtest.I32(4), wasmtest.Call(1),
			wasmtest.Code{0x1a}, // drop the length
			wasmtest.I64(int64(packed)),
		),
	}
}

// TestLookupOfPods has a guest ask for a pod's labels and sees it get new ones as they come.
func TestLookupOfPods(t *testing.T) {
	table := podtable.New(&podtable.Keep{Labels: []string{"team"}}, time.Minute, 1, 0)
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "u1", Labels: map[string]string{"team": "pink"}}}
	table.Put(pod)
	table.Listed(true)
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f, source := wasmprocessor.NewFactory(), component.MustNewID("k8s_pods")
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.OnError = engine.Fail
	c.Plugin.Limits.TimePerRecord, c.Plugin.Limits.TimePerBatch = time.Millisecond, 10*time.Second
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	c.Plugin.Grants.Lookup = map[string]capability.TableGrant{"pods": {Source: &source, Key: podtable.KeyUID}}
	require.NoError(t, c.Plugin.Validate())
	require.NoError(t, os.WriteFile(c.Plugin.Module, asker("pods", "k8s.pod.label.team", "u1").Module(), 0o600))
	sink := new(consumertest.LogsSink)
	p, err := f.CreateLogs(t.Context(), processortest.NewNopSettings(f.Type()), c, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), extensions{source: &podsExtension{table: table}}))
	defer func() { require.NoError(t, p.Shutdown(t.Context())) }()
	team := func() string {
		require.NoError(t, p.ConsumeLogs(t.Context(), logs("x")))
		return lastBody(sink)
	}
	require.Equal(t, "pink", team())
	pod.Labels["team"] = "blue"
	table.Put(pod)
	require.Equal(t, "blue", team())
}

// TestLookupWithoutTheExtension refuses the start.
func TestLookupWithoutTheExtension(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f, source := wasmprocessor.NewFactory(), component.MustNewID("k8s_pods")
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	c.Plugin.Grants.Lookup = map[string]capability.TableGrant{"pods": {Source: &source, Key: podtable.KeyUID}}
	require.NoError(t, os.WriteFile(c.Plugin.Module, asker("pods", "k8s.pod.label.team", "u1").Module(), 0o600))
	p, err := f.CreateLogs(t.Context(), processortest.NewNopSettings(f.Type()), c, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), extensions{}),
		`grants: grants::lookup::pods: source: there is no extension "k8s_pods"; define it below extensions, and list it in service::extensions`)
	require.NoError(t, p.Shutdown(t.Context()))
}
