package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/image"
)

// TestObsd reads the archive back and holds it against the Dockerfile, which makes the same image with other tools.
func TestObsd(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "obsd")
	require.NoError(t, os.WriteFile(binary, []byte("program"), 0o700))
	archive := filepath.Join(dir, "image.tar")
	require.NoError(t, image.Obsd(image.Repository+":1", binary).Save(archive))

	img, err := tarball.ImageFromPath(archive, nil)
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	type file struct {
		mode    int64
		owner   int
		content string
	}
	files := map[string]file{}
	layers := mutate.Extract(img)
	defer func() { _ = layers.Close() }()
	for r := tar.NewReader(layers); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		files[h.Name] = file{h.Mode, h.Uid, string(content)}
	}
	require.Equal(t, file{0o755, 0, "program"}, files["obsd"])
	require.Equal(t, file{0o755, 65532, ""}, files["var/lib/obsd"])
	require.Equal(t, int64(0o1777), files["tmp"].mode)
	require.Equal(t, int64(0o644), files["etc/passwd"].mode)
	if certificates, ok := files["etc/ssl/certs/ca-certificates.crt"]; ok { // if this machine has any
		require.Equal(t, int64(0o644), certificates.mode)
	}

	docker, err := os.ReadFile("../../deploy/Dockerfile")
	require.NoError(t, err)
	require.Contains(t, string(docker), "\nUSER "+config.Config.User+"\n")
	require.Contains(t, string(docker), "\nENTRYPOINT [\""+strings.Join(config.Config.Entrypoint, `", "`)+"\"]\n")
	require.Contains(t, string(docker), "\nWORKDIR "+config.Config.WorkingDir+"\n")
	require.Equal(t, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, config.Config.Env, "what Docker sets by itself")
	module, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	require.Contains(t, string(docker), " golang:"+string(version[1])+" AS build\n")
	for name, value := range config.Config.Labels {
		require.Contains(t, string(docker), "\nLABEL "+name+"="+value+"\n")
	}
	for _, name := range []string{"/etc/passwd", "/etc/group"} {
		require.Contains(t, string(docker), strings.ReplaceAll(strings.TrimSuffix(files[name[1:]].content, "\n"), "\n", `\n`))
	}
}

func TestSaveErrors(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "image.tar")
	require.ErrorContains(t, image.Obsd("no tag", "x").Save(archive), "image no tag: tag must be between")
	require.ErrorContains(t, image.Obsd("example.com/x:1", "/not there").Save(archive), "image example.com/x:1: stat /not there: no such file or directory")
}
