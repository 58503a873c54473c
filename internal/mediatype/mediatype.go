// Package mediatype rebuilds the media types that browsers declare, so that what
// is stored is exact and does not run, and matches them against patterns.
package mediatype

import (
	"errors"
	"mime"
	"strings"
)

// OctetStream is the type of bytes of which nothing else is known.
const OctetStream = "application/octet-stream"

// ErrInvalid means that a string is not one exact media type.
var ErrInvalid = errors.New("not a media type")

// Type is a media type that was parsed without an error. Its strings are in
// lower case and safe in a header.
type Type struct {
	// Essence is type and subtype: "image/png".
	Essence string
	// Charset is set for text alone: "utf-8".
	Charset string
}

// String returns the type as it is stored: "text/plain; charset=utf-8".
func (t Type) String() string {
	if t.Charset == "" {
		return t.Essence
	}
	return t.Essence + "; charset=" + t.Charset
}

// Parse reads a type that a client declared. All parameters are dropped but the
// charset of a text, which must be of a fixed list. The empty string is
// [OctetStream]. Types that browsers treat as unknown, and then sniff, are
// refused; so is everything that does not parse, for a browser may read it in
// its own way.
func Parse(s string) (Type, error) {
	if s == "" {
		return Type{Essence: OctetStream}, nil
	}
	if valid(s) {
		return Type{Essence: s}, nil
	}
	essence, params, err := mime.ParseMediaType(s)
	if err != nil || !valid(essence) {
		return Type{}, ErrInvalid
	}
	t := Type{Essence: essence}
	if charset, ok := params["charset"]; ok && strings.HasPrefix(essence, "text/") {
		t.Charset = strings.ToLower(charset)
		if !charsets[t.Charset] {
			return Type{}, ErrInvalid
		}
	}
	return t, nil
}

// charsets are those of the Encoding Standard that an ASCII byte means itself
// in, or that a byte order mark announces. UTF-7 and ISO-2022 are not: markup
// can hide in them.
var charsets = map[string]bool{
	"utf-8": true, "us-ascii": true, "utf-16": true, "utf-16le": true, "utf-16be": true,
	"iso-8859-1": true, "iso-8859-2": true, "iso-8859-15": true,
	"windows-1250": true, "windows-1251": true, "windows-1252": true,
	"koi8-r": true, "shift_jis": true, "euc-jp": true, "euc-kr": true, "gb18030": true, "gbk": true, "big5": true,
}

// valid reports whether s is an essence in lower case, with names as RFC 6838
// §4.2 restricts them, that means one type.
func valid(s string) bool {
	slash := strings.IndexByte(s, '/')
	return slash > 0 && restrictedName(s[:slash]) && restrictedName(s[slash+1:]) && !sniffed(s)
}

func restrictedName(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || strings.IndexByte("!#$&-^_.+", c) < 0) {
			return false
		}
	}
	return true
}

// sniffed reports whether a browser looks into bytes of a type as if they had none
// (MIME Sniffing Standard §7).
func sniffed(s string) bool { return s == "unknown/unknown" || s == "application/unknown" }
