package sessions_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
)

// uppyPage has Uppy sign by itself, with what docs/sessions.md says.
const uppyPage = `
import Uppy from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';

const session = await (await fetch('/uploads/session', {
  method: 'POST', headers: {'Content-Type': 'application/json', 'X-User': 'ada'}, body: '{"bytes":20000000}',
})).json();
const uppy = new Uppy();
uppy.use(AwsS3, {
  shouldUseMultipart: (file) => file.size > 5 << 20,
  s3Endpoint: session.url,
  region: session.region,
  generateObjectKey: (file) => session.prefix + crypto.randomUUID() + '/' + file.name,
  getCredentials: () => ({
    credentials: {
      accessKeyId: session.access_key_id, secretAccessKey: session.secret_access_key,
      sessionToken: session.session_token, expiration: session.expires,
    },
    region: session.region,
  }),
});
document.querySelector('input').addEventListener('change', async (event) => {
  for (const file of event.target.files) uppy.addFile({name: file.name, type: file.type, data: file});
  const result = await uppy.upload();
  window.result = {successful: result.successful.length, failed: result.failed.map((f) => f.error)};
});
window.ready = true;
`

// bundle makes one module of a page's, with packages of npm.
func bundle(t *testing.T, source string) []byte {
	t.Helper()
	examples, err := program.Examples()
	require.NoError(t, err)
	root := filepath.Join(examples, "..")
	for _, folder := range []string{"examples/clients", "client"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "npm"), folder).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	esbuild, err := filepath.Abs(filepath.Join(root, "client", "node_modules", ".bin", "esbuild"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), esbuild, "--bundle", "--format=esm", "--log-level=error")
	cmd.Dir = filepath.Join(examples, "clients")
	cmd.Stdin = strings.NewReader(source)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}

func TestUppySignsByItself(t *testing.T) {
	s := newSite(t, postern.SessionLimits{}, postern.WithSizeLimit(1, 50<<20))
	script := bundle(t, uppyPage)
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/", s)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><input type="file" multiple><script type="module" src="/uppy.js"></script>`))
	})
	mux.HandleFunc("GET /uppy.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(script)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	page := browser.Open(t, srv.URL)
	page.Wait(`window.ready`)
	files := map[string]fixture.File{}
	for _, f := range []fixture.File{fixture.PNG(t, "evening at sea.png", 60, 40), fixture.Text(t, "log.txt", 12<<20)} {
		files[f.Name] = f
	}
	page.Choose("input", files["evening at sea.png"].Path, files["log.txt"].Path)
	page.Wait(`window.result`)
	require.Equal(t, `{"successful":2,"failed":[]}`, browser.Eval[string](page, `JSON.stringify(window.result)`))

	report := s.reconcile(t)
	require.Equal(t, 2, report.Completed, "%+v", report)
	for _, r := range s.got() {
		require.Contains(t, files, r.Filename)
		require.True(t, string(files[r.Filename].Bytes) == string(s.content(t, r.Key)), r.Filename)
		delete(files, r.Filename)
	}
	require.Empty(t, files)
}
