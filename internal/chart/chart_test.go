package chart_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"

	"github.com/obsd-io/obsd/internal/chart"
	"github.com/obsd-io/obsd/internal/image"
)

const manifests = "../../deploy/kubernetes"

type object = map[string]any

// shipped is the chart of the shipped manifests, made once: kustomize takes its time.
var shipped = sync.OnceValues(func() (*v2.Chart, error) { return chart.Make(manifests, "1.2.3", "v1.2.3") })

// render saves the chart, reads it back as Helm does, and gives its objects by kind and name.
func render(t *testing.T, namespace, values string) map[string]object {
	t.Helper()
	made, err := shipped()
	require.NoError(t, err)
	path, err := chartutil.Save(made, t.TempDir())
	require.NoError(t, err)
	require.Equal(t, "obsd-1.2.3.tgz", filepath.Base(path))
	loaded, err := loader.Load(path)
	require.NoError(t, err)
	var given map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(values), &given))
	all, err := util.ToRenderValues(loaded, given, common.ReleaseOptions{Name: "obsd", Namespace: namespace}, nil)
	require.NoError(t, err)
	files, err := engine.Render(loaded, all)
	require.NoError(t, err)
	objects := map[string]object{}
	for file, text := range files {
		var o object
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), &o), "%s:\n%s", file, text)
		objects[key(o)] = o
	}
	require.Len(t, objects, len(files))
	return objects
}

func key(o object) string { return fmt.Sprintf("%v %v", o["kind"], o["metadata"].(object)["name"]) }

// TestSameAsManifests installs with no values given what `kubectl apply -k` does, but for the names of ConfigMaps, which
// kustomize makes of their content and the chart does not.
func TestSameAsManifests(t *testing.T) {
	want := applied(t, manifests)
	got := render(t, "obsd", "")
	forget(t, got)
	require.Equal(t, want, got)
}

// applied are the objects of a folder as the chart should have them.
func applied(t *testing.T, folder string) map[string]object {
	t.Helper()
	objects, err := chart.Manifests(folder)
	require.NoError(t, err)
	want := map[string]object{}
	for _, o := range objects {
		if o["kind"] == "Namespace" {
			continue
		}
		text, err := json.Marshal(o)
		require.NoError(t, err)
		text = regexp.MustCompile(`(obsd-(?:node|gateway|backends))-[a-z0-9]{10}"`).ReplaceAll(text, []byte(`$1"`))
		text = bytes.ReplaceAll(text, []byte(image.Repository+":devel"), []byte(image.Repository+":v1.2.3"))
		var plain object
		require.NoError(t, json.Unmarshal(text, &plain))
		want[key(plain)] = plain
	}
	return want
}

// forget takes out what the chart alone has.
func forget(t *testing.T, got map[string]object) {
	t.Helper()
	for _, name := range []string{"DaemonSet obsd-node", "Deployment obsd-gateway"} {
		pod := got[name]["spec"].(object)["template"].(object)
		annotations := pod["metadata"].(object)["annotations"].(object)
		require.Len(t, annotations["checksum/config"], 64)
		delete(annotations, "checksum/config")
		for _, field := range []string{"tolerations", "nodeSelector", "affinity"} { // those that are empty are not in the manifests
			if v := fmt.Sprint(pod["spec"].(object)[field]); v == "map[]" || v == "[]" {
				delete(pod["spec"].(object), field)
			}
		}
	}
}

// TestValues changes what a user would.
func TestValues(t *testing.T) {
	got := render(t, "monitoring", `
image: {repository: example.com/obsd, tag: "2"}
backends: {ELASTICSEARCH: "https://search:9200"}
node:
  tolerations: []
  nodeSelector: {kubernetes.io/os: linux}
  resources: {limits: {memory: 1Gi}}
  config: {obsd.yaml: "receivers: {}\n"}
`)
	pod := got["DaemonSet obsd-node"]["spec"].(object)["template"].(object)["spec"].(object)
	container := pod["containers"].([]any)[0].(object)
	require.Equal(t, "example.com/obsd:2", container["image"])
	require.Equal(t, "1Gi", container["resources"].(object)["limits"].(object)["memory"])
	require.Equal(t, object{"kubernetes.io/os": "linux"}, pod["nodeSelector"])
	require.Empty(t, pod["tolerations"])
	require.Equal(t, object{"obsd.yaml": "receivers: {}\n"}, got["ConfigMap obsd-node"]["data"])
	require.Equal(t, "https://search:9200", got["ConfigMap obsd-backends"]["data"].(object)["ELASTICSEARCH"])
	require.NotEmpty(t, got["ConfigMap obsd-backends"]["data"].(object)["GATEWAY"])
	all, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(all), `"namespace":"obsd"`)
	require.Equal(t, strings.Count(string(all), `"namespace":`), strings.Count(string(all), `"namespace":"monitoring"`))
}

// TestComponents installs with a component's value what `kubectl apply -k` does with the component.
func TestComponents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "overlay")
	require.NoError(t, os.Mkdir(dir, 0o700))
	here, err := filepath.Abs(manifests)
	require.NoError(t, err)
	base, err := filepath.Rel(dir, here)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, "resources: [%s]\ncomponents: [%s/components/cadvisor]\n", base, base), 0o600))
	want := applied(t, dir)
	got := render(t, "obsd", "cadvisor: {enabled: true}")
	forget(t, got)
	require.Equal(t, want, got)
	require.Len(t, got["ConfigMap obsd-node"]["data"], 2)

	with := render(t, "obsd", "cadvisor: {enabled: true, config: {cadvisor.yaml: \"receivers: {}\\n\"}}")
	require.Equal(t, "receivers: {}\n", with["ConfigMap obsd-node"]["data"].(object)["cadvisor.yaml"])
	sum := func(o object) any {
		return o["spec"].(object)["template"].(object)["metadata"].(object)["annotations"].(object)["checksum/config"]
	}
	require.NotEqual(t, sum(render(t, "obsd", "cadvisor: {enabled: true}")["DaemonSet obsd-node"]), sum(with["DaemonSet obsd-node"]))
}

func TestErrors(t *testing.T) {
	_, err := chart.Make(t.TempDir(), "1.2.3", "x")
	require.ErrorContains(t, err, "chart: ")
	_, err = chart.Make(manifests, "one", "x")
	require.ErrorContains(t, err, `chart.metadata.version "one" is invalid`)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: [d.yaml]"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "d.yaml"), []byte("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {}}"), 0o600))
	_, err = chart.Make(dir, "1.2.3", "x")
	require.EqualError(t, err, "chart: Deployment d: one container and annotations are expected")
	c := filepath.Join(dir, "components", "c")
	require.NoError(t, os.MkdirAll(c, 0o700))
	_, err = chart.Make(dir, "1.2.3", "x")
	require.ErrorContains(t, err, "unable to find one of 'kustomization.yaml'")
	require.NoError(t, os.WriteFile(filepath.Join(c, "kustomization.yaml"),
		[]byte("{apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component, resources: [e.yaml]}"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(c, "e.yaml"), []byte("{apiVersion: v1, kind: Secret, metadata: {name: e}}"), 0o600))
	_, err = chart.Make(dir, "1.2.3", "x")
	require.EqualError(t, err, "chart: component c: Secret e: is new: a component of the chart can change objects only")
}
