// Command image writes obsd's container image to an archive, for `docker load`, `podman load` or `ctr images import`, without a
// container runtime. `make image` runs it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/obsd-io/obsd/internal/image"
)

func main() {
	binary := flag.String("binary", "bin/obsd", "the obsd `file`, built for Linux")
	tag := flag.String("tag", "devel", "the `tag` of the image")
	arch := flag.String("arch", "", "the `architecture` that the binary is for, as Go names it (this machine's)")
	out := flag.String("o", "bin/obsd-image.tar", "the archive's `file`")
	flag.Parse()
	img := image.Obsd(image.Repository+":"+*tag, *binary)
	img.Architecture = *arch
	if err := img.Save(*out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s is %s\n", *out, img.Ref)
}
