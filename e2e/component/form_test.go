package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// form is a page in which the element is one control of several.
const form = `
<form action="/submit" method="post">
	<input name="title" value="Sea">
	<postern-upload name="photo" multiple required></postern-upload>
	<button id="send">Send</button>
	<button id="reset" type="reset">Reset</button>
</form>`

func TestTheFormSendsTheKeysOfWhatWasChosenAndDropped(t *testing.T) {
	t.Parallel()
	s := serve(t, form)
	e := s.open()
	png, pdf := fixture.PNG(t, "evening at sea.png", 300, 200), fixture.PDF(t, "Reisekosten März.pdf", "Invoice", 200<<10)
	require.Equal(t, "Choose a file.", e.invalid())
	require.True(t, browser.Eval[bool](e.Page, e.js()+`.validity.valueMissing`))

	e.choose(png)
	e.waitFor(png.Name, "done")
	e.drop(pdf.Path)
	e.waitFor(pdf.Name, "done")
	require.Empty(t, e.invalid())
	for _, f := range []fixture.File{png, pdf} {
		require.Equal(t, "100", browser.Eval[string](e.Page, e.in(f.Name, "bar")+`.ariaValueNow`))
		require.Equal(t, "Uploaded", browser.Eval[string](e.Page, e.in(f.Name, "message")+`.innerText`))
	}
	e.Wait(e.in(png.Name, "preview") + `.querySelector("img")?.naturalWidth === 300`)
	require.Equal(t, "PDF", browser.Eval[string](e.Page, e.in(pdf.Name, "preview")+`.innerText`))
	require.Zero(t, browser.Eval[int](e.Page, `blobs.size`), "object URLs are revoked")

	type event struct {
		Type   string
		Detail struct {
			Key, Filename string
			Loaded, Total int
		}
	}
	events := browser.Eval[[]event](e.Page, `events`)
	var complete []string
	var changes, last int
	for _, event := range events {
		switch event.Type {
		case "change":
			changes++
		case "postern-progress":
			last = event.Detail.Loaded
			require.LessOrEqual(t, last, event.Detail.Total)
		case "postern-complete":
			complete = append(complete, event.Detail.Filename)
		}
	}
	require.Equal(t, []string{png.Name, pdf.Name}, complete)
	require.Equal(t, 2, changes)
	require.Equal(t, len(pdf.Bytes), last, "progress reached the end")

	require.Len(t, s.receipts, 2)
	keys := []string{s.receipts[0].Key, s.receipts[1].Key}
	require.Equal(t, keys, e.value())
	require.ElementsMatch(t, keys, s.keys())
	// Such pages are not kept alive for going back: the form's state is.
	browser.Eval[bool](e.Page, `(onunload = () => {}, navigator.locks.request("x", () => new Promise(() => {})), true)`)
	require.Equal(t, map[string][]string{"title": {"Sea"}, "photo": keys}, e.submitted())

	t.Run("going back brings them back", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(setTimeout(() => history.back()), true)`)
		e.Wait(`customElements.get("postern-upload") && ` + e.js() + `?.value.length === 2`)
		require.Equal(t, "back_forward", browser.Eval[string](e.Page, `performance.getEntriesByType("navigation")[0].type`))
		require.Equal(t, keys, e.value())
		require.Empty(t, e.invalid())
		require.Equal(t, map[string][]string{"title": {"Sea"}, "photo": keys}, e.submitted())
	})
}

func TestTheFormWaitsForUploads(t *testing.T) {
	t.Parallel()
	s := serve(t, form)
	e := s.open()
	e.Throttle(150 << 10)
	slow := fixture.Text(t, "slow.txt", 1<<20)
	e.choose(slow)
	e.Wait(e.in(slow.Name, "bar") + `?.ariaValueNow > 5`)
	require.Equal(t, "Not all files are uploaded yet.", e.invalid())
	require.True(t, browser.Eval[bool](e.Page, e.js()+`.validity.customError && `+e.js()+`.matches(":invalid:state(uploading)")`))

	e.Click("#send")
	e.Wait(`document.activeElement === ` + e.js())
	require.Equal(t, "/", browser.Eval[string](e.Page, `location.pathname`))
	require.Equal(t, "drop", browser.Eval[string](e.Page, e.js()+`.shadowRoot.activeElement.part.value`), "the focus goes where a file can be chosen")

	e.Throttle(0)
	e.waitFor(slow.Name, "done")
	require.Empty(t, e.invalid())

	t.Run("and does not pass over what failed", func(t *testing.T) {
		e.choose(fixture.Write(t, "page.html", []byte("<p>")))
		e.waitFor("page.html", "failed")
		require.Equal(t, "Some files could not be uploaded. Try again, or remove them.", e.invalid())
		e.press("page.html", "remove")
		require.Empty(t, e.invalid())
	})
	t.Run("a reset begins anew", func(t *testing.T) {
		e.Throttle(150 << 10)
		e.choose(fixture.Text(t, "another.txt", 1<<20))
		e.waitFor("another.txt", "uploading")
		e.Click("#reset")
		require.Equal(t, "Choose a file.", e.invalid())
		require.Empty(t, e.value())
		require.True(t, browser.Eval[bool](e.Page, e.part("list")+`.hidden && !`+e.part("list")+`.children.length`))
		require.Equal(t, 1, browser.Eval[int](e.Page, `events.filter(({ type }) => type === "change").length`), "a reset is no change")
		e.Throttle(0)
	})
	t.Run("a disabled element has no part in it", func(t *testing.T) {
		browser.Eval[bool](e.Page, e.js()+`.disabled = true`)
		e.Wait(e.part("drop") + `.disabled`)
		require.Equal(t, map[string][]string{"title": {"Sea"}}, e.submitted())
	})
}

func TestAttributesMayChange(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form action="/submit" method="post"><fieldset><postern-upload></postern-upload></fieldset><button id="send">Send</button></form>`)
	e := s.open()
	set := func(code string) { browser.Eval[bool](e.Page, `((e) => { `+code+` })(`+e.js()+`), true`) }
	hint := func() string { return browser.Eval[string](e.Page, e.part("hint")+`.innerText`) }
	a, b, c := fixture.Text(t, "a.txt", 10), fixture.Text(t, "b.txt", 10), fixture.Text(t, "c.txt", 10)
	require.Empty(t, hint())
	require.Equal(t, "Drop a file here, or choose one", browser.Eval[string](e.Page, e.part("prompt")+`.innerText`))

	refused := fixture.Write(t, "page.html", []byte("<p>"))
	for range 2 {
		e.choose(refused)
		e.message(refused.Name)
		require.Equal(t, 1, browser.Eval[int](e.Page, e.part("list")+`.children.length`), "a file that is chosen again is tried again")
	}
	e.choose(a)
	e.waitFor(a.Name, "done")
	e.drop(b.Path, c.Path)
	e.waitFor(b.Name, "done")
	require.Len(t, e.value(), 1, "another file takes the place of the first")
	require.Equal(t, "Too many files: the limit is 1. Left out: c.txt.", browser.Eval[string](e.Page, e.part("notice")+`.innerText`))

	set(`e.multiple = true; e.maxFiles = 2; e.maxSize = 5 * 2 ** 20; e.accept = ".TXT, image/*"; e.required = true; e.name = "doc"; e.metadata = ({ name }) => ({ album: name })`)
	require.Equal(t, "Required · Only .txt and images · Up to 5 MB each · At most 2 files", hint())
	require.Equal(t, "Drop files here, or choose them", browser.Eval[string](e.Page, e.part("prompt")+`.innerText`))
	e.choose(b)
	require.Equal(t, "Already in the list: b.txt.", browser.Eval[string](e.Page, e.part("notice")+`.innerText`))
	e.choose(a, c)
	e.waitFor(a.Name, "done")
	require.Equal(t, "Too many files: the limit is 2. Left out: c.txt.", browser.Eval[string](e.Page, e.part("notice")+`.innerText`))
	require.Equal(t, map[string]string{"album": "a.txt"}, s.receipts[2].Metadata)

	set(`e.closest("fieldset").disabled = true`)
	e.Wait(e.part("drop") + `.disabled && ` + e.in(a.Name, "remove") + `.disabled`)
	set(`e.closest("fieldset").disabled = false; e.checksum = true; e.maxFiles = 0`)
	e.choose(c)
	e.waitFor(c.Name, "done")
	require.NotEmpty(t, s.receipts[3].SHA256)

	set(`e.endpoint = "/nowhere/"`)
	d := fixture.Text(t, "d.txt", 10)
	e.choose(d)
	require.Equal(t, "Something went wrong. Try again in a moment.", e.message(d.Name))
	set(`e.endpoint = "/uploads/"`)
	e.press(d.Name, "retry")
	e.waitFor(d.Name, "done")
	require.Len(t, e.submitted()["doc"], 4)
}

func TestElementsDoNotKnowOfEachOther(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form action="/submit" method="post">
		<postern-upload id="a" name="a"></postern-upload><postern-upload id="b" name="b" multiple lang="de"></postern-upload>
		<button id="send">Send</button></form>`)
	e := s.open()
	a, b := *e, *e
	a.selector, b.selector = "#a", "#b"
	one, two := fixture.Text(t, "one.txt", 10), fixture.Text(t, "two.txt", 10)
	a.choose(one)
	b.choose(one, two)
	a.waitFor(one.Name, "done")
	b.waitFor(one.Name, "done")
	b.waitFor(two.Name, "done")
	require.Len(t, a.value(), 1)
	require.Len(t, b.value(), 2)
	want := map[string][]string{"a": a.value(), "b": b.value()}
	require.Equal(t, want, e.submitted())
}

func TestPropertiesMayBeSetBeforeTheElementIsDefined(t *testing.T) {
	t.Parallel()
	s := serve(t, `<p></p>`)
	e := s.open()
	got := browser.Eval[[]any](e.Page, `(async () => {
		const early = Object.assign(document.createElement("postern-early"), {
			accept: "image/*", maxSize: 7, multiple: true, texts: { drop_many: "Early" }, metadata: { album: "x" },
		});
		const { PosternUpload } = await import("/client/postern-upload.js");
		customElements.define("postern-early", class extends PosternUpload {});
		document.body.append(early);
		return [early.getAttribute("accept"), early.maxSize, early.multiple,
			early.shadowRoot.querySelector("[part=prompt]").innerText, early.metadata.album];
	})()`)
	require.Equal(t, []any{"image/*", 7.0, true, "Early", "x"}, got)
	require.Equal(t, []string{}, browser.Eval[[]string](e.Page, `Object.keys(window).filter((name) => /postern|upload/i.test(name))`), "no globals")
}
