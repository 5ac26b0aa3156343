package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/service"
	"go.opentelemetry.io/collector/service/extensions"
	"go.opentelemetry.io/collector/service/pipelines"
)

// checkService checks the section `service`: telemetry, extensions, and that pipelines name what is there.
func (c *checker) checkService(conf *confmap.Conf, defined map[string][]component.ID) {
	sub, err := conf.Sub("service")
	if err != nil {
		c.add([]string{"service"}, "%s", reword(err))
		return
	}
	cfg := service.Config{Telemetry: c.factories.Telemetry.CreateDefaultConfig()}
	for _, key := range slices.Sorted(maps.Keys(sub.ToStringMap())) {
		if keys := validKeys(cfg, nil); !slices.Contains(keys, key) {
			c.add([]string{"service", key}, "unknown key%s", otherwise(key, keys, "the keys here are"))
		}
	}
	if telemetry, err := sub.Sub("telemetry"); err != nil {
		c.add([]string{"service", "telemetry"}, "%s", reword(err))
	} else {
		c.decode(telemetry, []string{"service", "telemetry"}, cfg.Telemetry)
	}
	used := c.checkExtensions(sub, defined)
	for section, ids := range c.checkPipelines(sub, defined) {
		used[section] = append(used[section], ids...)
	}
	if len(c.problems) == 0 {
		c.warnUnused(defined, used)
	}
}

// checkExtensions checks service.extensions, and returns what it uses.
func (c *checker) checkExtensions(conf *confmap.Conf, defined map[string][]component.ID) map[string][]component.ID {
	var cfg struct {
		Extensions extensions.Config `mapstructure:"extensions"`
	}
	if err := conf.Unmarshal(&cfg, confmap.WithIgnoreUnused()); err != nil {
		for _, f := range explain(err, cfg) {
			c.add(append([]string{"service"}, f.path...), "%s", f.text)
		}
		return map[string][]component.ID{}
	}
	for _, id := range cfg.Extensions {
		if !slices.Contains(defined["extensions"], id) {
			c.undefined([]string{"service", "extensions"}, "extension", id, defined, "extensions")
		}
	}
	return map[string][]component.ID{"extensions": cfg.Extensions}
}

// checkPipelines checks service.pipelines, and returns the components that they use.
func (c *checker) checkPipelines(conf *confmap.Conf, defined map[string][]component.ID) map[string][]component.ID {
	used := make(map[string][]component.ID)
	path := []string{"service", "pipelines"}
	sub, err := conf.Sub("pipelines")
	if err != nil {
		c.add(path, "%s", reword(err))
		return used
	}
	all := sub.ToStringMap()
	if len(all) == 0 {
		c.add(path, "there is no pipeline; add one, such as `logs: {receivers: [ID], exporters: [ID]}`")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := append(path[:2:2], name)
		var id pipeline.ID
		if err := id.UnmarshalText([]byte(name)); err != nil {
			c.add(at, "%s", pipelineName(name))
			continue
		}
		one, err := sub.Sub(name)
		if err != nil {
			c.add(at, "%s", reword(err))
			continue
		}
		c.checkPipeline(one, at, id, defined, used)
	}
	return used
}

// pipelineName words that a name is none for a pipeline.
func pipelineName(name string) string {
	signal, rest, _ := strings.Cut(name, "/")
	if near := nearest(signal, []string{"logs", "metrics", "traces"}); near != "" && near != signal {
		return fmt.Sprintf("not a name for a pipeline, did you mean %q?", strings.TrimSuffix(near+"/"+rest, "/"))
	}
	return "not a name for a pipeline: it is logs, metrics or traces, with /NAME after it where there are several"
}

// checkPipeline checks one pipeline.
func (c *checker) checkPipeline(conf *confmap.Conf, path []string, id pipeline.ID, defined, used map[string][]component.ID) {
	var cfg pipelines.PipelineConfig
	if err := conf.Unmarshal(&cfg); err != nil {
		for _, f := range explain(err, cfg) {
			c.add(append(path[:3:3], f.path...), "%s", f.text)
		}
		return
	}
	if len(cfg.Receivers) == 0 {
		c.add(path, "this pipeline has no receivers; add `receivers: [ID, …]`")
	}
	if len(cfg.Exporters) == 0 {
		c.add(path, "this pipeline has no exporters; add `exporters: [ID, …]`")
	}
	c.checkRefs(append(path[:3:3], "receivers"), "receiver", cfg.Receivers, id, defined, used, "receivers", "connectors")
	c.checkRefs(append(path[:3:3], "processors"), "processor", cfg.Processors, id, defined, used, "processors")
	c.checkRefs(append(path[:3:3], "exporters"), "exporter", cfg.Exporters, id, defined, used, "exporters", "connectors")
	if len(c.problems) == 0 {
		for _, f := range invalid(confmap.Validate(&cfg)) {
			c.add(append(path[:3:3], f.path...), "%s", f.text)
		}
	}
}

// checkRefs checks one list of a pipeline: each id is defined in one of the sections, and can do the pipeline's signal.
func (c *checker) checkRefs(path []string, singular string, refs []component.ID, id pipeline.ID, defined, used map[string][]component.ID, sections ...string) {
	for _, ref := range refs {
		i := slices.IndexFunc(sections, func(s string) bool { return slices.Contains(defined[s], ref) })
		if i < 0 {
			c.undefined(path, singular, ref, defined, sections...)
			continue
		}
		used[sections[i]] = append(used[sections[i]], ref)
		if section := sections[i]; section != "connectors" && !c.carries(section, ref, id.Signal()) {
			c.add(path, "%s %q does not do %s; take it out of this pipeline", singular, ref, id.Signal())
		}
	}
}

// undefined notes that a list names what no section defines.
func (c *checker) undefined(path []string, singular string, ref component.ID, defined map[string][]component.ID, sections ...string) {
	var have []string
	for _, s := range sections {
		for _, id := range defined[s] {
			have = append(have, id.String())
		}
	}
	for _, section := range slices.Sorted(maps.Keys(defined)) {
		if slices.Contains(defined[section], ref) {
			c.add(path, "%q is defined below %s, so it cannot stand here", ref, section)
			return
		}
	}
	if near := nearest(ref.String(), have); near != "" {
		c.add(path, "%s %q is not defined, did you mean %q?", singular, ref, near)
		return
	}
	c.add(path, "%s %q is not defined; define it below %s", singular, ref, strings.Join(sections, " or "))
}

// carries says whether a component's type can do a signal. What is unknown here is left to the Collector to judge.
func (c *checker) carries(section string, id component.ID, signal pipeline.Signal) bool {
	var levels map[pipeline.Signal]component.StabilityLevel
	switch section {
	case "receivers":
		if f, ok := c.factories.Receivers[id.Type()]; ok {
			levels = levelsOf(f.LogsStability(), f.MetricsStability(), f.TracesStability())
		}
	case "processors":
		if f, ok := c.factories.Processors[id.Type()]; ok {
			levels = levelsOf(f.LogsStability(), f.MetricsStability(), f.TracesStability())
		}
	case "exporters":
		if f, ok := c.factories.Exporters[id.Type()]; ok {
			levels = levelsOf(f.LogsStability(), f.MetricsStability(), f.TracesStability())
		}
	}
	level, known := levels[signal]
	return !known || level != component.StabilityLevelUndefined
}

func levelsOf(logs, metrics, traces component.StabilityLevel) map[pipeline.Signal]component.StabilityLevel {
	return map[pipeline.Signal]component.StabilityLevel{pipeline.SignalLogs: logs, pipeline.SignalMetrics: metrics, pipeline.SignalTraces: traces}
}

// warnUnused says what is defined and does nothing.
func (c *checker) warnUnused(defined, used map[string][]component.ID) {
	for section, ids := range defined {
		for _, id := range ids {
			switch {
			case slices.Contains(used[section], id):
			case section == "extensions":
				c.warn([]string{section, id.String()}, "defined and not used: service.extensions does not name it")
			default:
				c.warn([]string{section, id.String()}, "defined and not used: no pipeline names it")
			}
		}
	}
}
