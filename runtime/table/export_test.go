package table

import "testing"

// WithoutBuilders has attributes set by pdata's functions, as where the structs of pdata are not those that are known.
func WithoutBuilders(t *testing.T) {
	before := building
	building = false
	t.Cleanup(func() { building = before })
}
