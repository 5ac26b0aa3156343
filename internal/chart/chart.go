// Package chart makes obsd's Helm chart from the manifests in deploy/kubernetes, so that the two can never differ: the chart's
// values are what the manifests say, and its templates are the manifests with those values taken out.
package chart

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/obsd-io/obsd/internal/image"
)

// namespace is where the manifests put everything.
const namespace = "obsd"

// object is a Kubernetes object.
type object = map[string]any

// Manifests are the objects that `kubectl apply -k` makes of a folder, in its order.
func Manifests(folder string) ([]object, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	var all []object
	for _, r := range built.Resources() {
		o, err := r.Map()
		if err != nil {
			return nil, fmt.Errorf("chart: %s: %w", r.CurId(), err)
		}
		all = append(all, o)
	}
	return all, nil
}

// Make makes the chart, of a version as of https://semver.org, for an image's tag.
func Make(folder, version, tag string) (*chart.Chart, error) {
	objects, err := Manifests(folder)
	if err != nil {
		return nil, err
	}
	c := &chart.Chart{
		Metadata: &chart.Metadata{
			APIVersion: chart.APIVersionV2, Name: "obsd", Version: version, AppVersion: tag, Type: "application",
			Description: "A WebAssembly-pluggable observability runtime: logs, metrics, state and events of a cluster",
			Sources:     []string{"https://github.com/obsd-io/obsd"}, KubeVersion: ">=1.33.0-0",
		},
		Values: map[string]any{"image": map[string]any{"repository": image.Repository, "tag": ""}},
	}
	t := templates{values: c.Values, hashed: hashedNames(objects)}
	for _, o := range objects {
		if o["kind"] == "Namespace" {
			continue // Helm makes it: --create-namespace
		}
		text, err := t.template(o)
		if err != nil {
			return nil, fmt.Errorf("chart: %s %s: %w", o["kind"], name(o), err)
		}
		c.Templates = append(c.Templates, &common.File{Name: "templates/" + t.fileName(o), Data: []byte(text)})
	}
	values, err := yaml.Marshal(c.Values)
	if err != nil {
		return nil, err
	}
	c.Raw = append(c.Raw, &common.File{Name: "values.yaml", Data: append([]byte("# Made from deploy/kubernetes, which says what each value is for.\n"), values...)})
	return c, c.Validate()
}

func name(o object) string {
	metadata, _ := o["metadata"].(object)
	s, _ := metadata["name"].(string)
	return s
}

// hash is what kustomize adds to the name of a ConfigMap, so that a new content is a new object.
var hash = regexp.MustCompile(`-[a-z0-9]{10}$`)

// hashedNames gives the names of ConfigMaps without it.
func hashedNames(objects []object) map[string]string {
	names := map[string]string{}
	for _, o := range objects {
		if o["kind"] == "ConfigMap" {
			names[name(o)] = hash.ReplaceAllString(name(o), "")
		}
	}
	return names
}

// templates takes values out of objects.
type templates struct {
	values map[string]any
	hashed map[string]string
}

func (t *templates) fileName(o object) string {
	base := name(o)
	if plain, ok := t.hashed[base]; ok {
		base = plain
	}
	return strings.TrimPrefix(base, "obsd-") + "-" + strings.ToLower(fmt.Sprint(o["kind"])) + ".yaml"
}

// template makes a template of an object.
func (t *templates) template(o object) (string, error) {
	switch kind := o["kind"]; kind {
	case "ConfigMap":
		path := t.part(name(o))
		if path != "backends" {
			path += ".config"
		}
		t.take(o, "data", path)
	case "DaemonSet", "Deployment":
		if err := t.workload(o); err != nil {
			return "", err
		}
	}
	b, err := yaml.Marshal(o)
	if err != nil {
		return "", err
	}
	text := string(b)
	for _, hashed := range slices.Sorted(maps.Keys(t.hashed)) {
		text = strings.ReplaceAll(text, hashed, t.hashed[hashed])
	}
	text = strings.ReplaceAll(text, "namespace: "+namespace+"\n", "namespace: {{ .Release.Namespace }}\n")
	return mark.ReplaceAllStringFunc(text, func(line string) string {
		m := mark.FindStringSubmatch(line)
		return fmt.Sprintf("%s%s: {{- toYaml .Values.%s | nindent %d }}", m[1], m[2], m[3], len(m[1])+2)
	}), nil
}

// part is the section of the values that an object's belong to: node, gateway or backends.
func (t *templates) part(name string) string {
	if plain, ok := t.hashed[name]; ok {
		name = plain
	}
	return strings.TrimPrefix(name, "obsd-")
}

// mark stands in a template for a value.
var mark = regexp.MustCompile(`(?m)^( *)(?:- )?([A-Za-z]+): '?@@([A-Za-z.]+)@@'?$`)

// take moves a field to the values, where it has the given path.
func (t *templates) take(o object, field, path string) {
	at := t.values
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		next, ok := at[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
	at[keys[len(keys)-1]] = o[field]
	o[field] = "@@" + path + "@@"
}

// workload takes what differs from cluster to cluster out of a DaemonSet or Deployment, and has its pods replaced when their
// configuration changes.
func (t *templates) workload(o object) error {
	part := t.part(name(o))
	spec, _ := o["spec"].(object)
	template, _ := spec["template"].(object)
	metadata, _ := template["metadata"].(object)
	pod, _ := template["spec"].(object)
	containers, _ := pod["containers"].([]any)
	if len(containers) != 1 || metadata["annotations"] == nil {
		return errors.New("one container and annotations are expected")
	}
	container := containers[0].(object)
	container["image"] = `{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}`
	t.take(container, "resources", part+".resources")
	for field, empty := range map[string]any{"tolerations": []any{}, "nodeSelector": object{}, "affinity": object{}} {
		if pod[field] == nil {
			pod[field] = empty
		}
		t.take(pod, field, part+"."+field)
	}
	metadata["annotations"].(object)["checksum/config"] = fmt.Sprintf("{{ toYaml .Values.%s.config | sha256sum }}", part)
	return nil
}
