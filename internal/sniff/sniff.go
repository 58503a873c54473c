// Package sniff holds the first bytes of a file against the type that was
// declared. It refuses lies and not ignorance: what it does not know, it lets
// pass under the declared type.
package sniff

import (
	"bytes"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// Length is how many bytes are looked at: more than any browser looks at (MIME
// Sniffing Standard §5.2: 1,445), and enough for the first entries of an archive.
const Length = 3072

// Verdict says what the bytes of a file say about its declared type.
type Verdict int

const (
	// CannotTell: the bytes do not say whether the type is right.
	CannotTell Verdict = iota
	// Agrees: the bytes are what files of the type begin with.
	Agrees
	// Contradicts: the bytes are something else.
	Contradicts
)

func (v Verdict) String() string {
	return [...]string{"cannot tell", "agrees", "contradicts"}[v]
}

// Judge holds the first bytes of a file, at most [Length] of them, against its
// declared type, and returns what they seem to be.
//
// First comes what a browser may run, whatever bytes follow: it agrees with its
// own name alone, and contradicts every other, those that are not known and
// application/octet-stream included. Programs agree with the names of programs and
// with application/octet-stream. All else is held against the signatures of the
// declared type; of a type without any nothing can be told.
func Judge(head []byte, declared string) (Verdict, string) {
	declared = mediatype.Canonical(strings.ToLower(declared))
	if found := active(head); found != "" {
		return verdict(admitsActive(declared, found, head)), found
	}
	if found := program(head); found != "" {
		return verdict(admitsProgram(declared, found)), found
	}
	f, text := identify(head), isText(head)
	found := mediatype.OctetStream
	if f != nil {
		found = f.essence
	}
	if declared == mediatype.OctetStream {
		return Agrees, found
	}
	expected, isTextual := formatsOf(declared), textual(declared)
	if media(declared) && !isTextual && (!text || found == pdf) && hidesMarkup(head) {
		return Contradicts, html
	}
	switch {
	case f != nil && slices.Contains(expected, f):
		if f.tell != nil {
			return f.tell(head, declared), found
		}
		return Agrees, found
	case f != nil && isTextual:
		return verdict(text && found != pdf), found
	case f == nil && (isTextual || unmarked[declared]), len(expected) == 0:
		return CannotTell, found
	}
	return Contradicts, found
}

// verdict is what a question that cannot be answered by "cannot tell" comes to.
func verdict(agrees bool) Verdict {
	if agrees {
		return Agrees
	}
	return Contradicts
}

// textual reports whether files of a type are plain text, whatever they are
// about.
func textual(declared string) bool {
	return strings.HasPrefix(declared, "text/") || mediatype.Is(declared, "text/plain") ||
		strings.HasSuffix(declared, "+json") || strings.HasSuffix(declared, "+yaml") || strings.HasSuffix(declared, "+xml") ||
		mediatype.Active(declared) && strings.Contains(declared, "script")
}

// isText reports whether bytes are text in some encoding: they have a byte order
// mark, or none of the bytes that the MIME Sniffing Standard (§3) calls binary.
func isText(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xfe\xff")) || bytes.HasPrefix(head, []byte("\xff\xfe")) ||
		!bytes.ContainsFunc(head, func(r rune) bool {
			return r <= 0x08 || r == 0x0b || r >= 0x0e && r <= 0x1a || r >= 0x1c && r <= 0x1f
		})
}

// media reports whether files of a type are pictures, sound, fonts and the like,
// in whose first bytes no markup has any business. Archives may hold it honestly.
func media(declared string) bool {
	family, _, _ := strings.Cut(declared, "/")
	return family == "image" || family == "audio" || family == "video" || family == "font" || declared == pdf
}
