package browser_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

func TestAFileThatIsNotWhatItSaysIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"-put=false", "-put"} {
		t.Run(mode, func(t *testing.T) {
			srv := s3test.Start(t)
			page := browser.Open(t, quickstart.StartWith(t, srv, mode).URL)
			choose(page, fixture.Write(t, "kitten.png", []byte("<!doctype html><script>alert(document.domain)</script>")))
			require.Equal(t, "The file says that it is image/png, but its content is text/html.", message(t, page, "kitten.png"))
			require.False(t, browser.Eval[bool](page, part("kitten.png", "retry")+`.checkVisibility()`), "trying again cannot help")
			require.Empty(t, objects(t, srv))
			require.Zero(t, remembered(page))

			page.Reload()
			page.Wait(`document.readyState === "complete"`)
			require.Zero(t, browser.Eval[int](page, `document.querySelectorAll("[data-stored], [data-file]").length`))
		})
	}
}

func TestFilesGoUpByPut(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	page := browser.Open(t, quickstart.StartWith(t, srv, "-put", "-endpoint", s3.URL).URL)
	f := fixture.PDF(t, "Reisekosten März.pdf", "Invoice", 600<<10)
	choose(page, f)
	waitFor(page, f.Name, "done")
	stored := objects(t, srv)
	require.Len(t, stored, 1)
	require.Equal(t, f.Bytes, stored[0].bytes)
	require.Equal(t, "application/pdf", stored[0].contentType)
	require.Equal(t, []int{200}, statuses(s3, http.MethodPut))
	require.Empty(t, statuses(s3, http.MethodPost))

	page.Throttle(400 << 10)
	slow := fixture.PDF(t, "slow.pdf", "Slow", 6<<20)
	choose(page, slow)
	page.Wait(percent(slow.Name) + ` > 2`)
	page.Click("[data-file='slow.pdf'] [data-cancel]")
	waitFor(page, slow.Name, "cancelled")
	page.Throttle(0)
	settles(t, srv, 1)
	page.Click("[data-file='slow.pdf'] [data-retry]")
	waitFor(page, slow.Name, "done")
	settles(t, srv, 2)
}

// statuses are what the browser's uploads were answered.
func statuses(s3 *tap.Tap, method string) (found []int) {
	for _, r := range s3.Passed() {
		if r.Browser && r.Method == method {
			found = append(found, r.Status)
		}
	}
	return found
}

func TestAnUploadWhoseAnswerIsLostIsCompleted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, method string
		statuses     []int
	}{
		{"-put", http.MethodPut, []int{500, 412}}, // the key is taken: by the first try
		{"-put=false", http.MethodPost, []int{500, 201}},
	} {
		t.Run(c.method, func(t *testing.T) {
			srv := s3test.Start(t)
			s3 := tap.Start(t, srv.Endpoint)
			var tries atomic.Int32
			s3.Disturb(func(r *http.Request) *tap.Fault {
				if r.Method != c.method || tries.Add(1) > 1 {
					return nil
				}
				return &tap.Fault{After: true, Status: http.StatusInternalServerError, Code: "InternalError"}
			})
			page := browser.Open(t, quickstart.StartWith(t, srv, c.mode, "-endpoint", s3.URL).URL)
			f := fixture.Text(t, "notes.txt", 40<<10)
			choose(page, f)
			waitFor(page, f.Name, "done")
			require.Equal(t, c.statuses, statuses(s3, c.method))
			stored := objects(t, srv)
			require.Len(t, stored, 1)
			require.Equal(t, f.Bytes, stored[0].bytes)
		})
	}
}

func TestFinishedUploadsAreListedAfterAReload(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	program := quickstart.StartWith(t, srv)
	page := browser.Open(t, program.URL)
	a, b := fixture.PNG(t, "evening at sea.png", 90, 60), fixture.Text(t, "Grüße.txt", 1234)
	choose(page, a)
	waitFor(page, a.Name, "done")
	choose(page, b)
	waitFor(page, b.Name, "done")
	page.Wait(part(b.Name, "open") + `.checkVisibility()`)
	listed := func() []string {
		return browser.Eval[[]string](page, `[...document.querySelectorAll("[data-stored]")].map((e) => e.dataset.stored)`)
	}
	require.Empty(t, listed(), "what has a row is not listed twice")

	page.Reload()
	page.Wait(`document.querySelectorAll("[data-stored]").length === 2`)
	require.Equal(t, []string{b.Name, a.Name}, listed(), "the last is first")
	require.Regexp(t, `^1\.2 KBToday, \d\d:\d\d$`, browser.Eval[string](page, `document.querySelector("[data-stored] .detail").innerText`))
	got := get(t, browser.Eval[string](page, `document.querySelector("[data-stored] [data-open]").href`))
	require.Equal(t, b.Bytes, got.body)

	page.Click(`.tenants label:has([value=globex])`)
	page.Wait(`document.querySelector("[data-finished]").hidden`)
	require.Empty(t, listed(), "the other tenant has none")

	page.Click(`.tenants label:has([value=acme])`)
	page.Wait(`document.querySelectorAll("[data-stored]").length === 2`)
	choose(page, a)
	waitFor(page, a.Name, "done")
	page.Click("[data-clear]")
	page.Wait(`document.querySelectorAll("[data-stored]").length === 3`)
	require.True(t, slices.Contains(listed(), a.Name))
}

func TestAnUploadThatIsAllThereIsCompletedAfterAReload(t *testing.T) {
	t.Parallel()
	for _, f := range []fixture.File{fixture.Text(t, "notes.txt", 1000), video(t)} {
		t.Run(f.Name, func(t *testing.T) {
			srv := s3test.Start(t)
			page := browser.Open(t, quickstart.StartWith(t, srv).URL)
			browser.Eval[bool](page, `window.fetch = ((fetch) => (url, options) => {
				if (!url.endsWith("/complete")) return fetch(url, options);
				window.asked = true;
				return new Promise(() => {}); // never
			})(window.fetch), true`)
			choose(page, f)
			page.Wait(`window.asked`)
			require.Equal(t, 1, remembered(page))

			page.Reload()
			waitFor(page, f.Name, "done") // without the file
			settles(t, srv, 1)
			require.Zero(t, remembered(page))
		})
	}
}

func video(t *testing.T) fixture.File {
	f, _ := fixture.Video(t, "holiday.mp4", 17*mib)
	return f
}
