// Package toolchain finds compilers for WebAssembly and builds plugins with them: Go, which is always there, C with clang
// and wasm-ld, and Rust with rustc and its standard library for wasm32-unknown-unknown.
package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Missing says that a compiler is not there, and how to have it.
type Missing struct{ What, Mend string }

func (m *Missing) Error() string { return m.What + " is missing: " + m.Mend }

// step is a command of a build.
type step []string

// Build is how the plugin of a folder is built.
type Build struct {
	// Language is "Go", "C" or "Rust".
	Language string
	// Sources are the files that decide what comes out, Version the compilers that do.
	Sources []string
	Version string

	dir   string
	env   []string
	steps func(scratch, out string) []step
}

// Plan tells from a folder's files how its plugin is built: Cargo.toml stands for Rust, a .c file for C, a .go file for
// Go. The SDKs are those of the checkout that the folder lies in. An error that is a [Missing] names a compiler that is
// not there.
func Plan(ctx context.Context, dir string) (*Build, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	has := func(pattern string) []string {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		return files
	}
	switch {
	case len(has("Cargo.toml")) > 0:
		return planRust(ctx, dir, has("src/*.rs"))
	case len(has("*.c")) > 0:
		return planC(ctx, dir, has("*.[ch]"))
	case len(has("*.go")) > 0:
		return planGo(dir, has("guest.pgo")), nil
	}
	return nil, fmt.Errorf("%s: no plugin: want a .go file, a .c file or Cargo.toml", dir)
}

// Run builds the module into the file out. scratch is a folder for what lies between.
func (b *Build) Run(ctx context.Context, scratch, out string) error {
	for _, s := range b.steps(scratch, out) {
		cmd := exec.CommandContext(ctx, s[0], s[1:]...)
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), b.env...)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(s, " "), err, output)
		}
	}
	return nil
}

// planGo builds with the profile of hot calls that sdk/pgo wrote, if there is one.
func planGo(dir string, profiles []string) *Build {
	pgo := "-pgo=off"
	if len(profiles) > 0 {
		pgo = "-pgo=" + profiles[0]
	}
	return &Build{
		Language: "Go", dir: dir, env: []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"},
		steps: func(_, out string) []step {
			return []step{{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", pgo, "-buildmode=c-shared", "-o", out, "."}}
		},
	}
}

// sdk is the folder of an SDK in the checkout that dir lies in.
func sdk(dir, language string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		found := filepath.Join(at, "sdk", language)
		if _, err := os.Stat(found); err == nil {
			return found, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s: no folder above it holds sdk/%s", dir, language)
		}
	}
}

// planC compiles and links apart: the clang driver would run a wasm-opt that it finds, and an old one fails on SIMD.
func planC(ctx context.Context, dir string, sources []string) (*Build, error) {
	include, err := sdk(dir, "c")
	if err != nil {
		return nil, err
	}
	clang, linker, err := findC()
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, clang, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clang, err)
	}
	var units []string
	for _, s := range sources {
		if filepath.Ext(s) == ".c" {
			units = append(units, s)
		}
	}
	return &Build{
		Language: "C", dir: dir, Sources: append(sources, filepath.Join(include, "obsd.h")), Version: clang + linker + string(version),
		steps: func(scratch, out string) (steps []step) {
			link := step{linker, "--no-entry", "-s", "-z", "stack-size=65536", "--stack-first", "-o", out}
			for _, unit := range units {
				object := filepath.Join(scratch, filepath.Base(unit)+".o")
				link = append(link, object)
				steps = append(steps, step{
					clang, "--target=wasm32-unknown-unknown", "-ffreestanding", "-O3", "-msimd128", "-mbulk-memory",
					"-Wall", "-Wextra", "-Werror", "-I" + include, "-c", unit, "-o", object,
				})
			}
			return append(steps, link)
		},
	}, nil
}

// findC finds clang and the wasm-ld of the same version, the unversioned ones first, then the newest.
func findC() (clang, linker string, err error) {
	suffixes := []string{""}
	for v := 30; v >= 14; v-- {
		suffixes = append(suffixes, fmt.Sprintf("-%d", v))
	}
	for _, suffix := range suffixes {
		clang, errC := exec.LookPath("clang" + suffix)
		linker, errLD := exec.LookPath("wasm-ld" + suffix)
		if errC == nil && errLD == nil {
			return clang, linker, nil
		}
	}
	return "", "", &Missing{"clang with wasm-ld", "install the packages clang and lld"}
}

// planRust compiles the SDK, then the plugin: what cargo does with the example's Cargo.toml and .cargo/config.toml.
func planRust(ctx context.Context, dir string, sources []string) (*Build, error) {
	crate, err := sdk(dir, "rust")
	if err != nil {
		return nil, err
	}
	r, err := findRust(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := filepath.Glob(filepath.Join(crate, "src", "*.rs"))
	if err != nil {
		return nil, err
	}
	return &Build{
		Language: "Rust", dir: dir, Sources: append(sources, parts...), Version: r.compiler + r.linker + r.version,
		steps: func(scratch, out string) []step {
			common := step{
				r.compiler, "--edition=2021", "--target=wasm32-unknown-unknown", "-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1",
				"-Ctarget-feature=+simd128", "-Dwarnings",
			}
			library := filepath.Join(scratch, "libobsd.rlib")
			plugin := append(slices.Clone(common), "--crate-type=cdylib", "--crate-name=plugin", "-Clto=fat", "-Cstrip=symbols",
				"-Clink-arg=-zstack-size=65536", "-Clink-arg=--stack-first", "--extern=obsd="+library, filepath.Join(dir, "src", "lib.rs"), "-o", out)
			if r.linker != "" {
				plugin = append(plugin, "-Clinker="+r.linker)
			}
			return []step{append(common, "--crate-type=rlib", "--crate-name=obsd", filepath.Join(crate, "src", "lib.rs"), "-o", library), plugin}
		},
	}, nil
}

// rust is a rustc that has a standard library for wasm32-unknown-unknown.
type rust struct {
	compiler, version string
	linker            string // "" if it brings its own
}

// findRust looks at the rustc on the PATH, and at a distribution's, which a rustup in front of it may hide.
func findRust(ctx context.Context) (rust, error) {
	for _, name := range []string{"rustc", "/usr/bin/rustc"} {
		compiler, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		root, err := exec.CommandContext(ctx, compiler, "--print=sysroot").Output()
		if err != nil {
			continue
		}
		lib := filepath.Join(strings.TrimSpace(string(root)), "lib", "rustlib")
		if _, err := os.Stat(filepath.Join(lib, "wasm32-unknown-unknown", "lib")); err != nil {
			continue
		}
		version, err := exec.CommandContext(ctx, compiler, "-vV").Output()
		if err != nil {
			return rust{}, fmt.Errorf("%s: %w", compiler, err)
		}
		r := rust{compiler: compiler, version: string(version)}
		if own, _ := filepath.Glob(filepath.Join(lib, "*", "bin", "rust-lld")); len(own) == 0 {
			if r.linker = findLinker(r.version); r.linker == "" {
				return rust{}, &Missing{"wasm-ld", "install the package lld"}
			}
		}
		return r, nil
	}
	return rust{}, &Missing{"rustc with a standard library for WebAssembly", "install the packages rustc, libstd-rust-dev-wasm32 and lld, or run rustup target add wasm32-unknown-unknown"}
}

// findLinker prefers the linker of rustc's own LLVM: others may refuse its libraries.
func findLinker(version string) string {
	names := []string{"wasm-ld"}
	if _, llvm, ok := strings.Cut(version, "LLVM version: "); ok {
		major, _, _ := strings.Cut(llvm, ".")
		names = []string{"wasm-ld-" + major, "wasm-ld"}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// IsMissing says whether an error is about a compiler that is not there.
func IsMissing(err error) bool {
	var m *Missing
	return errors.As(err, &m)
}
