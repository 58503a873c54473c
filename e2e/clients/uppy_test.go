package clients_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestUppyUploadsASingleForm(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	page.Navigate(s.URL + "/uppy/?single")
	f := photo(t, "evening at sea.png")
	chooseInUppy(page, f)
	page.Throttle(megabyte)
	page.Click(uppyUpload)
	page.Wait(uppyBar + ` > 0 && ` + uppyBar + ` < 100`)
	page.Wait(uppyDone)

	stored := storedByUppy(t, s, page, f, "image/png")
	require.True(t, strings.HasPrefix(stored.key, "acme/"), stored.key)
}

func TestUppyUploadsInPartsPausesAndGoesOn(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	f := fixture.Text(t, "log.txt", long)
	chooseInUppy(page, f)
	startUppy(page)
	pauseUppy(page)
	require.Empty(t, s.stored("acme"))
	page.Throttle(0)
	page.Click(button("Resume"))
	page.Wait(uppyDone)

	wentOn(t, s)
	storedByUppy(t, s, page, f, "text/plain")
}

func TestUppyUploadsAFileOfOnePart(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	f := fixture.PDF(t, "page.pdf", "Small", 1000)
	chooseInUppy(page, f)
	page.Click(uppyUpload)
	page.Wait(uppyDone)
	storedByUppy(t, s, page, f, "application/pdf")
}

func TestUppyCancelsAndLeavesNothing(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	chooseInUppy(page, fixture.Text(t, "log.txt", long))
	startUppy(page)
	page.Click(button("Cancel"))
	page.Wait(uppyItems + ` === 0`)
	gaveUp(t, s)
}

func TestUppyGoesOnAfterAReloadWithGoldenRetriever(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	f := fixture.Text(t, "log.txt", 9*megabyte) // less than uppyKeeps
	chooseInUppy(page, f)
	page.Throttle(1.5 * megabyte)
	page.Click(uppyUpload)
	page.Wait(uppyBar + ` > 40`)
	comeBackToUppy(page, f)
	goOnInUppy(page)

	wentOn(t, s)
	storedByUppy(t, s, page, f, "text/plain")
}

func TestUppyRetriesWhenTheAnswerToItsCompletionIsLost(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	page.AllowErrors() // Uppy writes them to the console
	f := fixture.Text(t, "log.txt", 6*megabyte)
	chooseInUppy(page, f)
	browser.Eval[bool](page, `(() => {
		const ask = fetch;
		let lost = false;
		window.fetch = async (url, ...rest) => {
			const response = await ask(url, ...rest);
			if (lost || !String(url).includes("/complete?")) return response;
			lost = true;
			return new Response("", { status: 502, statusText: "Bad Gateway" });
		};
		return true;
	})()`)
	page.Click(uppyUpload)
	page.Wait(uppyFailed)
	page.Click(uppyRetry)
	page.Wait(uppyDone)

	storedByUppy(t, s, page, f, "text/plain")
	require.Equal(t, 1, strings.Count(s.Log(), `"action":"sign","outcome":"granted"`), "it does not begin again")
	require.Equal(t, 2, strings.Count(s.Log(), `"action":"parts","outcome":"granted"`), "nor uploads again")
}

func TestUppyShowsTheStatusOfARefusal(t *testing.T) {
	s := start(t)
	page := s.open("uppy", "acme")
	page.AllowErrors() // Uppy writes them to the console
	chooseInUppy(page, fixture.Write(t, "page.html", []byte("<!doctype html>")))
	page.Click(uppyUpload)
	page.Wait(uppyFailed)
	page.Wait(`document.body.innerText.includes("Unsupported Media Type") || document.querySelector(".uppy-Dashboard-Item-errorDetails[aria-label*='Unsupported Media Type']")`)
	require.Contains(t, s.Log(), `"code":"type_not_allowed"`)
	require.Empty(t, s.stored("acme"))
}

// TestUppyUploadsWithoutCompanion has signRequest return the grant, and a postprocessor
// complete.
func TestUppyUploadsWithoutCompanion(t *testing.T) {
	for _, mode := range []string{"forms", "puts"} {
		t.Run(mode, func(t *testing.T) {
			open := func(t *testing.T) (*site, *browser.Page) {
				s := start(t)
				page := s.open("uppy", "acme")
				page.Navigate(s.URL + "/uppy/?" + mode)
				return s, page
			}
			t.Run("an upload is completed", func(t *testing.T) {
				s, page := open(t)
				f := fixture.PNG(t, "evening at sea.png", 1800, 1200)
				chooseInUppy(page, f)
				page.Click(uppyUpload)
				page.Wait(uppyDone)

				storedByUppy(t, s, page, f, "image/png")
				require.Contains(t, s.Log(), `"action":"complete","outcome":"granted"`)
			})
			t.Run("a refusal to sign is shown in the server's words", func(t *testing.T) {
				s, page := open(t)
				page.AllowErrors() // Uppy writes them to the console
				chooseInUppy(page, fixture.Write(t, "page.html", []byte("<!doctype html>")))
				page.Click(uppyUpload)
				page.Wait(uppyFailed)
				saysInUppy(page, "not accepted")
				require.Empty(t, s.stored("acme"))
			})
			t.Run("a refusal to complete is shown, too", func(t *testing.T) {
				s, page := open(t)
				page.AllowErrors() // Uppy writes them to the console
				chooseInUppy(page, fixture.Write(t, "page.png", []byte("<!doctype html><script>alert(1)</script>")))
				page.Click(uppyUpload)
				page.Wait(uppyFailed)
				saysInUppy(page, "The file says that it is image/png, but its content is text/html.")
				require.Empty(t, s.stored("acme"))
			})
		})
	}
}

// TestUppyHasEachRequestOfAnUploadInPartsSigned has signRequest send tokens to companion.
func TestUppyHasEachRequestOfAnUploadInPartsSigned(t *testing.T) {
	t.Run("it pauses and goes on", func(t *testing.T) {
		s := startPlugin(t, postern.VersityGW)
		page := s.openAt(t, "/signed")
		page.Choose(uppyPicker, fixture.Text(t, "log.txt", long).Path)
		browser.Eval[bool](page, `(uppy.setFileMeta(uppy.getFiles()[0].id, { caption: "<Fog>" }), true)`)
		startUppy(page)
		pauseUppy(page)
		page.Throttle(0)
		page.Click(button("Resume"))
		page.Wait(uppyDone)
		require.EqualValues(t, 1, s.completed.Load())
		require.Equal(t, map[string]string{"caption": "<Fog>"}, s.last().Metadata)
		require.Equal(t, s.last().Key, browser.Eval[string](page, `uppy.getFiles()[0].response.body.key`), "the server has named it")
		require.Equal(t, s.last().Location, browser.Eval[string](page, `uppy.getFiles()[0].uploadURL`))
		require.Contains(t, browser.Eval[[]string](page, `sent`), "GET", "it asks which parts have arrived")
	})
	t.Run("it shows why a file is refused", func(t *testing.T) {
		s := startPlugin(t, postern.VersityGW)
		page := s.openAt(t, "/signed")
		page.AllowErrors() // Uppy writes them to the console
		s.refuse("log.txt", "Your plan has no room for this file.")
		page.Choose(uppyPicker, fixture.Text(t, "log.txt", 1000).Path)
		page.Click(uppyUpload)
		page.Wait(uppyFailed)
		saysInUppy(page, "Your plan has no room for this file.")
		s.refuse("", "")
		page.Click(uppyRetry)
		page.Wait(uppyDone)
		require.EqualValues(t, 1, s.completed.Load())
	})
	t.Run("it is given up", func(t *testing.T) {
		s := startPlugin(t, postern.VersityGW)
		page := s.openAt(t, "/signed")
		page.Choose(uppyPicker, fixture.Text(t, "log.txt", long).Path)
		startUppy(page)
		page.Click(button("Cancel"))
		page.Throttle(0)
		require.Eventually(t, func() bool { return s.aborted.Load() == 1 }, browser.Patience, 20*time.Millisecond)
		require.Zero(t, s.completed.Load())
	})
}

func TestSingleUploadsAreRefusedWhereUppyWouldHaveToCompleteThem(t *testing.T) {
	s := start(t)
	r, err := http.NewRequest("GET", s.URL+"/uppy/parts/s3/params?filename=a.png&type=image/png", nil)
	require.NoError(t, err)
	status, body := s.do("acme", r)
	require.Equal(t, 400, status)
	require.Contains(t, body, "completion_required")
}
