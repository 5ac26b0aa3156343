package toolchain

import (
	"context"
	"errors"
	"io"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

// Install sees to the compilers for C and Rust: present, or installed from Debian's packages if this is root on Debian.
// Otherwise its error is a [Missing].
func Install(ctx context.Context, progress io.Writer) error {
	find := func() error {
		_, _, errC := findC()
		_, errRust := findRust(ctx)
		return errors.Join(errC, errRust)
	}
	err := find()
	if err == nil || !cache.CanInstallPackages() {
		return err
	}
	if err := cache.InstallPackages(ctx, progress, "clang", "lld", "rustc", "libstd-rust-dev-wasm32"); err != nil {
		return err
	}
	return find()
}
