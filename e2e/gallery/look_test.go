package gallery_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/axe"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// TestThePagesLookRight goes through what a person sees. With E2E_PICTURES set to
// a folder it leaves a picture of each there.
func TestThePagesLookRight(t *testing.T) {
	page := browser.Open(t, start(t, "-dir", t.TempDir()).URL)
	page.Prefer("prefers-color-scheme", "light")
	page.Resize(1000, 760)
	page.Picture("gallery-sign-in")
	check(t, page)

	browser.Eval[bool](page, `document.querySelector("[name=email]").value = "`+ada+`", document.querySelector("[name=password]").value = "no", true`)
	page.Click(".card .primary")
	page.Wait(`document.querySelector("[role=alert]")`)
	page.Wait(`document.activeElement.name === "password"`)
	page.Picture("gallery-wrong-password")

	signIn(page, ada)
	page.Picture("gallery-empty")
	upload(page, fixture.PNG(t, "evening at the sea.png", 900, 600), fixture.PNG(t, "panorama of the whole bay, from the left to the right.png", 1200, 300),
		fixture.PNG(t, "tall.png", 300, 700), fixture.PNG(t, "square.png", 400, 400), fixture.PNG(t, "tiny.png", 24, 16))
	page.Wait(`document.getAnimations().length === 0`)
	page.Picture("gallery")
	check(t, page)

	page.Throttle(100 << 10)
	small := fixture.PNG(t, "on its way.png", 500, 400)
	e := uploads(page)
	large := fixture.Write(t, "a photo that is too large for the plan.png", append(small.Bytes, make([]byte, 3_000_000)...))
	e.Pick(small, large)
	e.WaitFor(large.Name, "failed")
	page.Wait(e.Percent(small.Name) + ` > 20`)
	page.Picture("gallery-uploading")
	check(t, page)
	light := browser.Eval[string](page, `getComputedStyle(document.body).backgroundColor`)
	page.Prefer("prefers-color-scheme", "dark")
	page.Wait(`getComputedStyle(document.body).backgroundColor !== ` + browser.Quote(light))
	page.Picture("gallery-dark")
	page.Throttle(0)
	page.Wait(thumb(small.Name) + `?.naturalWidth > 0`)

	page.Click(`.thumb[aria-label="Show evening at the sea.png"]`)
	page.Wait(`document.querySelector(":popover-open > img").naturalWidth > 0`)
	page.Picture("gallery-viewer-dark")
	check(t, page)
	page.Prefer("prefers-color-scheme", "light")
	for _, width := range []int64{320, 390, 640} {
		width := page.Resize(width, 900)
		require.LessOrEqual(t, browser.Eval[int64](page, `document.documentElement.scrollWidth`), width, "nothing sticks out")
	}
	page.Resize(375, 900)
	page.Picture("gallery-viewer-narrow")
	page.Click(`:popover-open [popovertargetaction]`)
	page.Picture("gallery-narrow")
	require.True(t, browser.Eval[bool](page, `document.activeElement.ariaLabel === "Show evening at the sea.png"`), "the focus is where it was")
}

// check fails for what people could not read, or assistive technology not tell.
func check(t *testing.T, page *browser.Page) {
	t.Helper()
	axe.Check(t, page, "")
	require.Equal(t, 1, browser.Eval[int](page, `document.querySelectorAll("h1").length`))
}
