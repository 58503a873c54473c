package client_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
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
	for _, c := range []struct{ name, file, contentType string }{
		{"postern.js", "dist/postern.js", "text/javascript; charset=utf-8"},
		{"postern.d.ts", "postern.d.ts", "application/typescript; charset=utf-8"},
		{"postern-upload.js", "dist/postern-upload.js", "text/javascript; charset=utf-8"},
		{"postern-upload.d.ts", "postern-upload.d.ts", "application/typescript; charset=utf-8"},
		{"crc64.js", "dist/crc64.js", "text/javascript; charset=utf-8"},
		{"locales/de.js", "dist/locales/de.js", "text/javascript; charset=utf-8"},
		{"locales/zh.js", "dist/locales/zh.js", "text/javascript; charset=utf-8"},
	} {
		onDisk, err := os.ReadFile(c.file)
		require.NoError(t, err)
		for _, mount := range []string{"/", "/client/", "/static/v1/"} {
			got := request("GET", mount+c.name, "")
			require.Equal(t, 200, got.StatusCode, mount+c.name)
			require.Equal(t, c.contentType, got.Header.Get("Content-Type"))
			require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-cache", got.Header.Get("Cache-Control"))
			body, err := io.ReadAll(got.Body)
			require.NoError(t, err)
			require.Equal(t, string(onDisk), string(body))
		}
	}
}

func TestAFileThatIsKnownIsNotSentAgain(t *testing.T) {
	etag := request("HEAD", "/postern.js", "").Header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{32}"$`, etag)
	require.NotEqual(t, etag, request("HEAD", "/postern.d.ts", "").Header.Get("ETag"))
	require.Equal(t, 304, request("GET", "/postern.js", etag).StatusCode)
	require.Equal(t, 200, request("GET", "/postern.js", `"other"`).StatusCode)
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/", "/client/", "/client/client.go", "/client/src/job.js", "/package.json", "/postern.js/", "/client/postern.js/x", "/xpostern.js",
		"/client/de.js", "/client/locales/en.js", "/client/locales/", "/client/xlocales/de.js", "/locales/postern.js",
	} {
		require.Equal(t, 404, request("GET", path, "").StatusCode, path)
	}
	got := request("POST", "/postern.js", "")
	require.Equal(t, 405, got.StatusCode)
	require.Equal(t, "GET, HEAD", got.Header.Get("Allow"))
}

// TestWhatIsServedStaysSmall holds it to these bytes, gzipped.
func TestWhatIsServedStaysSmall(t *testing.T) {
	for name, limit := range map[string]int{"postern.js": 9700, "postern-upload.js": 16_000, "crc64.js": 3000, "locales/ar.js": 2100} {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		require.NoError(t, err)
		_, err = io.Copy(w, request("GET", "/"+name, "").Body)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.LessOrEqual(t, b.Len(), limit, name)
		t.Logf("%s: %d bytes gzipped", name, b.Len())
	}
}
