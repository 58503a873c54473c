// Package component_test uses <postern-upload> in a real browser, by pages with a
// strict security policy, and uploads into a real S3 server.
package component_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/program"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

func TestMain(m *testing.M) {
	remove, err := program.Build("component")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	remove()
	os.Exit(code)
}

// site serves one page, and the server's side of the uploads.
type site struct {
	URL string
	t   testing.TB
	s3  *s3test.Server
	tap *tap.Tap // if there is one

	mu       sync.Mutex
	receipts []postern.Receipt
	actions  []postern.Action
	paths    []string // of what was signed
	most     int64    // bytes that a file may have, 0 for no own limit
}

// script is the page's own. It notes the events, and how files go up.
const script = `
window.events = [];
for (const type of ["postern-progress", "postern-complete", "postern-error", "change"]) {
	document.addEventListener(type, ({ type, detail, target }) => events.push({ type, detail, id: target.id }));
}
window.blobs = new Set();
const { createObjectURL, revokeObjectURL } = URL;
URL.createObjectURL = (blob) => { const url = createObjectURL.call(URL, blob); blobs.add(url); return url; };
URL.revokeObjectURL = (url) => { blobs.delete(url); revokeObjectURL.call(URL, url); };
`

// serve starts a site whose page has the given content. around are middleware of the
// uploads.
func serve(t testing.TB, content string, around ...func(http.Handler) http.Handler) *site {
	t.Helper()
	return serveWith(t, content, setup{around: around})
}

// setup is what a site may have of its own.
type setup struct {
	around []func(http.Handler) http.Handler
	s3     []s3test.Option
	types  string // in the place of "image/*"
	tapped bool   // whether a tap stands between the browser and the bucket
	strict bool   // whether the page's security policy forbids the bucket
	other  string // the origin of another bucket, which the policy allows
	more   []postern.HandlerOption
}

func serveWith(t testing.TB, content string, o setup) *site {
	t.Helper()
	s := &site{t: t, s3: s3test.Start(t, o.s3...)}
	public := s.s3.Endpoint
	if o.tapped {
		s.tap = tap.Start(t, s.s3.Endpoint)
		public = s.tap.URL
	}
	origin := public
	if o.strict {
		origin = ""
	}
	h, err := postern.New(
		postern.Bucket{
			Name: s.s3.Bucket, Region: s.s3.Region, Endpoint: s.s3.Endpoint, PublicEndpoint: public, PathStyle: true,
			Credentials: s.s3.Credentials(), Provider: postern.VersityGW,
		},
		append([]postern.HandlerOption{
			postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.actions = append(s.actions, u.Action)
				if u.Action == postern.ActionSign {
					s.paths = append(s.paths, u.Path)
				}
				if u.Subject = r.Header.Get("X-User"); u.Subject == "" {
					return postern.ErrUnauthenticated
				}
				if s.most > 0 {
					u.LimitSize(1, s.most)
				}
				if u.Action == postern.ActionSign && u.Filename == "secret.txt" {
					return postern.NewProblem(403, "plan_full", "Your plan has no room for more files.")
				}
				return nil
			}),
			postern.WithClientMetadata("album"),
			postern.WithContentTypes(cmp.Or(o.types, "image/*"), "text/plain", "application/pdf"),
			postern.WithSizeLimit(1, 20<<20),
			postern.WithMultipartThreshold(5 << 20),
			postern.WithPartSize(5 << 20),
			postern.WithPromotion("staging/"),
			postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.receipts = append(s.receipts, *r)
				r.Data = map[string]string{"row": "of " + r.Filename}
				return nil
			}),
		}, o.more...)...,
	)
	require.NoError(t, err)
	var uploads http.Handler = h
	for _, wrap := range o.around {
		uploads = wrap(uploads)
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", uploads)
	mux.Handle("/client/", client.Handler())
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, script)
	})
	mux.HandleFunc("POST /submit", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_ = json.NewEncoder(w).Encode(r.PostForm)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; media-src blob:; frame-src 'self' blob:; "+
			"connect-src 'self' "+origin+" "+o.other+"; form-action 'self'; require-trusted-types-for 'script'")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>Test</title><script src=/page.js></script>"+
			"<script type=module src=/client/postern-upload.js></script>%s", content)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// open opens the page, where everybody is signed in.
func (s *site) open() *upload {
	s.t.Helper()
	return s.on(browser.Open(s.t, s.URL))
}

// on is open in a browser that has opened it.
func (s *site) on(page *browser.Page) *upload {
	s.t.Helper()
	page.Wait(`customElements.get("postern-upload")`)
	browser.Eval[bool](page, `document.querySelectorAll("postern-upload").forEach((e) => (e.headers = { "X-User": "ada" })), true`)
	return &upload{element.Element{Page: page, Selector: "postern-upload"}, s.t}
}

// keys are those of the objects in the bucket, without what is kept to complete uploads
// whose page is closed.
func (s *site) keys() []string {
	s.t.Helper()
	return slices.DeleteFunc(s.allKeys(), func(key string) bool { return strings.HasPrefix(key, "staging/tickets/") })
}

func (s *site) allKeys() []string {
	s.t.Helper()
	list, err := s.s3.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.s3.Bucket})
	require.NoError(s.t, err)
	keys := []string{}
	for _, object := range list.Contents {
		keys = append(keys, *object.Key)
	}
	return keys
}

// unfinished counts the uploads in parts that S3 keeps.
func (s *site) unfinished() int {
	s.t.Helper()
	list, err := s.s3.Client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &s.s3.Bucket})
	require.NoError(s.t, err)
	return len(list.Uploads)
}

// asked counts the visits of one kind.
func (s *site) asked(action postern.Action) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.actions {
		if a == action {
			n++
		}
	}
	return n
}

// upload is a <postern-upload> in a form.
type upload struct {
	element.Element
	t testing.TB
}

// invalid is what the form would make of the element: "" for fine.
func (e *upload) invalid() string { return browser.Eval[string](e.Page, e.JS()+`.validationMessage`) }

// warned tells whether the browser would ask people who leave the page now.
func (e *upload) warned() bool {
	return browser.Eval[bool](e.Page, `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`)
}

func (e *upload) value() []string { return browser.Eval[[]string](e.Page, e.JS()+`.value`) }

// submitted presses the form's button, and returns what arrives.
func (e *upload) submitted() map[string][]string {
	e.Click("#send")
	e.Wait(`location.pathname === "/submit"`)
	var values map[string][]string
	require.NoError(e.t, json.Unmarshal([]byte(browser.Eval[string](e.Page, `document.body.innerText`)), &values))
	return values
}
