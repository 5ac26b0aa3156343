// Package image makes container images as archives, without a registry, a daemon or a container: for the end-to-end tests and
// for machines that build no images. `docker load`, `podman load` and `ctr images import` take them.
package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Image is an image of one layer, for Linux.
type Image struct {
	// Architecture is Go's name of it; empty is this machine's.
	Architecture string
	// Ref is its name: "example.com/obsd:1".
	Ref string
	// Entrypoint is what it runs.
	Entrypoint []string
	// User is whom it runs as, "uid:gid"; empty is root.
	User string
	// WorkingDir is where it runs; empty is the root.
	WorkingDir string
	// Labels are the image's own, as of the OCI image specification: org.opencontainers.image.source.
	Labels map[string]string
	// Files are paths in the image.
	Files map[string]File
}

// File is a file, link or folder. Without any content it is an empty folder.
type File struct {
	// From is the file on this machine whose content it gets. It can be executed if that one can.
	From string
	// Text is its content otherwise.
	Text string
	// Link is where it points, if it is a symbolic link.
	Link string
	// Owner is its uid and gid.
	Owner int
}

// epoch is the time of all files, so that the same content makes the same image.
var epoch = time.Unix(1_700_000_000, 0)

// Save writes the image to an archive.
func (img *Image) Save(archive string) error {
	if err := img.save(archive); err != nil {
		return fmt.Errorf("image %s: %w", img.Ref, err)
	}
	return nil
}

func (img *Image) save(archive string) error {
	tag, err := name.NewTag(img.Ref, name.StrictValidation)
	if err != nil {
		return err
	}
	content, err := img.layer()
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		return err
	}
	built, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = cmp.Or(img.Architecture, runtime.GOARCH), "linux", v1.Time{Time: epoch.UTC()}
	config.Config = v1.Config{
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Entrypoint: img.Entrypoint, User: img.User, WorkingDir: img.WorkingDir,
		Labels: img.Labels,
	}
	if built, err = mutate.ConfigFile(built, config); err != nil {
		return err
	}
	return tarball.WriteToFile(archive, tag, built)
}

// layer makes a tar archive of the files, and of the folders that lead to them.
func (img *Image) layer() ([]byte, error) {
	var buf bytes.Buffer
	w := &layerWriter{Writer: tar.NewWriter(&buf), seen: map[string]bool{}}
	for _, dir := range []string{"tmp/x", "etc/x"} {
		if err := w.folders(dir); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(img.Files)) {
		if err := w.add(strings.Trim(name, "/"), img.Files[name]); err != nil {
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

func (w *layerWriter) add(name string, f File) error {
	if err := w.folders(name); err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o755, ModTime: epoch, Uid: f.Owner, Gid: f.Owner}
	content := []byte(f.Text)
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.Link, 0o777
	case f.From != "":
		info, err := os.Stat(f.From)
		if err != nil {
			return err
		}
		if content, err = os.ReadFile(f.From); err != nil {
			return err
		}
		if info.Mode()&0o111 == 0 {
			h.Mode = 0o644
		}
	case f.Text == "":
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		w.seen[name] = true
	default:
		h.Mode = 0o644
	}
	h.Size = int64(len(content))
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// folders writes the folders that lead to a file.
func (w *layerWriter) folders(file string) error {
	dir := path.Dir(file)
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
