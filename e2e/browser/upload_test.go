package browser_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/s3test"
)

func TestThreeFilesAtOnceArriveByteForByte(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	program := quickstart.StartWith(t, srv)
	files := map[string]fixture.File{
		"image/png":       fixture.PNG(t, "evening at sea.png", 900, 600),
		"application/pdf": fixture.PDF(t, "Reisekosten März.pdf", "Invoice", 600<<10),
		"text/plain":      fixture.Text(t, "notes.txt", 40<<10),
	}
	page := browser.Open(t, program.URL)
	steps := steps(page)
	choose(page, files["image/png"], files["application/pdf"], files["text/plain"])
	for _, f := range files {
		waitFor(page, f.Name, "done")
		require.Equal(t, "100", browser.Eval[string](page, part(f.Name, "progress")+`.ariaValueNow`))
		require.Equal(t, "progressbar", browser.Eval[string](page, part(f.Name, "progress")+`.role`))
		require.IsNonDecreasing(t, steps(f.Name))
		require.Equal(t, 100, steps(f.Name)[len(steps(f.Name))-1])
	}
	require.Equal(t, "3 of 3 uploaded", browser.Eval[string](page, `document.querySelector("[data-summary]").innerText`))

	stored := objects(t, srv)
	require.Len(t, stored, 3)
	for _, o := range stored {
		require.Regexp(t, `^acme/\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.(png|pdf|txt)$`, o.key)
		require.Contains(t, files, o.contentType)
		require.Equal(t, files[o.contentType].Bytes, o.bytes, o.key)
		require.Contains(t, o.disposition, "inline")
	}

	t.Run("each has a link that opens it", func(t *testing.T) {
		for contentType, f := range files {
			page.Wait(part(f.Name, "open") + `.checkVisibility()`)
			got := get(t, browser.Eval[string](page, part(f.Name, "open")+`.href`))
			require.Equal(t, f.Bytes, got.body)
			require.Equal(t, contentType, got.contentType)
		}
	})
	t.Run("the image has a thumbnail, the others an icon", func(t *testing.T) {
		thumb := func(name string) string { return file(name) + `.querySelector(".thumb > img, .thumb > svg").localName` }
		require.Equal(t, "img", browser.Eval[string](page, thumb(files["image/png"].Name)))
		require.Equal(t, "svg", browser.Eval[string](page, thumb(files["text/plain"].Name)))
	})
	t.Run("the log has no secret", func(t *testing.T) {
		require.Contains(t, program.Log(), `"outcome":"granted"`)
		for _, secret := range []string{"secret", "acme-demo", "policy", "signature", "Signature"} {
			require.NotContains(t, program.Log(), secret)
		}
	})
	t.Run("the list can be cleared", func(t *testing.T) {
		page.Click("[data-clear]")
		require.Zero(t, browser.Eval[int](page, `document.querySelectorAll("[data-file]").length`))
	})
}

func TestTenantsHaveTheirOwnPlaces(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	page.Click(`.tenants label:has([value=globex])`)
	choose(page, fixture.Text(t, "globex.txt", 100))
	waitFor(page, "globex.txt", "done")
	page.Wait(part("globex.txt", "open") + `.checkVisibility()`)

	stored := objects(t, srv)
	require.Len(t, stored, 1)
	require.Regexp(t, "^globex/", stored[0].key)
	names := func(token string) []string {
		return browser.Eval[[]string](page, `fetch("/files", { headers: { Authorization: "Bearer `+token+`" } })
			.then((r) => r.json()).then(({ files }) => files.map((f) => f.filename))`)
	}
	require.Equal(t, []string{"globex.txt"}, names("globex-demo"))
	require.Empty(t, names("acme-demo"), "the other tenant gets no link")
}

func TestTheQuickstartBringsItsOwnS3Server(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.Start(t, nil, nil).URL)
	f := fixture.PNG(t, "small.png", 64, 64)
	choose(page, f)
	waitFor(page, f.Name, "done")
	page.Wait(part(f.Name, "open") + `.checkVisibility()`)
	require.Equal(t, f.Bytes, get(t, browser.Eval[string](page, part(f.Name, "open")+`.href`)).body)
}

func TestDroppedFilesAreUploaded(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	over := browser.Eval[bool](page, `(() => {
		const dataTransfer = new DataTransfer();
		dataTransfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
		const zone = document.querySelector("[data-drop]");
		const send = (type) => zone.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
		send("dragenter");
		send("dragover");
		const over = zone.hasAttribute("data-over");
		send("drop");
		return over && !zone.hasAttribute("data-over");
	})()`)
	require.True(t, over, "the zone shows that files hover over it")
	waitFor(page, "dropped.txt", "done")
	require.Equal(t, "dropped", string(objects(t, srv)[0].bytes))
}

func TestThePageWorksByKeyboard(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.Start(t, nil, nil).URL)
	focused := func() string {
		return browser.Eval[string](page, `document.activeElement.value || document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.innerText`)
	}
	page.Press(kb.Tab)
	require.Equal(t, "acme", focused())
	page.Press(kb.ArrowRight)
	require.Equal(t, "globex", browser.Eval[string](page, `document.querySelector("[name=tenant]:checked").value`))
	page.Press(kb.Tab)
	require.Equal(t, "picker", focused())
	require.NotEqual(t, "none", browser.Eval[string](page, `getComputedStyle(document.querySelector(".drop label")).outlineStyle`))

	choose(page, fixture.Text(t, "a.txt", 10))
	waitFor(page, "a.txt", "done")
	page.Wait(part("a.txt", "open") + `.checkVisibility()`)
	for _, control := range []string{"Clear finished", "Open a.txt in a new tab", "Remove a.txt"} {
		page.Press(kb.Tab)
		require.Equal(t, control, focused())
	}
	page.Press(kb.Enter)
	require.Equal(t, "picker", focused(), "the focus has a place after the last file is gone")
}

type answer struct {
	contentType string
	body        []byte
}

func get(t *testing.T, url string) answer {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	return answer{response.Header.Get("Content-Type"), body}
}
