package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"sigs.k8s.io/yaml"
)

// component is a part of the manifests that is left out unless it is asked for: a kustomize Component in the folder components,
// and a section of its name in the chart's values.
type component struct {
	name string
	// changed are the objects that it makes another, by key.
	changed map[string]object
}

// components finds those of a folder of manifests, whose own objects are given.
func components(folder string, objects []object) ([]component, error) {
	found, err := filepath.Glob(filepath.Join(folder, "components", "*"))
	if err != nil {
		return nil, err
	}
	plain := map[string]object{}
	for _, o := range objects {
		plain[key(o)] = o
	}
	var all []component
	for _, dir := range found {
		with, err := named(manifestsWith(folder, dir))
		if err != nil {
			return nil, err
		}
		c := component{name: filepath.Base(dir), changed: map[string]object{}}
		for _, o := range with {
			was, ok := plain[key(o)]
			if !ok {
				return nil, fmt.Errorf("chart: component %s: %s: is new: a component of the chart can change objects only", c.name, key(o))
			}
			if !reflect.DeepEqual(o, was) {
				c.changed[key(o)] = o
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// manifestsWith are the manifests of a folder with a component.
func manifestsWith(folder, component string) (objects []object, err error) {
	dir, err := os.MkdirTemp("", "chart")
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kustomization := map[string][]string{"resources": {folder}, "components": {component}}
	for _, list := range kustomization {
		if list[0], err = relative(dir, list[0]); err != nil {
			return nil, fmt.Errorf("chart: %w", err)
		}
	}
	text, err := yaml.Marshal(kustomization)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	return Manifests(dir)
}

// relative is the path from one folder to another, neither through a symbolic link, as kustomize wants it.
func relative(from, to string) (string, error) {
	for _, path := range []*string{&from, &to} {
		real, err := filepath.EvalSymlinks(*path)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return "", err
		}
		*path = real
	}
	return filepath.Rel(from, to)
}
