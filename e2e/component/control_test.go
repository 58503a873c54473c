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
	e.choose(f)
	e.Wait(e.in(f.Name, "bar") + `?.ariaValueNow > 15`)
	e.press(f.Name, "pause")
	e.waitFor(f.Name, "paused")
	require.Regexp(t, `^Paused at \d+ %$`, browser.Eval[string](e.Page, e.in(f.Name, "message")+`.innerText`))
	require.Equal(t, 1, s.unfinished())

	e.Throttle(0)
	e.press(f.Name, "resume")
	e.waitFor(f.Name, "done")
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
	e.choose(large, paused, waiting)
	e.Wait(e.in(large.Name, "bar") + `?.ariaValueNow > 2`)
	e.waitFor(waiting.Name, "waiting")
	e.press(waiting.Name, "cancel")
	e.waitFor(waiting.Name, "cancelled")
	e.press(paused.Name, "pause")
	e.waitFor(paused.Name, "paused")
	require.Equal(t, 2, s.unfinished())

	e.press(large.Name, "cancel")
	e.press(paused.Name, "cancel")
	e.waitFor(paused.Name, "cancelled")
	require.Empty(t, e.invalid(), "the form can be sent without them")
	require.Eventually(t, func() bool { return s.unfinished() == 0 }, browser.Patience, 10*time.Millisecond)
	require.Equal(t, 2, s.asked(postern.ActionAbort))
	require.Empty(t, s.keys())
	require.Zero(t, browser.Eval[int](e.Page, `localStorage.length`))

	e.Throttle(0)
	t.Run("it can be tried again", func(t *testing.T) {
		e.press(large.Name, "retry")
		e.waitFor(large.Name, "done")
		require.Len(t, s.keys(), 1)
	})
	t.Run("and all can be paused, resumed and cleared", func(t *testing.T) {
		e.Throttle(200 << 10)
		e.choose(fixture.Text(t, "x.txt", 1<<20), fixture.Text(t, "y.txt", 1<<20), fixture.Text(t, "z.txt", 1<<20))
		e.waitFor("y.txt", "uploading")
		e.waitFor("z.txt", "waiting")
		browser.Eval[bool](e.Page, e.js()+`.pause(), true`)
		e.waitFor("x.txt", "paused")
		e.waitFor("z.txt", "paused")
		browser.Eval[bool](e.Page, e.js()+`.resume(), true`)
		e.waitFor("y.txt", "uploading")
		browser.Eval[bool](e.Page, e.js()+`.clear(), true`)
		require.Zero(t, browser.Eval[int](e.Page, e.part("list")+`.children.length`))
		require.Len(t, s.keys(), 1)
	})
}

func TestAnElementThatIsTakenOutPauses(t *testing.T) {
	t.Parallel()
	s := serve(t, `<main><postern-upload></postern-upload></main><aside></aside>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(window.kept = `+e.js()+`, true)`)
	kept := func(code string) { browser.Eval[bool](e.Page, `(`+code+`, true)`) }
	e.Throttle(1 << 20)
	f := fixture.PDF(t, "large.pdf", "Large", 14<<20)
	e.choose(f)
	e.Wait(e.in(f.Name, "bar") + `?.ariaValueNow > 4`)

	kept(`document.querySelector("aside").append(kept)`)
	e.Wait(e.in(f.Name, "bar") + `?.ariaValueNow > 10`)
	require.Equal(t, "file uploading", browser.Eval[string](e.Page, e.row(f.Name)+`.part.value`), "moving is nothing")

	kept(`kept.remove()`)
	e.Wait(`kept.shadowRoot.querySelector("[part~=file]").matches("[part~=waiting]")`)
	e.Throttle(0)
	time.Sleep(100 * time.Millisecond)
	require.Empty(t, s.keys())
	kept(`document.querySelector("main").append(kept)`)
	e.waitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign))
	require.Equal(t, e.value(), s.keys())
}
