package frameworks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/fixture"
)

// oldest are the projects with the oldest versions that client/package.json names.
var oldest = []string{"react18", "svelte4"}

func TestAProjectOfTheOldestVersionUploads(t *testing.T) {
	for _, name := range oldest {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, page := mounted(t, name)
			byTheElement(t, s, page)
			file := fixture.Text(t, "hook.txt", 1000)
			page.Choose("#files", file.Path)
			require.Equal(t, file.Bytes, s.content(keyOf(page, "hook.txt")))
			require.Equal(t, []string{"element.txt", "hook.txt"}, s.names())
		})
	}
}
