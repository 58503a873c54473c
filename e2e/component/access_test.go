package component_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// node is what assistive technology is told.
type node struct{ name, description string }

// accessible returns the page's nodes of a role.
func accessible(e *upload, role string) (found []node) {
	e.t.Helper()
	e.Do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return chromedp.Void{}, err
		}
		text := func(v *accessibility.Value) string {
			if v == nil {
				return ""
			}
			var value string
			_ = json.Unmarshal(v.Value, &value) // numbers are not asked for
			return value
		}
		for _, n := range tree.Nodes {
			if !n.Ignored && text(n.Role) == role {
				found = append(found, node{text(n.Name), text(n.Description)})
			}
		}
		return chromedp.Void{}, nil
	})
	return found
}

func TestAssistiveTechnologyIsToldEverything(t *testing.T) {
	t.Parallel()
	s := serve(t, `<form><label for="photos">Photos</label>
		<postern-upload id="photos" multiple accept=".txt" required></postern-upload></form>`)
	e := s.open()
	e.Throttle(100 << 10)
	e.Pick(fixture.Text(t, "slow.txt", 1<<20), fixture.Write(t, "b.html", []byte("<p>")))
	e.WaitFor("slow.txt", "uploading")
	e.WaitFor("b.html", "failed")
	require.Contains(t, accessible(e, "group"), node{name: "Photos"})
	require.Equal(t, []node{
		{name: "Drop files here, or choose them Required · Only .txt"},
		{name: "Cancel slow.txt"},
		{name: "Remove b.html"},
	}, accessible(e, "button"))
	require.Len(t, accessible(e, "listitem"), 2)
	require.Equal(t, "Files", accessible(e, "list")[0].name)
	require.Len(t, accessible(e, "status"), 1)
	bars := accessible(e, "progressbar")
	require.Len(t, bars, 1, "where there is progress")
	require.Equal(t, "Upload of slow.txt", bars[0].name)
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
		e.Press(kb.Tab)
		require.Equal(t, want, focused())
	}
	browser.Eval[bool](e.Page, `(`+e.JS()+`.focus(), true)`)
	require.Equal(t, "drop", focused())
	require.Equal(t, "solid", browser.Eval[string](e.Page, `getComputedStyle(`+e.Part("drop")+`).outlineStyle`))

	opened := `(window.opened = 0, ` + e.JS() + `.shadowRoot.querySelector("input").addEventListener("click", (event) => { opened++; event.preventDefault() }), true)`
	browser.Eval[bool](e.Page, opened)
	e.Press(kb.Enter)
	e.Press(" ")
	e.Wait(`opened === 2`)

	e.Press(kb.Tab)
	e.Press(kb.Tab)
	e.Press(kb.Enter)
	require.Equal(t, "Remove c.html", focused(), "the focus goes on to the next file")
	e.Press(kb.Enter)
	require.Equal(t, "Remove a.txt", focused(), "or to the one before")
	e.Press(" ")
	require.Equal(t, "drop", focused(), "or to the beginning")
	require.Empty(t, e.value())

	t.Run("the focus stays when a button changes", func(t *testing.T) {
		e.Throttle(200 << 10)
		e.Pick(fixture.Text(t, "large.txt", 8<<20))
		e.Wait(e.In("large.txt", "pause") + `?.checkVisibility()`)
		e.Press(kb.Tab)
		require.Equal(t, "Pause large.txt", focused())
		e.Press(kb.Enter)
		require.Equal(t, "Resume large.txt", focused())
		e.Press(kb.Enter)
		require.Equal(t, "Pause large.txt", focused(), "and another Enter does what the button says, no more")
		e.Press(kb.Enter)
		e.WaitFor("large.txt", "paused")
		require.Equal(t, "Resume large.txt", focused())
		e.Press(kb.Tab)
		e.Press(kb.Enter)
		require.Equal(t, "Remove large.txt", focused())
	})
	t.Run("and where there is nothing to do any more", func(t *testing.T) {
		e.Pick(fixture.Text(t, "another.txt", 8<<20))
		e.Wait(e.In("another.txt", "pause") + `?.checkVisibility()`)
		browser.Eval[bool](e.Page, `(`+e.In("another.txt", "pause")+`.focus(), true)`)
		e.Throttle(0)
		e.WaitFor("another.txt", "done")
		require.Equal(t, "Pause another.txt", focused())
		e.Press(kb.Enter)
		require.Equal(t, "Pause another.txt", focused())
		require.Equal(t, "Uploaded", e.Says("another.txt"))
		e.Press(kb.Tab)
		require.Equal(t, "Remove another.txt", focused())
		require.False(t, browser.Eval[bool](e.Page, e.In("another.txt", "pause")+`.checkVisibility()`), "it goes when the focus does")
	})
}
