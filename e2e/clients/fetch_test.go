package clients_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/fixture"
)

func TestFetch(t *testing.T) {
	s := start(t)
	page := s.open("fetch", "acme")

	t.Run("it uploads", func(t *testing.T) {
		f := fixture.PNG(t, "evening at sea.png", 300, 200)
		page.Choose("#file", f.Path)
		page.Click("#upload button")
		page.Wait(`document.querySelector("[data-status=done]")`)

		added := s.added("acme")
		require.Len(t, added, 1)
		require.Regexp(t, `^acme/\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.png$`, added[0].key)
		require.Equal(t, "image/png", added[0].contentType)
		require.Equal(t, f.Bytes, added[0].bytes)
		require.Empty(t, s.added("globex"))
	})
	t.Run("it shows why a file is refused", func(t *testing.T) {
		page.Choose("#file", fixture.Write(t, "page.html", []byte("<!doctype html>")).Path)
		page.Click("#upload button")
		page.Wait(`document.querySelector("[data-status=failed]")`)
		require.Equal(t, "Files of type text/html are not accepted.", status(page))
		require.Empty(t, s.added("acme"))
	})
}
