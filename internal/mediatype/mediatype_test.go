package mediatype

import (
	"mime"
	"os"
	"regexp"
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

		// Parameters that do not parse.
		"video/webm;codecs=vp9,opus":          "video/webm",
		"video/webm; codecs=vp9, opus":        "video/webm",
		"audio/webm;codecs=":                  "audio/webm",
		"video/mp4;codecs=\"avc1.4d, mp4a":    "video/mp4",
		"image/png;charset":                   "image/png",
		"image/png;name=my photo.png":         "image/png",
		"audio/ogg; codecs=opus; codecs=flac": "audio/ogg",
		"IMAGE/JPG;":                          "image/jpeg",

		// Labels of encodings.
		"text/plain; charset=latin1":             "text/plain; charset=iso-8859-1",
		"text/plain; charset=ASCII":              "text/plain; charset=us-ascii",
		"text/csv;charset=cp1252":                "text/csv; charset=windows-1252",
		"text/csv;charset=\" x-sjis \"":          "text/csv; charset=shift_jis",
		"text/plain;charset=gb2312":              "text/plain; charset=gbk",
		"text/plain;charset=iso-8859-9":          "text/plain; charset=windows-1254",
		"text/plain;charset=\"iso_8859-2:1987\"": "text/plain; charset=iso-8859-2",
		"text/plain; charset=UTF-16":             "text/plain; charset=utf-16",
	} {
		got, err := Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got.String())
	}
}

func TestParseRefusesWhatABrowserMayReadInItsOwnWay(t *testing.T) {
	for _, in := range []string{
		"image/png; foo=bar, text/html", "image/png,text/html", "*/*", "image/*", "*",
		"unknown/unknown", "Application/Unknown", "text", "image", "png", "JPEG", "/", ",", "a,b", "image/", "/png", "image/png/x",
		"image/png\r\nX: y", "image/png;\r\nX: y", "image/png; a=\x00", "undefined\x00", "text/plain; charset=utf-7", "text/plain; charset=iso-2022-jp",
		"text/plain; charset=\"\"", "image/p ng", "image/pñg", "\x00", "image/" + strings.Repeat("x", 128), ";",
		"text/plain; charset=utf-8; charset=utf-7", "text/plain; charset=utf-8, text/html", "text/plain; charset",
		"text/plain; charset=hz-gb-2312", "text/plain; charset=x-user-defined", "text/plain; charset=nonsense",
		"image/png; foo=bar, text/html;", "image/png; a=\"b, text/html", "image/png; text/html", "video/webm;codecs=vp8, */*",
		"undefined; a, text/html", ";text/html", "null/null, text/html", "undefined/*",
	} {
		_, err := Parse(in)
		require.ErrorIs(t, err, ErrInvalid, "%q", in)
	}
}

// In Firefox application/x-unknown-content-type is sniffed, and runs.
func TestParseRefusesTypesThatMeanUnknown(t *testing.T) {
	wild, err := NewSet("*/*", "application/*")
	require.NoError(t, err)
	for _, in := range []string{
		"application/x-unknown-content-type", "APPLICATION/X-UNKNOWN-CONTENT-TYPE; a=b", "application/x-unknown", "image/unknown",
		"application/x-vnd.mozilla.guess-from-ext", "application/vnd.mozilla.maybe.feed", "content/unknown",
		"foo/bar", "x-foo/bar", "example/x", "inode/x-empty", "chemical/x-pdb", "www/unknown",
	} {
		_, err := Parse(in)
		require.ErrorIs(t, err, ErrInvalid, in)
		require.False(t, wild.Has(in), in)
		_, err = NewSet(in)
		require.ErrorIs(t, err, ErrInvalid, in)
	}
}

func TestParseTakesNonsenseForNothingDeclared(t *testing.T) {
	for _, in := range []string{
		"", " ", "undefined", "Undefined", "null", "NaN", "[object Object]", "false", "file", "n\\a",
		"undefined/undefined", "null/null", "application/undefined", "undefined;codecs=opus", "undefined; charset=utf-8",
	} {
		require.True(t, Undeclared(in), "%q", in)
		got, err := Parse(in)
		require.NoError(t, err, "%q", in)
		require.Equal(t, OctetStream, got.String())
	}
	for _, in := range []string{OctetStream, "binary/octet-stream", "image/png", "image/jpg", "unknown/unknown", "*", "undefined, text/html", "\x00"} {
		require.False(t, Undeclared(in), "%q", in)
	}
}

// The table is of cases from the field; its second column says in words what must
// come of the first.
func TestTypesFromTheField(t *testing.T) {
	type names map[string]string
	byName := names{"photo.HEIC": "image/heic", "notes.md": "text/markdown", "data.parquet": "application/vnd.apache.parquet"}
	granted, extension := regexp.MustCompile(`granted as ([^,]+)`), regexp.MustCompile(`extension (\.\w+)`)
	data, err := os.ReadFile("testdata/types.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	require.Len(t, lines, 14)
	for _, line := range lines {
		declared, want, _ := strings.Cut(line, "\t")
		t.Run(declared, func(t *testing.T) {
			if list, ok := strings.CutPrefix(declared, "(empty) for "); ok {
				require.True(t, Undeclared(""))
				for _, name := range strings.Split(list, ", ") {
					require.Contains(t, byName, name)
					require.Equal(t, byName[name], ByExtension(name))
				}
				return
			}
			got, err := Parse(declared)
			require.NoError(t, err)
			switch m := granted.FindStringSubmatch(want); {
			case m != nil:
				require.Equal(t, m[1], got.String())
			case strings.HasPrefix(want, "granted, "):
				require.Equal(t, declared, got.String())
			default:
				require.True(t, Undeclared(declared))
				require.Equal(t, OctetStream, got.String())
			}
			if m := extension.FindStringSubmatch(want); m != nil {
				require.Equal(t, m[1], Extension(got.Essence))
			}
		})
	}
}

func TestSameHoldsTheStoredTypeAgainstTheGranted(t *testing.T) {
	for _, stored := range []string{"text/plain; charset=utf-8", "text/plain;charset=UTF-8", "Text/Plain; charset=\"utf-8\""} {
		require.True(t, Same(stored, "text/plain; charset=utf-8"), stored)
	}
	for _, stored := range []string{"", "text/plain", "text/html; charset=utf-8", "text/plain; charset=utf-8, text/html"} {
		require.False(t, Same(stored, "text/plain; charset=utf-8"), stored)
	}
	require.False(t, Same("undefined", OctetStream))
	require.False(t, Same("image/jpg", "image/jpeg"))
	require.False(t, Same("image/png; a=b, text/html", "image/png"))
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

func TestSetTakesEveryNameOfAType(t *testing.T) {
	s, err := NewSet("image/jpg", "IMAGE/JPEG", "application/x-zip-compressed")
	require.NoError(t, err)
	require.Equal(t, []string{"image/jpeg", "application/zip"}, s.Patterns())
	for _, declared := range []string{"image/jpg", "image/pjpeg", "image/jpeg", "application/zip", "application/x-zip"} {
		parsed, err := Parse(declared)
		require.NoError(t, err)
		require.True(t, s.Has(parsed.Essence), declared)
	}
}

func TestNewSetNamesEveryWrongPattern(t *testing.T) {
	_, err := NewSet("image/*", "*", "image", "text/plain;q=1", "*/png", "", "image/**", "application/unknown", "foo/*")
	require.ErrorIs(t, err, ErrInvalid)
	for _, wrong := range []string{`"*"`, `"image"`, `"text/plain;q=1"`, `"*/png"`, `""`, `"image/**"`, `"foo/*"`} {
		require.ErrorContains(t, err, wrong)
	}
}

// essenceShape is that of a registered type (RFC 6838 §4.2).
var essenceShape = regexp.MustCompile(`^(application|audio|font|haptics|image|message|model|multipart|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$`)

// What comes out is one exact type of a registered shape, reads as itself, and
// does not run unless it was named.
func FuzzParseIsStableAndInert(f *testing.F) {
	for _, s := range []string{"", "image/png", "text/plain; charset=utf-8", "image/png; foo=bar, text/html",
		"TEXT/HTML", "*/*", "text/plain;charset=\"a\\\"b\"", "a/b;c*0=d", "image/svg+xml",
		"video/webm;codecs=vp8,opus", "undefined", "image/jpg", "image/png;a=b, text/html", "text/plain;charset=utf8", "binary/octet-stream",
		"application/x-unknown-content-type"} {
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
		require.Regexp(t, essenceShape, parsed.Essence)
		require.NotContains(t, out, ",")
		require.NotContains(t, out, "*")
		require.LessOrEqual(t, strings.Count(out, ";"), 1)
		again, err := Parse(out)
		require.NoError(t, err)
		require.Equal(t, parsed, again)
		essence, _, err := mime.ParseMediaType(out)
		require.NoError(t, err)
		require.Equal(t, parsed.Essence, essence)
		require.Equal(t, essence, Canonical(essence))
		require.True(t, Same(out, out))
		if wild.Has(essence) {
			require.False(t, Active(essence))
			require.False(t, strings.HasSuffix(essence, "xml") && strings.Contains(essence, "+xml"))
		}
	})
}

func TestOrdinaryTypesAllocateNothing(t *testing.T) {
	images, err := NewSet("image/*")
	require.NoError(t, err)
	for _, declared := range []string{"image/png", "image/jpg", ""} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			parsed, err := Parse(declared)
			if err != nil || images.Has(parsed.Essence) != (declared != "") {
				t.Fatal(declared)
			}
		}), declared)
	}
}
