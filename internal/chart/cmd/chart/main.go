// Command chart writes obsd's Helm chart to a folder. `make chart` runs it.
package main

import (
	"flag"
	"fmt"
	"os"

	"helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/obsd-io/obsd/internal/chart"
)

func main() {
	folder := flag.String("manifests", "deploy/kubernetes", "the `folder` of the manifests")
	version := flag.String("version", "0.0.0-devel", "the chart's `version`")
	tag := flag.String("tag", "devel", "the `tag` of the image")
	out := flag.String("o", "bin", "the `folder` to write to")
	flag.Parse()
	made, err := chart.Make(*folder, *version, *tag)
	if err == nil {
		var path string
		if path, err = util.Save(made, *out); err == nil {
			fmt.Println(path)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
