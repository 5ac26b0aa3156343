package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// finding is a problem before it has a place: a path below a component, and what is wrong there.
type finding struct {
	path []string
	text string
}

// explain turns the error of decoding into cfg to findings, without the words of the decoder.
func explain(err error, cfg any) []finding {
	return explainAt(err, nil, cfg)
}

func explainAt(err error, path []string, cfg any) []finding {
	var found []finding
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node here
	case *mapstructure.DecodeError:
		return explainAt(e.Unwrap(), slices.Concat(path, splitName(e.Name(), validKeys(cfg, path))), cfg)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			found = append(found, explainAt(one, path, cfg)...)
		}
		return found
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil && structured(inner) {
			return explainAt(inner, path, cfg)
		}
	}
	if keys, ok := strings.CutPrefix(err.Error(), "has invalid keys: "); ok {
		for key := range strings.SplitSeq(keys, ", ") {
			at := append(slices.Clip(path), key)
			found = append(found, finding{at, "unknown key" + otherwise(key, validKeys(cfg, path), "the keys here are")})
		}
		return found
	}
	return []finding{{path, reword(err)}}
}

// structured says whether an error holds more than text: something that explainAt can take apart.
func structured(err error) bool {
	var decode *mapstructure.DecodeError
	var many interface{ Unwrap() []error }
	return errors.As(err, &decode) || errors.As(err, &many)
}

// typeName is a Go type, which the decoder writes where a name would be empty.
var typeName = regexp.MustCompile(`^\*?(\w+)\.[A-Z]\w*(?:\[.*\])?(?:\.|$)`)

// splitName cuts a decoder's name for a place, such as `a.b[key][2]`, below a place that has the given keys.
func splitName(name string, keys []string) []string {
	if m := typeName.FindStringSubmatch(name); m != nil && !slices.Contains(keys, m[1]) {
		name = name[len(m[0]):]
	}
	return strings.FieldsFunc(strings.ReplaceAll(name, "[", "."), func(r rune) bool { return r == '.' || r == ']' })
}

var (
	wantMap  = regexp.MustCompile(`^expected a map or struct, got "(\w+)"$`)
	wantList = regexp.MustCompile(`^source data must be an array or slice, got (\w+)$`)
	asMap    = regexp.MustCompile(`^unexpected sub-config value kind for key:\S* value:(.*) kind:(\w+)$`)
)

// reword says in an operator's words what a decoder says in Go's.
func reword(err error) string {
	if typ, ok := errors.AsType[*mapstructure.UnconvertibleTypeError](err); ok {
		return fmt.Sprintf("expected %s, got %s", wanted(typ.Expected.Type()), given(typ.Value))
	}
	text := err.Error()
	if m := wantMap.FindStringSubmatch(text); m != nil {
		return "expected a map of keys, got " + kindName(m[1])
	}
	if m := wantList.FindStringSubmatch(text); m != nil {
		return "expected a list, got " + kindName(m[1])
	}
	if m := asMap.FindStringSubmatch(text); m != nil {
		return "expected a map of keys, got " + kindName(m[2]) + " (" + m[1] + ")"
	}
	if strings.HasPrefix(text, "time: ") {
		return "not a duration: write a number with a unit, such as 500ms, 10s, 5m or 1h"
	}
	return text
}

// wanted names a Go type as YAML has it.
func wanted(t reflect.Type) string {
	if t = concrete(t); t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 500ms, 10s or 1h"
	}
	return kindName(t.Kind().String())
}

// given names a value of the user's.
func given(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("text (%q)", s)
	}
	t := reflect.TypeOf(v)
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Struct:
		return kindName(t.Kind().String())
	}
	return fmt.Sprintf("%s (%v)", kindName(t.Kind().String()), v)
}

func kindName(kind string) string {
	switch strings.TrimRight(kind, "0123456789") {
	case "string":
		return "text"
	case "bool":
		return "true or false"
	case "int", "uint":
		return "a whole number"
	case "float":
		return "a number"
	case "slice", "array":
		return "a list"
	case "map", "struct":
		return "a map of keys"
	}
	return kind
}
