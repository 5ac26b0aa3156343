package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keyDelimiter separates the keys of a path inside the Collector.
const keyDelimiter = "::"

// source is the text of one --config or --set, kept to say on which line a key stands.
// nodeText is a scalar of the YAML, with its line.
type nodeText = *yaml.Node

type source struct {
	name  string
	root  *yaml.Node
	lines bool
}

// yamlLine finds the line in the text of an error of the YAML parser, which has no type for it.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)

// parse reads YAML. The second result is what is wrong with it, if anything.
func parse(name, text string, lines bool) (*source, *Problem) {
	s := &source{name: name, root: new(yaml.Node), lines: lines}
	var whole any
	err := yaml.Unmarshal([]byte(text), &whole)
	if err == nil {
		err = yaml.Unmarshal([]byte(text), s.root)
	}
	if err != nil {
		p := s.syntax(text, err)
		return s, &p
	}
	switch whole.(type) {
	case nil, map[string]any:
		return s, nil
	}
	p := Problem{Source: name, Text: "this is no configuration: it must be a map with the keys " + strings.Join(sections, ", ")}
	if lines {
		p.Line = 1
	}
	return s, &p
}

// syntax words an error of the YAML parser.
func (s *source) syntax(text string, err error) Problem {
	p := Problem{Source: s.name}
	msg := err.Error()
	var te *yaml.TypeError
	if errors.As(err, &te) && len(te.Errors) > 0 {
		msg = te.Errors[0]
	}
	msg = strings.TrimPrefix(msg, "yaml: ")
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		if s.lines {
			p.Line, _ = strconv.Atoi(m[1])
		}
		msg = msg[len(m[0]):]
	}
	if line, ok := tabLine(text); ok {
		p.Line, msg = line, "YAML does not allow tabs for indentation; use spaces"
	}
	p.Text = "not valid YAML: " + msg
	return p
}

// tabLine finds the first line that is indented by a tab, the mistake that the parser's own message hides best.
func tabLine(text string) (int, bool) {
	for i, line := range strings.Split(text, "\n") {
		if rest := strings.TrimLeft(line, " "); strings.HasPrefix(rest, "\t") && strings.TrimSpace(rest) != "" {
			return i + 1, true
		}
	}
	return 0, false
}

// find follows a path as far as this source has it. It returns the line of the last key found and how many keys of the path those were.
func (s *source) find(path []string) (line, depth int) {
	node, _, line, depth := s.walk(path)
	if node == nil {
		return 0, 0
	}
	if !s.lines {
		line = 0
	}
	return line, depth
}

// walk is find that also returns the node at the end of what was found.
func (s *source) walk(path []string) (node, key *yaml.Node, line, depth int) {
	if len(s.root.Content) == 0 {
		return nil, nil, 0, 0
	}
	node = s.root.Content[0]
	for depth < len(path) {
		k, value, used := child(node, path[depth:])
		if used == 0 {
			break
		}
		key, node = k, value
		line = k.Line
		depth += used
	}
	return node, key, line, depth
}

// child finds the value below the first keys of a path: usually one key, more where a key is itself a path (`a::b: c`, as --set writes it).
func child(node *yaml.Node, path []string) (key, value *yaml.Node, used int) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			parts := strings.Split(node.Content[i].Value, keyDelimiter)
			n := min(len(parts), len(path))
			if !slices.Equal(parts[:n], path[:n]) {
				continue
			}
			if n < len(parts) { // the path ends inside the key
				return node.Content[i], new(yaml.Node), n
			}
			return node.Content[i], node.Content[i+1], n
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i], 1
		}
	}
	return nil, nil, 0
}

// scalars calls visit for every text value of the source, with its path.
func (s *source) scalars(visit func(path []string, node *yaml.Node)) {
	if len(s.root.Content) > 0 {
		scalars(nil, s.root.Content[0], visit)
	}
}

func scalars(path []string, node *yaml.Node, visit func([]string, *yaml.Node)) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			sub := slices.Concat(path, strings.Split(node.Content[i].Value, keyDelimiter))
			scalars(sub, node.Content[i+1], visit)
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			scalars(append(slices.Clip(path), strconv.Itoa(i)), item, visit)
		}
	case yaml.ScalarNode:
		visit(path, node)
	}
}

// locate makes a problem of a path and a text: it names the source that has most of the path, the last one where several have, as that one wins the merge.
func locate(sources []*source, path []string, text string) Problem {
	p := Problem{Key: strings.Join(path, "."), Text: text}
	best := -1
	for _, s := range sources {
		if line, depth := s.find(path); depth >= best && (depth > 0 || len(sources) == 1) {
			p.Source, p.Line, best = s.name, line, depth
		}
	}
	if p.Source == "" && len(sources) > 0 {
		p.Source = sources[0].name
	}
	return p
}

// list writes names for a sentence, cut where there are too many to read.
func list(names []string) string {
	const most = 25
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
