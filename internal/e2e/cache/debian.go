package cache

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// CanInstallPackages says whether this is root on Debian or a system like it.
func CanInstallPackages() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// InstallPackages installs Debian packages, with a line of progress.
func InstallPackages(ctx context.Context, progress io.Writer, packages ...string) error {
	_, _ = fmt.Fprintf(progress, "e2e: installing Debian packages, once: %s ...\n", strings.Join(packages, " "))
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := Run(ctx, "", env, "apt-get", "-q", "update"); err != nil {
		return err
	}
	return Run(ctx, "", env, "apt-get", append([]string{"-q", "-y", "--no-install-recommends", "install"}, packages...)...)
}
