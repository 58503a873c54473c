package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/s3test"
)

// TestThePageLooksRight goes through what a person sees. With E2E_PICTURES set to
// a folder it leaves a picture of each there.
func TestThePageLooksRight(t *testing.T) {
	page := open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	page.Prefer("prefers-color-scheme", "light")
	page.Resize(880, 720)
	page.Picture("empty")

	background := `getComputedStyle(document.body).backgroundColor`
	light := browser.Eval[string](page.Page, background)

	before := []fixture.File{
		fixture.PDF(t, "travel-expenses-2026.pdf", "Travel expenses", 900<<10),
		fixture.Text(t, "meeting-notes.txt", 4<<10),
	}
	for _, f := range before {
		page.Pick(f)
		uploaded(page, f.Name)
	}
	page.Reload()
	page.Wait(`document.querySelectorAll("[data-stored]").length === 2`)

	page.Throttle(24 * mib)
	holiday, _ := fixture.Video(t, "holiday-in-denmark.mp4", 8*partSize)
	interview, _ := fixture.Video(t, "interview.mp4", 12*partSize)
	page.Pick(fixture.PNG(t, "evening-at-sea.png", 1400, 900), interview)
	uploaded(page, "evening-at-sea.png")
	page.Wait(page.Percent(interview.Name) + ` > 40`)
	page.Push(interview.Name, "pause")
	page.WaitFor(interview.Name, "paused")
	page.Resize(880, 745)
	page.Pick(holiday)
	page.Wait(page.Percent(holiday.Name) + ` > 60`)
	page.Picture("page")

	const long = "server-log-of-the-whole-year-with-a-very-long-name-that-does-not-fit-into-one-line.html"
	page.Pick(fixture.Write(t, long, []byte("<p>")))
	page.WaitFor(long, "failed")
	page.Reload()
	page.WaitFor(holiday.Name, "unfinished")
	page.WaitFor(interview.Name, "unfinished")
	page.Pick(fixture.Write(t, long, []byte("<p>")), fixture.Write(t, "kitten.png", []byte("<!doctype html><p>")))
	page.WaitFor(long, "failed")
	page.WaitFor("kitten.png", "failed")
	page.Resize(880, 1000)
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("mixed")

	page.Prefer("prefers-color-scheme", "dark")
	page.Wait(background + ` !== ` + browser.Quote(light))
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("dark")

	for _, width := range []int64{320, 390, 640} {
		width := page.Resize(width, 1100)
		require.LessOrEqual(t, browser.Eval[int64](page.Page, `document.documentElement.scrollWidth`), width, "nothing sticks out")
	}
	page.Prefer("prefers-color-scheme", "light")
	page.Resize(375, 1100)
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("narrow")
}

// TestEveryControlHasAName asks what assistive technology would be told.
func TestEveryControlHasAName(t *testing.T) {
	t.Parallel()
	page := open(t, quickstart.Start(t, nil, nil).URL)
	page.Pick(fixture.Text(t, "a.txt", 10), fixture.Write(t, "b.html", []byte("<p>")))
	uploaded(page, "a.txt")
	page.WaitFor("b.html", "failed")
	nameless := browser.Eval[[]string](page.Page, `[document, `+page.Root()+`]
		.flatMap((root) => [...root.querySelectorAll(":is(a, button, input, [role=progressbar]):not([hidden])")])
		.filter((e) => e.checkVisibility() && !(e.ariaLabel || e.title || e.innerText?.trim() || [...(e.labels ?? [])].some((l) => l.innerText.trim())))
		.map((e) => e.outerHTML)`)
	require.Empty(t, nameless)
	require.Equal(t, "en", browser.Eval[string](page.Page, `document.documentElement.lang`))
	require.Equal(t, 1, browser.Eval[int](page.Page, `document.querySelectorAll("h1").length`))
}
