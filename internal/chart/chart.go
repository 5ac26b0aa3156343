// Package chart makes obsd's Helm chart from the manifests in deploy/kubernetes, so that the two can never differ: the chart's
// values are what the manifests say, and its templates are the manifests with those values taken out.
package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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
	objects, err := named(Manifests(folder))
	if err != nil {
		return nil, err
	}
	optional, err := components(folder, objects)
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
	t := templates{values: c.Values, components: optional}
	for _, o := range objects {
		if o["kind"] == "Namespace" {
			continue // Helm makes it: --create-namespace
		}
		text, err := t.optional(o)
		if err != nil {
			return nil, fmt.Errorf("chart: %s: %w", key(o), err)
		}
		c.Templates = append(c.Templates, &common.File{Name: "templates/" + fileName(o), Data: []byte(text)})
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

// named gives objects the names of ConfigMaps without it, where they are and where they are named.
func named(objects []object, err error) ([]object, error) {
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(objects)
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	for _, o := range objects {
		if o["kind"] == "ConfigMap" {
			b = bytes.ReplaceAll(b, []byte(name(o)), []byte(hash.ReplaceAllString(name(o), "")))
		}
	}
	var all []object
	return all, json.Unmarshal(b, &all)
}

// key names an object.
func key(o object) string { return fmt.Sprintf("%s %s", o["kind"], name(o)) }

// templates takes values out of objects.
type templates struct {
	values     map[string]any
	components []component
}

func fileName(o object) string {
	return part(o) + "-" + strings.ToLower(fmt.Sprint(o["kind"])) + ".yaml"
}

// optional makes a template of an object, with what a component makes of it where that is asked for.
func (t *templates) optional(o object) (string, error) {
	text, err := t.template(o, "")
	if err != nil {
		return "", err
	}
	for _, c := range t.components {
		changed, ok := c.changed[key(o)]
		if !ok {
			continue
		}
		t.set(c.name+".enabled", false)
		with, err := t.template(changed, c.name)
		if err != nil {
			return "", err
		}
		text = fmt.Sprintf("{{- if .Values.%s.enabled }}\n%s{{- else }}\n%s{{- end }}\n", c.name, with, text)
	}
	return text, nil
}

// template makes a template of an object, as it is or as a component has it.
func (t *templates) template(o object, component string) (string, error) {
	switch kind := o["kind"]; kind {
	case "ConfigMap":
		t.configMap(o, component)
	case "DaemonSet", "Deployment":
		if err := t.workload(o, component); err != nil {
			return "", err
		}
	}
	b, err := yaml.Marshal(o)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(b), "namespace: "+namespace+"\n", "namespace: {{ .Release.Namespace }}\n")
	return mark.ReplaceAllStringFunc(text, func(line string) string {
		m := mark.FindStringSubmatch(line)
		var field strings.Builder
		field.WriteString(m[1] + m[2] + ":")
		for path := range strings.SplitSeq(m[3], "@") {
			_, _ = fmt.Fprintf(&field, " {{- toYaml .Values.%s | nindent %d }}", path, len(m[1])+2)
		}
		return field.String()
	}), nil
}

// configMap takes the content to the values; what a component adds to it has a place of its own there.
func (t *templates) configMap(o object, component string) {
	path := part(o)
	if path != "backends" {
		path += ".config"
	}
	if component == "" {
		t.take(o, "data", path)
		return
	}
	section, _ := t.values[part(o)].(object)
	own, _ := section["config"].(object)
	more := object{}
	for file, content := range o["data"].(object) {
		if own[file] != content {
			more[file] = content
		}
	}
	t.set(component+".config", more)
	o["data"] = "@@" + path + "@" + component + ".config@@"
}

// part is the section of the values that an object's belong to: node, gateway or backends.
func part(o object) string { return strings.TrimPrefix(name(o), "obsd-") }

// mark stands in a template for a value.
var mark = regexp.MustCompile(`(?m)^( *)(?:- )?([A-Za-z]+): '?@@([A-Za-z.@]+)@@'?$`)

// take moves a field to the values, where it has the given path.
func (t *templates) take(o object, field, path string) {
	t.set(path, o[field])
	o[field] = "@@" + path + "@@"
}

// set gives a value, which has a section and a name there.
func (t *templates) set(path string, value any) {
	section, field, ok := strings.Cut(path, ".")
	if !ok {
		t.values[section] = value
		return
	}
	fields, _ := t.values[section].(object)
	if fields == nil {
		fields = object{}
		t.values[section] = fields
	}
	fields[field] = value
}

// workload takes what differs from cluster to cluster out of a DaemonSet or Deployment, and has its pods replaced when their
// configuration changes.
func (t *templates) workload(o object, component string) error {
	part := part(o)
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
	config := fmt.Sprintf("toYaml .Values.%s.config", part)
	if component != "" {
		config = fmt.Sprintf("list .Values.%s.config .Values.%s.config | toYaml", part, component)
	}
	metadata["annotations"].(object)["checksum/config"] = fmt.Sprintf("{{ %s | sha256sum }}", config)
	return nil
}
