package postern_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// Whatever a client sends is an upload that the rules can rely on, or a problem
// that blames the client.
func FuzzDecodeRequest(f *testing.F) {
	for _, body := range []string{
		photo, "", "null", "[]", "{}", `{"filename":"../a\u0000b","size":0}`,
		`{"filename":"a","size":-1}`, `{"filename":"a","size":1e999}`, `{"filename":"a","size":"1"}`,
		`{"filename":"a","size":1,"type":"image/png; a=b, text/html"}`,
		`{"filename":"a","size":1,"type":"TEXT/plain;charset=\"UTF-8\""}`,
		`{"FILENAME":"a","Size":1,"metadata":{"a":"b","":"\ud800"},"checksum":{"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}`,
		`{"filename":"a","size":1,"checksum":null,"metadata":null,"type":null}`,
		photo + photo, strings.Repeat("[", 20000),
		batchOf(photo, photo), batchOf(), batchOf("null", `"x"`, photo, "{}"), `{"files":null,"filename":"a","size":1}`, `{"files":[` + photo,
		`{"files":[],"files":[` + photo + `]}`, batchOf(photo) + "x", batchOf(strings.Repeat(`{},`, 99) + `{}`), batchOf(strings.Repeat(`1,`, 100) + `1`),
	} {
		f.Add([]byte(body), "application/json")
	}
	f.Add([]byte(photo), "application/json; charset=\"")
	f.Add([]byte(photo), "text/plain")

	decode := postern.Decode(newIssuer(f))
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		var u *postern.Upload
		w := httptest.NewRecorder()
		decode(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			u = postern.UploadFrom(r.Context())
		})).ServeHTTP(w, newRequest(string(body), func(r *http.Request) { r.Header["Content-Type"] = []string{contentType} }))

		if w.Code == http.StatusOK && w.Body.Len() > 0 { // the chain has granted nothing
			var answer struct{ Results []result }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			require.NotEmpty(t, answer.Results)
			require.LessOrEqual(t, len(answer.Results), 100)
			for k, r := range answer.Results {
				require.Equal(t, k, r.Index)
				require.NotEmpty(t, r.code())
				require.Contains(t, []int{400, 413, 500}, r.Problem.Status)
			}
			if u == nil {
				return
			}
			body = nil
		}
		if u == nil {
			p := refused(t, w)
			require.GreaterOrEqual(t, p.Status, 400)
			require.Less(t, p.Status, 500)
			require.NotEmpty(t, p.Code)
			return
		}
		require.LessOrEqual(t, len(body), 16<<10)
		require.NotEmpty(t, u.Filename)
		require.LessOrEqual(t, len(u.Filename), 255)
		require.True(t, utf8.ValidString(u.Filename))
		require.NotContains(t, []string{".", ".."}, u.Filename)
		require.False(t, strings.ContainsFunc(u.Filename, func(r rune) bool {
			return r == '/' || r == '\\' || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp)
		}))
		require.GreaterOrEqual(t, u.Size, int64(0))
		require.Regexp(t, `^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(; charset=[a-z0-9_-]+)?$`, u.Type)
		require.Equal(t, postern.ActionSign, u.Action)
		require.Equal(t, noon, u.Time())
		require.Empty(t, u.Subject+u.Tenant+u.Key+u.SuccessRedirect)
		require.Zero(t, u.Attributes)
	})
}
