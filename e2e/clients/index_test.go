package clients_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
)

func TestTheIndexLeadsToEachPage(t *testing.T) {
	s := start(t)
	page := browser.Open(t, s.URL)
	signIn(page, "globex")
	page.Picture("index")
	pages := browser.Eval[[]string](page, `[...document.querySelectorAll(".cards a")].map((a) => a.pathname)`)
	require.Len(t, pages, 9)
	for _, path := range pages {
		page.Click(`.cards [href="` + path + `"]`)
		page.Wait(`location.pathname === "` + path + `" && document.readyState === "complete"`)
		require.NotEmpty(t, browser.Eval[string](page, `document.querySelector(".cannot").innerText`), path)
		require.True(t, browser.Eval[bool](page, `[...document.querySelectorAll("input:not([type=hidden]):not([hidden])")].every((input) =>
			input.labels?.length || input.ariaLabel || input.getAttribute("aria-labelledby") || !input.checkVisibility({ visibilityProperty: true }))`), path+" has labels")
		page.Picture("client-" + path[1:len(path)-1])
		page.Resize(340, 700)
		require.LessOrEqual(t, browser.Eval[int](page, `document.documentElement.scrollWidth`), 340, path+" fits a small screen")
		page.Picture("small-" + path[1:len(path)-1])
		page.Resize(1000, 800)
		page.Click(".brand")
		page.Wait(`location.pathname === "/" && document.readyState === "complete"`)
	}
}

func TestTenantsAreKeptApart(t *testing.T) {
	s := start(t)
	// Nobody is signed in by another site.
	r, err := http.NewRequest(http.MethodPost, s.URL+"/sign-in", nil)
	require.NoError(t, err)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	code, _ := s.do("acme", r)
	require.Equal(t, http.StatusForbidden, code)

	client := s.as("acme")
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if r.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse // a link into the bucket
		}
		return nil
	}
	for path, want := range map[string]int{
		"/files/acme/a.txt":               http.StatusSeeOther, // whether it is there or not
		"/files/globex/a.txt":             http.StatusNotFound,
		"/files/acme/../globex/a.txt":     http.StatusNotFound,
		"/files/acme%2F..%2Fglobex/a.txt": http.StatusNotFound,
		"/files/staging/acme/a.txt":       http.StatusNotFound,
		"/npm/dropzone/package.json":      http.StatusOK,
		"/npm/dropzone/":                  http.StatusNotFound,
		"/npm/..%2Fpackage.json":          http.StatusNotFound,
		"/npm/cjs/dropzone/package.json":  http.StatusOK,
		"/npm/cjs/..%2Fpackage.json":      http.StatusNotFound,
	} {
		response, err := client.Get(s.URL + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode, path)
	}
}
