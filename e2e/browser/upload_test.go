package browser_test

import (
	"io"
	"net/http"
	"testing"

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
	page := open(t, program.URL)
	steps := steps(page)
	page.Pick(files["image/png"], files["application/pdf"], files["text/plain"])
	for _, f := range files {
		uploaded(page, f.Name)
		require.IsNonDecreasing(t, steps(f.Name))
		require.Equal(t, 100, steps(f.Name)[len(steps(f.Name))-1])
	}

	found := objects(t, srv)
	require.Len(t, found, 3)
	for _, o := range found {
		require.Regexp(t, `^acme/\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.(png|pdf|txt)$`, o.key)
		require.Contains(t, files, o.contentType)
		require.Equal(t, files[o.contentType].Bytes, o.bytes, o.key)
		require.Contains(t, o.disposition, "inline")
	}

	t.Run("each has a link that opens it", func(t *testing.T) {
		for contentType, f := range files {
			got := get(t, link(page, f.Name))
			require.Equal(t, f.Bytes, got.body)
			require.Equal(t, contentType, got.contentType)
		}
	})
	t.Run("the log has no secret", func(t *testing.T) {
		require.Contains(t, program.Log(), `"outcome":"granted"`)
		for _, secret := range []string{"secret", "acme-demo", "policy", "signature", "Signature"} {
			require.NotContains(t, program.Log(), secret)
		}
	})
}

func TestTenantsHaveTheirOwnPlaces(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	page.Click(`.tenants label:has([value=globex])`)
	page.Pick(fixture.Text(t, "globex.txt", 100))
	uploaded(page, "globex.txt")

	found := objects(t, srv)
	require.Len(t, found, 1)
	require.Regexp(t, "^globex/", found[0].key)
	names := func(token string) []string {
		return browser.Eval[[]string](page.Page, `fetch("/files", { headers: { Authorization: "Bearer `+token+`" } })
			.then((r) => r.json()).then(({ files }) => files.map((f) => f.filename))`)
	}
	require.Equal(t, []string{"globex.txt"}, names("globex-demo"))
	require.Empty(t, names("acme-demo"), "the other tenant gets no link")

	page.Reload()
	uploaded(page, "globex.txt")
	require.Equal(t, "globex", browser.Eval[string](page.Page, `document.querySelector("[name=tenant]:checked").value`))
}

func TestTheQuickstartBringsItsOwnS3Server(t *testing.T) {
	t.Parallel()
	page := open(t, quickstart.Start(t, nil, nil).URL)
	f := fixture.PNG(t, "small.png", 64, 64)
	page.Pick(f)
	uploaded(page, f.Name)
	require.Equal(t, f.Bytes, get(t, link(page, f.Name)).body)
}

func TestDroppedFilesAreUploaded(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	zone, beside := fixture.Text(t, "zone.txt", 10), fixture.Text(t, "beside.txt", 20)
	page.Drop(zone.Path)
	uploaded(page, zone.Name)
	page.DropAt(5, 5, beside.Path)
	uploaded(page, beside.Name)
	require.Len(t, objects(t, srv), 2)

	t.Run("for the tenant who is shown", func(t *testing.T) {
		page.Click(`.tenants label:has([value=globex])`)
		page.DropAt(5, 5, fixture.Text(t, "globex.txt", 30).Path)
		uploaded(page, "globex.txt")
		require.Regexp(t, "^globex/", objects(t, srv)[2].key)
	})
}

func TestThePageWorksByKeyboard(t *testing.T) {
	t.Parallel()
	page := open(t, quickstart.Start(t, nil, nil).URL)
	focused := func() string {
		return browser.Eval[string](page.Page, `((e) => e.value || e.part?.value || e.ariaLabel || e.innerText)(
			document.activeElement.shadowRoot?.activeElement ?? document.activeElement)`)
	}
	page.Press(browser.Tab)
	require.Equal(t, "acme", focused())
	page.Press(browser.ArrowRight)
	require.Equal(t, "globex", browser.Eval[string](page.Page, `document.querySelector("[name=tenant]:checked").value`))
	page.Press(browser.Tab)
	require.Equal(t, "drop", focused())

	page.Pick(fixture.Text(t, "a.txt", 10))
	uploaded(page, "a.txt")
	page.Press(browser.Tab)
	require.Equal(t, "Open a.txt in a new tab", focused())
	page.Pick(fixture.Text(t, "b.txt", 10))
	uploaded(page, "b.txt")
	require.Equal(t, "Open a.txt in a new tab", focused(), "what is new takes no focus away")
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
