package postern_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// The table is that of the element on the page, too.
func TestSizesReadAsOnThePage(t *testing.T) {
	table, err := os.ReadFile("testdata/sizes.json")
	require.NoError(t, err)
	var sizes [][2]any
	require.NoError(t, json.Unmarshal(table, &sizes))
	require.NotEmpty(t, sizes)
	for _, size := range sizes {
		require.Equal(t, size[1], postern.HumanSize(int64(size[0].(float64))), "%.0f", size[0])
	}
	require.Equal(t, "9222246 TB", postern.HumanSize(math.MaxInt64-1<<50))
}
