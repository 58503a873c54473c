package clients_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// panelBar is the progress on the pages that bring an input of their own.
const panelBar = `document.querySelector("#upload progress").value`

func TestUppy5UploadsInPartsPausesAndGoesOn(t *testing.T) {
	s := start(t)
	page := s.open("uppy5", "acme")
	f := fixture.Text(t, "log.txt", long)
	page.Throttle(4 * megabyte)
	page.Choose("#file", f.Path)
	page.Click("[data-start]")
	page.Wait(panelBar + ` > 0.15`)
	page.Throttle(slow)
	page.Click("[data-pause]")
	page.Wait(`document.querySelector("[data-status=paused]")`)
	require.Empty(t, s.stored("acme"))
	page.Throttle(0)
	page.Click("[data-pause]")
	page.Wait(`document.querySelector("[data-status=done]")`)

	require.Equal(t, 1.0, browser.Eval[float64](page, panelBar))
	stored := s.stored("acme")
	require.Len(t, stored, 1)
	require.Equal(t, "text/plain", stored[0].contentType)
	require.True(t, string(f.Bytes) == string(stored[0].bytes))
	require.True(t, strings.HasSuffix(status(page), "/"+stored[0].key), status(page))
	require.Contains(t, status(page), "Stored as number 1 at ", "what the application's hook says")
}

func TestUppy5UploadsASingleForm(t *testing.T) {
	s := start(t)
	page := s.open("uppy5", "acme")
	f := photo(t, "evening at sea.png")
	page.Throttle(megabyte)
	page.Click("[name=single]")
	page.Choose("#file", f.Path)
	page.Click("[data-start]")
	page.Wait(panelBar + ` > 0 && ` + panelBar + ` < 1`)
	page.Wait(`document.querySelector("[data-status=done]")`)
	stored := s.stored("acme")
	require.Len(t, stored, 1)
	require.Equal(t, "image/png", stored[0].contentType)
	require.True(t, bytes.Equal(f.Bytes, stored[0].bytes))
}

func TestUppy5CancelsAndLeavesNothing(t *testing.T) {
	s := start(t)
	page := s.open("uppy5", "acme")
	page.Throttle(4 * megabyte)
	page.Choose("#file", fixture.Text(t, "log.txt", long).Path)
	page.Click("[data-start]")
	page.Wait(panelBar + ` > 0.15`)
	page.Throttle(slow)
	page.Click("[data-cancel]")
	page.Wait(`document.querySelector("[data-status=cancelled]")`)
	require.Eventually(t, func() bool {
		return strings.Contains(s.Log(), `"action":"abort","outcome":"granted"`)
	}, browser.Patience, 50*time.Millisecond)
	require.Empty(t, s.stored("acme"))
}

func TestUppy5ShowsTheMessageOfARefusal(t *testing.T) {
	s := start(t)
	page := s.open("uppy5", "acme")
	page.AllowErrors() // Uppy writes them to the console
	page.Choose("#file", fixture.Write(t, "page.html", []byte("<!doctype html>")).Path)
	page.Click("[data-start]")
	page.Wait(`document.querySelector("[data-status=failed]")`)
	require.Equal(t, "Files of type text/html are not accepted.", status(page))
	require.Empty(t, s.stored("acme"))
}
