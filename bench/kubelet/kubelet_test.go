package kubelet

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

func TestKubelet(t *testing.T) {
	k, err := Start(110, 2)
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Close()) }()

	text := get(t, k.URL+"/stats/summary")
	require.NotContains(t, text, markCounter)
	require.NotContains(t, text, markTime)
	var s v1alpha1.Summary
	require.NoError(t, json.Unmarshal([]byte(text), &s))
	require.Len(t, s.Pods, 110)
	require.Len(t, s.Pods[109].Containers, 2)
	require.Positive(t, *s.Pods[0].CPU.UsageCoreNanoSeconds)

	text = get(t, k.URL+"/metrics/cadvisor")
	require.NotContains(t, text, markMillis)
	require.Equal(t, 440, strings.Count(text, "\ncontainer_memory_rss{"), "two containers, a sandbox and the pod of each")
	require.EqualValues(t, 1, k.Scrapes("/stats/summary"))
	require.EqualValues(t, 1, k.Scrapes("/metrics/cadvisor"))
}
