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
	require.True(t, browser.Eval[bool](e.Page, e.JS()+`.validity.valueMissing`))

	e.Pick(png)
	e.WaitFor(png.Name, "done")
	e.Drop(pdf.Path)
	e.WaitFor(pdf.Name, "done")
	require.Empty(t, e.invalid())
	for _, f := range []fixture.File{png, pdf} {
		require.Equal(t, "100", browser.Eval[string](e.Page, e.In(f.Name, "bar")+`.ariaValueNow`))
		require.Equal(t, "Uploaded", browser.Eval[string](e.Page, e.In(f.Name, "message")+`.innerText`))
	}
	e.Wait(e.In(png.Name, "preview") + `.querySelector("img")?.naturalWidth === 300`)
	require.Equal(t, "PDF", browser.Eval[string](e.Page, e.In(pdf.Name, "preview")+`.innerText`))
	require.Zero(t, browser.Eval[int](e.Page, `blobs.size`), "object URLs are revoked")

	type event struct {
		Type   string
		Detail struct {
			Key, Filename string
			Loaded, Total int
			Data          struct{ Row string }
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
			require.Equal(t, "of "+event.Detail.Filename, event.Detail.Data.Row, "what the application's hook says")
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
		e.Wait(`customElements.get("postern-upload") && ` + e.JS() + `?.value.length === 2`)
		require.Equal(t, "of "+pdf.Name, browser.Eval[string](e.Page, e.JS()+`.receipts[1].data.row`))
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
	e.Pick(slow)
	e.Wait(e.In(slow.Name, "bar") + `?.ariaValueNow > 5`)
	require.Equal(t, "Not all files are uploaded yet.", e.invalid())
	require.True(t, browser.Eval[bool](e.Page, e.JS()+`.validity.customError && `+e.JS()+`.matches(":invalid:state(uploading)")`))

	e.Click("#send")
	e.Wait(`document.activeElement === ` + e.JS())
	require.Equal(t, "/", browser.Eval[string](e.Page, `location.pathname`))
	require.Equal(t, "drop", browser.Eval[string](e.Page, e.JS()+`.shadowRoot.activeElement.part.value`), "the focus goes where a file can be chosen")

	e.Throttle(0)
	e.WaitFor(slow.Name, "done")
	require.Empty(t, e.invalid())

	t.Run("and does not pass over what failed", func(t *testing.T) {
		e.Pick(fixture.Write(t, "page.html", []byte("<p>")))
		e.WaitFor("page.html", "failed")
		require.Equal(t, "Some files could not be uploaded. Try again, or remove them.", e.invalid())
		e.Push("page.html", "remove")
		require.Empty(t, e.invalid())
	})
	t.Run("a reset begins anew", func(t *testing.T) {
		e.Throttle(150 << 10)
		e.Pick(fixture.Text(t, "another.txt", 1<<20))
		e.WaitFor("another.txt", "uploading")
		e.Click("#reset")
		require.Equal(t, "Choose a file.", e.invalid())
		require.Empty(t, e.value())
		require.True(t, browser.Eval[bool](e.Page, e.Part("list")+`.hidden && !`+e.Part("list")+`.children.length`))
		require.Equal(t, 1, browser.Eval[int](e.Page, `events.filter(({ type }) => type === "change").length`), "a reset is no change")
		e.Throttle(0)
	})
	t.Run("a disabled element has no part in it", func(t *testing.T) {
		browser.Eval[bool](e.Page, e.JS()+`.disabled = true`)
		e.Wait(e.Part("drop") + `.disabled`)
		require.Equal(t, map[string][]string{"title": {"Sea"}}, e.submitted())
	})
}

func TestAttributesMayChange(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form action="/submit" method="post"><fieldset><postern-upload></postern-upload></fieldset><button id="send">Send</button></form>`)
	e := s.open()
	set := func(code string) { browser.Eval[bool](e.Page, `((e) => { `+code+` })(`+e.JS()+`), true`) }
	hint := func() string { return browser.Eval[string](e.Page, e.Part("hint")+`.innerText`) }
	a, b, c := fixture.Text(t, "a.txt", 10), fixture.Text(t, "b.txt", 10), fixture.Text(t, "c.txt", 10)
	e.Wait(e.hint() + ` === "Only images, plain text, and PDF · Up to 21 MB each"`)
	require.Equal(t, "Drop a file here, or choose one", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`))

	refused := fixture.Write(t, "page.html", []byte("<p>"))
	for range 2 {
		e.Pick(refused)
		e.Failure(refused.Name)
		require.Equal(t, 1, browser.Eval[int](e.Page, e.Part("list")+`.children.length`), "a file that is chosen again is tried again")
	}
	e.Pick(a)
	e.WaitFor(a.Name, "done")
	e.Drop(b.Path, c.Path)
	e.WaitFor(b.Name, "done")
	require.Len(t, e.value(), 1, "another file takes the place of the first")
	require.Equal(t, "Too many files: the limit is 1. Left out: c.txt.", browser.Eval[string](e.Page, e.Part("notice")+`.innerText`))

	set(`e.multiple = true; e.maxFiles = 2; e.maxSize = 5e6; e.accept = ".TXT, image/*"; e.required = true; e.name = "doc"; e.metadata = ({ name }) => ({ album: name })`)
	require.Equal(t, "Required · Only .txt and images · Up to 5 MB each · At most 2 files", hint())
	require.Equal(t, "Drop files here, or choose them", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`))
	e.Pick(b)
	require.Equal(t, "Already in the list: b.txt.", browser.Eval[string](e.Page, e.Part("notice")+`.innerText`))
	e.Pick(a, c)
	e.WaitFor(a.Name, "done")
	require.Equal(t, "Too many files: the limit is 2. Left out: c.txt.", browser.Eval[string](e.Page, e.Part("notice")+`.innerText`))
	require.Equal(t, map[string]string{"album": "a.txt"}, s.receipts[2].Metadata)

	set(`e.closest("fieldset").disabled = true`)
	e.Wait(e.Part("drop") + `.disabled && ` + e.In(a.Name, "remove") + `.disabled`)
	set(`e.closest("fieldset").disabled = false; e.checksum = true; e.maxFiles = 0`)
	e.Pick(c)
	e.WaitFor(c.Name, "done")
	require.NotEmpty(t, s.receipts[3].SHA256)

	set(`e.endpoint = "/nowhere/"`)
	d := fixture.Text(t, "d.txt", 10)
	e.Pick(d)
	require.Equal(t, "Something went wrong. Try again in a moment.", e.Failure(d.Name))
	set(`e.endpoint = "/uploads/"`)
	e.Push(d.Name, "retry")
	e.WaitFor(d.Name, "done")
	require.Len(t, e.submitted()["doc"], 4)
}

func TestElementsDoNotKnowOfEachOther(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form action="/submit" method="post">
		<postern-upload id="a" name="a"></postern-upload><postern-upload id="b" name="b" multiple lang="de"></postern-upload>
		<button id="send">Send</button></form>`)
	e := s.open()
	a, b := *e, *e
	a.Selector, b.Selector = "#a", "#b"
	one, two := fixture.Text(t, "one.txt", 10), fixture.Text(t, "two.txt", 10)
	a.Pick(one)
	b.Pick(one, two)
	a.WaitFor(one.Name, "done")
	b.WaitFor(one.Name, "done")
	b.WaitFor(two.Name, "done")
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

func TestAFileThatIsRefusedTakesNothingElseAway(t *testing.T) {
	t.Parallel()
	t.Run("of a single element", func(t *testing.T) {
		t.Parallel()
		e := serve(t, `<postern-upload accept="image/*"></postern-upload>`).open()
		e.Pick(fixture.PNG(t, "good.png", 20, 20))
		e.WaitFor("good.png", "done")
		e.Pick(fixture.Text(t, "bad.txt", 10))
		e.WaitFor("bad.txt", "failed")
		require.Len(t, e.value(), 1)
		e.Pick(fixture.PNG(t, "better.png", 30, 30))
		e.WaitFor("better.png", "done")
		require.Equal(t, 1, browser.Eval[int](e.Page, e.Part("list")+`.children.length`), "it takes the place of all")
	})
	t.Run("nor does one that was cancelled", func(t *testing.T) {
		t.Parallel()
		e := serve(t, `<postern-upload multiple max-files="1"></postern-upload>`).open()
		e.Throttle(100 << 10)
		e.Pick(fixture.Text(t, "slow.txt", 1<<20))
		e.WaitFor("slow.txt", "uploading")
		e.Push("slow.txt", "cancel")
		e.Throttle(0)
		e.Pick(fixture.Text(t, "next.txt", 10))
		e.WaitFor("next.txt", "done")
	})
}

func TestAClickOnTheLabelOpensTheDialog(t *testing.T) {
	t.Parallel()
	e := serve(t, `<label for="files">Files</label> <postern-upload id="files"></postern-upload>`).open()
	browser.Eval[bool](e.Page, `(window.asked = 0, HTMLInputElement.prototype.click = () => asked++, true)`)
	e.Click("label")
	e.Wait(`asked === 1`)
	e.ClickOn(e.Part("drop"))
	e.Wait(`asked === 2`)
}

func TestManyFilesGoThroughTheQueue(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple concurrency="1000000"></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(window.fetch = () => new Promise(() => {}), // nobody answers
		`+e.JS()+`.add(Array.from({ length: 3000 }, (_, i) => new File(["x"], i + ".txt", { type: "text/plain" }))), true)`)
	require.True(t, browser.Eval[bool](e.Page, e.JS()+`.matches(":state(uploading)")`))
	require.Equal(t, 8, e.rows(), "of which few are to be seen")
	e.Wait(e.Part("more") + `.innerText === "and 2,992 more"`)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), true)`)
	require.Empty(t, s.keys())
}
