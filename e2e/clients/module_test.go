package clients_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

const (
	megabyte = 1 << 20

	moduleBar = `document.querySelector("#upload progress").value`
)

func TestTheModule(t *testing.T) {
	s := start(t)
	page := s.open("module", "acme")
	f := fixture.Text(t, "log.txt", 12*megabyte)

	t.Run("it shows why a file is refused", func(t *testing.T) {
		page.Choose("#file", fixture.Write(t, "page.html", []byte("<!doctype html>")).Path)
		page.Click("[data-start]")
		page.Wait(`document.querySelector("[data-status=failed]")`)
		require.Equal(t, "Files of type text/html are not accepted.", status(page))
	})
	t.Run("it gives an upload up", func(t *testing.T) {
		page.Throttle(megabyte)
		page.Choose("#file", f.Path)
		page.Click("[data-start]")
		page.Wait(moduleBar + ` > 0`)
		page.Click("[data-cancel]")
		page.Wait(`document.querySelector("[data-status=cancelled]")`)
		page.Wait(`localStorage.length === 0`)
		require.Contains(t, s.Log(), `"action":"abort"`)
		require.Empty(t, s.added("acme"))
	})
	t.Run("it pauses, and goes on after a reload", func(t *testing.T) {
		page.Throttle(2 * megabyte)
		page.Choose("#file", f.Path)
		page.Click("[data-start]")
		page.Wait(moduleBar + ` > 0.3`)
		page.Click("[data-pause]")
		page.Wait(`document.querySelector("[data-status=paused]")`)
		require.Equal(t, 1, browser.Eval[int](page, `localStorage.length`), "what has arrived is remembered")
		require.Empty(t, s.added("acme"))

		page.Reload()
		page.Throttle(0)
		page.Choose("#file", f.Path)
		page.Click("[data-start]")
		page.Wait(`document.querySelector("[data-status=done]")`)
		require.Equal(t, 1.0, browser.Eval[float64](page, moduleBar))
		added := s.added("acme")
		require.Len(t, added, 1)
		require.Equal(t, "text/plain", added[0].contentType)
		require.True(t, bytes.Equal(f.Bytes, added[0].bytes))
		require.Contains(t, status(page), added[0].key)
	})
}
