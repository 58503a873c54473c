package filename

import (
	"path"
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"
	"golang.org/x/text/unicode/norm"
)

// maxSlug bounds a slug in bytes.
const maxSlug = 80

// Slug returns the stem of a cleaned name in lower case letters and digits of
// ASCII with single hyphens. Latin, Greek and Cyrillic letters are
// transliterated, digits of every script written as those of ASCII; "file" if
// nothing is left.
func Slug(name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	b := make([]byte, 0, maxSlug)
	hyphen := false
	for _, r := range norm.NFKC.String(stem) {
		if contextual(r) || unicode.IsMark(r) {
			continue
		}
		ascii, known := transliterate(r)
		if !known {
			hyphen = true
			continue
		}
		for i := range len(ascii) {
			c := ascii[i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
				continue // the sign of a soft consonant
			}
			if hyphen && len(b) > 0 {
				b = append(b, '-')
			}
			hyphen = false
			if b = append(b, c); len(b) >= maxSlug {
				return strings.TrimRight(string(b[:maxSlug]), "-")
			}
		}
	}
	if len(b) == 0 {
		return "file"
	}
	return string(b)
}

// transliterate returns a letter or digit in ASCII, and whether it has such a
// reading. Other scripts have several, by language or by context.
func transliterate(r rune) (string, bool) {
	if r < 0x80 {
		return string(r), r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if unicode.IsDigit(r) || unicode.IsLetter(r) && unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic) {
		return unidecode.Unidecode(string(r)), true
	}
	return "", false
}
