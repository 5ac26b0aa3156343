// Package bytesize is the type of sizes in configurations.
package bytesize

import (
	"fmt"

	"github.com/docker/go-units"
)

// Size is a number of bytes, written with a unit: 512KiB, 32MiB, 1GiB.
type Size int64

// UnmarshalText reads a size with github.com/docker/go-units, in powers of 1,024.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := units.RAMInBytes(string(text))
	if err != nil {
		return fmt.Errorf("size %q: want a number with a unit, as in 32MiB", text)
	}
	*s = Size(n)
	return nil
}

// MarshalText is the reverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes a size with the largest unit that it has one of.
func (s Size) String() string { return units.BytesSize(float64(s)) }
