package frameworks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// oldest are the projects with the oldest versions that client/package.json names.
var oldest = []string{"react18", "svelte4"}

func TestAProjectOfTheOldestVersionUploads(t *testing.T) {
	for _, name := range oldest {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := begin(t, name)
			p.script("check")
			p.script("build")
			html := p.rendered()
			require.Contains(t, html, `<postern-upload multiple`)
			require.Contains(t, html, `max-size="20000000"`)

			s := p.serve(html)
			page := browser.Open(t, s.URL)
			page.Wait(`document.querySelector("[data-mounted=true]") && customElements.get("postern-upload")`)
			byTheElement(t, s, page)
			file := fixture.Text(t, "hook.txt", 1000)
			page.Choose("#files", file.Path)
			require.Equal(t, file.Bytes, s.content(keyOf(page, "hook.txt")))
			require.Equal(t, []string{"element.txt", "hook.txt"}, s.names())
		})
	}
}
