package filename

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCleanKeepsWhatAPersonReads(t *testing.T) {
	for in, want := range map[string]string{
		"photo.png":                      "photo.png",
		"Annual report 2026.pdf":         "Annual report 2026.pdf",
		"日本語.txt":                        "日本語.txt",
		"e\u0301te\u0301.png":            "été.png",
		`C:\fakepath\x.png`:              "x.png",
		"../../etc/passwd":               "passwd",
		"..":                             "",
		" . ":                            "",
		"a/":                             "",
		".htaccess":                      "htaccess",
		"evil\u202egnp.exe":              "evilgnp.exe",
		"a\r\nb\x00c.txt":                "abc.txt",
		"a\uff0f..\uff3cb.txt":           "a..b.txt",
		"\ufeff\u200b\u3164":             "",
		"\uff41\uff42.\uff30ng":          "ab.Png",
		"bad\xff\xfe.png":                "bad.png",
		"a\u00a0b\u2003c.txt":            "a b c.txt",
		"\U0001f469\u200d\U0001f680.png": "\U0001f469\U0001f680.png",
	} {
		require.Equal(t, want, Clean(in), "%q", in)
	}
}

func TestCleanShortensTheStemAndKeepsTheExtension(t *testing.T) {
	got := Clean(strings.Repeat("日", 200) + ".jpeg")
	require.LessOrEqual(t, len(got), MaxBytes)
	require.True(t, utf8.ValidString(got))
	require.True(t, strings.HasSuffix(got, "日.jpeg"))
}

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{
		"Annual Report (final).PDF": "annual-report-final",
		"Été à Zürich.png":          "ete-a-zurich",
		"日本語.txt":                   "file",
		"--a__b--.txt":              "a-b",
		"":                          "file",
		strings.Repeat("ab ", 99):   strings.Repeat("ab-", 26) + "ab",
	} {
		require.Equal(t, want, Slug(in), "%q", in)
	}
}

func TestDisposition(t *testing.T) {
	for in, want := range map[string]string{
		"":            `attachment`,
		"a b.png":     `attachment; filename="a b.png"`,
		`50%"x\y.txt`: `attachment; filename="50__x_y.txt"; filename*=UTF-8''50%25%22x%5Cy.txt`,
		"naïve.txt":   `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`,
	} {
		require.Equal(t, want, Disposition("attachment", in))
	}
}

func FuzzCleanNamesAreSafe(f *testing.F) {
	for _, s := range []string{"a.png", "../x", "\u202e", "e\u200d\u0301", "\u2100.txt", strings.Repeat("\ufdfa", 50) + ".x", "a. ."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := Clean(s)
		require.LessOrEqual(t, len(name), MaxBytes)
		require.True(t, utf8.ValidString(name))
		require.Equal(t, name, Clean(name), "cleaning twice changes nothing")
		require.NotContains(t, []string{".", ".."}, name)
		for _, r := range name {
			require.False(t, unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), "%U", r)
			require.NotContains(t, `/\`, string(r))
		}
		slug := Slug(name)
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, slug)
		require.LessOrEqual(t, len(slug), maxSlug+1)

		header := Disposition("attachment", name)
		for i := range len(header) {
			require.True(t, header[i] >= ' ' && header[i] < 0x7f)
		}
		kind, params, err := mime.ParseMediaType(header)
		require.NoError(t, err, header)
		require.Equal(t, "attachment", kind)
		require.Equal(t, name, params["filename"])
	})
}
