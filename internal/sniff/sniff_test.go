package sniff

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/mediatype"
)

const (
	pngHead  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	unknown  = "\x01\x02\x03\x04"
	elfHead  = "\x7fELF\x02\x01\x01\x00\x00\x00"
	peHead   = "MZ\x90\x00\x03\x00\x00\x00\x04\x00"
	machHead = "\xcf\xfa\xed\xfe\x07\x00\x00\x01"
	zipHead  = "PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x05\x00\x00\x00\x05\x00\x00\x00a.txt12345"
	jarHead  = "PK\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\x00\x04\x00META-INF/MANIFEST.MF\xfe\xca\x00\x00"
	oleHead  = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00\x00\x00"
	docx     = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx     = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// stored returns an archive of files that are not compressed, each with its name
// for content if it has no other.
func stored(files ...string) string {
	var b strings.Builder
	for _, f := range files {
		name, data, _ := strings.Cut(f, "=")
		size := string([]byte{byte(len(data)), 0, 0, 0})
		b.WriteString("PK\x03\x04\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + size + size + string([]byte{byte(len(name)), 0, 0, 0}) + name + data)
	}
	return b.String()
}

func iso(brands ...string) string {
	return "\x00\x00\x00" + string([]byte{byte(12 + 4*len(brands))}) + "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands[1:], "") + "\x00\x00\x00\x08free"
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name, head, declared string
		want                 Verdict
	}{
		{"a PNG is a PNG", pngHead, "image/png", Agrees},
		{"a PNG is no JPEG", pngHead, "image/jpeg", Contradicts},
		{"a PNG is some bytes", pngHead, "application/octet-stream", Agrees},
		{"a PNG is no text", pngHead, "text/plain", Contradicts},
		{"a PNG may be of a type that is not known", pngHead, "image/x-foo", CannotTell},
		{"text is text", "hello", "text/plain", Agrees},
		{"text may be CSV", "hello", "text/csv", Agrees},
		{"text may be Markdown", "# hello", "text/markdown", Agrees},
		{"text may be JSON", "{}", "application/json", Agrees},
		{"text may be of a type that is not known", "hello", "application/x-foo", CannotTell},
		{"text is no PNG", "hello", "image/png", Contradicts},
		{"text is no MP3", "hello", "audio/mpeg", Contradicts},
		{"UTF-16 is text", "\xff\xfeh\x00i\x00", "text/plain", Agrees},
		{"bytes that are not recognized may be text in some encoding", unknown, "text/plain", CannotTell},
		{"TypeScript has the extension of a film", "const a: number = 1\n", "video/vnd.dlna.mpeg-tts", Agrees},
		{"RTF is Word's on Windows", `{\rtf1\ansi}`, "application/msword", Agrees},
		{"a PDF is a PDF", "%PDF-1.7\n", "application/pdf", Agrees},
		{"a PDF may have bytes before it", "\x00\x00%PDF-1.7\n", "application/pdf", Agrees},
		{"a PDF is no PNG", "%PDF-1.7\n", "image/png", Contradicts},
		{"a PDF is no text", "%PDF-1.7\n", "text/plain", Contradicts},
		{"unknown bytes may be of a type that is not recognized", unknown, "application/x-private", CannotTell},
		{"unknown bytes are no PNG", unknown, "image/png", Contradicts},
		{"unknown bytes are no PDF", unknown, "application/pdf", Contradicts},
		{"unknown bytes may be the middle of an MP3", unknown, "audio/mpeg", CannotTell},
		{"an AVI is no WAV", "RIFF\x00\x10\x00\x00AVI LIST", "audio/wav", Contradicts},
		{"WebP is WebP", "RIFF\x00\x10\x00\x00WEBPVP8 ", "image/webp", Agrees},
		{"Matroska may be WebM", "\x1a\x45\xdf\xa3\x01\x00", "audio/webm", Agrees},
		{"Ogg holds what it holds", "OggS\x00\x02", "audio/opus", Agrees},
		{"raw pictures are TIFF", "II*\x00\x08\x00\x00\x00", "image/x-nikon-nef", Agrees},
		{"each camera has its own", "FUJIFILMCCD-RAW 0201\x00", "image/x-fuji-raf", Agrees},
		{"a font may have another kind of outlines than its name says", "OTTO\x00\x0b\x00\x80", "font/ttf", Agrees},

		{"a ZIP is a ZIP", zipHead, "application/zip", Agrees},
		{"a ZIP may be a document whose files come later", zipHead, docx, CannotTell},
		{"a document is a ZIP", stored("[Content_Types].xml", "word/document.xml"), "application/zip", Agrees},
		{"a document is of its program", stored("[Content_Types].xml", "word/document.xml"), docx, Agrees},
		{"a document is of no other program", stored("[Content_Types].xml", "word/document.xml"), xlsx, Contradicts},
		{"a sheet with macros", stored("xl/workbook.xml"), "application/vnd.ms-excel.sheet.macroEnabled.12", Agrees},
		{"a new document by the old name", stored("xl/workbook.xml"), "application/vnd.ms-excel", Agrees},
		{"an OpenDocument text is one", stored("mimetype=application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text", Agrees},
		{"its template, too", stored("mimetype=application/vnd.oasis.opendocument.text-template"), "application/vnd.oasis.opendocument.text", Agrees},
		{"it is no sheet", stored("mimetype=application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.spreadsheet", Contradicts},
		{"a database calls itself a base", stored("mimetype=application/vnd.oasis.opendocument.base"), "application/vnd.oasis.opendocument.database", Agrees},
		{"a compressed TAR is one", "\x1f\x8b\x08\x00", "application/x-gtar", Agrees},
		{"a book is a book", stored("mimetype=application/epub+zip"), "application/epub+zip", Agrees},
		{"a book is no document", stored("mimetype=application/epub+zip"), docx, Contradicts},
		{"a document is no OpenDocument", stored("[Content_Types].xml"), "application/vnd.oasis.opendocument.text", Contradicts},
		{"a JAR is no ZIP", jarHead, "application/zip", Contradicts},
		{"a JAR is not even some bytes", jarHead, "application/octet-stream", Contradicts},
		{"a JAR is a JAR where that is allowed", jarHead, "application/java-archive", Agrees},
		{"a package of Android is a JAR", jarHead, "application/vnd.android.package-archive", Agrees},
		{"a JAR in a ZIP is none", stored("lib.jar=" + jarHead), "application/zip", Agrees},
		{"a page in a ZIP is none", stored("index.html=<html><script>x()</script></html>"), "application/zip", Agrees},
		{"a document with a password is an OLE file", oleHead, xlsx, Agrees},
		{"an OLE file is no PNG", oleHead, "image/png", Contradicts},

		{"a picture is no film", iso("heic", "mif1", "heic"), "video/mp4", Contradicts},
		{"a film is no picture", iso("isom", "isom", "avc1"), "image/heic", Contradicts},
		{"AVIF is AVIF", iso("avif", "mif1", "avif"), "image/avif", Agrees},
		{"AVIF is no HEIC", iso("mif1", "mif1", "avif"), "image/heic", Contradicts},
		{"AVIF is HEIF", iso("avif", "mif1", "avif"), "image/heif", Agrees},
		{"an old film begins with its index", "\x00\x00\x10\x00moov\x00\x00\x00\x6cmvhd", "video/quicktime", Agrees},

		{"a program is no picture", peHead, "image/png", Contradicts},
		{"a program is nothing that is not known", elfHead, "application/x-foo", Contradicts},
		{"a program is some bytes", machHead, "application/octet-stream", Agrees},
		{"a program is a program", peHead, "application/x-msdownload", Agrees},
		{"a library is a program", elfHead, "application/x-sharedlib", Agrees},
		{"a text may begin with the letters of a program", "MZ,name\n1,x\n", "text/csv", Agrees},
		{"a program is no script", elfHead, "text/x-python", Contradicts},
		{"a script is no JSON", "#!/bin/sh\n", "application/json", Contradicts},
		{"a script is no text", "#!/bin/sh\nrm -rf /\n", "text/plain", Contradicts},
		{"a script is a script", "#!/usr/bin/env python3\n", "text/x-python", Agrees},
		{"a script is a program", "#! /bin/sh\n", "application/x-sh", Agrees},
		{"a script of Windows is no text", "@ECHO OFF\r\ndel *\r\n", "text/plain", Contradicts},
		{"a script of Windows is one", "@echo off\r\n", "application/x-bat", Agrees},
		{"AMR begins like a script", "#!AMR\n\x3c\x91\x17\x16", "audio/amr", Agrees},

		{"a script in the clothes of a GIF", "GIF89a=1;alert(1)//", "image/gif", Contradicts},
		{"a script around a RIFF", "RIFF=1;/*WEBP\x00\x00*/;alert(1)", "image/webp", Contradicts},
		{"a GIF that a script divides", "GIF89a=1/*\x00\x00*/;alert(1)", "image/gif", Contradicts},
		{"a stream whose serial number reads as a comment", "OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00/*\x01\xb3\x00\x00\x00\x00\x01\x1e\x01vorbis", "audio/ogg", Agrees},
		{"a sound whose length reads as a comment", "RIFF\x06/*\x00WAVEfmt \x10\x00\x00\x00", "audio/wav", Agrees},
		{"a picture whose length reads as a comment", "\x89PNG\r\n\x1a\n\x00\x00/*abcd", "image/png", Agrees},
		{"a script around a GIF", "GIF89a/*\x00\x00\x00*/=1;alert(1)", "image/gif", Contradicts},
		{"a page in a PNG", pngHead + "\x00\x00\x00\x01tEXt<script>x()</script>", "image/png", Contradicts},
		{"PHP in a JPEG", "\xff\xd8\xff\xfe\x00\x20<?php system($_GET[0]);?>", "image/jpeg", Contradicts},
		{"a page in a PDF", "%PDF-1.4\n<html><script>x()</script>", "application/pdf", Contradicts},
		{"a program before an archive", peHead + zipHead, "application/zip", Contradicts},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found := Judge([]byte(tc.head), tc.declared)
			require.Equal(t, tc.want.String(), got.String(), "found %s", found)
		})
	}
}

func TestActiveContentAgreesWithItsOwnNameOnly(t *testing.T) {
	utf16le := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.WriteString(string([]byte{byte(u), byte(u >> 8)}))
		}
		return b.String()
	}
	utf16be := func(s string) string {
		b := []byte(utf16le(s))
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
		return string(b)
	}
	page := "<!DOCTYPE html><script>x()</script>"
	for head, own := range map[string]string{
		page:                                    html,
		page + "\x00":                           html,
		"<html><body>":                          html,
		"\n\t <HTML>":                           html,
		"\x00<html>":                            html,
		"<\x00script>x()</script>":              html,
		"\xef\xbb\xbf" + page:                   html,
		"\xff\xfe" + utf16le(page):              html,
		"\xfe\xff" + utf16be(page):              html,
		utf16le(page):                           html,
		utf16be(page):                           html,
		"<!-- hello --> <script>x()</script>":   html,
		"<!-- hello":                            html,
		"<!-- \x89PNG --> x":                    html,
		"<script>x()</script>" + pngHead:        html,
		"<iframe src=//x>":                      html,
		"<a href=x>":                            html,
		"<b>":                                   html,
		"<p/onclick=x()>":                       html,
		"<img src=x onerror=x()>":               html,
		"<body\fonload=x()>":                    html,
		"<!doctype\nHTML>":                      html,
		"<svg onload=\"x()\"/>":                 svg,
		"<svg onload=\"x()\"/>\x00":             svg,
		"<SVG/onload=x()>":                      svg,
		"<s:svg xmlns:s=\"x\"/>":                svg,
		"<!-- Inkscape --><svg>":                svg,
		"<?xml version=\"1.0\"?><svg/>":         svg,
		"<?xml version='1.0'?><!-- a --><svg/>": svg,
		"<!DOCTYPE svg PUBLIC \"x\" [<!ENTITY a \"b>\">]>\n<svg/>":                    svg,
		utf16le("<svg onload=x()>"):                                                   svg,
		"<?xml version=\"1.0\"?><html xmlns=\"x\">":                                   xhtml,
		"<?xml version=\"1.0\"?><x:html xmlns:x=\"x\">":                               xhtml,
		"<?xml version=\"1.0\"?><xsl:stylesheet>":                                     xslt,
		"<?xml version=\"1.0\"?><a/>":                                                 xml,
		"<?php system($_GET[0]);":                                                     php,
		"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x": mhtml,
		"\x00asm\x01\x00\x00\x00":                                                     wasm,
		"CWS\x09abcd":                                                                 flash,
		"\xca\xfe\xba\xbe\x00\x00\x00\x41":                                            javaClass,
		jarHead:                                                                       javaArchive,
	} {
		got, found := Judge([]byte(head), own)
		require.Equal(t, Agrees.String(), got.String(), "%q", head)
		require.Equal(t, own, found, "%q", head)
		for _, declared := range []string{
			"text/plain", "text/csv", "text/markdown", "application/octet-stream", "image/png", "image/x-foo", "application/x-foo", "application/pdf",
			"application/vnd.ms-excel", "application/msword", "application/json", "video/mp4", "audio/mpeg", "application/zip", "font/woff2",
		} {
			if declared == "text/markdown" && found == html {
				continue // below
			}
			got, _ := Judge([]byte(head), declared)
			require.Equal(t, Contradicts.String(), got.String(), "%q under %s", head, declared)
		}
	}
}

// Markdown is stored as text/markdown, which no browser reads as a page, and may
// begin with a piece of HTML. A document, or what runs, is none.
func TestMarkdownMayBeginWithHTML(t *testing.T) {
	for head, want := range map[string]Verdict{
		"<p align=\"center\"><img src=\"logo.png\"></p>\n\n# Title\n":                               Agrees,
		"<h1 align=center>\r\n<a href=\"https://example.com\">x</a>\r\n</h1>\r\n\r\n<script src=x>": Agrees,
		"<!-- no toc -->\n# Title\n":                  Agrees,
		"<details><summary>On time = money</summary>": Agrees,
		"<!DOCTYPE html><p>x":                         Contradicts,
		"<script>x()</script>\n\n# Title":             Contradicts,
		"<p><script>x()</script></p>":                 Contradicts,
		"<!-- a --><iframe src=x>":                    Contradicts,
		"<img src=x onerror=x()>":                     Contradicts,
		"<img src=\"x\"onerror = x()>":                Contradicts,
		"<a href=\"javascript:x()\">":                 Contradicts,
		"<div><svg onload=x()></div>":                 Contradicts,
		"<div>\x00<script>x()</script>":               Contradicts,
		"<p>\n<?php x(); ?>":                          Contradicts,
		"<html>":                                      Contradicts,
	} {
		got, _ := Judge([]byte(head), "text/markdown")
		require.Equal(t, want.String(), got.String(), "%q", head)
		got, _ = Judge([]byte(head), "text/plain")
		require.Equal(t, Contradicts.String(), got.String(), "%q", head)
	}
}

func TestXMLAgreesWithTypesOfXML(t *testing.T) {
	gpx := "<?xml version=\"1.0\"?>\n<gpx version=\"1.1\">"
	for _, declared := range []string{"application/xml", "text/xml", "application/gpx+xml", "application/x-designer", "application/vnd.oasis.opendocument.text-flat-xml"} {
		got, _ := Judge([]byte(gpx), declared)
		require.Equal(t, Agrees.String(), got.String(), declared)
	}
	got, _ := Judge([]byte("<?xml version=\"1.0\"?><svg/>"), "application/gpx+xml")
	require.Equal(t, Contradicts.String(), got.String())
}

// The table is of cases from the field. Its first two files were written by the
// program that it names, and stand cut off in testdata.
func TestFilesFromTheField(t *testing.T) {
	data, err := os.ReadFile("testdata/sniff.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	require.Len(t, lines, 14)
	padded := regexp.MustCompile(`^(".*")(?:~(\d+))?$`)
	for _, line := range lines {
		cells := strings.Split(line, "\t")
		require.Len(t, cells, 4)
		what, bytes, declared, accept := cells[0], cells[1], cells[2], cells[3] != "no"
		files := map[string]string{} // by declared type
		switch m := padded.FindStringSubmatch(bytes); {
		case m != nil:
			head, err := strconv.Unquote(m[1])
			require.NoError(t, err, bytes)
			zeros, _ := strconv.Atoi("0" + m[2])
			files[declared] = head + strings.Repeat("\x00", zeros)
		case strings.Contains(bytes, "xlsx"):
			files["application/vnd.ms-excel.sheet.macroEnabled.12"] = read(t, "sheetjs.xlsm")
			files["application/vnd.ms-excel.sheet.binary.macroEnabled.12"] = read(t, "sheetjs.xlsb")
			files["application/vnd.oasis.opendocument.spreadsheet"] = read(t, "sheetjs.ods")
		default:
			files[declared] = read(t, "dejavu.ttf")
		}
		for declared, head := range files {
			t.Run(fmt.Sprint(what, " as ", declared), func(t *testing.T) {
				parsed, err := mediatype.Parse(declared)
				require.NoError(t, err)
				for _, name := range []string{declared, parsed.Essence} {
					got, found := Judge([]byte(head[:min(Length, len(head))]), name)
					require.Equal(t, accept, got != Contradicts, "found %s", found)
				}
			})
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(data)
}

func TestEveryTypeOfAFormatIsCanonical(t *testing.T) {
	for essence := range byType {
		require.Equal(t, essence, mediatype.Canonical(essence))
	}
	for essence := range unmarked {
		require.NotEmpty(t, formatsOf(essence), essence)
	}
}

// What a browser recognizes as active is refused under every harmless type,
// whatever stands behind it, and nothing makes Judge panic.
func FuzzActiveContentIsNeverHarmless(f *testing.F) {
	for _, head := range []string{"", pngHead, jarHead, zipHead, oleHead, iso("heic", "mif1"), "%PDF-", "\xff\xfe<\x00", "<!--", "<!doctype x [", "PK\x03\x04", stored("mimetype=x", "word/")} {
		f.Add([]byte(head), "image/png")
		f.Add([]byte(head), "text/markdown")
		f.Add([]byte(head), docx)
	}
	f.Fuzz(func(t *testing.T, head []byte, declared string) {
		parsed, err := mediatype.Parse(declared)
		if err != nil {
			return
		}
		_, _ = Judge(head, parsed.Essence)
		if mediatype.Active(parsed.Essence) || mediatype.Is(parsed.Essence, "application/xml") || parsed.Essence == php {
			return
		}
		for _, begin := range []string{"<!DOCTYPE html><script>", " \n<svg onload=x()>", "<\x00script>", "<?xml version=\"1.0\"?><html "} {
			got, found := Judge(append([]byte(begin), head...), parsed.Essence)
			require.Equal(t, Contradicts.String(), got.String(), "found %s", found)
		}
	})
}
