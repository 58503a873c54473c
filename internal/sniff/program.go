package sniff

import (
	"bytes"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// The kinds of programs.
const (
	executable  = "application/x-executable"
	windowsExe  = "application/vnd.microsoft.portable-executable"
	machO       = "application/x-mach-binary"
	shellScript = "application/x-shellscript"
	batchFile   = "application/x-bat"
	shortcut    = "application/x-ms-shortcut"
)

// program returns the kind of a program that an operating system starts, or "".
func program(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	switch string(head[:4]) {
	case "\x7fELF":
		return executable
	case "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "\xca\xfe\xba\xbf":
		return machO
	case "L\x00\x00\x00":
		if bytes.HasPrefix(head[4:], []byte("\x01\x14\x02\x00")) {
			return shortcut
		}
	case "dex\n":
		return "application/x-dex"
	}
	switch {
	case string(head[:2]) == "MZ" && !isText(head):
		return windowsExe
	case string(head[:2]) == "#!" && strings.HasPrefix(strings.TrimLeft(string(head[2:]), " \t"), "/"):
		return shellScript
	case strings.HasPrefix(strings.ToLower(string(head[:min(9, len(head))])), "@echo off"):
		return batchFile
	}
	return ""
}

// admitsProgram reports whether a declared type is one of programs like the one
// that was found. Of some bytes, application/octet-stream says nothing false.
// text/plain does: nobody starts a text.
func admitsProgram(declared, found string) bool {
	if declared == mediatype.OctetStream || declared == found {
		return true
	}
	if found == shellScript || found == batchFile {
		return mediatype.Is(declared, executable) || strings.HasPrefix(declared, "text/x-") || declared == php ||
			mediatype.Active(declared) && strings.Contains(declared, "script")
	}
	// The database takes scripts for executables, too.
	return executables[declared] || mediatype.Is(declared, executable) && !textual(declared)
}

var executables = set(`application/vnd.microsoft.portable-executable application/x-elf application/x-pie-executable
	application/x-sharedlib application/x-object application/x-core application/x-coredump application/x-mach-binary
	application/x-dex application/efi application/x-apple-universal-binary application/x-winexe application/x-font-dos`)
