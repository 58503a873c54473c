package component_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestAnUploadInPartsIsPausedAndGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload></postern-upload>`)
	e := s.open()
	f := e.pausedInTheMiddle(t)
	require.Regexp(t, `^Paused at \d+ %$`, browser.Eval[string](e.Page, e.In(f.Name, "message")+`.innerText`))
	require.Equal(t, 1, s.unfinished())

	e.Throttle(0)
	e.Push(f.Name, "resume")
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	require.Equal(t, e.value(), s.keys())
	require.Zero(t, s.unfinished())
}

// pausedInTheMiddle is a file in parts that was paused on a slow line, which stays slow.
func (e *upload) pausedInTheMiddle(t *testing.T) fixture.File {
	t.Helper()
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 11<<20)
	e.Pick(f)
	e.Wait(e.In(f.Name, "bar") + `?.ariaValueNow > 15`)
	e.Push(f.Name, "pause")
	e.WaitFor(f.Name, "paused")
	return f
}

func TestCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple concurrency="2"></postern-upload>`)
	e := s.open()
	e.Throttle(300 << 10)
	large, paused := fixture.PDF(t, "large.pdf", "Large", 8<<20), fixture.PDF(t, "paused.pdf", "Paused", 9<<20)
	waiting := fixture.Text(t, "waiting.txt", 1000)
	e.Pick(large, paused, waiting)
	e.Wait(e.In(large.Name, "bar") + `?.ariaValueNow > 2`)
	e.WaitFor(waiting.Name, "waiting")
	e.Push(waiting.Name, "cancel")
	e.WaitFor(waiting.Name, "cancelled")
	e.Push(paused.Name, "pause")
	e.WaitFor(paused.Name, "paused")
	require.Equal(t, 2, s.unfinished())

	e.Push(large.Name, "cancel")
	e.Push(paused.Name, "cancel")
	e.WaitFor(paused.Name, "cancelled")
	require.Empty(t, e.invalid(), "the form can be sent without them")
	require.Eventually(t, func() bool { return s.unfinished() == 0 }, browser.Patience, 10*time.Millisecond)
	require.Equal(t, 2, s.asked(postern.ActionAbort))
	require.Eventually(t, func() bool { return len(s.allKeys()) == 0 }, browser.Patience, 10*time.Millisecond, "their tickets too")
	require.Zero(t, browser.Eval[int](e.Page, `localStorage.length`))

	e.Throttle(0)
	t.Run("it can be tried again", func(t *testing.T) {
		e.Push(large.Name, "retry")
		e.WaitFor(large.Name, "done")
		require.Len(t, s.keys(), 1)
	})
	t.Run("and all can be paused, resumed and cleared", func(t *testing.T) {
		e.Throttle(200 << 10)
		e.Pick(fixture.Text(t, "x.txt", 1<<20), fixture.Text(t, "y.txt", 1<<20), fixture.Text(t, "z.txt", 1<<20))
		e.WaitFor("y.txt", "uploading")
		e.WaitFor("z.txt", "waiting")
		browser.Eval[bool](e.Page, e.JS()+`.pause(), true`)
		e.WaitFor("x.txt", "paused")
		e.WaitFor("z.txt", "paused")
		browser.Eval[bool](e.Page, e.JS()+`.resume(), true`)
		e.WaitFor("y.txt", "uploading")
		browser.Eval[bool](e.Page, e.JS()+`.clear(), true`)
		require.Zero(t, browser.Eval[int](e.Page, e.Part("list")+`.children.length`))
		require.Len(t, s.keys(), 1)
	})
}

func TestAnElementThatIsTakenOutPauses(t *testing.T) {
	t.Parallel()
	s := serve(t, `<main><postern-upload></postern-upload></main><aside></aside>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(window.kept = `+e.JS()+`, true)`)
	kept := func(code string) { browser.Eval[bool](e.Page, `(`+code+`, true)`) }
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 14<<20)
	e.Pick(f)
	e.Wait(e.In(f.Name, "bar") + `?.ariaValueNow > 4`)

	kept(`document.querySelector("aside").append(kept)`)
	e.Wait(e.In(f.Name, "bar") + `?.ariaValueNow > 10`)
	require.Equal(t, "file uploading", browser.Eval[string](e.Page, e.Row(f.Name)+`.part.value`), "moving is nothing")

	kept(`kept.remove()`)
	e.Wait(`kept.shadowRoot.querySelector("[part~=file]").matches("[part~=waiting]")`)
	e.Throttle(0)
	browser.Eval[string](e.Page, `import("/client/postern.js").then(({ upload }) =>
		upload(new File(["a"], "other.txt", { type: "text/plain" }), { endpoint: "/uploads", headers: { "X-User": "ada" } })).then(({ key }) => key)`)
	require.Len(t, s.keys(), 1, "what others upload meanwhile")
	kept(`document.querySelector("main").append(kept)`)
	e.WaitFor(f.Name, "done")
	require.Equal(t, 2, s.asked(postern.ActionSign), "it was not begun again")
	require.Subset(t, s.keys(), e.value())
	require.Len(t, s.keys(), 2)
}

func TestWhatWasCutOffIsListed(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload scope="ada"></postern-upload>`)
	e := s.open()
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 11<<20)
	e.Pick(f)
	e.Wait(`JSON.parse(Object.values(localStorage)[0] ?? "{}").done?.length === 1`)
	e.Reload()
	e.Throttle(0)
	e.Wait(`customElements.get("postern-upload")`)
	set := func(code string) { browser.Eval[bool](e.Page, `Object.assign(`+e.JS()+`, `+code+`), true`) }
	rows := func() int { return browser.Eval[int](e.Page, e.Part("list")+`.children.length`) }
	set(`{ headers: { "X-User": "ada" } }`)
	require.Zero(t, rows(), "not unless it is asked for")

	set(`{ unfinished: true }`)
	e.WaitFor(f.Name, "unfinished")
	require.Equal(t, "Choose the file again to continue", e.Says(f.Name))
	require.NotZero(t, browser.Eval[int](e.Page, e.Percent(f.Name)))
	require.Equal(t, "Not all files are uploaded yet.", e.invalid())
	require.False(t, browser.Eval[bool](e.Page, e.JS()+`.matches(":state(uploading)")`), "leaving the page would cut nothing")
	require.Equal(t, "Choose large.pdf again", browser.Eval[string](e.Page, e.In(f.Name, "choose")+`.title`))
	browser.Eval[bool](e.Page, `(HTMLInputElement.prototype.click = () => (window.asked = true),
		window.showOpenFilePicker &&= async () => { window.asked = true; throw new DOMException("closed", "AbortError"); }, true)`)
	e.Push(f.Name, "choose")
	e.Wait(`window.asked`)

	set(`{ scope: "bob" }`)
	require.Zero(t, rows(), "another's are not listed")
	require.Empty(t, e.invalid())
	set(`{ scope: "ada" }`)
	e.WaitFor(f.Name, "unfinished")

	t.Run("until another tab has ended it", func(t *testing.T) {
		saved := browser.Eval[[]string](e.Page, `Object.entries(localStorage)[0]`)
		browser.Eval[bool](e.Page, `new Promise((resolve) => {
			addEventListener("storage", () => setTimeout(() => resolve(true)), { once: true });
			const tab = document.createElement("iframe");
			document.body.append(tab);
			tab.contentWindow.localStorage.clear();
		})`)
		e.Wait(e.Part("list") + `.children.length === 0`)
		browser.Eval[bool](e.Page, `(localStorage.setItem(`+browser.Quote(saved[0])+`, `+browser.Quote(saved[1])+`), true)`)
		set(`{ scope: "ada" }`)
		e.WaitFor(f.Name, "unfinished")
	})
	t.Run("it can be given up", func(t *testing.T) {
		e.Push(f.Name, "cancel")
		require.Eventually(t, func() bool { return s.unfinished() == 0 }, browser.Patience, 10*time.Millisecond)
		require.Zero(t, rows())
		require.Zero(t, browser.Eval[int](e.Page, `localStorage.length`))
		require.Equal(t, 1, s.asked(postern.ActionAbort))
	})
}

func TestAPageAddsFilesAndTakesThemAway(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	call := func(code string) { browser.Eval[bool](e.Page, `(`+e.JS()+code+`, true)`) }
	call(`.add(new Set([new File(["a"], "a.txt", { type: "text/plain" }), new File(["b"], "b.txt", { type: "text/plain" })]))`)
	e.WaitFor("a.txt", "done")
	e.WaitFor("b.txt", "done")
	require.Len(t, e.value(), 2)

	before := e.value()
	call(`.dismiss(` + browser.Quote(before[0]) + `)`)
	call(`.dismiss("no such key")`)
	require.Equal(t, before[1:], e.value())
	require.Len(t, s.keys(), 2, "it stays stored")

	call(`.disabled = true`)
	call(`.add([new File(["c"], "c.txt", { type: "text/plain" })])`)
	require.Equal(t, 1, browser.Eval[int](e.Page, e.Part("list")+`.children.length`))
}

func TestAnUploadWaitsForTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload></postern-upload>`)
	e := s.open()
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 7<<20)
	e.Pick(f)
	e.Wait(e.Percent(f.Name) + ` > 5`)
	e.Offline(true)
	e.Wait(e.In(f.Name, "message") + `.innerText === "Offline, goes on when you are connected"`)
	e.Offline(false)
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign))
}

// answerNoCompletion keeps a page from completing what it has sent.
const answerNoCompletion = `(({ fetch }) => {
	window.asked = [];
	window.fetch = (url, options) => {
		asked.push(url + options.body);
		return url.endsWith("/complete") ? new Promise(() => {}) : fetch(url, options);
	};
	return true;
})(window)`

// cutOff sends files, and leaves the page before they are completed.
func (e *upload) cutOff(names string) {
	browser.Eval[bool](e.Page, answerNoCompletion)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add(`+names+`.split(" ").map((n) => new File(["hello"], n, { type: "text/plain" }))), true)`)
	e.Wait(`Object.values(localStorage).filter((v) => JSON.parse(v).sent).length === ` + names + `.split(" ").length`)
	e.Reload()
	e.Wait(`customElements.get("postern-upload")`)
}

func TestWhatWasSentIsCompletedWithoutItsFile(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload></postern-upload>`).open()
	e.cutOff(`"a.txt"`)
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, {
		headers: { "X-User": "ada" }, metadata: async (file) => ({ album: await file.text() }), unfinished: true }), true)`)
	e.WaitFor("a.txt", "done")
}

func TestWhatWaitsToBeCompletedStaysInItsScope(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple scope="ada"></postern-upload>`).open()
	e.cutOff(`"a.txt b.txt"`)
	browser.Eval[bool](e.Page, answerNoCompletion)
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { headers: { "X-User": "ada" }, concurrency: 1, unfinished: true }), true)`)
	e.Wait(e.Part("waiting"))
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { headers: { "X-User": "bob" }, scope: "bob", concurrency: 3 }), true)`)
	require.Equal(t, 1, browser.Eval[int](e.Page, e.Part("list")+`.children.length`), "the one that is on its way")
	e.Pick(fixture.Text(t, "c.txt", 10))
	e.Wait(`Object.entries(localStorage).some(([slot, saved]) => slot.includes("c.txt") && JSON.parse(saved).sent)`)
	signed := browser.Eval[[]string](e.Page, `asked.filter((call) => call.includes("/sign"))`)
	require.Len(t, signed, 1)
	require.Contains(t, signed[0], "c.txt")
	require.NotContains(t, signed[0], "b.txt", "Bob's server is told nothing of it")
}

func TestWhatWasCutOffGoesOnAboveTheLimit(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	e.Throttle(1 << 20)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([1, 2].map((n) => new File([new Uint8Array(6 << 20)], n + ".txt", { type: "text/plain", lastModified: 1 }))), true)`)
	e.Wait(`localStorage.length === 2`)
	e.Reload()
	e.Throttle(0)
	e.Wait(`customElements.get("postern-upload")`)
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { headers: { "X-User": "ada" }, maxFiles: 1, unfinished: true }), true)`)
	e.WaitFor("1.txt", "unfinished")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([new File([new Uint8Array(6 << 20)], "1.txt", { type: "text/plain", lastModified: 1 })]), true)`)
	e.WaitFor("1.txt", "done")
}

func TestNoMoreThanConcurrencyGoUpWhileThePageTakesAway(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple concurrency="1"></postern-upload>`).open()
	require.Equal(t, 1, browser.Eval[int](e.Page, `(async (e) => {
		let most = 0;
		e.addEventListener("change", () => { if (e.value[0]) e.dismiss(e.value[0]); });
		e.addEventListener("postern-complete", () => {
			most = Math.max(most, e.shadowRoot.querySelectorAll("[part~=uploading]").length);
		});
		e.add(Array.from({ length: 5 }, (_, i) => new File(["x"], i + ".txt", { type: "text/plain" })));
		while (e.matches(":state(filled)")) await new Promise((done) => setTimeout(done, 20));
		return most;
	})(`+e.JS()+`)`))
}

func TestAFileThatIsGivenUpCanBeAddedAgainAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	e.Throttle(4 << 20)
	browser.Eval[bool](e.Page, `(({ fetch }) => {
		window.fetch = async (url, options) => { // giving up takes its time
			if (url.endsWith("/abort")) await new Promise((done) => setTimeout(done, 500));
			return fetch(url, options);
		};
		window.file = new File([new Uint8Array(11 << 20).fill(65)], "a.txt", { type: "text/plain" });
		`+e.JS()+`.add([file]);
		return true;
	})(window)`)
	e.Wait(e.Percent("a.txt") + ` > 5`)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), `+e.JS()+`.add([file]), true)`)
	e.WaitFor("a.txt", "done")
	require.Zero(t, s.unfinished())
}

func TestAPauseKeepsWhatWasSentWhereTheStorageIsFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before string }{
		{"by the page's own", `for (let size = 2 ** 23; size >= 1; size /= 2) {
			for (let i = 0; ; i++) try { localStorage.setItem(["own", size, i], "x".repeat(size)); } catch { break; }
		}`},
		{"or forbidden", `Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, `<postern-upload></postern-upload>`)
			e := s.open()
			browser.Eval[bool](e.Page, `(() => { `+c.before+` return true; })()`)
			f := e.pausedInTheMiddle(t)
			e.Throttle(0)
			e.Push(f.Name, "resume")
			e.WaitFor(f.Name, "done")
			require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
			require.Zero(t, s.unfinished())
		})
	}
}
