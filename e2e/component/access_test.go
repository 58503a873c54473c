package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestAssistiveTechnologyIsToldEverything(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form><label for="photos">Photos</label>
		<postern-upload id="photos" multiple accept=".txt" required></postern-upload></form>`)
	e := s.open()
	e.Throttle(100 << 10)
	e.Pick(fixture.Text(t, "slow.txt", 1<<20), fixture.Write(t, "b.html", []byte("<p>")))
	e.WaitFor("slow.txt", "uploading")
	e.WaitFor("b.html", "failed")
	e.Wait(e.hint() + `.endsWith("21 MB each")`)
	require.Contains(t, e.Accessible("group"), "Photos")
	require.Equal(t, []string{
		"Drop files here, or choose them Required · Only .txt · Up to 21 MB each",
		"Cancel slow.txt",
		"Remove b.html",
	}, e.Accessible("button"))
	require.Len(t, e.Accessible("listitem"), 2)
	require.Equal(t, "Files", e.Accessible("list")[0])
	require.Len(t, e.Accessible("status"), 1)
	bars := e.Accessible("progressbar")
	require.Len(t, bars, 1, "where there is progress")
	require.Equal(t, "Upload of slow.txt", bars[0])
	e.Throttle(0)
	e.WaitFor("slow.txt", "done")
}

func TestItWorksByKeyboard(t *testing.T) {
	t.Parallel()
	s := serve(t, `<a id="before" href="#">Before</a><postern-upload multiple accept=".txt"></postern-upload><a id="after" href="#">After</a>`)
	e := s.open()
	focused := func() string {
		return browser.Eval[string](e.Page, `((a) => a.title || a.id || a.part.value)(document.activeElement.shadowRoot?.activeElement ?? document.activeElement)`)
	}
	e.Pick(fixture.Text(t, "a.txt", 10), fixture.Text(t, "b.txt", 10), fixture.Write(t, "c.html", []byte("<p>")))
	e.WaitFor("a.txt", "done")
	e.WaitFor("b.txt", "done")
	for _, want := range []string{"before", "drop", "Remove a.txt", "Remove b.txt", "Remove c.html", "after"} {
		e.Press(browser.Tab)
		require.Equal(t, want, focused())
	}
	browser.Eval[bool](e.Page, `(`+e.JS()+`.focus(), true)`)
	require.Equal(t, "drop", focused())
	require.Equal(t, "solid", browser.Eval[string](e.Page, `getComputedStyle(`+e.Part("drop")+`).outlineStyle`))

	opened := `(window.opened = 0, ` + e.JS() + `.shadowRoot.querySelector("input").addEventListener("click", (event) => { opened++; event.preventDefault() }), true)`
	browser.Eval[bool](e.Page, opened)
	e.Press(browser.Enter)
	e.Press(" ")
	e.Wait(`opened === 2`)

	e.Press(browser.Tab)
	e.Press(browser.Tab)
	e.Press(browser.Enter)
	require.Equal(t, "Remove c.html", focused(), "the focus goes on to the next file")
	e.Press(browser.Enter)
	require.Equal(t, "Remove a.txt", focused(), "or to the one before")
	e.Press(" ")
	require.Equal(t, "drop", focused(), "or to the beginning")
	require.Empty(t, e.value())

	t.Run("the focus stays when a button changes", func(t *testing.T) {
		e.Throttle(200 << 10)
		e.Pick(fixture.Text(t, "large.txt", 8<<20))
		e.Wait(e.In("large.txt", "pause") + `?.checkVisibility()`)
		e.Press(browser.Tab)
		require.Equal(t, "Pause large.txt", focused())
		e.Press(browser.Enter)
		require.Equal(t, "Resume large.txt", focused())
		e.Press(browser.Enter)
		require.Equal(t, "Pause large.txt", focused(), "and another Enter does what the button says, no more")
		e.Press(browser.Enter)
		e.WaitFor("large.txt", "paused")
		require.Equal(t, "Resume large.txt", focused())
		e.Press(browser.Tab)
		e.Press(browser.Enter)
		require.Equal(t, "Remove large.txt", focused())
	})
	t.Run("and where there is nothing to do any more", func(t *testing.T) {
		e.Pick(fixture.Text(t, "another.txt", 8<<20))
		e.Wait(e.In("another.txt", "pause") + `?.checkVisibility()`)
		browser.Eval[bool](e.Page, `(`+e.In("another.txt", "pause")+`.focus(), true)`)
		e.Throttle(0)
		e.WaitFor("another.txt", "done")
		require.Equal(t, "Pause another.txt", focused())
		e.Press(browser.Enter)
		require.Equal(t, "Pause another.txt", focused())
		require.Equal(t, "Uploaded", e.Says("another.txt"))
		e.Press(browser.Tab)
		require.Equal(t, "Remove another.txt", focused())
		require.False(t, browser.Eval[bool](e.Page, e.In("another.txt", "pause")+`.checkVisibility()`), "it goes when the focus does")
	})
}
