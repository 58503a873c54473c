package client_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/client"
)

func request(method, path, ifNoneMatch string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("If-None-Match", ifNoneMatch)
	w := httptest.NewRecorder()
	client.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestTheFilesAreServedAtAnyMount(t *testing.T) {
	for _, path := range []string{"/postern.js", "/client/postern.js", "/static/v1/postern.js"} {
		got := request("GET", path, "")
		require.Equal(t, 200, got.StatusCode, path)
		require.Equal(t, "text/javascript; charset=utf-8", got.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-cache", got.Header.Get("Cache-Control"))
		var body bytes.Buffer
		_, err := body.ReadFrom(got.Body)
		require.NoError(t, err)
		onDisk, err := os.ReadFile("postern.js")
		require.NoError(t, err)
		require.Equal(t, string(onDisk), body.String())
	}
	require.Equal(t, "application/typescript; charset=utf-8", request("GET", "/client/postern.d.ts", "").Header.Get("Content-Type"))
}

func TestAFileThatIsKnownIsNotSentAgain(t *testing.T) {
	etag := request("HEAD", "/postern.js", "").Header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{32}"$`, etag)
	require.NotEqual(t, etag, request("HEAD", "/postern.d.ts", "").Header.Get("ETag"))
	require.Equal(t, 304, request("GET", "/postern.js", etag).StatusCode)
	require.Equal(t, 200, request("GET", "/postern.js", `"other"`).StatusCode)
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/", "/client/", "/client/client.go", "/postern.js/", "/client/postern.js/x", "/xpostern.js"} {
		require.Equal(t, 404, request("GET", path, "").StatusCode, path)
	}
	got := request("POST", "/postern.js", "")
	require.Equal(t, 405, got.StatusCode)
	require.Equal(t, "GET, HEAD", got.Header.Get("Allow"))
}

// TestTheTypesNameWhatIsExported compares the names; a compiler compares the rest.
func TestTheTypesNameWhatIsExported(t *testing.T) {
	names := func(path, pattern string) (found []string) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(content, -1) {
			found = append(found, string(match[1]))
		}
		return found
	}
	const values = `(?m)^export (?:async )?(?:const|function|class) (\w+)`
	exported := names("postern.js", values)
	require.Len(t, exported, 5)
	require.ElementsMatch(t, exported, names("postern.d.ts", values))
	require.Empty(t, names("postern.js", `(?m)^import (.*)`), "no dependency")
}
