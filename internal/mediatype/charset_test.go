package mediatype

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/htmlindex"
)

func TestCharsetsAreThoseOfTheEncodingStandard(t *testing.T) {
	for label, name := range charsets {
		want, err := htmlindex.Get(label)
		require.NoError(t, err, label)
		got, err := htmlindex.Get(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, label)
	}
}

func TestCharsetsInWhichMarkupHidesHaveNoName(t *testing.T) {
	for _, label := range []string{"utf-7", "iso-2022-jp", "csiso2022jp", "iso-2022-kr", "hz-gb-2312", "replacement", "x-user-defined", "cp037", "scsu", "bocu-1", ""} {
		require.Empty(t, charset(label), label)
	}
}
