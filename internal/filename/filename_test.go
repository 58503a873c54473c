package filename

import (
	"encoding/json"
	"mime"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

func TestCleanKeepsWhatAPersonReads(t *testing.T) {
	for in, want := range map[string]string{
		"photo.png":              "photo.png",
		"Annual report 2026.pdf": "Annual report 2026.pdf",
		"日本語.txt":                "日本語.txt",
		"e\u0301te\u0301.png":    "été.png",
		`C:\fakepath\x.png`:      "x.png",
		"../../etc/passwd":       "passwd",
		"..":                     "",
		" . ":                    "",
		"a/":                     "",
		".htaccess":              "htaccess",
		"evil\u202egnp.exe":      "evilgnp.exe",
		"a\r\nb\x00c.txt":        "abc.txt",
		"a\uff0f..\uff3cb.txt":   "a..b.txt",
		"\ufeff\u200b\u3164":     "",
		"\uff41\uff42.\uff30ng":  "\uff41\uff42.\uff30ng",
		"（株）①㈱.pdf":              "（株）①㈱.pdf",
		"議事録　最終.pdf":             "議事録　最終.pdf",
		"x².txt":                 "x².txt",
		"ﬁle.txt":                "ﬁle.txt",
		"…":                      "",
		"．．":                     "",
		"wait…":                  "wait…",
		"CON":                    "_CON",
		"nul.txt":                "_nul.txt",
		"Com1.tar.gz":            "_Com1.tar.gz",
		"lpt¹":                   "_lpt¹",
		"com10.txt":              "com10.txt",
		"conference.txt":         "conference.txt",
		"bad\xff\xfe.png":        "bad.png",
		"a\u00a0b\u2003c.txt":    "a b c.txt",
	} {
		require.Equal(t, want, Clean(in), "%q", in)
	}
}

// What is invisible stays where it changes what people see (UAX 31 §2.3, UTS
// 51).
func TestCleanKeepsJoinersAndSelectorsInTheirPlace(t *testing.T) {
	for what, name := range map[string]string{
		"Persian":                       "می\u200cخواهم.pdf",
		"a Persian abbreviation":        "۱۴۰۲ ه\u200d.pdf",
		"Sinhala":                       "ශ්\u200dරී ලංකා.pdf",
		"Bengali":                       "র\u200d্যাব.pdf",
		"Hindi, a half letter":          "क्\u200dष.pdf",
		"Hindi, apart":                  "क्\u200cष.pdf",
		"Malayalam at the end":          "അവന്\u200d.pdf",
		"Kannada":                       "ರ್\u200dಕ.pdf",
		"Khmer":                         "ស្រ\u200cី.pdf",
		"a family":                      "👨\u200d👩\u200d👧.png",
		"an astronaut with a skin tone": "👩🏽\u200d🚀.png",
		"a heart on fire":               "❤\ufe0f\u200d🔥.png",
		"a flag of pride":               "🏳\ufe0f\u200d🌈.png",
		"a judge":                       "🧑\u200d⚖\ufe0f.png",
		"a keycap":                      "1\ufe0f\u20e3.png",
		"a sign as text":                "☎\ufe0e.png",
		"copyright as emoji":            "©\ufe0f.png",
		"a flag of a region":            "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png",
		"a variant of an ideograph":     "葛\U000e0100城.pdf",
		"a variant of Mongolian":        "ᠠ\u180bᠨ.pdf",
	} {
		t.Run(what, func(t *testing.T) { require.Equal(t, name, Clean(name)) })
	}
}

func TestCleanDropsJoinersAndSelectorsOutOfPlace(t *testing.T) {
	for in, want := range map[string]string{
		"pay\u200cpal.pdf":                    "paypal.pdf",
		"pay\u200dpal.pdf":                    "paypal.pdf",
		"\u200c\u200d.pdf":                    "pdf",
		"\u200dمی.pdf":                        "می.pdf",
		"می\u200c.pdf":                        "می.pdf",
		"می\u200c\u200c\u200dخواهم.pdf":       "می\u200cخواهم.pdf",
		"می\u200cabc.pdf":                     "میabc.pdf",
		"Привет\u200dмир.pdf":                 "Приветмир.pdf",
		"日\u200d本.pdf":                        "日本.pdf",
		"👨\u200d.png":                         "👨.png",
		"👨\u200da.png":                        "👨a.png",
		"a\u200d👩.png":                        "a👩.png",
		"👨\u200c👩.png":                        "👨👩.png",
		"a\ufe0f.png":                         "a.png",
		"1\ufe0f.png":                         "1.png",
		"❤\ufe0f\ufe0f.png":                   "❤\ufe0f.png",
		"a\U000e0100.png":                     "a.png",
		"a\U000e0067\U000e0062\U000e007f.txt": "a.txt",
		"🏴\U000e0067.txt":                     "🏴.txt",
		"می\u202eخواهم\u2066.pdf":             "میخواهم.pdf",
		"e\u200d\u0301.txt":                   "é.txt",
	} {
		require.Equal(t, want, Clean(in), "%+q", in)
	}
}

// The table is of cases from the field: a name with a remark in brackets, what the
// disposition keeps, and the slug.
func TestNamesFromTheField(t *testing.T) {
	data, err := os.ReadFile("testdata/names.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	require.Len(t, lines, 9)
	for _, line := range lines {
		cells := strings.Split(line, "\t")
		require.Len(t, cells, 3)
		name, _, _ := strings.Cut(cells[0], " (U+")
		t.Run(name, func(t *testing.T) {
			clean := Clean(name)
			require.Equal(t, norm.NFC.String(name), clean)
			_, params, err := mime.ParseMediaType(Disposition("attachment", clean))
			require.NoError(t, err)
			require.Equal(t, clean, params["filename"])
			switch want := cells[2]; want {
			case "file, or a transliteration":
				require.NotEmpty(t, Slug(clean))
			case "as today":
				require.Equal(t, "1", Slug(clean))
			default:
				require.Equal(t, want, Slug(clean))
			}
		})
	}
}

func TestCleanShortensTheStemAndKeepsTheExtension(t *testing.T) {
	got := Clean(strings.Repeat("日", 200) + ".jpeg")
	require.LessOrEqual(t, len(got), MaxBytes)
	require.True(t, utf8.ValidString(got))
	require.True(t, strings.HasSuffix(got, "日.jpeg"))
}

func TestCleanCutsNoGrapheme(t *testing.T) {
	for _, grapheme := range []string{"👨\u200d👩\u200d👧", "🇩🇪", "क्षि", "ශ්\u200dරී", "각", "é\u0323", "a\u0308\u0301"} {
		grapheme = norm.NFC.String(grapheme)
		for pad := range 32 {
			got := Clean(strings.Repeat("x", pad) + strings.Repeat(grapheme, 80) + ".png")
			require.LessOrEqual(t, len(got), MaxBytes)
			require.Equal(t, got, Clean(got))
			stem := strings.TrimLeft(strings.TrimSuffix(got, ".png"), "x")
			whole := graphemes.FromString(strings.Repeat(grapheme, 80))
			for end := 0; end < len(stem); end = whole.End() {
				require.True(t, whole.Next() && whole.End() <= len(stem), "%+q is cut", stem)
			}
		}
	}
	require.Len(t, Clean("a"+strings.Repeat("\u0316", 400)+".png"), MaxBytes)
}

func TestCleanLooksAtTheBeginAndTheExtensionOfEndlessNames(t *testing.T) {
	for _, endless := range []string{"a\u200d", "\u200d\u200c", "👩\ufe0f\u200d", "a\u0316", "र\u200d्", "ab", "日"} {
		got := Clean("x" + strings.Repeat(endless, 300_000) + ".png")
		require.LessOrEqual(t, len(got), MaxBytes)
		require.Regexp(t, `^x.*\.png$`, got)
	}
}

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{
		"Annual Report (final).PDF":    "annual-report-final",
		"Été à Zürich.png":             "ete-a-zurich",
		"日本語.txt":                      "file",
		"--a__b--.txt":                 "a-b",
		"":                             "file",
		"Straße Ærø Þór Œuvre.txt":     "strasse-aero-thor-oeuvre",
		"Łódź Gdańsk.txt":              "lodz-gdansk",
		"Đường phố Hà Nội.png":         "duong-pho-ha-noi",
		"Привет, мир.txt":              "privet-mir",
		"Мать и дочь.txt":              "mat-i-doch",
		"Κατάλογος.pdf":                "katalogos",
		"İstanbul ığüşöç.txt":          "istanbul-igusoc",
		"گزارش ۱۴۰۲.pdf":               "1402",
		"日本語 2026.txt":                 "2026",
		"👨\u200d👩.png":                 "file",
		"ﬁle ½ x².txt":                 "file-1-2-x2",
		strings.Repeat("щ", 50):        strings.Repeat("shch", 20),
		strings.Repeat("a", 79) + " b": strings.Repeat("a", 79),
		strings.Repeat("ab ", 99):      strings.Repeat("ab-", 26) + "ab",
	} {
		require.Equal(t, want, Slug(in), "%q", in)
	}
}

func TestDisposition(t *testing.T) {
	for in, want := range map[string]string{
		"":            `attachment`,
		"a b.png":     `attachment; filename="a b.png"`,
		`50%"x\y.txt`: `attachment; filename="50__x_y.txt"; filename*=UTF-8''50%25%22x%5Cy.txt`,
		"a = b.txt":   `attachment; filename="a = b.txt"; filename*=UTF-8''a%20%3D%20b.txt`,
		"naïve.txt":   `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`,
	} {
		require.Equal(t, want, Disposition("attachment", in))
	}
}

func FuzzCleanNamesAreSafe(f *testing.F) {
	for _, s := range []string{"a.png", "../x", "\u202e", "e\u200d\u0301", "\u2100.txt", strings.Repeat("\ufdfa", 50) + ".x", "a. .",
		"می\u200cخواهم.pdf", "👨\u200d👩🏽\ufe0f\u200d👧", "nul.txt", "🏴\U000e0067\U000e0062\U000e007f", strings.Repeat("ශ්\u200dරී", 20) + ". .x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := Clean(s)
		require.LessOrEqual(t, len(name), MaxBytes)
		require.True(t, utf8.ValidString(name))
		require.Equal(t, name, Clean(name), "cleaning twice changes nothing")
		require.NotContains(t, []string{".", ".."}, name)
		require.True(t, norm.NFC.IsNormalString(name))
		for _, r := range name {
			require.False(t, !contextual(r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) &&
				unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), "%U", r)
			require.NotContains(t, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\uff0f\uff3c", string(r))
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

// The table is that of the element, too, which shows names as they are cleaned here.
func TestCleanIsWhatPagesShow(t *testing.T) {
	table, err := os.ReadFile("testdata/names.json")
	require.NoError(t, err)
	var names [][2]string
	require.NoError(t, json.Unmarshal(table, &names))
	require.NotEmpty(t, names)
	for _, name := range names {
		require.Equal(t, name[1], Clean(name[0]), "%+q", name[0])
	}
}
