// Package pages_test looks at every page of the examples: in the light and in the dark,
// on a narrow screen, and from right to left. With E2E_PICTURES set to a folder it leaves
// a picture of each there (make pictures).
package pages_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/axe"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
)

var programs = []string{"quickstart", "gallery", "component", "clients", "routers/nethttp"}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	for _, name := range programs {
		remove, err := program.Build(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer remove()
	}
	return m.Run()
}

// npm gets the packages of a folder, unless they are there, and returns where they are.
func npm(t *testing.T, folder string) string {
	t.Helper()
	examples, err := program.Examples()
	require.NoError(t, err)
	root := filepath.Dir(examples)
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "npm"), folder).CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(root, folder, "node_modules")
}

// look is a way to see a page.
type look struct {
	name, scheme, dir string
	width             int64
}

var looks = []look{
	{"light", "light", "ltr", 1000},
	{"dark", "dark", "ltr", 1000},
	{"narrow", "light", "ltr", 360},
	{"narrow-dark", "dark", "ltr", 360},
	{"rtl", "light", "rtl", 1000},
	{"rtl-narrow", "dark", "rtl", 360},
}

// inspect goes through all looks of what the window shows. others are elements whose
// style sheets come with a package.
func inspect(t *testing.T, page *browser.Page, name string, others ...string) {
	t.Helper()
	require.Equal(t, http.StatusOK, browser.Eval[int](page,
		`fetch(document.querySelector("link[rel=icon]").href).then((r) => r.status, () => 0)`), "a page without an icon asks for one that is not there")
	for _, l := range looks {
		page.Prefer("prefers-color-scheme", l.scheme)
		browser.Eval[bool](page, `(document.documentElement.dir = "`+l.dir+`", true)`)
		for _, lang := range map[string][]string{"rtl": {"ar"}, "ltr": {"en"}}[l.dir] {
			browser.Eval[bool](page, `(document.querySelectorAll("postern-upload").forEach((e) => { e.lang = "`+lang+`" }), true)`)
		}
		page.Wait(`[...document.querySelectorAll("postern-upload")].every((e) =>
			e.shadowRoot.querySelector("[part=list]").ariaLabel === { ar: "الملفات", en: "Files" }[e.lang])`)
		width := page.Resize(l.width, 700)
		page.Wait(`document.getAnimations().every((a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity)`)
		assert.LessOrEqual(t, browser.Eval[int64](page, `document.documentElement.scrollWidth`), width, "%s, %s: nothing sticks out", name, l.name)
		axe.Check(t, page, name+", "+l.name, others...)
		page.Resize(l.width, min(3000, max(500, browser.Eval[int64](page, `document.documentElement.scrollHeight`))))
		page.Picture(name + "-" + l.name)
	}
}

func uploader(page *browser.Page) *element.Element {
	page.Wait(`customElements.get("postern-upload")`)
	return &element.Element{Page: page, Selector: "postern-upload"}
}

// Files that pages take, and that they do not.
func good(t *testing.T) fixture.File { return fixture.PNG(t, "evening at sea.png", 640, 480) }
func bad(t *testing.T) fixture.File {
	return fixture.Write(t, "a page with quite a long name that says what it is about.html", []byte("<!doctype html>"))
}

func TestTheQuickstart(t *testing.T) {
	p := program.Start(t, "quickstart", []string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", t.TempDir()}, nil)
	page := browser.Open(t, p.URL)
	e := uploader(page)
	inspect(t, page, "quickstart-empty")
	f, refused := good(t), bad(t)
	e.Pick(f, refused)
	e.WaitFor(refused.Name, "failed")
	page.Wait(`document.body.innerText.includes(` + browser.Quote(f.Name) + `)`)
	inspect(t, page, "quickstart")
}

func TestTheGallery(t *testing.T) {
	p := program.Start(t, "gallery", []string{
		"-addr", "127.0.0.1:0", "-eu-s3-addr", "127.0.0.1:0", "-us-s3-addr", "127.0.0.1:0", "-dir", t.TempDir(),
	}, nil)
	page := browser.Open(t, p.URL)
	inspect(t, page, "gallery-sign-in")
	browser.Eval[bool](page, `(document.querySelector("[name=email]").value = "ada@acme.example",
		document.querySelector("[name=password]").value = "open-sesame", true)`)
	page.Click(".card .primary")
	page.Wait(`document.querySelector("postern-upload")`)
	e := uploader(page)
	inspect(t, page, "gallery-empty")
	f, refused := good(t), bad(t)
	e.Pick(f, refused)
	e.WaitFor(refused.Name, "failed")
	page.Wait(`document.querySelector(".thumb img")?.naturalWidth > 0`)
	inspect(t, page, "gallery-photos")
	page.Click(".thumb")
	page.Wait(`document.querySelector(":popover-open > img").naturalWidth > 0`)
	inspect(t, page, "gallery-photo")
}

func TestTheComponent(t *testing.T) {
	p := program.Start(t, "component", []string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0"}, nil)
	page := browser.Open(t, p.URL)
	e := uploader(page)
	f, refused, large := good(t), bad(t), fixture.Write(t, "panorama.png", append(good(t).Bytes, make([]byte, 9<<20)...))
	page.Throttle(2 << 20)
	e.Pick(large, f, refused)
	e.WaitFor(f.Name, "done")
	e.WaitFor(refused.Name, "failed")
	page.Wait(e.Percent(large.Name) + ` > 10`)
	e.Push(large.Name, "pause")
	e.WaitFor(large.Name, "paused")
	page.Throttle(0)
	inspect(t, page, "component")
	page.Navigate(p.URL + "/themes")
	uploader(page)
	page.Wait(`[...document.querySelectorAll("postern-upload[data-files*=done]")].every((e) => e.receipts.length)`)
	for _, l := range looks[:4] { // it has its own languages and directions
		page.Prefer("prefers-color-scheme", l.scheme)
		width := page.Resize(l.width, 700)
		assert.LessOrEqual(t, browser.Eval[int64](page, `document.documentElement.scrollWidth`), width, l.name)
		page.Resize(l.width, min(6000, browser.Eval[int64](page, `document.documentElement.scrollHeight`)))
		page.Picture("themes-" + l.name)
	}
}

func TestTheClients(t *testing.T) {
	p := program.Start(t, "clients", []string{
		"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-node-modules", npm(t, "examples/clients"),
	}, nil)
	page := browser.Open(t, p.URL)
	inspect(t, page, "clients")
	f, refused := good(t), bad(t)
	for _, c := range []struct {
		name, picker, push, ready string
		others                    []string
	}{
		{"fetch", "#file", "", "", nil},
		{"form", "", "", "", nil},
		{"module", "#file", "", "", nil},
		{"jquery", "", "", "", nil},
		{"dropzone", ".dz-hidden-input", "", `document.querySelector(".dz-success") && document.querySelector(".dz-error")`, []string{".dropzone"}},
		{"filepond", ".filepond--browser", "", `document.querySelector("[data-filepond-item-state=processing-complete]") &&
			document.querySelector("[data-filepond-item-state=processing-error]")`, []string{".filepond--root"}},
		{"uppy", "", "", `document.querySelector(".uppy-Dashboard-inner")`, []string{".uppy-Root"}},
		{"uppy5", "", "", "", nil},
		{"uppyplugin", "#dashboard .uppy-Dashboard-input", ".uppy-StatusBar-actionBtn--upload",
			`document.querySelector(".uppy-StatusBar.is-error") && document.querySelector("#receipts li")`, []string{".uppy-Root"}},
	} {
		page.Navigate(p.URL + "/" + c.name + "/")
		if browser.Eval[bool](page, `!document.querySelector("#who b")`) {
			page.Click(`.tenants [value=acme]`)
			page.Wait(`document.querySelector("#who b")?.innerText === "acme" && document.readyState === "complete"`)
		}
		if c.ready != "" && c.picker != "" {
			page.Wait(`document.querySelector(` + browser.Quote(c.picker) + `)`)
			page.Choose(c.picker, f.Path, refused.Path)
		}
		if c.push != "" {
			page.AllowErrors() // Uppy writes them to the console
			page.Click(c.push)
		}
		if c.ready != "" {
			page.Wait(c.ready)
		}
		inspect(t, page, "clients-"+c.name, c.others...)
	}
	t.Run("what they say of sizes is what the server does", func(t *testing.T) {
		for _, c := range []struct{ page, says, road string }{
			{"fetch", "up to 10 MB", "/uploads/"},
			{"form", "up to 10 MB", "/uploads/"},
			{"jquery", "up to 10 MB", "/uploads/"},
			{"dropzone", "up to 10 MB", "/uploads/"},
			{"module", "up to 1 GB", "/large/"},
			{"filepond", "up to 1 GB", "/large/"},
		} {
			page.Navigate(p.URL + "/" + c.page + "/")
			page.Wait(`document.body.innerText.includes(` + browser.Quote(c.says) + `)`)
			require.Equal(t, map[string]int{"up to 10 MB": 10e6, "up to 1 GB": 1e9}[c.says],
				browser.Eval[int](page, `fetch("`+c.road+`rules").then((r) => r.json()).then((rules) => rules.max_size)`), c.page)
		}
	})
	for _, answer := range []struct{ kind, status, name string }{{"image/png", "done", "stored"}, {"application/pdf", "failed", "refused"}} {
		page.Navigate(p.URL + "/form/?type=" + url.QueryEscape(answer.kind))
		page.Choose("#file", f.Path)
		page.Click(".panel button")
		page.Wait(`document.querySelector("[action=complete]")`)
		inspect(t, page, "clients-form-arrived")
		page.Click("[action=complete] button")
		page.Wait(`document.querySelector("[data-status=` + answer.status + `]")`)
		inspect(t, page, "clients-form-"+answer.name)
	}
	page.Navigate(p.URL + "/files/")
	inspect(t, page, "clients-files")
}

func TestTheRouters(t *testing.T) {
	p := program.Start(t, "routers/nethttp", []string{"-addr", "127.0.0.1:0"}, nil)
	inspect(t, browser.Open(t, p.URL), "routers")
}
