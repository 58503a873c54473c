package clients_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// What follows is Uppy's Dashboard.
const (
	uppyPicker = "#dashboard .uppy-Dashboard-input"
	uppyUpload = ".uppy-StatusBar-actionBtn--upload"
	uppyRetry  = ".uppy-StatusBar-actionBtn--retry"
	uppyBar    = `Number(document.querySelector(".uppy-StatusBar-progress")?.ariaValueNow)`
	uppyDone   = `document.querySelector(".uppy-StatusBar.is-complete")`
	uppyFailed = `document.querySelector(".uppy-StatusBar.is-error")`
	uppyItems  = `document.querySelectorAll(".uppy-Dashboard-Item").length`
)

// button is a round one in Uppy's status bar.
func button(label string) string {
	return `.uppy-StatusBar-actionCircleBtn[aria-label=` + browser.Quote(label) + `]`
}

// chooseInUppy waits for the size in the file's meta, too.
func chooseInUppy(page *browser.Page, f fixture.File) {
	page.Wait(`document.querySelector(` + browser.Quote(uppyPicker) + `)`)
	page.Choose(uppyPicker, f.Path)
	page.Wait(`document.querySelector(` + browser.Quote(uppyUpload) + `)`)
}

// uppyLink is the address that Uppy has for a file.
func uppyLink(t *testing.T, page *browser.Page) string {
	t.Helper()
	link, err := url.PathUnescape(browser.Eval[string](page, `document.querySelector(".uppy-Dashboard-Item-previewLink").href`))
	require.NoError(t, err)
	return link
}

// saysInUppy waits for the words at a file that has failed.
func saysInUppy(page *browser.Page, words string) {
	page.Wait(`document.querySelector(".uppy-Dashboard-Item-errorDetails")?.ariaLabel.includes(` + browser.Quote(words) + `)`)
}

// pauseUppyAfter has the page pause all that goes up, as soon as something is true: on a
// busy machine a test would come too late.
func pauseUppyAfter(page *browser.Page, expression string) {
	inUppyAfter(page, expression, `document.querySelector(`+browser.Quote(button("Pause"))+`).click()`)
}

// comeBackToUppyAfter has the page reload as soon as something is true.
func comeBackToUppyAfter(page *browser.Page, expression string) {
	inUppyAfter(page, expression, `location.reload()`)
}

func inUppyAfter(page *browser.Page, expression, action string) {
	browser.Eval[bool](page, `(() => {
		window.before = true;
		const timer = setInterval(() => {
			if (!(`+expression+`)) return;
			`+action+`;
			clearInterval(timer);
		}, 10);
		return true;
	})()`)
}

// waitForPaused waits for what pauseUppyAfter does.
func waitForPaused(page *browser.Page) {
	page.Wait(`document.querySelector(` + browser.Quote(button("Resume")) + `)`)
}

// waitForRestored waits for what comeBackToUppyAfter does, and for Golden Retriever.
func waitForRestored(page *browser.Page) {
	page.Wait(`!window.before && document.querySelector(".uppy-Dashboard-serviceMsg")?.innerText.includes("restored")`)
	page.Throttle(0)
}

// goOnInUppy uploads what was brought back.
func goOnInUppy(page *browser.Page) {
	page.Wait(`document.querySelector(` + browser.Quote(uppyUpload) + `)?.disabled === false`)
	page.Click(uppyUpload)
	page.Wait(uppyDone)
}

// storedByUppy is the one object of the tenant acme, which is the file, and at the address
// that Uppy shows.
func storedByUppy(t *testing.T, s *site, page *browser.Page, f fixture.File, contentType string) object {
	t.Helper()
	stored := s.stored("acme")
	require.Len(t, stored, 1)
	require.Equal(t, contentType, stored[0].contentType)
	require.True(t, bytes.Equal(f.Bytes, stored[0].bytes), "it has %d bytes of other content", len(stored[0].bytes))
	link := uppyLink(t, page)
	require.True(t, strings.HasSuffix(link, "/"+stored[0].key), link)
	return stored[0]
}

// wentOn is whether an upload in parts was begun once, and what had arrived was asked for.
func wentOn(t *testing.T, s *site) {
	t.Helper()
	require.Equal(t, 1, strings.Count(s.Log(), `"action":"sign","outcome":"granted"`), "it does not begin again")
	require.Contains(t, s.Log(), `"action":"list"`, "it asks which parts have arrived")
}

// gaveUp is whether an upload was cancelled, and has left nothing.
func gaveUp(t *testing.T, s *site) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(s.Log(), `"action":"abort","outcome":"granted"`)
	}, browser.Patience, 50*time.Millisecond)
	require.Empty(t, s.stored("acme"))
}
