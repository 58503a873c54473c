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
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	page.Prefer("prefers-color-scheme", "light")
	page.Resize(880, 720)
	page.Picture("empty")

	background := `getComputedStyle(document.body).backgroundColor`
	light := browser.Eval[string](page, background)

	before := []fixture.File{
		fixture.PDF(t, "travel-expenses-2026.pdf", "Travel expenses", 900<<10),
		fixture.Text(t, "meeting-notes.txt", 4<<10),
	}
	for _, f := range before {
		choose(page, f)
		waitFor(page, f.Name, "done")
	}
	page.Reload()
	page.Wait(`document.querySelectorAll("[data-stored]").length === 2`)

	page.Throttle(24 * mib)
	holiday, _ := fixture.Video(t, "holiday-in-denmark.mp4", 8*partSize)
	interview, _ := fixture.Video(t, "interview.mp4", 12*partSize)
	choose(page, fixture.PNG(t, "evening-at-sea.png", 1400, 900), interview)
	page.Wait(part("evening-at-sea.png", "open") + `?.checkVisibility()`)
	page.Wait(percent(interview.Name) + ` > 40`)
	browser.Eval[bool](page, part(interview.Name, "pause")+`.click(), true`)
	waitFor(page, interview.Name, "paused")
	page.Resize(880, 890)
	choose(page, holiday)
	page.Wait(percent(holiday.Name) + ` > 60`)
	page.Picture("page")

	const long = "server-log-of-the-whole-year-with-a-very-long-name-that-does-not-fit-into-one-line.html"
	choose(page, fixture.Write(t, long, []byte("<p>")))
	page.Wait(`document.querySelector("[data-state=failed]")`)
	page.Reload()
	waitFor(page, holiday.Name, "unfinished")
	waitFor(page, interview.Name, "unfinished")
	choose(page, fixture.Write(t, long, []byte("<p>")), fixture.Write(t, "kitten.png", []byte("<!doctype html><p>")))
	waitFor(page, long, "failed")
	waitFor(page, "kitten.png", "failed")
	page.Resize(880, 1000)
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("mixed")

	page.Prefer("prefers-color-scheme", "dark")
	page.Wait(background + ` !== ` + browser.Quote(light))
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("dark")

	for _, width := range []int64{320, 390, 640} {
		page.Resize(width, 1100)
		require.LessOrEqual(t, browser.Eval[int64](page, `document.documentElement.scrollWidth`), width, "nothing sticks out")
	}
	page.Prefer("prefers-color-scheme", "light")
	page.Resize(375, 1100)
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("narrow")
}

// TestEveryControlHasAName asks what assistive technology would be told.
func TestEveryControlHasAName(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.Start(t, nil, nil).URL)
	choose(page, fixture.Text(t, "a.txt", 10), fixture.Write(t, "b.html", []byte("<p>")))
	page.Wait(part("a.txt", "open") + `?.checkVisibility()`)
	waitFor(page, "b.html", "failed")
	nameless := browser.Eval[[]string](page, `[...document.querySelectorAll("a, button, input, [role=progressbar]")]
		.filter((e) => !(e.ariaLabel || e.innerText?.trim() || [...(e.labels ?? [])].some((l) => l.innerText.trim())))
		.map((e) => e.outerHTML)`)
	require.Empty(t, nameless)
	require.Equal(t, "en", browser.Eval[string](page, `document.documentElement.lang`))
	require.Equal(t, 1, browser.Eval[int](page, `document.querySelectorAll("h1").length`))
}
