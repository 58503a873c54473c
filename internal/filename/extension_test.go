package filename

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/mediatype"
)

func TestWithExtension(t *testing.T) {
	const png, text, zip = "image/png", "text/plain", "application/zip"
	for _, tc := range []struct{ name, essence, want string }{
		{"photo.png", png, "photo.png"},
		{"Photo.PNG", png, "Photo.PNG"},
		{"photo.jpeg", "image/jpeg", "photo.jpeg"},
		{"setup.exe", png, "setup.exe.png"},
		{"page.html", png, "page.html.png"},
		{"photo.HEIC", "image/jpeg", "photo.HEIC.jpg"},
		{"photo", png, "photo.png"},
		{"v1.2", png, "v1.2.png"},
		{"clip.ts", "video/mp2t", "clip.ts"},
		{"song.ogg", "audio/ogg", "song.ogg"},
		{"table.csv", "application/vnd.ms-excel", "table.csv"},
		{"letter.rtf", "application/msword", "letter.rtf"},
		{"table.csv", text, "table.csv"},
		{"notes.md", text, "notes.md"},
		{"main.go", text, "main.go"},
		{"run.sh", text, "run.sh.txt"},
		{"run.BAT", text, "run.BAT.txt"},
		{"page.html", text, "page.html.txt"},
		{"picture.svg", text, "picture.svg.txt"},
		{"README", text, "README.txt"},
		{"book.epub", zip, "book.epub"},
		{"report.docx", zip, "report.docx"},
		{"app.jar", zip, "app.jar.zip"},
		{"app.apk", zip, "app.apk.zip"},
		{"backup.tar.gz", "application/gzip", "backup.tar.gz"},
		{"setup.exe", "application/vnd.microsoft.portable-executable", "setup.exe"},
		{"setup.exe", mediatype.OctetStream, "setup.exe"},
		{"data.xyz", "application/x-unheard-of", "data.xyz"},
		{"", png, ""},
	} {
		require.Equal(t, tc.want, WithExtension(tc.name, tc.essence), "%s as %s", tc.name, tc.essence)
	}
}

func TestWithExtensionShortensTheStem(t *testing.T) {
	got := WithExtension(strings.Repeat("日", 85), "image/png")
	require.LessOrEqual(t, len(got), MaxBytes)
	require.True(t, strings.HasSuffix(got, "日.png"))
	require.Equal(t, got, Clean(got))
}

func FuzzWithExtensionEndsAsTheTypeDoes(f *testing.F) {
	for _, s := range []string{"a.png", "setup.exe", "x", strings.Repeat("日", 85), "a.b.c", "con.png"} {
		f.Add(s, "image/png")
		f.Add(s, "text/plain")
	}
	f.Fuzz(func(t *testing.T, s, declared string) {
		parsed, err := mediatype.Parse(declared)
		name := Clean(s)
		if err != nil || name == "" {
			return
		}
		got := WithExtension(name, parsed.Essence)
		require.LessOrEqual(t, len(got), MaxBytes)
		require.Equal(t, got, WithExtension(got, parsed.Essence))
		require.Equal(t, got, Clean(got))
		if mediatype.Extension(parsed.Essence) != "" {
			require.True(t, mayKeep(got, parsed.Essence), got)
		}
	})
}
