package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/obsd-io/obsd/cmd/obsd/internal/config"
)

// welcome writes where to look, for somebody who has just started the built-in configuration for the first time.
func welcome(w io.Writer, c *config.Result) {
	var b strings.Builder
	b.WriteString("\nobsd is running its built-in configuration.\n\n")
	for _, row := range [][2]string{
		{"parsed logs", text(c, "exporters::file::path", "%s, a batch of OTLP-JSON a line")},
		{"metrics", text(c, "exporters::prometheus::endpoint", "http://%s/metrics")},
		{"OTLP in", text(c, "receivers::otlp::protocols::grpc::endpoint", "%s (gRPC)") + ", " + text(c, "receivers::otlp::protocols::http::endpoint", "%s (HTTP)")},
		{"tailing", tailing(strs(c.Get("receivers::file_log::include")), strs(c.Get("receivers::file_log::exclude")))},
		{"health", text(c, "extensions::health_check::endpoint", "http://%s")},
		{"your own", "obsd print-config --builtin > obsd.yaml, then obsd --config obsd.yaml"},
	} {
		fmt.Fprintf(&b, "  %-13s %s\n", row[0], row[1])
	}
	say(w, b.String())
}

// text is a value of the configuration in a sentence.
func text(c *config.Result, path, sentence string) string {
	v, ok := c.Get(path).(string)
	if !ok {
		return "none"
	}
	return fmt.Sprintf(sentence, v)
}

// strs is a list of the configuration as strings.
func strs(v any) []string {
	items, _ := v.([]any)
	list := make([]string, 0, len(items))
	for _, item := range items {
		list = append(list, fmt.Sprint(item))
	}
	return list
}

// tailing says what there is to tail.
func tailing(include, exclude []string) string {
	const recent = 24 * time.Hour
	all, fresh, denied := 0, 0, 0
	seen := make(map[string]bool)
	for _, glob := range include {
		paths, _ := doublestar.FilepathGlob(glob, doublestar.WithFilesOnly()) // a bad glob was refused before
		for _, path := range paths {
			if seen[path] || excluded(path, exclude) {
				continue
			}
			seen[path] = true
			info, err := os.Stat(path)
			switch {
			case err != nil || !readable(path):
				denied++
			case time.Since(info.ModTime()) < recent:
				fresh++
				fallthrough
			default:
				all++
			}
		}
	}
	if all == 0 {
		return "nothing: there is no log file here that obsd may read. Try `make demo` (or `obsd demo`) to see some"
	}
	s := fmt.Sprintf("%d log files below %s, %d of them written in the last day", all, root(include), fresh)
	if all == 1 {
		s = include[0]
	}
	if fresh == 0 {
		s += "; to see data at once, try `make demo` (or `obsd demo`)"
	}
	if denied > 0 {
		s += fmt.Sprintf("; %d more are not readable by this user", denied)
	}
	return s
}

func excluded(path string, globs []string) bool {
	for _, glob := range globs {
		if ok, _ := doublestar.PathMatch(glob, path); ok {
			return true
		}
	}
	return false
}

func readable(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY, fs.ModePerm)
	if err != nil {
		return false
	}
	_ = f.Close() // it was only opened to see whether it can be
	return true
}

// root is the folder that the first glob begins with.
func root(globs []string) string {
	base, _ := doublestar.SplitPattern(globs[0])
	return base
}
