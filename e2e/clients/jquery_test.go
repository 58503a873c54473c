package clients_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestJQueryFileUploadUploads(t *testing.T) {
	s := start(t)
	page := s.open("jquery", "acme")
	f := photo(t, "evening at sea.png")
	page.Throttle(megabyte)
	page.Choose("#file", f.Path)
	page.Wait(panelBar + ` > 0 && ` + panelBar + ` < 1`)
	page.Wait(`document.querySelector("[data-status=done]")`)

	stored := s.stored("acme")
	require.Len(t, stored, 1)
	require.Equal(t, "image/png", stored[0].contentType)
	require.True(t, bytes.Equal(f.Bytes, stored[0].bytes))
	location, err := url.PathUnescape(status(page)) // S3 escapes the slashes of keys
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(location, "/"+stored[0].key), location)
}

func TestJQueryFileUploadCancels(t *testing.T) {
	s := start(t)
	page := s.open("jquery", "acme")
	page.Throttle(300 << 10)
	page.Choose("#file", fixture.PDF(t, "slow.pdf", "Slow", 4*megabyte).Path)
	page.Wait(panelBar + ` > 0`)
	page.Click("[data-cancel]")
	page.Wait(`document.querySelector("[data-status=cancelled]")`)
	require.Empty(t, s.stored("acme"))
}

func TestJQueryFileUploadShowsWhyAFileIsRefused(t *testing.T) {
	s := start(t)
	page := s.open("jquery", "acme")
	page.Choose("#file", fixture.Write(t, "page.html", []byte("<!doctype html>")).Path)
	page.Wait(`document.querySelector("[data-status=failed]")`)
	require.Equal(t, "Files of type text/html are not accepted.", status(page))

	// The client does not tell the size: the bucket refuses what is too large.
	f := fixture.Text(t, "large.txt", 11*megabyte)
	page.AllowErrors()
	page.Choose("#file", f.Path)
	page.Wait(`document.querySelector("[data-status=failed]")?.innerText.startsWith("The upload failed")`)
	require.Empty(t, s.stored("acme"))
}
