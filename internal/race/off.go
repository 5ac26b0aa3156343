//go:build !race

// Package race tells tests of time and of allocations that the race detector watches, which takes both.
package race

// Enabled says that the race detector watches.
const Enabled = false
