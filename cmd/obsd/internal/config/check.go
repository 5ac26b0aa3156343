package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

// sections are the keys at the top of a configuration.
var sections = []string{"receivers", "processors", "exporters", "connectors", "extensions", "service"}

// kind is one section of components.
type kind struct {
	section   string
	singular  string
	factories map[component.Type]component.Factory
}

// kinds are the sections in the order of a configuration, with what each may name.
func (c *checker) kinds() []kind {
	return []kind{
		{"receivers", "receiver", plain(c.factories.Receivers)},
		{"processors", "processor", plain(c.factories.Processors)},
		{"exporters", "exporter", plain(c.factories.Exporters)},
		{"connectors", "connector", plain(c.factories.Connectors)},
		{"extensions", "extension", plain(c.factories.Extensions)},
	}
}

func plain[F component.Factory](factories map[component.Type]F) map[component.Type]component.Factory {
	m := make(map[component.Type]component.Factory, len(factories))
	for t, f := range factories {
		m[t] = f
	}
	return m
}

// types lists the type names of a kind; an old alias of a type is left out.
func (k kind) types() []string {
	var types []string
	for t, f := range k.factories {
		if f.Type() == t {
			types = append(types, t.String())
		}
	}
	slices.Sort(types)
	return types
}

// add notes a problem at a path.
func (c *checker) add(path []string, format string, args ...any) {
	p := locate(c.sources, path, fmt.Sprintf(format, args...))
	p.Text += c.unsetBelow(path)
	c.problems = append(c.problems, p)
}

func (c *checker) warn(path []string, format string, args ...any) {
	c.warnings = append(c.warnings, locate(c.sources, path, fmt.Sprintf(format, args...)))
}

// check looks at the merged configuration, section by section.
func (c *checker) check(conf *confmap.Conf) {
	c.warnUnset()
	whole := conf.ToStringMap()
	if len(whole) == 0 {
		c.add(nil, "the configuration is empty; it needs receivers, exporters and service.pipelines")
		return
	}
	for _, key := range slices.Sorted(maps.Keys(whole)) {
		if !slices.Contains(sections, key) {
			c.add([]string{key}, "unknown key%s", otherwise(key, sections, "the keys here are"))
		}
	}
	defined := make(map[string][]component.ID)
	for _, k := range c.kinds() {
		defined[k.section] = c.checkKind(conf, k)
	}
	c.checkService(conf, defined)
}

// checkKind checks all components of one section and returns the ids that it defines, also those with a fault of their own.
func (c *checker) checkKind(conf *confmap.Conf, k kind) []component.ID {
	section, err := conf.Sub(k.section)
	if err != nil {
		c.add([]string{k.section}, "%s; name each %s by its type: `%s: {TYPE: {…}}`", reword(err), k.singular, k.section)
		return nil
	}
	var ids []component.ID
	for _, name := range slices.Sorted(maps.Keys(section.ToStringMap())) {
		path := []string{k.section, name}
		var id component.ID
		if err := id.UnmarshalText([]byte(name)); err != nil {
			c.add(path, "not a name for a %s: write TYPE or TYPE/NAME, of letters, digits and _", k.singular)
			continue
		}
		ids = append(ids, id)
		if f, ok := k.factories[id.Type()]; ok {
			c.checkComponent(section, path, f)
			continue
		}
		c.add(path, "%s", c.unknownType(k, id.Type()))
	}
	return ids
}

// unknownType words that there is no such component, or that it is one of another kind.
func (c *checker) unknownType(k kind, t component.Type) string {
	for _, other := range c.kinds() {
		if f, ok := other.factories[t]; ok && f.Type() == t {
			return fmt.Sprintf("%q is no %s: it belongs below %s", t, k.singular, other.section)
		}
	}
	return fmt.Sprintf("there is no %s of type %q%s", k.singular, t, otherwise(t.String(), k.types(), "there are"))
}

// checkComponent decodes and validates one component's configuration.
func (c *checker) checkComponent(section *confmap.Conf, path []string, f component.Factory) {
	sub, err := section.Sub(path[1])
	if err != nil {
		c.add(path, "%s", reword(err))
		return
	}
	c.decode(sub, path, f.CreateDefaultConfig())
}

// decode fills a configuration as the Collector does, and notes what is wrong with it.
func (c *checker) decode(conf *confmap.Conf, path []string, cfg any) {
	if err := conf.Unmarshal(&cfg); err != nil {
		for _, f := range explain(err, cfg) {
			c.add(slices.Concat(path, f.path), "%s", f.text)
		}
		return
	}
	for _, f := range invalid(confmap.Validate(cfg)) {
		f = f.deeper(cfg)
		c.add(slices.Concat(path, f.path), "%s", f.text)
	}
}

// deeper takes a key that a component wrote before its own text, as `endpoint: not set`, into the path.
func (f finding) deeper(cfg any) finding {
	if m := validated.FindStringSubmatch(f.text); m != nil {
		keys := strings.Split(m[1], keyDelimiter)
		if slices.Contains(validKeys(cfg, f.path), keys[0]) {
			f.path = slices.Concat(f.path, keys)
			f.text = f.text[len(m[0]):]
		}
	}
	return f
}

// validated is how the Collector writes a path before the error of a Validate method.
var validated = regexp.MustCompile(`^((?:[\w/.\-\[\]]+::)*[\w/.\-\[\]]+): `)

// invalid takes the error of validation apart, one finding for each line.
func invalid(err error) []finding {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var found []finding
		for _, one := range many.Unwrap() {
			found = append(found, invalid(one)...)
		}
		return found
	}
	var path []string
	text := err.Error()
	if wrapped, ok := err.(interface{ Unwrap() error }); ok && wrapped.Unwrap() != nil {
		if prefix, ok := strings.CutSuffix(text, ": "+wrapped.Unwrap().Error()); ok && validated.MatchString(prefix+": ") {
			path = strings.Split(prefix, keyDelimiter)
			inner := invalid(wrapped.Unwrap())
			for i := range inner {
				inner[i].path = slices.Concat(path, inner[i].path)
			}
			return inner
		}
	}
	return []finding{{path, text}}
}

// envRef is a reference to an environment variable without a default.
var envRef = regexp.MustCompile(`\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}`)

// warnUnset says where a variable is used that is not set.
func (c *checker) warnUnset() {
	for _, s := range c.sources {
		s.scalars(func(path []string, node nodeText) {
			for _, m := range envRef.FindAllStringSubmatch(node.Value, -1) {
				if c.unset[m[1]] {
					line := node.Line
					if !s.lines {
						line = 0
					}
					c.warnings = append(c.warnings, Problem{s.name, line, strings.Join(path, "."), unsetText(m[1])})
				}
			}
		})
	}
}

func unsetText(name string) string {
	return fmt.Sprintf("environment variable %s is not set, so this is empty; set it or write a default: ${env:%s:-…}", name, name)
}

// unsetBelow names the unset variables at or below a path, as they may be why something is wrong there.
func (c *checker) unsetBelow(path []string) string {
	prefix := strings.Join(path, ".")
	var names []string
	for _, w := range c.warnings {
		if w.Key == prefix || strings.HasPrefix(w.Key, prefix+".") {
			name, _, _ := strings.Cut(strings.TrimPrefix(w.Text, "environment variable "), " ")
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(path) == 0 {
		return ""
	}
	return fmt.Sprintf(" (environment variable %s is not set)", strings.Join(slices.Compact(names), ", "))
}
