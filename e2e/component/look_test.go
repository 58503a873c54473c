package component_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
)

// example starts the example program, and opens its page.
func example(t *testing.T) *upload {
	t.Helper()
	p := program.Start(t, "component", []string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0"}, nil)
	page := browser.Open(t, p.URL)
	page.Wait(`customElements.get("postern-upload")`)
	return &upload{element.Element{Page: page, Selector: "postern-upload"}, t}
}

// TestItLooksRight goes through what a person sees. With E2E_PICTURES set to a
// folder it leaves a picture of each there.
func TestItLooksRight(t *testing.T) {
	t.Parallel()
	e := example(t)
	e.Prefer("prefers-color-scheme", "light")
	e.Resize(760, 480)
	e.Picture("component-empty")

	e.Throttle(400 << 10)
	large := fixture.Write(t, "panorama-from-the-lighthouse.png", append(fixture.PNG(t, "a.png", 1400, 900).Bytes, make([]byte, 9<<20)...))
	e.Pick(large, fixture.PNG(t, "evening-at-sea.png", 700, 450),
		fixture.PDF(t, "travel-expenses-of-the-whole-year-with-a-very-long-name-that-does-not-fit-into-one-line-of-the-list.pdf", "x", 10))
	e.WaitFor("evening-at-sea.png", "done")
	e.Wait(e.In(large.Name, "bar") + `?.ariaValueNow > 12`)
	e.Wait(e.JS() + `.shadowRoot.querySelectorAll("img").length === 2`)
	e.Resize(760, 660)
	e.Picture("component-light")

	e.Prefer("prefers-color-scheme", "dark")
	accent := `getComputedStyle(` + e.Part("icon") + `).color`
	e.Wait(accent + ` === "rgb(147, 168, 255)"`)
	e.Picture("component-dark")

	for _, width := range []int64{320, 390} {
		width := e.Resize(width, 800)
		require.LessOrEqual(t, browser.Eval[int64](e.Page, `document.documentElement.scrollWidth`), width, "nothing sticks out")
		require.LessOrEqual(t, browser.Eval[float64](e.Page, e.In(large.Name, "actions")+`.getBoundingClientRect().right`), float64(width))
	}
	e.Push(large.Name, "pause")
	e.WaitFor(large.Name, "paused")
	require.True(t, browser.Eval[bool](e.Page, `((bar) => Math.abs(bar.firstChild.getBoundingClientRect().width / bar.clientWidth - bar.ariaValueNow / 100) < 0.011)(`+
		e.In(large.Name, "bar")+`)`), "the bar stands where the text says")
	e.Picture("component-narrow")

	t.Run("and can be styled from outside", func(t *testing.T) {
		style := func(name string) string { return `getComputedStyle(` + e.Part("drop") + `).` + name }
		browser.Eval[bool](e.Page, `document.styleSheets[0].insertRule("postern-upload { --postern-radius: 3px; --postern-line: rgb(1, 2, 3) }"),
			document.styleSheets[0].insertRule("postern-upload:state(filled)::part(drop) { background: rgb(4, 5, 6) }"),
			document.styleSheets[0].insertRule("postern-upload::part(file paused) { opacity: 0.5 }"), true`)
		require.Equal(t, "3px", browser.Eval[string](e.Page, style("borderRadius")))
		require.Equal(t, "rgb(1, 2, 3)", browser.Eval[string](e.Page, style("borderTopColor")))
		require.Equal(t, "rgb(4, 5, 6)", browser.Eval[string](e.Page, style("backgroundColor")))
		require.Equal(t, "0.5", browser.Eval[string](e.Page, `getComputedStyle(`+e.Row(large.Name)+`).opacity`))
	})
	e.Throttle(0)
}

// TestEveryVariantLooksRight leaves pictures of the page that has them all.
func TestEveryVariantLooksRight(t *testing.T) {
	t.Parallel()
	e := example(t)
	browser.Eval[bool](e.Page, `(location.pathname = "/themes", true)`)
	e.Wait(`location.pathname === "/themes" && customElements.get("postern-upload")`)
	all := `[...document.querySelectorAll("postern-upload[data-files]")]`
	e.Wait(all + `.length === 8 && ` + all + `.every((e) => e.receipts.length === (e.dataset.files.includes("many") ? 40 : e.dataset.files.match(/done|mixed|long/g).length))`)
	e.Wait(all + `.every((e) => !e.matches(":state(uploading)") && !e.dataset.files.includes("paused") || e.shadowRoot.querySelector("[part~=paused]"))`)
	e.Wait(`document.querySelector("[lang=ar] postern-upload").shadowRoot.querySelector("[part=list]").ariaLabel === "الملفات"`)
	for _, scheme := range []string{"light", "dark"} {
		e.Prefer("prefers-color-scheme", scheme)
		e.Resize(1240, 2600)
		e.Picture("themes-" + scheme)
	}
	width := e.Resize(320, 5700)
	require.LessOrEqual(t, browser.Eval[int64](e.Page, `document.documentElement.scrollWidth`), width, "nothing sticks out")
	e.Picture("themes-narrow")
}

func TestTheExampleTakesTheVisitorsOwnPhotosAlone(t *testing.T) {
	t.Parallel()
	e := example(t)
	png := fixture.PNG(t, "sea.png", 90, 60)
	e.Pick(png)
	e.WaitFor(png.Name, "done")
	key := e.value()[0]

	// save sends the form as a page of this site may.
	save := `(credentials) => fetch("/", { method: "POST", credentials, body: new URLSearchParams({ title: "Sea", photo: ` + browser.Quote(key) + ` }) }).then((r) => r.status)`
	require.Equal(t, 200, browser.Eval[int](e.Page, `(`+save+`)("include")`))
	require.Equal(t, 422, browser.Eval[int](e.Page, `(`+save+`)("omit")`), "the key is somebody else's")

	browser.Eval[bool](e.Page, `(document.querySelector("#title").value = "At sea", true)`)
	e.Click("form button")
	e.Wait(`document.querySelector("h1")?.innerText.includes("is saved")`)
	require.Equal(t, []string{"“At sea” is saved", "sea.png", key}, browser.Eval[[]string](e.Page,
		`["h1", "b", "code"].map((name) => document.querySelector(name).innerText)`))
}

// TestEveryPartIsDocumented collects the parts and slots that appear while files take
// all ways through the list.
func TestEveryPartIsDocumented(t *testing.T) {
	t.Parallel()
	documentation, err := os.ReadFile("../../client/postern-upload.d.ts")
	require.NoError(t, err)
	e := serve(t, `<postern-upload multiple concurrency="1"></postern-upload>`).open()
	browser.Eval[bool](e.Page, `((root) => {
		window.seen = new Set();
		const look = () => {
			for (const element of root.querySelectorAll("[part]")) for (const part of element.part) seen.add(part);
			for (const { name } of root.querySelectorAll("slot")) seen.add(name);
		};
		look();
		new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true });
		return true;
	})(`+e.Root()+`)`)
	large, second := fixture.Text(t, "large.txt", 11<<20), fixture.Text(t, "second.txt", 10)
	e.Throttle(1 << 20)
	e.Pick(large, second, fixture.Write(t, "page.html", []byte("<p>")))
	e.WaitFor(second.Name, "waiting")
	e.Push(large.Name, "pause")
	e.WaitFor("page.html", "failed")
	e.Push(large.Name, "resume")
	e.Push(large.Name, "cancel")
	e.Push(large.Name, "remove")
	e.WaitFor(second.Name, "done")
	seen := browser.Eval[[]string](e.Page, `[...seen]`)
	require.Subset(t, seen, []string{"prompt", "drop", "waiting", "uploading", "paused", "failed", "cancelled", "done", "retry"})
	for _, name := range seen {
		require.Contains(t, string(documentation), "`"+name+"`")
	}
}

func TestThePagesOwnPropertiesAreNotTheElements(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload></postern-upload>`).open()
	browser.Eval[bool](e.Page, `(document.adoptedStyleSheets.push(new CSSStyleSheet()), document.adoptedStyleSheets[0].replaceSync(
		"postern-upload { --accent: rgb(1, 2, 3); --postern-accent: var(--accent) }"), true)`)
	require.Equal(t, "rgb(1, 2, 3)", browser.Eval[string](e.Page, `getComputedStyle(`+e.Part("icon")+`).color`))
}
