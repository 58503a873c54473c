package clients_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

const (
	zonePicker = ".dz-hidden-input"
	zoneBar    = `parseFloat(document.querySelector("[data-dz-uploadprogress]")?.style.width)`
	zoneError  = `document.querySelector(".dz-error [data-dz-errormessage]")`
)

func TestDropzone(t *testing.T) {
	s := start(t)
	page := s.open("dropzone", "acme")

	t.Run("it uploads", func(t *testing.T) {
		f := photo(t, "evening at sea.png")
		page.Throttle(megabyte)
		page.Choose(zonePicker, f.Path)
		page.Wait(zoneBar + ` > 0 && ` + zoneBar + ` < 100`)
		page.Wait(`document.querySelector(".dz-complete.dz-success")`)

		added := s.added("acme")
		require.Len(t, added, 1)
		require.Equal(t, "image/png", added[0].contentType)
		require.True(t, bytes.Equal(f.Bytes, added[0].bytes))
	})
	for _, c := range []struct {
		name string
		file fixture.File
		want string
	}{
		{"it shows why the server refuses a file", fixture.Write(t, "page.html", []byte("<!doctype html>")),
			"Files of type text/html are not accepted."},
		{"it shows why completion refuses a file", fixture.Write(t, "report.pdf", []byte("no PDF")),
			"The file says that it is application/pdf, but its content is text/plain."},
	} {
		t.Run(c.name, func(t *testing.T) {
			page.Reload()
			page.Choose(zonePicker, c.file.Path)
			page.Wait(zoneError)
			require.Equal(t, c.want, browser.Eval[string](page, zoneError+`.textContent`))
			require.False(t, browser.Eval[bool](page, `!!document.querySelector(".dz-success")`))
			require.Empty(t, s.added("acme"))
		})
	}
	t.Run("it shows that the bucket refuses a file", func(t *testing.T) {
		page.Reload()
		meddle(page, "uploads/sign", `(grant) => { grant.fields["Content-Type"] = "text/plain"; }`)
		page.Choose(zonePicker, fixture.PNG(t, "evening.png", 60, 40).Path)
		page.Wait(zoneError)
		require.Equal(t, "Server responded with 403 code.", browser.Eval[string](page, zoneError+`.textContent`))
		require.Empty(t, s.added("acme"))
	})
	t.Run("it waits for a completion that takes long", func(t *testing.T) {
		page.Reload()
		meddle(page, "uploads/complete", `(_, n) => n === 1 && 202`)
		page.Choose(zonePicker, fixture.PNG(t, "evening.png", 60, 40).Path)
		page.Wait(`document.querySelector(".dz-complete.dz-success")`)
		require.Equal(t, 2, browser.Eval[int](page, `window.asked`))
	})
}

// meddle has a function change the JSON that a page gets from an address. What it
// returns, if anything, is the status.
func meddle(page *browser.Page, address, change string) {
	browser.Eval[bool](page, `(() => {
		const ask = fetch;
		window.asked = 0;
		window.fetch = async (url, ...rest) => {
			const response = await ask(url, ...rest);
			if (!String(url).endsWith(`+browser.Quote(address)+`)) return response;
			const answer = await response.json();
			const status = (`+change+`)(answer, ++window.asked) || response.status;
			return new Response(JSON.stringify(answer), { status });
		};
		return true;
	})()`)
}
