package kubernetes

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/obsd-io/obsd/internal/image"
)

// makeImages makes the image of pods and the one that holds a pod's namespaces. Both are busybox.
func makeImages(ctx context.Context, dir string) error {
	busybox := filepath.Join(dir, "bin", "busybox")
	out, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	files := map[string]image.File{"/bin/busybox": {From: busybox}}
	for applet := range strings.FieldsSeq(string(out)) {
		if applet != "busybox" {
			files["/bin/"+applet] = image.File{Link: "busybox"}
		}
	}
	for name, img := range map[string]*image.Image{
		"busybox": {Ref: Busybox, Entrypoint: []string{"/bin/sh"}, Files: files},
		"pause":   {Ref: "e2e.local/pause:1", Entrypoint: []string{"/bin/busybox", "sleep", "2000000000"}, Files: files},
	} {
		if err := img.Save(filepath.Join(dir, "images", name+".tar")); err != nil {
			return err
		}
	}
	return nil
}

// ImportImage brings an image into the cluster.
func (c *Cluster) ImportImage(ctx context.Context, img *image.Image) error {
	archive := filepath.Join(c.state, "import.tar")
	if err := img.Save(archive); err != nil {
		return err
	}
	_, err := c.Run(ctx, "", "ctr", "images", "import", archive)
	return err
}
