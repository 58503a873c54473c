package browser_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
			page := open(t, quickstart.StartWith(t, srv, mode).URL)
			page.Pick(fixture.Write(t, "kitten.png", []byte("<!doctype html><script>alert(document.domain)</script>")))
			require.Equal(t, "The file says that it is image/png, but its content is text/html.", page.Failure("kitten.png"))
			require.False(t, browser.Eval[bool](page.Page, page.In("kitten.png", "retry")+`?.checkVisibility() ?? false`), "trying again cannot help")
			require.Empty(t, objects(t, srv))
			require.Zero(t, remembered(page))

			page.Reload()
			page.Wait(page.JS())
			require.Zero(t, browser.Eval[int](page.Page, page.Part("list")+`.children.length`))
			require.Zero(t, browser.Eval[int](page.Page, `document.querySelectorAll("[data-stored]").length`))
		})
	}
}

func TestFilesGoUpByPut(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	page := open(t, quickstart.StartWith(t, srv, "-put", "-endpoint", s3.URL).URL)
	f := fixture.PDF(t, "Reisekosten März.pdf", "Invoice", 600<<10)
	page.Pick(f)
	uploaded(page, f.Name)
	stored := objects(t, srv)
	require.Len(t, stored, 1)
	require.Equal(t, f.Bytes, stored[0].bytes)
	require.Equal(t, "application/pdf", stored[0].contentType)
	require.Equal(t, []int{200}, statuses(s3, http.MethodPut))
	require.Empty(t, statuses(s3, http.MethodPost))

	page.Throttle(400 << 10)
	slow := fixture.PDF(t, "slow.pdf", "Slow", 6<<20)
	page.Pick(slow)
	page.Wait(page.Percent(slow.Name) + ` > 2`)
	page.Push("slow.pdf", "cancel")
	page.WaitFor(slow.Name, "cancelled")
	page.Throttle(0)
	settles(t, srv, 1)
	page.Push("slow.pdf", "retry")
	uploaded(page, slow.Name)
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

// The page is closed after the last byte, before it has asked for completion.
func TestAFileWhosePageWasClosedAppearsInTheList(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	url := quickstart.StartWith(t, srv).URL
	page := open(t, url)
	browser.Eval[bool](page.Page, `(() => {
		const ask = fetch;
		window.fetch = (url, ...more) => String(url).endsWith("/complete") ? new Promise(() => {}) : ask(url, ...more);
		return true;
	})()`)
	f := fixture.PDF(t, "left.pdf", "Left", 100<<10)
	page.Pick(f)
	require.Eventually(t, func() bool { return len(objects(t, srv)) == 1 }, time.Minute, 100*time.Millisecond)
	page.Navigate("about:blank")

	// It is left to the page for a minute.
	require.Eventually(t, func() bool {
		stored := objects(t, srv)
		return len(stored) == 1 && !strings.HasPrefix(stored[0].key, "staging/")
	}, 2*time.Minute, time.Second)
	require.Equal(t, f.Bytes, objects(t, srv)[0].bytes)
	page = open(t, url)
	page.Wait(stored(f.Name) + `?.checkVisibility()`)
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
			page := open(t, quickstart.StartWith(t, srv, c.mode, "-endpoint", s3.URL).URL)
			f := fixture.Text(t, "notes.txt", 40<<10)
			page.Pick(f)
			uploaded(page, f.Name)
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
	page := open(t, program.URL)
	a, b := fixture.PNG(t, "evening at sea.png", 90, 60), fixture.Text(t, "Grüße.txt", 1234)
	page.Pick(a)
	uploaded(page, a.Name)
	page.Pick(b)
	uploaded(page, b.Name)
	listed := func() []string {
		return browser.Eval[[]string](page.Page, `[...document.querySelectorAll("section:not([hidden]) [data-stored]")].map((e) => e.dataset.stored)`)
	}
	require.Equal(t, []string{b.Name, a.Name}, listed(), "the last is first")

	page.Reload()
	uploaded(page, a.Name, b.Name)
	require.Equal(t, []string{b.Name, a.Name}, listed())
	require.Regexp(t, `^1\.3 kB · Today, \d\d:\d\d$`, browser.Eval[string](page.Page, `document.querySelector("[data-stored] .detail").innerText`))
	require.Equal(t, b.Bytes, get(t, link(page, b.Name)).body)

	page.Click(`.tenants label:has([value=globex])`)
	require.Empty(t, listed(), "the other tenant has none")
	page.Click(`.tenants label:has([value=acme])`)
	page.Pick(a)
	page.Wait(`document.querySelectorAll("[data-stored]").length === 3`)
	require.Equal(t, []string{a.Name, b.Name, a.Name}, listed())
}

func TestAFileStaysInSightWhileTheListIsOutOfReach(t *testing.T) {
	t.Parallel()
	page := open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	browser.Eval[bool](page.Page, `window.real = window.fetch, window.fetch = (url, options) =>
		url === "/files" ? Promise.reject(new TypeError("Failed to fetch")) : real(url, options), true`)
	f := fixture.Text(t, "notes.txt", 100)
	page.Pick(f)
	page.WaitFor(f.Name, "done")

	browser.Eval[bool](page.Page, `window.fetch = real, true`)
	g := fixture.Text(t, "more.txt", 100)
	page.Pick(g)
	uploaded(page, g.Name, f.Name)
}

func TestTheListIsCurrentWhenPeopleComeBack(t *testing.T) {
	t.Parallel()
	url := quickstart.StartWith(t, s3test.Start(t)).URL
	here, elsewhere := open(t, url), open(t, url)
	f := fixture.Text(t, "notes.txt", 100)
	elsewhere.Pick(f)
	uploaded(elsewhere, f.Name)
	require.False(t, browser.Eval[bool](here.Page, `!!`+stored(f.Name)))
	browser.Eval[bool](here.Page, `document.dispatchEvent(new Event("visibilitychange"))`)
	uploaded(here, f.Name)
}

func TestAnUploadThatIsAllThereIsCompletedAfterAReload(t *testing.T) {
	t.Parallel()
	for _, f := range []fixture.File{fixture.Text(t, "notes.txt", 1000), video(t)} {
		t.Run(f.Name, func(t *testing.T) {
			srv := s3test.Start(t)
			page := open(t, quickstart.StartWith(t, srv).URL)
			browser.Eval[bool](page.Page, `window.fetch = ((fetch) => (url, options) => {
				if (!url.endsWith("/complete")) return fetch(url, options);
				window.asked = true;
				return new Promise(() => {}); // never
			})(window.fetch), true`)
			page.Pick(f)
			page.Wait(`window.asked`)
			require.Equal(t, 1, remembered(page))

			page.Reload()
			uploaded(page, f.Name) // without the file
			settles(t, srv, 1)
			require.Zero(t, remembered(page))
		})
	}
}

func video(t *testing.T) fixture.File {
	f, _ := fixture.Video(t, "holiday.mp4", 17*mib)
	return f
}
