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

const (
	pondPicker = ".filepond--browser"
	pondItem   = `document.querySelector(".filepond--item")`
	pondText   = pondItem + `?.querySelector(".filepond--file-status-main").innerText`
	pondState  = pondItem + `?.dataset.filepondItemState`
)

func TestFilePond(t *testing.T) {
	s := start(t)
	page := s.open("filepond", "acme")

	for _, c := range []struct {
		name string
		file fixture.File
		rate float64 // bytes a second
	}{
		{"it uploads by a form", photo(t, "evening at sea.png"), megabyte},
		{"it uploads in parts", fixture.Text(t, "log.txt", 11*megabyte), 10 * megabyte},
	} {
		t.Run(c.name, func(t *testing.T) {
			page.Reload()
			page.Throttle(c.rate)
			page.Choose(pondPicker, c.file.Path)
			page.Wait(`/^Uploading [1-9]\d?%$/.test(` + pondText + `)`)
			page.Wait(pondState + ` === "processing-complete"`)

			added := s.added("acme")
			require.Len(t, added, 1)
			require.True(t, bytes.Equal(c.file.Bytes, added[0].bytes))
		})
	}
	t.Run("it cancels", func(t *testing.T) {
		page.Reload()
		page.Throttle(100 << 10)
		page.Choose(pondPicker, fixture.Text(t, "log.txt", megabyte).Path)
		page.Wait(`/^Uploading [1-9]/.test(` + pondText + `)`)
		page.Click(".filepond--action-abort-item-processing")
		page.Wait(pondState + ` === "cancelled"`)
		require.Eventually(t, func() bool {
			return strings.Contains(s.Log(), `"action":"abort","outcome":"granted"`)
		}, browser.Patience, 50*time.Millisecond)
		require.Empty(t, s.added("acme"))
	})
	t.Run("it shows why a file is refused", func(t *testing.T) {
		page.Reload()
		page.Choose(pondPicker, fixture.Write(t, "page.html", []byte("<!doctype html>")).Path)
		page.Wait(pondState + ` === "processing-error"`)
		require.Equal(t, "Files of type text/html are not accepted.", browser.Eval[string](page, pondText))
		require.Empty(t, s.added("acme"))
	})
}
