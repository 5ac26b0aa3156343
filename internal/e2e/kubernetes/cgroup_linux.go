package kubernetes

import "golang.org/x/sys/unix"

// cgroupV1 says whether the root of cgroups is a folder of hierarchies and no hierarchy itself.
func cgroupV1() bool {
	var fs unix.Statfs_t
	return unix.Statfs(cgroupRoot, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}
