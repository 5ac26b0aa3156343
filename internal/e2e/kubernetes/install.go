package kubernetes

import (
	"context"
	_ "embed" // the recipe
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

const version = "v1.37.2"

//go:embed module.mod
var moduleMod []byte

//go:embed module.sum
var moduleSum []byte

// folders are where the programs are.
type folders struct {
	base string // bin, cni, images
	full string // bin, lib; empty if the cluster is not full
}

// debFile is a file of a Debian package that is unpacked, not installed.
type debFile struct {
	target, pkg, path string
}

func baseDebs() []debFile {
	return []debFile{
		{"bin/etcd", "etcd-server", "usr/bin/etcd"},
		{"bin/containerd", "containerd", "usr/bin/containerd"},
		{"bin/ctr", "containerd", "usr/bin/ctr"},
		{"bin/containerd-shim-runc-v2", "containerd", "usr/bin/containerd-shim-runc-v2"},
		{"bin/runc", "runc", "usr/sbin/runc"},
		{"bin/busybox", "busybox-static", "bin/busybox"},
		{"cni/bridge", "containernetworking-plugins", "usr/lib/cni/bridge"},
		{"cni/host-local", "containernetworking-plugins", "usr/lib/cni/host-local"},
		{"cni/loopback", "containernetworking-plugins", "usr/lib/cni/loopback"},
		{"cni/portmap", "containernetworking-plugins", "usr/lib/cni/portmap"},
	}
}

// fullDebs is nft, which kube-proxy runs, with its libraries.
func fullDebs() []debFile {
	return []debFile{
		{"lib/nft", "nftables", "usr/sbin/nft"},
		{"lib/libnftables.so.1", "libnftables1", "usr/lib/*/libnftables.so.1"},
		{"lib/libnftnl.so.11", "libnftnl11", "usr/lib/*/libnftnl.so.11"},
		{"lib/libmnl.so.0", "libmnl0", "usr/lib/*/libmnl.so.0"},
		{"lib/libjansson.so.4", "libjansson4", "usr/lib/*/libjansson.so.4"},
		{"lib/libedit.so.2", "libedit2", "usr/lib/*/libedit.so.2"},
		{"lib/libxtables.so.12", "libxtables12", "usr/lib/*/libxtables.so.12"},
	}
}

// nftWrapper runs nft with the libraries beside it.
const nftWrapper = `#!/bin/sh
lib=$(dirname "$(readlink -f "$0")")/../lib
LD_LIBRARY_PATH=$lib exec "$lib/nft" "$@"
`

// Prepare builds what a cluster needs, with lines of progress, or says why this machine cannot run one.
func Prepare(ctx context.Context, progress io.Writer) error {
	if reason := Unsupported(ctx); reason != "" {
		_, err := fmt.Fprintf(progress, "e2e: Kubernetes is not prepared, and its tests will be skipped: %s\n", reason)
		return err
	}
	_, err := install(ctx, progress, true)
	return err
}

func install(ctx context.Context, progress io.Writer, full bool) (folders, error) {
	root, err := cache.Root()
	if err != nil {
		return folders{}, err
	}
	if err := needPrograms(ctx, progress); err != nil {
		return folders{}, err
	}
	var f folders
	base := build{name: "kubernetes", title: "Kubernetes", hint: "building, about 8 min on 2 cores", programs: []string{"kube-apiserver", "kubelet", "kubectl"}, debs: baseDebs(), images: true}
	if f.base, err = base.tool().Install(ctx, root, progress); err != nil || !full {
		return f, err
	}
	rest := build{name: "kubernetes-full", title: "the rest of Kubernetes", hint: "building, about 1 min", programs: []string{"kube-controller-manager", "kube-scheduler", "kube-proxy"}, debs: fullDebs()}
	f.full, err = rest.tool().Install(ctx, root, progress)
	return f, err
}

// needPrograms sees to the programs that a node is started with.
func needPrograms(ctx context.Context, progress io.Writer) error {
	var missing []string
	for _, p := range []struct{ program, pkg string }{
		{"unshare", "util-linux"}, {"nsenter", "util-linux"}, {"setpriv", "util-linux"}, {"mount", "mount"}, {"ip", "iproute2"}, {"bash", "bash"},
	} {
		if _, err := exec.LookPath(p.program); err != nil && !slices.Contains(missing, p.pkg) {
			missing = append(missing, p.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return cache.InstallPackages(ctx, progress, missing...)
}

// build is one folder of programs.
type build struct {
	name, title, hint string
	programs          []string
	debs              []debFile
	images            bool
}

func (b *build) tool() *cache.Tool {
	recipe := fmt.Sprint(b.programs, b.debs, b.images, ldflags(), buildArgs(), nftWrapper) + string(moduleMod) + string(moduleSum)
	return &cache.Tool{Name: b.name, Version: version, Title: b.title, Hint: b.hint, Recipe: []byte(recipe), Make: b.make}
}

func (b *build) make(ctx context.Context, dir string) error {
	for _, d := range []string{"bin", "cni", "lib", "images"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := unpack(ctx, dir, b.debs); err != nil {
		return err
	}
	if err := b.compile(ctx, dir); err != nil {
		return err
	}
	if !b.images {
		return os.WriteFile(filepath.Join(dir, "bin", "nft"), []byte(nftWrapper), 0o755)
	}
	return makeImages(ctx, dir)
}

// unpack takes files out of Debian packages. Nothing is installed: no service starts, and nothing conflicts.
func unpack(ctx context.Context, dir string, debs []debFile) error {
	tmp, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	var packages []string
	for _, d := range debs {
		if !slices.Contains(packages, d.pkg) {
			packages = append(packages, d.pkg)
		}
	}
	download := append([]string{"-q", "download"}, packages...)
	if err := cache.Run(ctx, tmp, nil, "apt-get", download...); err != nil { // the lists of packages are old, or not there yet
		if err := cache.Run(ctx, tmp, nil, "apt-get", "-q", "update"); err != nil {
			return err
		}
		if err := cache.Run(ctx, tmp, nil, "apt-get", download...); err != nil {
			return err
		}
	}
	archives, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return err
	}
	for _, a := range archives {
		if err := cache.Run(ctx, tmp, nil, "dpkg-deb", "-x", a, filepath.Join(tmp, "x")); err != nil {
			return err
		}
	}
	for _, d := range debs {
		if err := take(filepath.Join(tmp, "x", d.path), filepath.Join(dir, d.target)); err != nil {
			return fmt.Errorf("package %s: %w", d.pkg, err)
		}
	}
	return nil
}

// take copies the file that a pattern finds.
func take(pattern, target string) error {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("has no " + filepath.Base(pattern))
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	return os.WriteFile(target, b, 0o755)
}

// buildArgs leave out the debug information, which the linker would drop anyway.
func buildArgs() []string {
	return []string{"build", "-mod=readonly", "-trimpath", "-gcflags=all=-dwarf=false"}
}

// ldflags tell the programs their version: a kubelet without one is refused by the API server.
func ldflags() string {
	flags := []string{"-s -w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		minor := strings.Split(version, ".")[1]
		flags = append(flags, fmt.Sprintf("-X %s.gitVersion=%s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=%[3]s -X %[1]s.gitTreeState=archive", pkg, version, minor))
	}
	return strings.Join(flags, " ")
}

func (b *build) compile(ctx context.Context, dir string) error {
	module, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(module) }()
	for name, content := range map[string][]byte{"go.mod": moduleMod, "go.sum": moduleSum} {
		if err := os.WriteFile(filepath.Join(module, name), content, 0o644); err != nil {
			return err
		}
	}
	args := append(buildArgs(), "-ldflags="+ldflags(), "-o", filepath.Join(dir, "bin")+"/")
	for _, p := range b.programs {
		args = append(args, "k8s.io/kubernetes/cmd/"+p)
	}
	return cache.Go(ctx, module, args...)
}
