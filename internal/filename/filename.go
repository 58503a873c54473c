// Package filename makes safe what a browser calls a file: to show it, to store
// it in a header, and to put a part of it into a key.
package filename

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes bounds a cleaned name, as file systems do.
const MaxBytes = 255

// Clean returns the last segment of a name in Unicode's form NFKC, without
// control, format, bidirectional and invisible characters, without separators,
// and without dots and spaces at its ends; "" if nothing is left. A name longer
// than [MaxBytes] loses the end of its stem.
func Clean(name string) string {
	if plain(name) {
		return name
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = norm.NFKC.String(strings.ToValidUTF8(name, ""))
	// What was removed may have kept two characters from composing.
	name = norm.NFKC.String(strings.Map(visible, name))
	name = strings.Trim(name, ". ")
	if len(name) > MaxBytes {
		name = shorten(name)
	}
	return name
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
	return strings.Trim(name, ". ") == name
}

func visible(r rune) rune {
	switch {
	case r == '/' || r == '\\' || r == utf8.RuneError:
		return -1
	case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

func shorten(name string) string {
	ext := path.Ext(name)
	if len(ext) > 32 {
		ext = ""
	}
	stem := name[:MaxBytes-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimRight(stem, ". ") + ext
}

// maxSlug bounds a slug in bytes.
const maxSlug = 80

// Slug returns the stem of a cleaned name in lower case letters and digits of
// ASCII with single hyphens, accents removed; "file" if nothing is left.
func Slug(name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	var b strings.Builder
	hyphen := false
	for _, r := range norm.NFKD.String(stem) {
		r = unicode.ToLower(r)
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		default:
			hyphen = true
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	if b.Len() == 0 {
		return "file"
	}
	return b.String()
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
	if ascii == name {
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
