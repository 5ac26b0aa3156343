package kubernetes

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Image is a container image of one layer, made without a registry and without a daemon.
type Image struct {
	// Ref is its name: "e2e.local/obsd:1".
	Ref string
	// Entrypoint is what it runs.
	Entrypoint []string
	// Files are paths in the image, and the files whose content they get.
	Files map[string]string
	// Links are paths in the image, and where they point.
	Links map[string]string
}

// epoch is the time of all files, so that the same content makes the same image.
var epoch = time.Unix(1700000000, 0)

// write writes the image as `docker save` does, which `ctr images import` takes.
func (img *Image) write(w io.Writer) error {
	layer, err := img.layer()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": epoch.UTC().Format(time.RFC3339),
		"config": map[string]any{"Env": []string{"PATH=/bin:/usr/bin:/sbin"}, "Entrypoint": img.Entrypoint},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return err
	}
	sum = sha256.Sum256(config)
	configName := hex.EncodeToString(sum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{img.Ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, f := range []struct {
		name    string
		content []byte
	}{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := out.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content)), ModTime: epoch}); err != nil {
			return err
		}
		if _, err := out.Write(f.content); err != nil {
			return err
		}
	}
	return out.Close()
}

func (img *Image) layer() ([]byte, error) {
	var buf bytes.Buffer
	w := &layerWriter{Writer: tar.NewWriter(&buf), seen: map[string]bool{}}
	if err := w.folders("tmp/x"); err != nil {
		return nil, err
	}
	if err := w.folders("etc/x"); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(img.Files) {
		content, err := os.ReadFile(img.Files[name])
		if err != nil {
			return nil, err
		}
		if err := w.folders(name); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: strings.Trim(name, "/"), Mode: 0o755, Size: int64(len(content)), ModTime: epoch}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	for _, name := range sortedKeys(img.Links) {
		if err := w.folders(name); err != nil {
			return nil, err
		}
		err := w.WriteHeader(&tar.Header{Name: strings.Trim(name, "/"), Typeflag: tar.TypeSymlink, Linkname: img.Links[name], Mode: 0o777, ModTime: epoch})
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// layerWriter knows the folders that it has written.
type layerWriter struct {
	*tar.Writer
	seen map[string]bool
}

// folders writes the folders that lead to a file.
func (w *layerWriter) folders(file string) error {
	dir := path.Dir(strings.Trim(file, "/"))
	if dir == "." || w.seen[dir] {
		return nil
	}
	if err := w.folders(dir); err != nil {
		return err
	}
	w.seen[dir] = true
	mode := int64(0o755)
	if dir == "tmp" {
		mode = 0o1777
	}
	return w.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: mode, ModTime: epoch})
}

// makeImages makes the image of pods and the one that holds a pod's namespaces. Both are busybox.
func makeImages(ctx context.Context, dir string) error {
	busybox := filepath.Join(dir, "bin", "busybox")
	out, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	links := make(map[string]string)
	for applet := range strings.FieldsSeq(string(out)) {
		if applet != "busybox" {
			links["/bin/"+applet] = "busybox"
		}
	}
	files := map[string]string{"/bin/busybox": busybox}
	for name, img := range map[string]*Image{
		"busybox": {Ref: Busybox, Entrypoint: []string{"/bin/sh"}, Files: files, Links: links},
		"pause":   {Ref: "e2e.local/pause:1", Entrypoint: []string{"/bin/busybox", "sleep", "2000000000"}, Files: files},
	} {
		if err := img.save(filepath.Join(dir, "images", name+".tar")); err != nil {
			return err
		}
	}
	return nil
}

func (img *Image) save(name string) error {
	var buf bytes.Buffer
	if err := img.write(&buf); err != nil {
		return fmt.Errorf("image %s: %w", img.Ref, err)
	}
	return os.WriteFile(name, buf.Bytes(), 0o644)
}

// ImportImage brings an image into the cluster.
func (c *Cluster) ImportImage(ctx context.Context, img Image) error {
	archive := filepath.Join(c.state, "import.tar")
	if err := img.save(archive); err != nil {
		return err
	}
	_, err := c.Run(ctx, "", "ctr", "images", "import", archive)
	return err
}
