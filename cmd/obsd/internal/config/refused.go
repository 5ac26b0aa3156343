package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
)

// anyRef is a reference of any scheme, as it stands in a file.
var anyRef = regexp.MustCompile(`\$\{([^${}]+)\}`)

// unresolved places the error of filling in references: it belongs to the value that has the reference in it.
func (c *checker) unresolved(err error) error {
	text := strip(err.Error())
	if m := noScheme.FindStringSubmatch(text); m != nil {
		schemes := c.set.schemes()
		text = fmt.Sprintf("nothing reads %q%s", m[1]+":", otherwise(m[1], schemes, "a value comes from"))
		return c.blame(m[2], text)
	}
	return c.blame(text, text)
}

// noScheme is the Collector's word for a reference that no provider reads.
var noScheme = regexp.MustCompile(`scheme "([^"]+)" is not supported for uri ("[^"]*")$`)

// blame places a text at every reference that an error mentions.
func (c *checker) blame(mentioned, text string) error {
	var found Problems
	for _, s := range c.sources {
		s.scalars(func(path []string, node nodeText) {
			for _, m := range anyRef.FindAllStringSubmatch(node.Value, -1) {
				name, _, _ := strings.Cut(strings.TrimPrefix(m[1], "env:"), ":-")
				if _, value, ok := strings.Cut(m[1], ":"); strings.Contains(mentioned, m[1]) || strings.Contains(mentioned, `"`+name+`"`) || ok && strings.Contains(mentioned, value) {
					p := Problem{Source: s.name, Key: strings.Join(path, "."), Text: m[0] + " cannot be filled in: " + text}
					if s.lines {
						p.Line = node.Line
					}
					found = append(found, p)
				}
			}
		})
	}
	if len(found) == 0 {
		found = Problems{locate(c.sources, nil, text)}
	}
	return found.sort(c.sources)
}

// refused places an error of the Collector's own that the checks before it had no words for.
func (c *checker) refused(err error) error {
	var ps Problems
	for _, f := range invalid(err) {
		f.text = strip(f.text)
		if m := validated.FindStringSubmatch(f.text); m != nil && strings.Contains(m[1], keyDelimiter) {
			f.path = append(f.path, strings.Split(m[1], keyDelimiter)...)
			f.text = f.text[len(m[0]):]
		}
		if len(f.path) == 0 && strings.HasPrefix(f.text, "cycle detected: ") {
			f.path = []string{"service", "pipelines"}
			f.text += "; pipelines that feed each other in a circle never end, so take one connector out"
		}
		ps = append(ps, locate(c.sources, f.path, f.text))
	}
	return ps.sort(c.sources)
}

// Reason words an error of the Collector's on the way to running: without what says nothing, with the mend where it is known.
func Reason(err error) string {
	text := strip(err.Error())
	if errors.Is(err, syscall.EADDRINUSE) {
		text += "; another program listens there: end it, or choose another address in the configuration or by --set"
	}
	return text
}

// strip takes off what the Collector writes before a cause and what says nothing to its user.
func strip(text string) string {
	for {
		before := text
		for _, prefix := range []string{
			"failed to get config: ", "cannot resolve the configuration: ", "cannot retrieve the configuration: ",
			"cannot unmarshal the configuration: ", "invalid configuration: ", "failed to build pipelines: ",
			"failed to setup configuration components: ", "failed to shutdown the retiring config: ",
		} {
			text = strings.TrimPrefix(text, prefix)
		}
		if text == before {
			return text
		}
	}
}
