// Package filename makes safe what a browser calls a file: to show it, to store
// it in a header, and to put a part of it into a key.
package filename

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"golang.org/x/text/unicode/norm"
)

// MaxBytes bounds a cleaned name, as file systems do.
const MaxBytes = 255

// maxRead bounds what is looked at of a name that is too long by far: whoever may
// ask for nothing may send it.
const maxRead = 16 * MaxBytes

// Clean returns the last segment of a name in Unicode's form NFC, as people wrote
// it: without control and bidirectional characters, without separators, without
// what is invisible but for joiners and variation selectors where words and emoji
// have them, and without dots and spaces at its ends; "" if nothing is left. A name
// longer than [MaxBytes] loses the end of its stem, by whole graphemes. A name that
// Windows keeps for a device gets an underscore before it.
func Clean(name string) string {
	if plain(name) {
		return name
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if len(name) > maxRead {
		name = name[:maxRead] + extension(name)
	}
	name = strings.ToValidUTF8(name, "")
	// What is removed may have kept two characters from composing, and what is cut
	// off may have been what a joiner joined.
	for {
		next := norm.NFC.String(withoutStrays(strings.Map(visible, norm.NFC.String(name))))
		if next = trim(next); reserved(next) {
			next = "_" + next
		}
		if len(next) > MaxBytes {
			next = shorten(next)
		}
		if next == name {
			return name
		}
		name = next
	}
}

// plain recognizes the usual name, at which there is nothing to do.
func plain(name string) bool {
	if name == "" || len(name) > MaxBytes {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7f || c == '/' || c == '\\' {
			return false
		}
	}
	return strings.Trim(name, ". ") == name && !reserved(name)
}

// visible drops what nobody sees, but for what withoutStrays judges, and what
// looks like a separator to a system that writes it in ASCII.
func visible(r rune) rune {
	switch {
	case r == '/' || r == '\\' || r == '\uff0f' || r == '\uff3c' || r == '\ufe68' || r == utf8.RuneError:
		return -1
	case contextual(r) || unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return r
	case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point):
		return -1
	case unicode.IsSpace(r) && r != '\u3000':
		return ' '
	}
	return r
}

// trim takes dots and spaces from the ends: Windows ignores them there, and a
// leading dot hides a file. Of a name of dots alone, in any width, nothing is left.
func trim(name string) string {
	if strings.Trim(name, ". \u3000\uff0e\u2024\u2025\u2026") == "" {
		return ""
	}
	return strings.Trim(name, ". \u3000\uff0e\u2024")
}

// reserved reports whether Windows takes a name for that of a device, whatever
// its extension ("Naming Files, Paths, and Namespaces").
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	for _, device := range [...]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} {
		if strings.EqualFold(stem, device) {
			return true
		}
	}
	if len(stem) < 4 || !strings.EqualFold(stem[:3], "COM") && !strings.EqualFold(stem[:3], "LPT") {
		return false
	}
	switch number := stem[3:]; number {
	case "\u00b9", "\u00b2", "\u00b3":
		return true
	default:
		return len(number) == 1 && number[0] >= '0' && number[0] <= '9'
	}
}

// extension returns the extension of a name, or "" if it is none that anybody
// would write.
func extension(name string) string {
	if ext := path.Ext(name); len(ext) <= 32 {
		return ext
	}
	return ""
}

// shorten cuts the end of the stem, between two graphemes. A single one that is
// too long, a letter with hundreds of accents, is cut itself.
func shorten(name string) string {
	ext := extension(name)
	most, end := MaxBytes-len(ext), 0
	for g := graphemes.FromString(name[:len(name)-len(ext)]); g.Next() && g.End() <= most; {
		end = g.End()
	}
	if end == 0 {
		for end = most; !utf8.RuneStart(name[end]); {
			end--
		}
	}
	return strings.TrimRight(name[:end], ". ") + ext
}

// Disposition returns a Content-Disposition with the name as RFC 6266 and
// RFC 8187 want it: in ASCII for old clients, and in UTF-8 where ASCII does not
// say it all. The name is one that Clean returned; "" leaves it out.
func Disposition(kind, name string) string {
	if name == "" {
		return kind
	}
	ascii := strings.Map(func(r rune) rune {
		// Percent signs are decoded by some clients, a backslash is read in two
		// ways (RFC 6266 appendix D).
		if r < ' ' || r >= 0x7f || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	// Chromium reads an equals sign as the begin of an encoded word (RFC 2047), as
	// mail has it, and drops or decodes it.
	if ascii == name && !strings.Contains(name, "=") {
		return kind + `; filename="` + name + `"`
	}
	var b strings.Builder
	b.Grow(len(kind) + 4*len(name) + 40)
	b.WriteString(kind + `; filename="` + ascii + `"; filename*=UTF-8''`)
	for i := range len(name) {
		if c := name[i]; attrChar(c) {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// attrChar is the production of RFC 8187 §3.2.1.
func attrChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
