// Package sniff holds the first bytes of a file against the type that was
// declared.
package sniff

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/postern-go/postern/internal/mediatype"
)

// Length is how many bytes are looked at: as many as mimetype reads.
const Length = 3072

// Agrees reports whether bytes may be what was declared, and what they seem to
// be. Active content, such as HTML, agrees with its own name only: its parents
// in mimetype's tree, such as text/plain, say nothing about it.
func Agrees(head []byte, declared string) (detected string, ok bool) {
	found := mimetype.Detect(head)
	detected, _, _ = strings.Cut(found.String(), ";")
	if found.Is(declared) {
		return detected, true
	}
	for node := found; node != nil; node = node.Parent() {
		essence, _, _ := strings.Cut(node.String(), ";")
		if mediatype.Active(essence) {
			return detected, false
		}
		if node.Is(declared) {
			return detected, true
		}
	}
	if declared == mediatype.OctetStream {
		return detected, true
	}
	known := mimetype.Lookup(declared) != nil
	switch detected {
	case mediatype.OctetStream:
		// Nothing was recognized: right for a type that cannot be.
		return detected, !known
	case "text/plain":
		// Many types are plain text to the eye.
		return detected, textual(declared)
	}
	return detected, false
}

// textual reports whether a type is text that has no mark of its own.
func textual(essence string) bool {
	return strings.HasPrefix(essence, "text/") || strings.HasSuffix(essence, "+json") ||
		essence == "application/json" || essence == "application/sql" || essence == "application/yaml"
}
