package postern_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// stored returns the type and the disposition that a grant stores a file under.
func stored(t *testing.T, name, contentType string, opts ...postern.HandlerOption) (string, string) {
	t.Helper()
	g := granted(t, send(newHandler(t, opts...), fmt.Sprintf(`{"filename":%q,"type":%q,"size":5}`, name, contentType)))
	return g.Fields["Content-Type"], g.Fields["Content-Disposition"]
}

func TestStoredNameEndsAsItsTypeDoes(t *testing.T) {
	for _, tc := range []struct{ name, contentType, disposition string }{
		{"photo.png", "image/png", `attachment; filename="photo.png"`},
		{"photo.JPEG", "image/jpeg", `attachment; filename="photo.JPEG"`},
		{"setup.exe", "image/png", `attachment; filename="setup.exe.png"`},
		{"report", "application/pdf", `attachment; filename="report.pdf"`},
		{"data.bin", "application/octet-stream", `attachment; filename="data.bin"`},
	} {
		_, disposition := stored(t, tc.name, tc.contentType)
		require.Equal(t, tc.disposition, disposition)
	}
	_, disposition := stored(t, "setup.exe", "image/png", postern.KeepExtensions())
	require.Equal(t, `attachment; filename="setup.exe"`, disposition)
}

func TestTypeByNameWhereNoneIsDeclared(t *testing.T) {
	for _, tc := range []struct{ name, declared, off, on string }{
		{"photo.HEIC", "", "application/octet-stream", "image/heic"},
		{"notes.md", "undefined", "application/octet-stream", "text/markdown"},
		{"data.parquet", "", "application/octet-stream", "application/vnd.apache.parquet"},
		{"photo.HEIC", "image/png", "image/png", "image/png"},
		{"page.html", "", "application/octet-stream", "application/octet-stream"},
		{"picture.svg", "", "application/octet-stream", "application/octet-stream"},
		{"noname", "", "application/octet-stream", "application/octet-stream"},
	} {
		off, _ := stored(t, tc.name, tc.declared)
		require.Equal(t, tc.off, off, tc.name)
		on, _ := stored(t, tc.name, tc.declared, postern.WithTypeByName())
		require.Equal(t, tc.on, on, tc.name)
	}
}

func TestTypeByNameOfAnUploadOfThePrograms(t *testing.T) {
	g, err := newIssuer(t, postern.WithTypeByName()).Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: "notes.md", Size: 1})
	require.NoError(t, err)
	require.Equal(t, "text/markdown", fieldsOf(g)["Content-Type"])
}
