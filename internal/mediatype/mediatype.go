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

// Parse reads a type that a client declared, as browsers write it. Another name
// of a registered type becomes that name ([Canonical]). Parameters are dropped
// but the charset of a text, which must be a label of the Encoding Standard; they
// need not parse where the type is no text (codecs are written with bare commas).
// What declares nothing ([Undeclared]) is [OctetStream].
//
// Refused are lists of types, control characters, families that are not
// registered, types that browsers treat as unknown and then sniff, and texts whose
// parameters do not parse, since a browser may read them in its own way.
func Parse(s string) (Type, error) {
	if essence := Canonical(s); valid(essence) {
		return Type{Essence: essence}, nil
	}
	if Undeclared(s) {
		return Type{Essence: OctetStream}, nil
	}
	essence, parameters, _ := strings.Cut(strings.TrimSpace(s), ";")
	essence = Canonical(strings.ToLower(strings.TrimRight(essence, " \t")))
	if !valid(essence) || strings.ContainsFunc(parameters, isControl) {
		return Type{}, ErrInvalid
	}
	_, params, err := mime.ParseMediaType("text/plain;" + parameters)
	if !strings.HasPrefix(essence, "text/") {
		// A slash is the sign of another type behind a comma, by which a browser may
		// go (Fetch Standard, "extract a MIME type").
		if err != nil && strings.Contains(parameters, "/") {
			return Type{}, ErrInvalid
		}
		return Type{Essence: essence}, nil
	}
	t := Type{Essence: essence}
	if label, ok := params["charset"]; ok {
		t.Charset = charset(label)
	}
	if _, declared := params["charset"]; err != nil || declared && t.Charset == "" {
		return Type{}, ErrInvalid
	}
	return t, nil
}

// Undeclared reports whether what a client sent says nothing about the type: it
// is empty, or no type at all, like "undefined", which scripts write for a value
// that they do not have. Half a type, like "image" or "png", does say something: it
// is a mistake of the page, which should hear of it.
func Undeclared(s string) bool {
	s, parameters, found := strings.Cut(strings.TrimSpace(s), ";")
	if strings.ContainsFunc(s, isControl) || strings.ContainsFunc(parameters, isControl) || s == "" && found {
		return false
	}
	if strings.ContainsAny(s, "*,") || strings.Contains(parameters, "/") {
		return false
	}
	if s = strings.ToLower(s); strings.Contains(s, "/") {
		return meansNothing(s)
	}
	return !registered(s) && byExtension["."+s] == ""
}

// Same reports whether an object's stored type is the one that was granted, as
// [Type.String] writes it. Servers may write the same in other letters and with
// other spaces.
func Same(stored, granted string) bool {
	if stored == granted {
		return true
	}
	essence, params, err := mime.ParseMediaType(stored)
	return err == nil && Type{essence, strings.ToLower(params["charset"])}.String() == granted
}

// valid reports whether s is an essence in lower case, with names as RFC 6838
// §4.2 restricts them, in a registered family, that means one type.
func valid(s string) bool {
	family, subtype, ok := strings.Cut(s, "/")
	return ok && registered(family) && restrictedName(subtype) && !sniffed(s) && !meansNothing(s)
}

// registered reports whether a family is one of IANA's top-level types, but for
// "example", which is none for files (RFC 4735). Browsers know no others, and take
// some of those that they do not know for unknown.
func registered(family string) bool {
	switch family {
	case "application", "audio", "font", "haptics", "image", "message", "model", "multipart", "text", "video":
		return true
	}
	return false
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

// sniffed reports whether a type means that its type is not known, whereupon a
// browser looks into the bytes as if there were none: the names of the MIME
// Sniffing Standard §7, Firefox's application/x-unknown-content-type and
// application/x-vnd.mozilla.guess-from-ext, and others of their kind.
func sniffed(essence string) bool {
	return strings.Contains(essence, "unknown") || hasWord(essence, "guess", "maybe")
}

// meansNothing reports whether a type was put together from values that a script
// does not have.
func meansNothing(essence string) bool { return hasWord(essence, "undefined", "null", "nan") }

func hasWord(essence string, words ...string) bool {
	for _, w := range words {
		for rest := essence; ; {
			i := strings.Index(rest, w)
			if i < 0 {
				break
			}
			end := i + len(w)
			if (i == 0 || isSeparator(rest[i-1])) && (end == len(rest) || isSeparator(rest[end])) {
				return true
			}
			rest = rest[end:]
		}
	}
	return false
}

func isSeparator(c byte) bool { return strings.IndexByte("/-.+_", c) >= 0 }

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == '\uFFFD' }
