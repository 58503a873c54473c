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
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 11<<20)
	e.Pick(f)
	e.Wait(e.In(f.Name, "bar") + `?.ariaValueNow > 15`)
	e.Push(f.Name, "pause")
	e.WaitFor(f.Name, "paused")
	require.Regexp(t, `^Paused at \d+ %$`, browser.Eval[string](e.Page, e.In(f.Name, "message")+`.innerText`))
	require.Equal(t, 1, s.unfinished())

	e.Throttle(0)
	e.Push(f.Name, "resume")
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	require.Equal(t, e.value(), s.keys())
	require.Zero(t, s.unfinished())
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
	require.Empty(t, s.keys())
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
	time.Sleep(100 * time.Millisecond)
	require.Empty(t, s.keys())
	kept(`document.querySelector("main").append(kept)`)
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign))
	require.Equal(t, e.value(), s.keys())
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
	browser.Eval[bool](e.Page, `(HTMLInputElement.prototype.click = () => (window.asked = true), true)`)
	e.Push(f.Name, "choose")
	e.Wait(`window.asked`)

	set(`{ scope: "bob" }`)
	require.Zero(t, rows(), "another's are not listed")
	require.Empty(t, e.invalid())
	set(`{ scope: "ada" }`)
	require.Equal(t, 1, rows())

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
