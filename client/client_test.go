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
		{"uppy.js", "dist/uppy.js", "text/javascript; charset=utf-8"},
		{"uppy.d.ts", "uppy.d.ts", "application/typescript; charset=utf-8"},
		{"crc64.js", "dist/crc64.js", "text/javascript; charset=utf-8"},
		{"kept.js", "dist/kept.js", "text/javascript; charset=utf-8"},
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
			require.Equal(t, "*", got.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "cross-origin", got.Header.Get("Cross-Origin-Resource-Policy"))
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
	known := request("GET", "/postern.js", etag)
	require.Equal(t, 304, known.StatusCode)
	require.Equal(t, "*", known.Header.Get("Access-Control-Allow-Origin"), "or pages of other origins could not use what they know")
	require.Equal(t, 200, request("GET", "/postern.js", `"other"`).StatusCode)
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/", "/client/", "/client/client.go", "/client/src/job.js", "/package.json", "/postern.js/", "/client/postern.js/x", "/xpostern.js",
		"/client/de.js", "/client/locales/en.js", "/client/locales/", "/client/xlocales/de.js", "/locales/postern.js",
		"/client/react.js", "/client/vue.js", "/client/svelte.js",
	} {
		require.Equal(t, 404, request("GET", path, "").StatusCode, path)
	}
	got := request("POST", "/postern.js", "")
	require.Equal(t, 405, got.StatusCode)
	require.Equal(t, "GET, HEAD", got.Header.Get("Allow"))
}

// TestWhatIsServedStaysSmall holds it to these bytes, gzipped.
func TestWhatIsServedStaysSmall(t *testing.T) {
	for name, limit := range map[string]int{"postern.js": 10_000, "postern-upload.js": 18_000, "uppy.js": 2500, "crc64.js": 3000, "kept.js": 1800, "locales/ar.js": 2100} {
		requireSmall(t, name, request("GET", "/"+name, "").Body, limit)
	}
}

// TestTheHooksStaySmall holds each to 2 kB, without the module and the framework.
func TestTheHooksStaySmall(t *testing.T) {
	for _, name := range []string{"react.js", "vue.js", "svelte.js"} {
		f, err := os.Open("dist/" + name)
		require.NoError(t, err)
		defer f.Close()
		requireSmall(t, name, f, 2000)
	}
}

func requireSmall(t *testing.T, name string, content io.Reader, limit int) {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	_, err = io.Copy(w, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.LessOrEqual(t, b.Len(), limit, name)
	t.Logf("%s: %d bytes gzipped", name, b.Len())
}
