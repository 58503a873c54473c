package component_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/tap"
)

// kept resolves to how many files the page's database has.
const kept = `new Promise((done) => {
	const opening = indexedDB.open("postern", 1);
	opening.onupgradeneeded = () => opening.result.createObjectStore("files");
	opening.onsuccess = () => {
		const counting = opening.result.transaction("files").objectStore("files").count();
		counting.onsuccess = () => (opening.result.close(), done(counting.result));
	};
})`

// waitForKept waits until so many files are kept.
func (e *upload) waitForKept(n int) {
	e.t.Helper()
	e.Wait(fmt.Sprintf(`(window.keptNow = %s.then((n) => (window.keptCount = n)), window.keptCount === %d)`, kept, n))
}

// serveHalfway is serve with a bucket that takes the first part of an upload, and keeps
// the others waiting until it is let go.
func serveHalfway(t testing.TB, content string) *site {
	t.Helper()
	s := serveWith(t, content, setup{tapped: true})
	s.tap.Hold(func(r *http.Request) bool { return tap.PartOf(r) > 1 })
	return s
}

// halfway is an upload of which the first part is there.
const halfway = `Object.values(localStorage).some((v) => JSON.parse(v).done?.length)`

// comeBack reloads the page in the middle of an upload in parts, of which so many
// files are kept, and signs in again.
func (e *upload) comeBack(s *site, files int) {
	e.t.Helper()
	e.Wait(halfway)
	e.waitForKept(files)
	e.Reload()
	s.tap.Release()
	e.Wait(`customElements.get("postern-upload")`)
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { headers: { "X-User": "ada" }, unfinished: true }), true)`)
}

// list has the element list what was cut off, for which it loads what keeps files.
func (e *upload) list() {
	e.t.Helper()
	browser.Eval[bool](e.Page, `(`+e.JS()+`.unfinished = true, import("/client/kept.js").then(() => true))`)
}

// isChosenAgain is how an upload goes on after a reload where nothing opens its file.
func (e *upload) isChosenAgain(s *site, f fixture.File) {
	e.t.Helper()
	e.comeBack(s, 0)
	e.WaitFor(f.Name, "unfinished")
	require.Equal(e.t, "Choose the file again to continue", e.Says(f.Name))
	e.Pick(f)
	e.WaitFor(f.Name, "done")
	require.Equal(e.t, 1, s.asked(postern.ActionSign), "it was not begun again")
	e.waitForKept(0)
}

// pick is a program that has the browser's dialog give a file of the page's own file
// system, which needs no permission.
const pick = `navigator.storage.getDirectory().then(async (folder) => {
	const handle = await folder.getFileHandle("own.txt", { create: true });
	if (!(await handle.getFile()).size) {
		const stream = await handle.createWritable();
		await stream.write(new Uint8Array(%d).fill(65));
		await stream.close();
	}
	window.showOpenFilePicker = async (wanted) => (window.wanted = wanted, [handle]);
	return true;
})`

func TestAFileIsOpenedAgainAfterAReload(t *testing.T) {
	t.Parallel()
	if !browser.Has(browser.OwnFiles) {
		s := serveHalfway(t, `<postern-upload></postern-upload>`)
		e := s.open()
		require.False(t, browser.Eval[bool](e.Page, `"showOpenFilePicker" in window`))
		e.list()
		f := fixture.Text(t, "chosen.txt", 11<<20)
		e.Pick(f)
		e.isChosenAgain(s, f)
		return
	}
	for _, c := range []struct{ name, meanwhile, state string }{
		{"as it was", `true`, "done"},
		{"unless it has changed", fmt.Sprintf(pick, 0) + `.then(() => showOpenFilePicker()).then(async ([handle]) => {
			const stream = await handle.createWritable();
			await stream.write("other");
			await stream.close();
			return true;
		})`, "unfinished"},
		{"unless it is gone", `navigator.storage.getDirectory().then((folder) => folder.removeEntry("own.txt")).then(() => true)`, "unfinished"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serveHalfway(t, `<postern-upload accept="text/*,.txt"></postern-upload>`)
			e := s.open()
			e.list()
			browser.Eval[bool](e.Page, fmt.Sprintf(pick, 11<<20))
			e.ClickOn(e.Part("drop"))
			e.WaitFor("own.txt", "uploading")
			require.Equal(t, []any{map[string]any{"accept": map[string]any{"text/*": []any{}, "application/octet-stream": []any{".txt"}}}},
				browser.Eval[map[string]any](e.Page, `wanted`)["types"])
			e.comeBack(s, 1)
			e.WaitFor("own.txt", "paused")
			require.Equal(t, "Resume own.txt", browser.Eval[string](e.Page, e.In("own.txt", "resume")+`.title`))
			require.NotZero(t, browser.Eval[int](e.Page, e.Percent("own.txt")))
			browser.Eval[bool](e.Page, c.meanwhile)
			e.Push("own.txt", "resume")
			e.WaitFor("own.txt", c.state)
			require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
			if c.state == "unfinished" {
				require.Equal(t, "Choose the file again to continue", e.Says("own.txt"))
				e.Push("own.txt", "cancel")
			}
			e.waitForKept(0)
		})
	}
}

func TestACopyOfAFileIsKept(t *testing.T) {
	t.Parallel()
	s := serveHalfway(t, `<postern-upload multiple keep-size="12000000"></postern-upload>`)
	e := s.open()
	e.list()
	e.Pick(fixture.Text(t, "small.txt", 8<<20))
	e.comeBack(s, 1)
	e.WaitFor("small.txt", "paused")
	require.Regexp(t, `^Paused at \d+ %$`, e.Says("small.txt"))
	browser.Eval[bool](e.Page, `(`+e.JS()+`.resume(), true)`)
	e.WaitFor("small.txt", "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	e.waitForKept(0)
}

func TestNoCopyIsKeptUnlessThePageWantsIt(t *testing.T) {
	t.Parallel()
	for _, attributes := range []string{`unfinished`, `unfinished keep-size="7000000"`, `keep-size="12000000"`} {
		t.Run(attributes, func(t *testing.T) {
			t.Parallel()
			s := serveHalfway(t, `<postern-upload `+attributes+`></postern-upload>`)
			e := s.open()
			browser.Eval[bool](e.Page, `import("/client/kept.js").then(() => true)`)
			e.Pick(fixture.Text(t, "a.txt", 8<<20))
			e.Wait(halfway)
			require.Zero(t, browser.Eval[int](e.Page, kept))
			s.tap.Release()
			e.WaitFor("a.txt", "done")
		})
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	page := serve(t, ``).open().Page
	require.Equal(t, []any{"4 of 6", "3 of 6, nobody else's", "0"}, browser.Eval[[]any](page, `(async () => {
		const { keep, keptOf, sweep } = await import("/client/kept.js");
		const place = { endpoint: "/uploads", scope: "ada" };
		const files = Array.from({ length: 6 }, (_, i) => new File([new Uint8Array(1000)], i + ".txt", { type: "text/plain", lastModified: 1 }));
		const slot = (file) => "postern" + JSON.stringify(["/uploads", "ada", file.name, file.size, 1, "text/plain"]);
		for (const file of files) localStorage.setItem(slot(file), "{}");
		for (const file of files) await keep(place, file, 1000);
		const large = new File([new Uint8Array(1001)], "large.txt", { type: "text/plain", lastModified: 1 });
		localStorage.setItem(slot(large), "{}");
		await keep(place, large, 1000);
		const seen = [(await keptOf(place, [...files, large])).size + " of 6"];
		localStorage.removeItem(slot(files[0]));
		await sweep();
		seen.push((await keptOf(place, files)).size + " of 6, " + ((await keptOf({ ...place, scope: "bob" }, files)).size ? "others'" : "nobody else's"));
		localStorage.clear();
		await sweep();
		seen.push(String((await keptOf(place, files)).size));
		return seen;
	})()`))
}

// TestADroppedFileHasAHandle has the browser's own handle, of a file outside of the page's
// file system: after a reload nobody has agreed to its being read.
func TestADroppedFileHasAHandle(t *testing.T) {
	t.Parallel()
	s := serveHalfway(t, `<postern-upload></postern-upload>`)
	e := s.open()
	e.list()
	f := fixture.Text(t, "dropped.txt", 11<<20)
	e.Drop(f.Path)
	if !browser.Has(browser.DroppedHandles) {
		e.isChosenAgain(s, f)
		return
	}
	e.comeBack(s, 1)
	e.WaitFor(f.Name, "paused")
	require.Equal(t, "prompt", browser.Eval[string](e.Page, permission))
	e.Push(f.Name, "resume") // the browser asks, and nobody answers
	e.Pick(f)
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "chosen again it goes on all the same")
	e.waitForKept(0)
}
