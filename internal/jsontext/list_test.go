package jsontext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/jsontext"
)

func TestDecodeList(t *testing.T) {
	for text, want := range map[string][]int{"null": nil, "[]": nil, "[1,2]": {1, 2}, " [3] ": {3}} {
		got, err := jsontext.DecodeList[int]([]byte(text), 2)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestDecodeListRefusesWhatIsNoList(t *testing.T) {
	for _, text := range []string{"", "{}", `"x"`, "1", `["x"]`, "[1", "[1,]"} {
		_, err := jsontext.DecodeList[int]([]byte(text), 9)
		require.Error(t, err, text)
	}
}

func TestDecodeListStopsWhereItIsTooLong(t *testing.T) {
	text := []byte("[" + strings.Repeat("{},", 100_000) + "{}]")
	_, err := jsontext.DecodeList[struct{}](text, 10)
	require.ErrorIs(t, err, jsontext.ErrTooLong)
	require.Less(t, testing.AllocsPerRun(10, func() { _, _ = jsontext.DecodeList[struct{}](text, 10) }), 100.0)
}
