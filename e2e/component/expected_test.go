package component_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestAFolderGoesUpWithAllThatIsInIt(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	folder := filepath.Join(t.TempDir(), "holiday")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "2026", "at sea"), 0o700))
	for _, name := range []string{"a.txt", "2026/a.txt", "2026/at sea/b.txt", "2026/.DS_Store"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("hello"), 0o600))

	}
	e.Drop(folder)
	e.Wait(e.JS() + `.value.length === 3`)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.ElementsMatch(t, []string{"holiday", "holiday/2026", "holiday/2026/at sea"}, s.paths, "files of one name in two folders are two")
}

func TestWhatIsPastedGoesUp(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	// Firefox empties the clipboard of an event that a page has made.
	browser.Eval[bool](e.Page, `((data) => {
		data.items.add(new File(["hello"], "pasted.txt", { type: "text/plain" }));
		const event = new ClipboardEvent("paste", { bubbles: true, composed: true });
		Object.defineProperty(event, "clipboardData", { value: data });
		`+e.Part("drop")+`.dispatchEvent(event);
		return true;
	})(new DataTransfer())`)
	e.WaitFor("pasted.txt", "done")
}

func TestALeaveWarningIsForUploadsAlone(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple leave-warning></postern-upload>`).open()
	require.False(t, e.warned())
	e.Throttle(200 << 10)
	e.Pick(fixture.Text(t, "slow.txt", 1<<20))
	e.WaitFor("slow.txt", "uploading")
	require.True(t, e.warned())
	browser.Eval[bool](e.Page, `(`+e.JS()+`.leaveWarning = false, true)`)
	require.False(t, e.warned(), "and only where the page wants it")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.leaveWarning = true, true)`)
	e.Throttle(0)
	e.WaitFor("slow.txt", "done")
	require.False(t, e.warned())
}

func TestImagesAreMadeSmaller(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple resize="100" max-size="50000"></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(async () => {
		const canvas = Object.assign(document.createElement("canvas"), { width: 800, height: 400 });
		const context = canvas.getContext("2d");
		const noise = context.createImageData(800, 400);
		noise.data.forEach((_, i, data) => (data[i] = i % 4 === 3 ? 255 : Math.random() * 256));
		context.putImageData(noise, 0, 0);
		for (const type of ["image/jpeg", "image/png"]) {
			const blob = await new Promise((done) => canvas.toBlob(done, type));
			window.least = Math.min(window.least ?? Infinity, blob.size);
			`+e.JS()+`.add([new File([blob], type.replace("/", "."), { type, lastModified: 7 })]);
		}
		`+e.JS()+`.add([new File([new Uint8Array(200_000)], "no.png", { type: "image/png" })]);
		return true;
	})()`)
	e.WaitFor("image.png", "done")
	e.WaitFor("image.jpeg", "done")
	require.Greater(t, browser.Eval[int](e.Page, `window.least`), 50_000, "they were too large")
	require.Equal(t, "Too large: this file has 200 kB, and the limit is 50 kB.", e.Failure("no.png"), "what is no image is as it was")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.receipts {
		require.Less(t, r.Size, int64(50_000))
		require.Equal(t, "image."+r.Type[len("image/"):], r.Filename)
	}
}

func TestACompactElementIsAButton(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload compact capture="environment" accept="image/*"></postern-upload>`).open()
	require.Equal(t, "Choose a file", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`))
	require.Less(t, browser.Eval[int](e.Page, e.Part("drop")+`.offsetHeight`), 60)
	require.Less(t, browser.Eval[int](e.Page, e.Part("drop")+`.offsetWidth`), 400)
	require.Equal(t, "environment", browser.Eval[string](e.Page, e.Root()+`.querySelector("input").getAttribute("capture")`))
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { multiple: true, capture: "", folder: true }), true)`)
	require.Equal(t, "Choose files", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`))
	require.True(t, browser.Eval[bool](e.Page, `((input) => input.webkitdirectory && !input.hasAttribute("capture"))(`+e.Root()+`.querySelector("input"))`))
	png := fixture.PNG(t, "a.png", 20, 20)
	e.Drop(png.Path)
	e.WaitFor("a.png", "done")
}

func TestANameCannotDressUpAsAnother(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	name := "invoice\u202efdp.exe"
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([new File(["x"], `+browser.Quote(name)+`, { type: "text/plain" })]), true)`)
	e.WaitFor("invoicefdp.exe", "done")
	require.Equal(t, "Remove invoicefdp.exe", browser.Eval[string](e.Page, e.In("invoicefdp.exe", "remove")+`.title`))
	require.False(t, browser.Eval[bool](e.Page, e.Root()+`.innerHTML?.includes("\u202e") || `+e.Part("list")+`.innerHTML.includes("\u202e")`))

	long := "the-report-of-the-whole-year-that-has-a-name-which-does-not-fit-into-one-line-of-the-list-by-far-2026.txt"
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([new File(["x"], `+browser.Quote(long)+`, { type: "text/plain" })]), true)`)
	e.WaitFor(long, "done")
	e.Resize(360, 600)
	name = e.In(long, "name")
	require.True(t, browser.Eval[bool](e.Page, `(([stem, tail]) => stem.scrollWidth > stem.clientWidth && tail.scrollWidth <= tail.clientWidth &&
		tail.textContent === "026.txt")(`+name+`.firstChild.children)`), "the end is to be seen")

	hebrew := "שלום (2026).txt"
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([new File(["x"], `+browser.Quote(hebrew)+`, { type: "text/plain" })]), true)`)
	e.WaitFor(hebrew, "done")
	require.Equal(t, "rtl", browser.Eval[string](e.Page, `getComputedStyle(`+e.In(hebrew, "name")+`.firstChild).direction`))
	require.Equal(t, "Remove \u2068"+hebrew+"\u2069", browser.Eval[string](e.Page, e.In(hebrew, "remove")+`.title`))
}

func TestTheElementSpeaksThePagesLanguage(t *testing.T) {
	t.Parallel()
	e := serve(t, `<div lang="ar-EG" dir="rtl"><postern-upload multiple accept="" max-size="0" max-files="3"></postern-upload></div>`).open()
	e.Wait(e.Part("prompt") + `.innerText === "أفلت الملفات هنا أو اخترها"`)
	require.Equal(t, "٣ ملفات على الأكثر", browser.Eval[string](e.Page, e.Part("hint")+`.innerText`))
	e.Pick(fixture.Text(t, "a.txt", 10))
	e.WaitFor("a.txt", "done")
	require.Equal(t, "تم الرفع", e.Says("a.txt"))
	require.True(t, browser.Eval[bool](e.Page, e.In("a.txt", "actions")+`.getBoundingClientRect().right < `+e.In("a.txt", "preview")+`.getBoundingClientRect().left`), "from right to left")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.lang = "de", true)`)
	e.Wait(e.Part("prompt") + `.innerText === "Dateien hier ablegen oder auswählen"`)
	require.Equal(t, "Hochgeladen", e.Says("a.txt"))
	browser.Eval[bool](e.Page, `(`+e.JS()+`.lang = "sv", true)`)
	require.Equal(t, "Drop files here, or choose them", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`), "what there is not is English")
}

func TestPreviewsShowVideosAndDocuments(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple previews></postern-upload>`).open()
	e.Pick(fixture.PDF(t, "a.pdf", "A", 10), fixture.PNG(t, "a.png", 200, 100))
	e.WaitFor("a.pdf", "done")
	e.Wait(e.In("a.png", "preview") + `.querySelector("img")?.naturalWidth === 200`)
	require.Equal(t, 80, browser.Eval[int](e.Page, e.In("a.png", "preview")+`.offsetWidth`))
	if browser.Eval[bool](e.Page, `navigator.pdfViewerEnabled`) {
		require.Equal(t, 1, browser.Eval[int](e.Page, e.In("a.pdf", "preview")+`.querySelectorAll("iframe[inert]").length`))
		require.Equal(t, 1, browser.Eval[int](e.Page, `blobs.size`))
	}
	e.Push("a.pdf", "remove")
	require.Zero(t, browser.Eval[int](e.Page, `blobs.size`), "object URLs are revoked")
}

func TestPreviewsShowAFilm(t *testing.T) {
	t.Parallel()
	e := serveWith(t, `<postern-upload multiple previews></postern-upload>`, setup{types: "video/*"}).open()
	film, err := os.ReadFile("testdata/film.webm") // of one picture, which Chromium has recorded
	require.NoError(t, err)
	e.Pick(fixture.Write(t, "film.webm", film), fixture.Write(t, "no.webm", []byte("no film")))
	e.WaitFor("film.webm", "done")
	e.Wait(e.In("film.webm", "preview") + `.querySelector("video")?.videoWidth === 64`)
	require.True(t, browser.Eval[bool](e.Page, `((video) => video.muted && video.paused && !video.controls)(`+e.In("film.webm", "preview")+`.querySelector("video"))`))
	e.WaitFor("no.webm", "done")
	require.Equal(t, "WEBM", browser.Eval[string](e.Page, e.In("no.webm", "preview")+`.textContent`), "what is no film keeps its extension")
	e.Wait(`blobs.size === 1`)
	e.Push("film.webm", "remove")
	require.Zero(t, browser.Eval[int](e.Page, `blobs.size`), "object URLs are revoked")
}

func TestPreviewsThatAreWantedLaterAreShownOfWhatIsThere(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	e.put("clip.mp4", "video/mp4", 10)
	e.Wait(e.Root() + `.querySelectorAll("li").length === 1`)
	e.put("paper.pdf", "application/pdf", 10)
	e.WaitFor("paper.pdf", "done")
	pictures := e.Root() + `.querySelectorAll("li iframe").length`
	require.Zero(t, browser.Eval[int](e.Page, pictures))
	browser.Eval[bool](e.Page, `(`+e.JS()+`.previews = true)`)
	e.Wait(pictures + ` === Number(navigator.pdfViewerEnabled)`)
	require.Equal(t, 2, e.rows())
}
