package sniff

import (
	"bytes"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// The kinds of active content, by the names that they have of right.
const (
	html        = "text/html"
	svg         = "image/svg+xml"
	xhtml       = "application/xhtml+xml"
	xslt        = "application/xslt+xml"
	xml         = "application/xml"
	php         = "application/x-php"
	mhtml       = "multipart/related"
	wasm        = "application/wasm"
	flash       = "application/x-shockwave-flash"
	javaClass   = "application/x-java-applet"
	javaArchive = "application/java-archive"
	extension   = "application/x-chrome-extension"
)

// active returns the kind of what a browser may run, or "".
func active(head []byte) string {
	if kind := markup(head); kind != "" {
		return kind
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x00asm")):
		return wasm
	case len(head) > 3 && strings.Contains("FCZ", string(head[:1])) && string(head[1:3]) == "WS" && head[3] < ' ':
		return flash
	case bytes.HasPrefix(head, []byte("Cr24")):
		return extension
	case len(head) > 7 && bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")) && head[6] == 0 && head[7] >= 45:
		// Universal binaries of macOS begin with the same, then with their number.
		return javaClass
	case isJava(head):
		return javaArchive
	}
	return ""
}

// admitsActive reports whether a declared type is a name of the active content
// that was found.
func admitsActive(declared, found string, head []byte) bool {
	anyXML := declared == xml || declared == "text/xml"
	switch found {
	case html:
		return declared == html || declared == xhtml || declared == "application/hta" || declared == "text/x-server-parsed-html" || anyXML ||
			declared == "text/markdown" && inertHTML(head)
	case xhtml:
		return declared == html || declared == xhtml || anyXML
	case svg:
		return declared == svg || declared == "image/svg" || declared == "image/svg-xml" || anyXML
	case xslt:
		return declared == xslt || declared == "text/xsl" || anyXML
	case xml:
		return declared != html && strings.HasSuffix(declared, "xml") || strings.HasPrefix(declared, "application/xml-") ||
			mediatype.Is(declared, xml)
	case mhtml:
		return strings.HasPrefix(declared, "multipart/") || strings.HasPrefix(declared, "message/") || declared == "application/x-mimearchive"
	case flash:
		return declared == flash || declared == "application/vnd.adobe.flash.movie"
	case javaClass:
		return strings.Contains(declared, "java")
	case javaArchive:
		return mediatype.Is(declared, javaArchive) || declared == "application/x-java-archive" || declared == "application/x-jar" ||
			declared == "application/x-xpinstall"
	}
	return declared == found
}

// elements are those at the begin of a file by which browsers recognize HTML
// (MIME Sniffing Standard §7.1; Firefox's nsUnknownDecoder), and others that run
// or load something.
var elements = set(`a applet article audio b base blockquote body br button center details dialog div embed font
	footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe image img input isindex keygen link main
	marquee math meta nav noscript object ol p picture pre script section select span style table template textarea
	title ul video`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// markup returns the kind of markup that a file begins with, or "".
func markup(head []byte) string {
	s := letters(head)
	rest := skipComments(s)
	if rest == "" {
		if s != "" && strings.HasPrefix(s, "<") {
			return html
		}
		return ""
	}
	switch {
	case strings.HasPrefix(rest, "<?php"), strings.HasPrefix(rest, "<?="):
		return php
	case strings.HasPrefix(rest, "<?"):
		return root(rest)
	case strings.HasPrefix(rest, "<!"):
		if kind, ok := strings.CutPrefix(rest, "<!doctype"); ok && strings.HasPrefix(strings.TrimLeft(kind, space), "html") {
			return html
		}
		return root(rest)
	}
	switch name := element(rest); {
	case name == "svg":
		return svg
	case name == "stylesheet" || name == "transform":
		return xslt
	case elements[name]:
		return html
	case len(rest) == len(s):
	case name == "":
		return html // a comment, and then text
	default:
		return xml // a comment, and then an element that HTML does not have
	}
	if isMHTML(s) {
		return mhtml
	}
	return ""
}

const space = " \t\n\f\r"

// letters returns bytes as a browser reads markup in them: without byte order
// mark and leading white space, in lower case. NULs are taken out: in UTF-16, with
// or without a mark, they are half of every letter, and elsewhere they must hide
// nothing.
func letters(head []byte) string {
	s := strings.ReplaceAll(string(head), "\x00", "")
	for _, mark := range []string{"\xef\xbb\xbf", "\xfe\xff", "\xff\xfe"} {
		s = strings.TrimPrefix(s, mark)
	}
	return strings.TrimLeft(strings.ToLower(s), space)
}

// skipComments returns what follows the comments at the begin; "" if they do not
// end.
func skipComments(s string) string {
	for strings.HasPrefix(s, "<!--") {
		_, after, ended := strings.Cut(s, "-->")
		if !ended {
			return ""
		}
		s = strings.TrimLeft(after, space)
	}
	return s
}

// element returns the name of the element that begins a text, without its
// namespace's prefix, or "".
func element(s string) string {
	if !strings.HasPrefix(s, "<") {
		return ""
	}
	s = s[1:]
	if end := strings.IndexAny(s, space+"/>"); end >= 0 {
		s = s[:end]
	}
	if len(s) > 32 {
		return ""
	}
	return s[strings.IndexByte(s, ':')+1:]
}

// root returns the kind of an XML document by its first element, if the bytes go
// so far.
func root(s string) string {
	for {
		s = strings.TrimLeft(s, space)
		switch {
		case strings.HasPrefix(s, "<?"):
			_, s, _ = strings.Cut(s, "?>")
		case strings.HasPrefix(s, "<!--"):
			_, s, _ = strings.Cut(s, "-->")
		case strings.HasPrefix(s, "<!"):
			s = skipDeclaration(s)
		default:
			switch element(s) {
			case "html":
				return xhtml
			case "svg":
				return svg
			case "stylesheet", "transform":
				return xslt
			}
			return xml
		}
	}
}

// skipDeclaration returns what follows a document type declaration, which may
// have others in brackets.
func skipDeclaration(s string) string {
	declaration, after, _ := strings.Cut(s, ">")
	if strings.Contains(declaration, "[") {
		_, after, _ = strings.Cut(s, "]")
		_, after, _ = strings.Cut(after, ">")
	}
	return after
}

// isMHTML recognizes a page with its parts (RFC 2557), as browsers save it.
func isMHTML(s string) bool {
	if !strings.HasPrefix(s, "from:") && !strings.HasPrefix(s, "mime-version:") && !strings.HasPrefix(s, "content-type:") {
		return false
	}
	return strings.Contains(s, "multipart/related") && strings.Contains(s, "mime-version:")
}

// inertHTML reports whether Markdown that begins with HTML, such as a centred
// logo, is no document and runs nothing. CommonMark lets a block of HTML end at the
// first empty line (§4.6), so that examples further down do not count.
func inertHTML(head []byte) bool {
	block := skipComments(strings.ReplaceAll(letters(head), "\r", ""))
	block, _, _ = strings.Cut(block, "\n\n")
	for rest := block; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		rest = rest[i:]
		if name := element(rest); strings.HasPrefix(rest, "<!") || strings.HasPrefix(rest, "<?") || document[name] {
			return false
		}
		rest = rest[1:]
	}
	return block != "" && !strings.Contains(block, "javascript:") && !hasHandler(block)
}

// document are elements that begin a document, or run or load something else
// than a picture.
var document = set(`applet audio base body button embed form frame frameset head html iframe image input isindex
	keygen link marquee math meta object script select style svg template textarea title video`)

// hasHandler reports whether an attribute such as onerror stands in a text.
func hasHandler(s string) bool {
	for {
		i := strings.IndexAny(s, space+"/\"'")
		if i < 0 {
			return false
		}
		s = s[i+1:]
		if name, _, ok := strings.Cut(s, "="); ok && len(name) < 32 && len(name) > 2 && strings.HasPrefix(name, "on") && !strings.ContainsAny(strings.TrimRight(name, space), space+">") {
			return true
		}
	}
}

// hidesMarkup reports whether the first bytes of a picture, a recording, a font or
// a PDF have markup in them, or a comment that makes a script of them: they are
// two files in one.
func hidesMarkup(head []byte) bool {
	if before, _, found := bytes.Cut(head[:min(16, len(head))], []byte("/*")); found && beginsScript(before) {
		return true
	}
	s := strings.ToLower(string(head))
	for _, sign := range []string{"<script", "<?php", "<html", "<!doctype", "<svg", "<iframe", "<body"} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}

// beginsScript reports whether the bytes before a comment can be JavaScript, read as
// Latin-1: a name, such as GIF89a or that of a JPEG's first four bytes, and what is
// printed. What no script may have, as the first byte of a PNG, makes the comment one by
// chance: a length, a serial number.
func beginsScript(before []byte) bool {
	return !slices.ContainsFunc(before, func(b byte) bool {
		return b < ' ' && !strings.ContainsRune(space, rune(b)) || b >= 0x7f && b < 0xc0
	})
}
