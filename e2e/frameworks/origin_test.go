package frameworks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/s3test"
)

// elsewhere is a page of another origin than the handler and the module. It notes what
// workers say.
const elsewhere = `
window.said = 0;
window.Worker = class extends Worker {
	constructor(...args) {
		super(...args);
		this.addEventListener("message", () => said++);
	}
};`

// TestAPageOfAnotherOriginImportsTheModule has pages as strict as a browser makes them:
// isolated, and with policies for scripts, workers and Trusted Types.
func TestAPageOfAnotherOriginImportsTheModule(t *testing.T) {
	for _, c := range []struct {
		name, workers string
		works         bool
	}{
		{"whose worker is begun by a blob", "worker-src blob: ", true},
		{"whose policy forbids that, and which sums itself", "worker-src 'self' ", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &site{t: t, s3: s3test.Start(t)}
			mux := http.NewServeMux()
			page := httptest.NewUnstartedServer(mux)
			origin := "http://" + page.Listener.Addr().String()
			api := http.NewServeMux()
			api.Handle("/uploads/", allow(origin, s.handler(postern.WithTrustedOrigins(origin))))
			api.Handle("/client/", client.Handler())
			server := httptest.NewServer(api)
			t.Cleanup(server.Close)

			mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/javascript")
				_, _ = io.WriteString(w, elsewhere)
			})
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h.Set("Cross-Origin-Embedder-Policy", "require-corp")
				h.Set("Cross-Origin-Opener-Policy", "same-origin")
				h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+server.URL+"; "+c.workers+server.URL+
					"; connect-src "+server.URL+" "+s.s3.Endpoint+"; require-trusted-types-for 'script'; trusted-types postern")
				h.Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, `<!doctype html><html lang="de"><title>Elsewhere</title><script src="/page.js"></script>`+
					`<script type="module" src="`+server.URL+`/client/postern-upload.js"></script><postern-upload accept=".txt" max-size="10000000"></postern-upload>`) // which asks for no rules
			})
			page.Start()
			t.Cleanup(page.Close)
			p := browser.Open(t, page.URL)
			if !c.works {
				p.AllowErrors() // the console tells of the policy
			}
			p.Wait(`crossOriginIsolated && document.querySelector("postern-upload").shadowRoot?.textContent.includes("Datei")`)
			sum := browser.Eval[string](p, `import("`+server.URL+`/client/postern.js").then(({ upload }) => upload(
				new File([new Uint8Array(6e6).fill(97)], "a.txt", { type: "text/plain" }),
				{ endpoint: "`+server.URL+`/uploads", headers: { "X-User": "ada" } })).then(({ crc64nvme }) => crc64nvme)`)
			require.NotEmpty(t, sum)
			require.Equal(t, c.works, browser.Eval[int](p, `said`) > 0)
			require.Equal(t, []string{"a.txt"}, s.names())
		})
	}
}

// allow is the server's CORS for one origin.
func allow(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Headers", "Content-Type, X-User")
		h.Add("Vary", "Origin")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
