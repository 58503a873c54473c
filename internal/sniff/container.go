package sniff

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// entry is a file in a ZIP archive, as its local header tells it (APPNOTE.TXT
// §4.3.7).
type entry struct {
	name, extra string
	data        []byte // what is stored without compression, as far as it was read
}

// entries returns the first files of an archive. One whose length is written
// behind it is searched for the next.
func entries(head []byte) []entry {
	var list []entry
	for bytes.HasPrefix(head, []byte("PK\x03\x04")) && len(head) >= 30 {
		field := func(at int) int { return int(binary.LittleEndian.Uint16(head[at:])) }
		method, size := field(8), int(binary.LittleEndian.Uint32(head[18:]))
		begin, end := 30+field(26), 30+field(26)+field(28)
		if end > len(head) {
			if begin <= len(head) {
				list = append(list, entry{name: string(head[30:begin])})
			}
			break
		}
		e := entry{name: string(head[30:begin]), extra: string(head[begin:end])}
		rest := head[end:]
		if size == 0 && field(6)&8 != 0 {
			if size = bytes.Index(rest, []byte("PK\x03\x04")); size < 0 {
				size = len(rest)
			}
		}
		size = min(size, len(rest))
		if method == 0 {
			e.data = rest[:size]
		}
		list = append(list, e)
		head = rest[size:]
		// A data descriptor may stand between.
		if i := bytes.Index(head[:min(28, len(head))], []byte("PK\x03\x04")); i > 0 {
			head = head[i:]
		}
	}
	return list
}

// isJava reports whether an archive is one of Java's.
func isJava(head []byte) bool {
	for i, e := range entries(head) {
		if i == 0 && strings.HasPrefix(e.extra, "\xfe\xca") || strings.EqualFold(e.name, "META-INF/MANIFEST.MF") || strings.HasSuffix(e.name, ".class") {
			return true
		}
	}
	return false
}

// documents are the folders of Office Open XML, and what the names of their types
// have in common.
var documents = []struct{ folder, types string }{
	{"word/", "word"}, {"xl/", "excel spreadsheetml"}, {"ppt/", "powerpoint presentationml"}, {"visio/", "visio"},
}

const openDocument = "application/vnd.oasis.opendocument."

// tellZIP tells documents that are ZIP archives apart, where their first files do.
func tellZIP(head []byte, declared string) Verdict {
	if declared == "application/zip" {
		return Agrees
	}
	for i, e := range entries(head) {
		if i == 0 && e.name == "mimetype" && len(e.data) > 0 {
			return verdict(sameDocument(mediatype.Canonical(strings.TrimSpace(string(e.data))), declared))
		}
		for _, d := range documents {
			if strings.HasPrefix(e.name, d.folder) {
				for _, t := range strings.Fields(d.types) {
					if strings.Contains(declared, t) {
						return Agrees
					}
				}
				return Contradicts
			}
		}
		if e.name == "[Content_Types].xml" && (strings.HasPrefix(declared, openDocument) || declared == "application/epub+zip") {
			return Contradicts
		}
	}
	return CannotTell
}

// sameDocument holds the type that an OpenDocument file or a book says itself
// against the declared one. Templates and the like are documents of their kind.
func sameDocument(own, declared string) bool {
	if own == openDocument+"base" { // a database by the name that LibreOffice writes
		own = openDocument + "database"
	}
	if a, ok := strings.CutPrefix(own, openDocument); ok {
		b, ok := strings.CutPrefix(declared, openDocument)
		a, _, _ = strings.Cut(a, "-")
		b, _, _ = strings.Cut(b, "-")
		return ok && a == b
	}
	return mediatype.Is(own, declared) || mediatype.Is(declared, own)
}

// The brands of pictures in ISO base media files (ISO/IEC 23008-12 §10, AVIF
// §6). Some say no more than that it is a picture.
var (
	pictures = set("mif1 mif2 msf1 miaf MiHB MiHE MiHA heic heix hevc hevx heim heis hevm hevs avif avis MA1A MA1B avci avcs jpeg jpgs j2ki j2is vvic vvis")
	heic     = set("heic heix hevc hevx heim heis hevm hevs")
	avif     = set("avif avis")
)

// tellISO tells pictures from films and sound. Films and sound are not told apart:
// their brands are the same.
func tellISO(head []byte, declared string) Verdict {
	brands := isoBrands(head)
	picture := len(brands) > 0 && pictures[brands[0]]
	if !strings.HasPrefix(declared, "image/") {
		return verdict(!picture)
	}
	if declared == "image/x-canon-cr3" {
		return verdict(len(brands) > 0 && brands[0] == "crx ")
	}
	var isHEIC, isAVIF bool
	for _, b := range brands {
		picture, isHEIC, isAVIF = picture || pictures[b], isHEIC || heic[b], isAVIF || avif[b]
	}
	switch {
	case strings.HasPrefix(declared, "image/avif") && isHEIC && !isAVIF,
		strings.HasPrefix(declared, "image/heic") && isAVIF && !isHEIC:
		return Contradicts
	}
	return verdict(picture)
}

// isoBrands returns the major brand and the compatible ones.
func isoBrands(head []byte) []string {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return nil
	}
	brands := []string{string(head[8:12])}
	size := min(int(binary.BigEndian.Uint32(head)), len(head))
	for i := 16; i+4 <= size; i += 4 {
		brands = append(brands, string(head[i:i+4]))
	}
	return brands
}
