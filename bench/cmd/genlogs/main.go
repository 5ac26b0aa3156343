// Command genlogs writes access-log lines for benchmarks to standard output:
//
//	genlogs -n 1000000 > access.log
//	genlogs -n 1000000 -cri > pods/demo_web-1_11111111-2222-3333-4444-555555555555/nginx/0.log
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/obsd-io/obsd/bench/genlogs"
)

func main() {
	n := flag.Int("n", 1_000_000, "number of lines")
	cri := flag.Bool("cri", false, "wrap each line as containerd does")
	flag.Parse()
	format := genlogs.Plain
	if *cri {
		format = genlogs.CRI
	}
	if err := genlogs.Write(os.Stdout, *n, format); err != nil {
		fmt.Fprintln(os.Stderr, "genlogs:", err)
		os.Exit(1)
	}
}
