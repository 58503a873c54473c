package mediatype

import (
	"mime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseRebuildsTheType(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "application/octet-stream",
		"image/png":                            "image/png",
		" IMAGE/PNG ":                          "image/png",
		"image/png; name=x.png":                "image/png",
		"text/plain; Charset=\"UTF-8\"":        "text/plain; charset=utf-8",
		"text/plain; format=flowed":            "text/plain",
		"application/json; charset=utf-7":      "application/json",
		"application/vnd.api+json":             "application/vnd.api+json",
		"image/svg+xml":                        "image/svg+xml",
		"video/mp4; codecs=\"avc1.4d002a\"":    "video/mp4",
		"audio/webm;codecs=opus":               "audio/webm",
		"text/csv; charset=windows-1252; a=b ": "text/csv; charset=windows-1252",
	} {
		got, err := Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got.String())
	}
}

func TestParseRefusesWhatABrowserMayReadInItsOwnWay(t *testing.T) {
	for _, in := range []string{
		"image/png; foo=bar, text/html", "image/png,text/html", "*/*", "image/*", "*",
		"unknown/unknown", "Application/Unknown", "text", "/", "image/", "/png", "image/png/x",
		"image/png\r\nX: y", "image/png;charset", "text/plain; charset=utf-7", "text/plain; charset=iso-2022-jp",
		"text/plain; charset=\"\"", "image/p ng", "image/pñg", "\x00", "image/" + strings.Repeat("x", 128), ";",
		"text/plain; charset=utf-8; charset=utf-7",
	} {
		_, err := Parse(in)
		require.ErrorIs(t, err, ErrInvalid, "%q", in)
	}
}

func TestWildcardsNeverAdmitActiveTypes(t *testing.T) {
	wild, err := NewSet("*/*", "text/*", "image/*", "application/*")
	require.NoError(t, err)
	for _, active := range []string{
		"text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/x-javascript",
		"text/javascript1.5", "text/xml", "application/xml", "multipart/related", "message/rfc822", "application/mathml+xml",
	} {
		require.False(t, wild.Has(active), active)
		named, err := NewSet(strings.ToUpper(active))
		require.NoError(t, err)
		require.True(t, named.Has(active), active)
	}
	require.True(t, wild.Has("image/png"))
	require.True(t, wild.Has("application/octet-stream"))
}

func TestSetMatchesExactTypesAndFamilies(t *testing.T) {
	s, err := NewSet("image/*", "application/pdf", "application/pdf")
	require.NoError(t, err)
	require.Equal(t, []string{"image/*", "application/pdf"}, s.Patterns())
	require.True(t, s.Has("image/webp"))
	require.True(t, s.Has("application/pdf"))
	require.False(t, s.Has("application/pdfx"))
	require.False(t, s.Has("imagex/png"))
	require.False(t, (*Set)(nil).Has("image/png"))
}

func TestNewSetNamesEveryWrongPattern(t *testing.T) {
	_, err := NewSet("image/*", "*", "image", "text/plain;q=1", "*/png", "", "image/**", "application/unknown")
	require.ErrorIs(t, err, ErrInvalid)
	for _, wrong := range []string{`"*"`, `"image"`, `"text/plain;q=1"`, `"*/png"`, `""`, `"image/**"`} {
		require.ErrorContains(t, err, wrong)
	}
}

func TestEveryExtensionBelongsToAValidType(t *testing.T) {
	for essence, ext := range extensions {
		require.True(t, valid(essence), essence)
		require.Regexp(t, `^\.[a-z0-9]+$`, ext)
	}
}

// Promise 4: what comes out is one exact type, reads as itself, and does not run
// unless it was named.
func FuzzParseIsStableAndInert(f *testing.F) {
	for _, s := range []string{"", "image/png", "text/plain; charset=utf-8", "image/png; foo=bar, text/html",
		"TEXT/HTML", "*/*", "text/plain;charset=\"a\\\"b\"", "a/b;c*0=d", "image/svg+xml"} {
		f.Add(s)
	}
	wild, err := NewSet("*/*")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := Parse(s)
		if err != nil {
			require.Empty(t, parsed)
			return
		}
		out := parsed.String()
		require.NotContains(t, out, ",")
		require.NotContains(t, out, "*")
		require.LessOrEqual(t, strings.Count(out, ";"), 1)
		again, err := Parse(out)
		require.NoError(t, err)
		require.Equal(t, parsed, again)
		essence, _, err := mime.ParseMediaType(out)
		require.NoError(t, err)
		require.Equal(t, parsed.Essence, essence)
		if wild.Has(essence) {
			require.False(t, Active(essence))
			require.False(t, strings.HasSuffix(essence, "xml") && strings.Contains(essence, "+xml"))
		}
	})
}
