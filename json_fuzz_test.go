package postern_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// What is written by hand reads as what encoding/json writes, and cannot leave
// an HTML page that it stands in.
func FuzzJSONStrings(f *testing.F) {
	for _, s := range []string{"", "plain", `"\\/`, "a\x00\n\x1f\x7f", "<script>&amp;</script>", "日本😀\u2028", "\xff\xc3(\xed\xa0\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			postern.Refuse(w, r, postern.NewProblem(400, s, s).WithAllowedTypes(s))
		}), "")
		require.False(t, strings.ContainsAny(w.Body.String(), "<>&\x7f\n"))

		var got problem
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		usual, err := json.Marshal(s)
		require.NoError(t, err)
		var want string
		require.NoError(t, json.Unmarshal(usual, &want))
		require.Equal(t, want, got.Code)
		require.Equal(t, want, got.Detail)
		require.Equal(t, []string{want}, got.AllowedTypes)
	})
}
