package sniff

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAgrees(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	for _, tc := range []struct {
		name, head, declared string
		want                 bool
	}{
		{"a PNG is a PNG", png, "image/png", true},
		{"a PNG is not a JPEG", png, "image/jpeg", false},
		{"a PNG is some bytes", png, "application/octet-stream", true},
		{"text is text", "hello", "text/plain", true},
		{"text may be CSV", "hello", "text/csv", true},
		{"text may be Markdown", "# hello", "text/markdown", true},
		{"text is no PNG", "hello", "image/png", false},
		{"HTML is no plain text", "<!DOCTYPE html><script>alert(1)</script>", "text/plain", false},
		{"HTML is no PNG", "<html><body>", "image/png", false},
		{"HTML is not even some bytes", "<html><body>", "application/octet-stream", false},
		{"HTML is HTML where that is allowed", "<html><body>", "text/html", true},
		{"SVG is no plain text", `<svg xmlns="http://www.w3.org/2000/svg"/>`, "text/plain", false},
		{"XML is no plain text", `<?xml version="1.0"?><a/>`, "text/plain", false},
		{"a PDF is a PDF", "%PDF-1.7\n", "application/pdf", true},
		{"a PDF is no PNG", "%PDF-1.7\n", "image/png", false},
		{"a ZIP is a ZIP", "PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "application/zip", true},
		{"a JAR is no ZIP", "PK\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\x00\x04\x00META-INF/MANIFEST.MF\xfe\xca\x00\x00", "application/zip", false},
		{"unknown bytes may be of a type that is not recognized", "\x01\x02\x03\x04", "application/x-private", true},
		{"unknown bytes are no PNG", "\x01\x02\x03\x04", "image/png", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			detected, got := Agrees([]byte(tc.head), tc.declared)
			require.Equal(t, tc.want, got, "detected %s", detected)
		})
	}
}
