package clients_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// post uploads by the form, and waits for the page to which the bucket leads.
func post(s *site, page *browser.Page, kind string, f fixture.File) {
	s.t.Helper()
	page.Click(`.kinds [href="?type=` + strings.ReplaceAll(kind, "/", "%2f") + `"]`)
	page.Wait(`document.querySelector("[name=Content-Type]")?.value === ` + browser.Quote(kind))
	page.Choose("#file", f.Path)
	page.Click(".panel button")
	page.Wait(`document.querySelector("[action=complete]")`)
}

func status(page *browser.Page) string {
	return browser.Eval[string](page, `document.querySelector("[data-status]").innerText`)
}

func TestAFormUploadsWithoutJavaScript(t *testing.T) {
	s := start(t)
	page := browser.Open(t, s.URL)
	page.WithoutScripts()
	page.Click(".cards [href='/form/']")
	page.Wait(`location.pathname === "/form/"`)
	signIn(page, "acme")

	t.Run("and completes when it is told to", func(t *testing.T) {
		f := fixture.PDF(t, "Reisekosten März.pdf", "Invoice", 600<<10)
		post(s, page, "application/pdf", f)
		require.Empty(t, s.added("acme"), "the bucket's redirect alone completes nothing")
		page.Click("[action=complete] button")
		page.Wait(`document.querySelector("[data-status=done]")`)

		added := s.added("acme")
		require.Len(t, added, 1)
		require.Regexp(t, `^acme/\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.pdf$`, added[0].key)
		require.Equal(t, "application/pdf", added[0].contentType)
		require.Equal(t, f.Bytes, added[0].bytes)
		require.Contains(t, status(page), added[0].key)
		page.Click("main [href='/form/']")
	})
	t.Run("and another kind of file is refused", func(t *testing.T) {
		post(s, page, "application/pdf", fixture.PNG(t, "evening.png", 60, 40))
		page.Click("[action=complete] button")
		page.Wait(`document.querySelector("[data-status=failed]")`)
		require.Equal(t, "The file says that it is application/pdf, but its content is image/png.", status(page))
		require.Empty(t, s.added("acme"))
		page.Click("main [href='/form/']")
	})
	t.Run("and it is completed only by who began it", func(t *testing.T) {
		post(s, page, "text/plain", fixture.Text(t, "notes.txt", 100))
		form := url.Values{"ticket": {browser.Eval[string](page, `document.querySelector("[name=ticket]").value`)}}
		action := browser.Eval[string](page, `document.querySelector("[action=complete]").action`)
		complete := func(tenant, site string) (status int, body string) {
			r, err := http.NewRequest(http.MethodPost, action, strings.NewReader(form.Encode()))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", site)
			return s.do(tenant, r)
		}

		code, body := complete("globex", "same-origin")
		require.Equal(t, http.StatusForbidden, code)
		require.Contains(t, body, "This upload was begun by someone else.")
		code, body = complete("acme", "cross-site")
		require.Equal(t, http.StatusForbidden, code)
		require.Contains(t, body, "Requests from this origin are refused.")
		require.Empty(t, s.added("acme"))

		code, body = complete("acme", "same-origin")
		require.Equal(t, http.StatusOK, code, body)
		require.Len(t, s.added("acme"), 1)
	})
	t.Run("and the bucket bounds its size", func(t *testing.T) {
		page.Navigate(s.URL + "/form/")
		page.AllowErrors() // the bucket's answer is no page
		page.Choose("#file", fixture.Write(t, "large.png", make([]byte, 10<<20+1)).Path)
		page.Click(".panel button")
		page.Wait(`document.documentElement.textContent.includes("EntityTooLarge")`)
		require.Empty(t, s.added("acme"))
	})
}
