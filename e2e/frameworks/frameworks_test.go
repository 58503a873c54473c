package frameworks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

var frameworks = []string{"react", "vue", "svelte"}

// TestAProjectUploadsByTheHookAndByTheElement has the same page in each framework:
// rendered on a server, and taken over by the browser.
func TestAProjectUploadsByTheHookAndByTheElement(t *testing.T) {
	for _, name := range frameworks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, page := mounted(t, name, `<output id="uploading">false</output>`)
			byTheElement(t, s, page)
			byTheHook(t, s, page)
			inParts(t, s, page)
			whatFails(t, page)
			unmounted(t, s, page)
		})
	}
}

// mounted checks and builds a project, renders its page, which has the element and what
// else is named, and returns it once the browser has taken it over.
func mounted(t *testing.T, name string, has ...string) (*site, *browser.Page) {
	t.Helper()
	p := begin(t, name)
	p.script("check")
	p.script("build")
	html := p.rendered()
	for _, part := range append([]string{`<postern-upload multiple`, `max-size="20000000"`}, has...) {
		require.Contains(t, html, part)
	}
	s := p.serve(html)
	page := browser.Open(t, s.URL)
	page.Wait(`document.querySelector("[data-mounted=true]") && customElements.get("postern-upload")`)
	return s, page
}

// row is a file's in the list of the hook, for JavaScript.
func row(name string) string {
	return `document.querySelector('[data-file=` + browser.Quote(name) + `]')`
}

func status(name, status string) string {
	return row(name) + `?.dataset.status === ` + browser.Quote(status)
}

func keyOf(page *browser.Page, name string) string {
	page.Wait(status(name, "done"))
	return browser.Eval[string](page, row(name)+`.dataset.key`)
}

func text(selector, text string) string {
	return `document.querySelector(` + browser.Quote(selector) + `)?.textContent === ` + browser.Quote(text)
}

// byTheElement needs its properties, its events, and a language of a file of its own.
func byTheElement(t *testing.T, s *site, page *browser.Page) {
	file := fixture.Text(t, "element.txt", 1000)
	e := element.Element{Page: page, Selector: "postern-upload"}
	require.EqualValues(t, 20_000_000, browser.Eval[int](page, e.JS()+`.maxSize`))
	page.Wait(e.Root() + `.textContent.includes("Dateien")`)
	e.Pick(file)
	e.WaitFor("element.txt", "done")
	page.Wait(`document.querySelector("#keys").textContent`)
	require.Equal(t, file.Bytes, s.content(browser.Eval[string](page, `document.querySelector("#keys").textContent`)))
}

func byTheHook(t *testing.T, s *site, page *browser.Page) {
	a, b := fixture.Text(t, "a.txt", 1000), fixture.Text(t, "b.txt", 2000)
	page.Choose("#files", a.Path, b.Path)
	page.Wait(text("#received", "2"))
	require.Equal(t, a.Bytes, s.content(keyOf(page, "a.txt")))
	require.Equal(t, b.Bytes, s.content(keyOf(page, "b.txt")))
	require.EqualValues(t, 1, browser.Eval[float64](page, `document.querySelector("#all").value`))
	require.Equal(t, []string{"a.txt", "b.txt", "element.txt"}, s.names())
	page.Click("#clear")
	page.Wait(`!document.querySelector("li")`)
}

// inParts pauses an upload, goes on, and gives another one up. The sums come from a
// worker, which is a file of what was built.
func inParts(t *testing.T, s *site, page *browser.Page) {
	large := fixture.Text(t, "large.txt", 2*partSize+1)
	page.Throttle(4 << 20)
	page.Choose("#files", large.Path)
	page.Wait(row("large.txt") + `?.dataset.loaded > 0 && ` + text("#uploading", "true"))
	page.ClickOn(row("large.txt") + `.querySelector(".pause")`)
	page.Wait(status("large.txt", "paused") + ` && ` + text("#uploading", "false"))
	require.Equal(t, 1, s.begun())
	page.Throttle(0)
	page.ClickOn(row("large.txt") + `.querySelector(".resume")`)
	require.Equal(t, large.Bytes, s.content(keyOf(page, "large.txt")))
	page.Wait(text("#received", "3"))
	require.NotEmpty(t, s.last().CRC64NVME, "what a worker has summed")
	require.Contains(t, browser.Eval[[]string](page, `performance.getEntriesByType("resource").map(({ name }) => name.replace(/.*(crc64).*/, "$1"))`), "crc64")

	given := fixture.Text(t, "given-up.txt", 2*partSize+1)
	page.Throttle(4 << 20)
	page.Choose("#files", given.Path)
	page.Wait(row("given-up.txt") + `?.dataset.loaded > 0`)
	page.ClickOn(row("given-up.txt") + `.querySelector(".cancel")`)
	page.Wait(`!` + row("given-up.txt"))
	page.Throttle(0)
	require.Eventually(t, func() bool { return s.begun() == 0 }, browser.Patience, 20*time.Millisecond)
	page.Wait(text("#received", "3"))
}

func whatFails(t *testing.T, page *browser.Page) {
	page.AllowErrors() // the console tells of the refusal
	page.Choose("#files", fixture.PNG(t, "picture.png", 10, 10).Path)
	page.Wait(status("picture.png", "failed") + ` && document.querySelector("[role=alert]")?.textContent.startsWith("picture.png: ")`)
	page.ClickOn(row("picture.png") + `.querySelector(".cancel")`)
	page.Wait(`!` + row("picture.png") + ` && !document.querySelector("[role=alert]")`)
}

// unmounted is a component whose upload goes on when its file is chosen again.
func unmounted(t *testing.T, s *site, page *browser.Page) {
	file := fixture.Text(t, "unmounted.txt", 2*partSize+1)
	page.Throttle(4 << 20)
	page.Choose("#files", file.Path)
	page.Wait(row("unmounted.txt") + `?.dataset.loaded > 0`)
	page.Click("#toggle")
	page.Wait(`!document.querySelector("#files")`)
	page.Wait(`navigator.locks.query().then(({ held }) => (window.held = held.length)) && window.held === 0`)
	require.Equal(t, 1, s.begun())
	page.Throttle(0)
	page.Click("#toggle")
	page.Choose("#files", file.Path)
	require.Equal(t, file.Bytes, s.content(keyOf(page, "unmounted.txt")))
	require.Zero(t, s.begun(), "it was the same upload")
}
