package quiet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/quiet"
)

func TestOutage(t *testing.T) {
	var o quiet.Outage
	require.False(t, o.Over(), "it never failed")
	require.True(t, o.Failed("timeout"))
	require.False(t, o.Failed("timeout"))
	require.True(t, o.Failed("forbidden"))
	require.True(t, o.Failed("timeout"), "it fails in another way again")
	require.True(t, o.Over())
	require.False(t, o.Over())
	require.True(t, o.Failed("timeout"), "a new outage")
}

func TestLimit(t *testing.T) {
	var l quiet.Limit
	now := time.Unix(1000, 0)
	require.True(t, l.Allow("a", now))
	require.False(t, l.Allow("a", now.Add(time.Minute-1)))
	require.True(t, l.Allow("b", now), "each kind for itself")
	require.True(t, l.Allow("a", now.Add(time.Minute)))
	require.False(t, l.Allow("a", now.Add(time.Minute+1)))
}
