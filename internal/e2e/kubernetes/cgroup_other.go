//go:build !linux

package kubernetes

func cgroupV1() bool { return false }
