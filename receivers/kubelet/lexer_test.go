package kubelet

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

func decodeText(text string) (*summary, error) {
	s := &summary{names: newNames()}
	return s, s.decode([]byte(text))
}

func TestDecodeErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := decodeText(text)
		require.EqualError(t, err, want)
	}
	f(``, "not valid JSON at byte 0 of 0: no object")
	f(`[]`, "not valid JSON at byte 0 of 2: no object")
	f(`<html>`, "not valid JSON at byte 0 of 6: no object")
	f(`{`, "not valid JSON at byte 1 of 1: the answer is cut off")
	f(`{"node":{"cpu":{"usageNanoCores":12`, "not valid JSON at byte 35 of 35: the answer is cut off")
	f(`{"node":{"nodeName":"n`, "not valid JSON at byte 20 of 22: the answer is cut off")
	f(`{"node":{"nodeName":"n\`, "not valid JSON at byte 20 of 23: the answer is cut off")
	f(`{"node":{},}`, "not valid JSON at byte 11 of 12: a comma before the end")
	f(`{"node":{} "pods":[]}`, "not valid JSON at byte 11 of 21: no comma between two values")
	f(`{"node" {}}`, "not valid JSON at byte 8 of 11: no colon after a name")
	f(`{node:{}}`, "not valid JSON at byte 1 of 9: no string where one is needed")
	f(`{"node":{}} x`, "not valid JSON at byte 12 of 13: text after the end")
	f(`{"node":tru}`, "not valid JSON at byte 8 of 12: an unknown word")
	f(`{"node":nul`, "not valid JSON at byte 8 of 11: the answer is cut off")
	f(`{"node":{"nodeName":"\q"}}`, "not valid JSON at byte 24 of 26: a string with a bad escape")
	f(`{"x":?}`, "not valid JSON at byte 5 of 7: an unexpected character")
	f(`{"x":`+strings.Repeat("[", 100), "not valid JSON at byte 105 of 105: the answer is cut off")
	f(`{"x":[{"a":"]}`, "not valid JSON at byte 11 of 14: the answer is cut off")
	f(`{"kind":"Status","code":403}`, "no node in it, so it is not a kubelet's summary")
}

func TestDecodeTakesWhatItCan(t *testing.T) {
	f := func(cpu string, want num) {
		t.Helper()
		s, err := decodeText(`{"node":{"nodeName":"n","cpu":` + cpu + `},"pods":null,"new":[{"a":[1,-2.5e3,"\""]}]}`)
		require.NoError(t, err)
		require.Equal(t, "n", s.node.name)
		require.Equal(t, want, s.node.cpu.usage)
	}
	f(`{"usageCoreNanoSeconds":7}`, num{7, true})
	f(`{ "usageCoreNanoSeconds" : 18446744073709551615 }`, num{18446744073709551615, true})
	f(`{"usageCoreNanoSeconds":18446744073709551616}`, num{})
	f(`{"usageCoreNanoSeconds":null}`, num{})
	f(`{"usageCoreNanoSeconds":-1}`, num{})
	f(`{"usageCoreNanoSeconds":1.5}`, num{})
	f(`{"usageCoreNanoSeconds":1e3}`, num{})
	f(`{"usageCoreNanoSeconds":"7"}`, num{})
	f(`{"usageCoreNanoSeconds":{"a":7}}`, num{})
	f(`null`, num{})
	f(`[]`, num{})
	f(`"x"`, num{})
}

func TestTimes(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		l := lexer{b: []byte(text)}
		require.Equal(t, want, l.time())
	}
	f(`"2026-11-23T14:20:09Z"`, 1795443609_000000000)
	f(`"2026-12-31T23:59:59Z"`, 1798761599_000000000)
	f(`"2026-11-23T14:20:09.5Z"`, 1795443609_500000000)
	f(`"2026-11-23T15:20:09+01:00"`, 1795443609_000000000)
	f(`"0001-01-01T00:00:00Z"`, 0)
	f(`"2026-13-01T00:00:00Z"`, 0)
	f(`"2026-02-30T00:00:00Z"`, 0)
	f(`""`, 0)
	f(`null`, 0)
	f(`12`, 0)
}

// same holds what we read against what the kubelet's own types read.
func same(t *testing.T, ours *summary, theirs *v1alpha1.Summary) {
	t.Helper()
	is := func(want *uint64, got num) {
		t.Helper()
		require.Equal(t, want != nil, got.ok)
		if want != nil {
			require.Equal(t, *want, got.v)
		}
	}
	require.Len(t, ours.pods, len(theirs.Pods))
	for i := range theirs.Pods {
		want, got := &theirs.Pods[i], &ours.pods[i]
		require.Equal(t, [3]string{want.PodRef.Name, want.PodRef.Namespace, want.PodRef.UID}, [3]string{got.name, got.namespace, got.uid})
		require.Equal(t, want.StartTime.UnixNano(), got.start)
		require.Equal(t, len(want.Containers), got.containers.to-got.containers.from)
		require.Equal(t, len(want.VolumeStats), got.volumes.to-got.volumes.from)
		for j := range want.Containers {
			wc, gc := &want.Containers[j], &ours.containers[got.containers.from+j]
			require.Equal(t, wc.Name, gc.name)
			if wc.CPU != nil {
				is(wc.CPU.UsageCoreNanoSeconds, gc.cpu.usage)
				is(wc.CPU.UsageNanoCores, gc.cpu.rate)
			}
			if wc.Memory != nil {
				is(wc.Memory.WorkingSetBytes, gc.memory.workingSet)
				is(wc.Memory.MajorPageFaults, gc.memory.majorFaults)
			}
			if wc.Rootfs != nil {
				is(wc.Rootfs.InodesUsed, gc.rootfs.inodesUsed)
			}
			if wc.Swap != nil {
				is(wc.Swap.SwapUsageBytes, gc.swap.usage)
			}
		}
		if want.Network != nil {
			is(want.Network.RxBytes, got.network.primary.rxBytes)
			require.Equal(t, len(want.Network.Interfaces), got.network.all.to-got.network.all.from)
		}
	}
}

func TestDecodeAgreesWithTheKubeletsTypes(t *testing.T) {
	b := captured(t, "summary.json")
	var theirs v1alpha1.Summary
	require.NoError(t, json.Unmarshal(b, &theirs))
	ours := &summary{names: newNames()}
	for range 2 { // the second time over the first
		require.NoError(t, ours.decode(b))
		same(t, ours, &theirs)
		require.Equal(t, theirs.Node.NodeName, ours.node.name)
		require.Len(t, theirs.Node.SystemContainers, ours.node.containers.to)
		require.Equal(t, uint64(*theirs.Node.Rlimit.MaxPID), ours.node.maxPID.v)
		require.Equal(t, *theirs.Node.Runtime.ImageFs.UsedBytes, ours.node.imageFs.used.v)
	}
}

// TestDecodeEveryBeginning cuts a real answer at each byte: each is an error, and none a panic.
func TestDecodeEveryBeginning(t *testing.T) {
	b := []byte(strings.TrimSpace(string(captured(t, "summary.json"))))
	s := &summary{names: newNames()}
	for i := range b {
		require.Error(t, s.decode(b[:i]), "the first %d bytes", i)
	}
	require.NoError(t, s.decode(b))
}

func FuzzSummary(f *testing.F) {
	f.Add(captured(f, "summary.json")[:4096])
	f.Add([]byte(`{"node":{"nodeName":"n"},"pods":[{"podRef":{"name":"p","uid":"u"},"containers":[{"name":"c","cpu":{"usageNanoCores":1}}]}]}`))
	f.Add([]byte(`{"node":{"a\"b":[[[[{}]]],-1.5e+3,null,true]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		s := &summary{names: newNames()}
		err := s.decode(b)
		if json.Valid(b) && err != nil && !strings.Contains(err.Error(), "no object") && !strings.Contains(err.Error(), "no node in it") {
			t.Fatalf("valid JSON is refused: %v", err)
		}
		if err == nil {
			cfg := createDefaultConfig().(*Config).lists()
			newWriter(cfg, newCatalog(nil), "").write(s, nil, "n", testTime)
		}
	})
}

func FuzzPods(f *testing.F) {
	f.Add(captured(f, "pods.json")[:4096])
	f.Add([]byte(`{"items":[{"metadata":{"uid":"u","labels":{"a":"b"}},"spec":{"containers":[{"name":"c"}]}}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		list := podList{cfg: &MetadataConfig{Labels: []string{"*"}}, names: newNames()}
		_, _ = list.decode(b) // it must not panic or hang
	})
}
