package filename

import (
	"path"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// WithExtension returns a cleaned name that ends as files of the type do. An
// extension stays that the type has, or that belongs to a kind of it (table.csv is
// plain text, book.epub a ZIP archive), unless systems run it. Behind any other,
// and behind none, the type's usual one is put: setup.exe granted as image/png is
// setup.exe.png, which keeps what people called it and opens as a picture. Of a
// type without an extension, such as application/octet-stream, the name stays as it
// is. The result is no longer than [MaxBytes].
func WithExtension(name, essence string) string {
	ext := mediatype.Extension(essence)
	if name == "" || ext == "" || mayKeep(name, essence) {
		return name
	}
	if name += ext; len(name) > MaxBytes {
		return shorten(name)
	}
	return name
}

func mayKeep(name, essence string) bool {
	ext := strings.ToLower(path.Ext(name))
	if mediatype.HasExtension(essence, ext) {
		return true
	}
	own := mediatype.ByExtension(name)
	return own != "" && mediatype.Is(own, essence) && !mediatype.Active(own) && !run[ext]
}

// run are extensions that are text or an archive to the eye, and that systems run
// or obey.
var run = func() map[string]bool {
	m := map[string]bool{}
	for _, ext := range strings.Fields(`.apk .awk .bash .bat .cmd .command .csh .desktop .hta .inf .jnlp .js .jse .jsm .ksh
		.msi .oxt .php .pl .pm .ps1 .psd1 .psm1 .py .pyw .rb .reg .service .sh .tcl .url .vbe .vbs .wsf .xpi .zsh`) {
		m[ext] = true
	}
	return m
}()
