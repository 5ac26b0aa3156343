package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// validKeys lists the keys that a component's configuration takes at a path, sorted; none where they cannot be known, as below a free-form map.
func validKeys(cfg any, path []string) []string {
	t := reflect.TypeOf(cfg)
	for _, key := range path {
		t = below(t, key)
	}
	fields := make(map[string]reflect.Type)
	addFields(concrete(t), fields)
	return slices.Sorted(maps.Keys(fields))
}

// below is the type of the value at one key of a type, or nil.
func below(t reflect.Type, key string) reflect.Type {
	t = concrete(t)
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return t.Elem()
	case reflect.Struct:
		fields := make(map[string]reflect.Type)
		addFields(t, fields)
		return fields[key]
	}
	return nil
}

// concrete takes pointers and optional values off a type.
func concrete(t reflect.Type) reflect.Type {
	for t != nil {
		switch {
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		case t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Optional["):
			value, ok := t.FieldByName("value")
			if !ok {
				return t
			}
			t = value.Type
		default:
			return t
		}
	}
	return nil
}

// addFields collects the keys of a struct, with those of the structs squashed into it.
func addFields(t reflect.Type, fields map[string]reflect.Type) {
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"):
			addFields(concrete(f.Type), fields)
		case name == "-" || strings.Contains(options, "remain"):
		case name != "":
			fields[name] = f.Type
		}
	}
}
