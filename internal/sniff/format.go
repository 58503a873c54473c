package sniff

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

// format is a signature: what files of some types begin with.
type format struct {
	essence string // what the bytes are called where nothing more is known
	types   string // the types whose files may begin so; those of which one is a parent, too
	match   func(head []byte) bool
	text    bool                                       // the bytes may be text to the eye
	tell    func(head []byte, declared string) Verdict // looks closer, within a container
}

// prefix matches one of several beginnings.
func prefix(magics ...string) func([]byte) bool { return at(0, magics...) }

// at matches one of several strings at an offset in bytes.
func at(offset int, magics ...string) func([]byte) bool {
	return func(head []byte) bool {
		if len(head) < offset {
			return false
		}
		return slices.ContainsFunc(magics, func(m string) bool { return bytes.HasPrefix(head[offset:], []byte(m)) })
	}
}

func both(a, b func([]byte) bool) func([]byte) bool {
	return func(head []byte) bool { return a(head) && b(head) }
}

func either(a, b func([]byte) bool) func([]byte) bool {
	return func(head []byte) bool { return a(head) || b(head) }
}

// formats are the signatures, as the formats' own specifications have them; the
// weak ones come last.
var formats = []*format{
	{essence: "image/png", match: prefix("\x89PNG\r\n\x1a\n"), types: "image/png image/vnd.microsoft.icon"},
	{essence: "image/jpeg", match: prefix("\xff\xd8\xff"), types: "image/jpeg image/vnd.microsoft.icon"},
	{essence: "image/gif", match: prefix("GIF87a", "GIF89a"), types: "image/gif image/vnd.microsoft.icon"},
	{essence: "image/webp", match: both(prefix("RIFF"), at(8, "WEBP")), types: "image/webp"},
	{essence: "image/bmp", match: isBMP, types: "image/bmp image/vnd.microsoft.icon"},
	{essence: "image/tiff", match: prefix("II*\x00", "MM\x00*", "II+\x00", "MM\x00+"), types: "image/tiff image/x-dcraw"},
	{essence: "image/x-dcraw", match: prefix("IIU\x00", "IIRO", "IIRS", "MMOR", "FUJIFILMCCD-RAW", "\x00MRM", "FOVb", "II\x1a\x00\x00\x00HEAP", "IIII"), types: "image/x-dcraw"},
	{essence: "image/vnd.adobe.photoshop", match: prefix("8BPS"), types: "image/vnd.adobe.photoshop"},
	{essence: "image/x-xcf", match: prefix("gimp xcf"), types: "image/x-xcf"},
	{essence: "image/jp2", match: prefix("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"), types: "image/jp2 image/jpx image/jpm image/jph video/mj2 image/x-jp2-codestream"},
	{essence: "image/jxl", match: prefix("\xff\x0a", "\x00\x00\x00\x0cJXL "), types: "image/jxl"},
	{essence: "image/jxr", match: prefix("II\xbc"), types: "image/jxr"},
	{essence: "image/vnd.djvu", match: prefix("AT&TFORM"), types: "image/vnd.djvu"},
	{essence: "image/x-exr", match: prefix("\x76\x2f\x31\x01"), types: "image/x-exr"},
	{essence: "image/x-icns", match: prefix("icns"), types: "image/x-icns"},
	{essence: "image/vnd.microsoft.icon", match: isIcon, types: "image/vnd.microsoft.icon image/x-win-bitmap"},
	{essence: "image/x-portable-anymap", match: isPNM, types: "image/x-portable-anymap", text: true},
	{essence: "image/vnd.dwg", match: prefix("AC10"), types: "image/vnd.dwg"},

	{essence: pdf, match: isPDF, types: "application/pdf application/postscript", text: true},
	{essence: "application/postscript", match: prefix("%!", "\x04%!", "\xc5\xd0\xd3\xc6"), types: "application/postscript", text: true},
	{essence: "application/rtf", match: prefix(`{\rtf`), types: "application/rtf text/rtf application/msword", text: true},
	{essence: "application/x-ole-storage", match: prefix("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), types: ole},
	{essence: "application/vnd.ms-excel", match: prefix("\x09\x00\x04\x00", "\x09\x02\x06\x00", "\x09\x04\x06\x00", "\x09\x08\x08\x00", "\x09\x08\x10\x00"), types: "application/vnd.ms-excel"},
	{essence: "application/zip", match: prefix("PK\x03\x04", "PK\x05\x06", "PK\x07\x08"), types: zip, tell: tellZIP},
	{essence: "application/gzip", match: prefix("\x1f\x8b"), types: "application/gzip application/x-tar application/x-gnumeric application/x-abiword application/x-dia-diagram application/x-blender image/emf image/wmf"},
	{essence: "application/x-bzip2", match: prefix("BZh"), types: "application/x-bzip2 application/x-tar"},
	{essence: "application/x-xz", match: prefix("\xfd7zXZ\x00"), types: "application/x-xz application/x-tar"},
	{essence: "application/zstd", match: either(prefix("\x28\xb5\x2f\xfd"), at(1, "\x2a\x4d\x18")), types: "application/zstd application/x-tar application/x-blender"},
	{essence: "application/x-lz4", match: prefix("\x04\x22\x4d\x18"), types: "application/x-lz4"},
	{essence: "application/x-lzip", match: prefix("LZIP"), types: "application/x-lzip"},
	{essence: "application/x-7z-compressed", match: prefix("7z\xbc\xaf\x27\x1c"), types: "application/x-7z-compressed"},
	{essence: "application/vnd.rar", match: prefix("Rar!\x1a\x07"), types: "application/vnd.rar"},
	{essence: "application/x-tar", match: at(257, "ustar"), types: "application/x-tar"},
	{essence: "application/vnd.ms-cab-compressed", match: prefix("MSCF"), types: "application/vnd.ms-cab-compressed"},
	{essence: "application/x-archive", match: prefix("!<arch>"), types: "application/x-archive application/vnd.debian.binary-package"},
	{essence: "application/x-rpm", match: prefix("\xed\xab\xee\xdb"), types: "application/x-rpm"},
	{essence: "application/vnd.sqlite3", match: prefix("SQLite format 3\x00"), types: "application/vnd.sqlite3"},
	{essence: "application/vnd.apache.parquet", match: prefix("PAR1", "PARE"), types: "application/vnd.apache.parquet"},
	{essence: "application/x-hdf", match: prefix("\x89HDF\r\n\x1a\n", "\x0e\x03\x13\x01"), types: "application/x-hdf application/x-netcdf"},
	{essence: "model/gltf-binary", match: prefix("glTF"), types: "model/gltf-binary"},

	{essence: "font/sfnt", match: prefix("\x00\x01\x00\x00", "true\x00", "OTTO", "ttcf"), types: "font/ttf font/otf font/collection font/sfnt"},
	{essence: "font/woff", match: prefix("wOFF"), types: "font/woff"},
	{essence: "font/woff2", match: prefix("wOF2"), types: "font/woff2"},

	{essence: "video/mp4", match: at(4, "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp"), types: isoMedia, tell: tellISO},
	{essence: "video/matroska", match: prefix("\x1a\x45\xdf\xa3"), types: "video/webm audio/webm video/matroska audio/matroska video/matroska-3d"},
	{essence: "application/ogg", match: prefix("OggS"), types: "application/ogg audio/ogg video/ogg audio/opus audio/vorbis audio/speex audio/flac"},
	{essence: "audio/wav", match: both(prefix("RIFF", "RIFX", "RF64", "BW64"), at(8, "WAVE")), types: "audio/wav audio/mpeg"},
	{essence: "video/x-msvideo", match: both(prefix("RIFF"), at(8, "AVI ", "AVIX")), types: "video/x-msvideo"},
	{essence: "audio/midi", match: either(prefix("MThd"), both(prefix("RIFF"), at(8, "RMID"))), types: "audio/midi"},
	{essence: "application/x-navi-animation", match: both(prefix("RIFF"), at(8, "ACON")), types: "application/x-navi-animation"},
	{essence: "audio/flac", match: prefix("fLaC"), types: "audio/flac"},
	{essence: "audio/aiff", match: both(prefix("FORM"), at(8, "AIFF", "AIFC")), types: "audio/aiff audio/x-aifc"},
	{essence: "audio/amr", match: prefix("#!AMR"), types: "audio/amr audio/amr-wb audio/3gpp video/3gpp", text: true},
	{essence: "audio/x-caf", match: prefix("caff"), types: "audio/x-caf"},
	{essence: "audio/x-ape", match: prefix("MAC "), types: "audio/x-ape"},
	{essence: "audio/x-wavpack", match: prefix("wvpk"), types: "audio/x-wavpack"},
	{essence: "video/x-ms-asf", match: prefix("\x30\x26\xb2\x75\x8e\x66\xcf\x11"), types: "video/x-ms-asf audio/x-ms-wma"},
	{essence: "video/x-flv", match: prefix("FLV\x01"), types: "video/x-flv"},
	{essence: "video/mpeg", match: prefix("\x00\x00\x01\xba", "\x00\x00\x01\xb3"), types: "video/mpeg"},
	{essence: "audio/mpeg", match: prefix("ID3"), types: "audio/mpeg audio/mp2 audio/aac audio/flac audio/aiff"},

	{essence: "video/mp2t", match: isTransportStream, types: "video/mp2t video/mpeg"},
	{essence: "audio/mpeg", match: isMPEGAudio, types: "audio/mpeg audio/mp2 audio/aac"},
	// Texts that systems give the name of the program that opens them (CSV with
	// Excel), or of a format with the same extension: TypeScript (.ts), public keys
	// for SSH (.pub), private keys (.key).
	{essence: "text/plain", match: isText, text: true, types: "application/vnd.ms-excel application/msword video/mp2t application/x-mspublisher application/vnd.apple.keynote"},
}

const pdf = "application/pdf"

// OLE holds Microsoft's documents before 2007, and those after it that have a
// password.
const ole = `application/x-ole-storage application/x-hwp application/haansofthwp
	application/vnd.openxmlformats-officedocument.wordprocessingml.document application/vnd.openxmlformats-officedocument.wordprocessingml.template
	application/vnd.openxmlformats-officedocument.spreadsheetml.sheet application/vnd.openxmlformats-officedocument.spreadsheetml.template
	application/vnd.openxmlformats-officedocument.presentationml.presentation application/vnd.openxmlformats-officedocument.presentationml.slideshow
	application/vnd.openxmlformats-officedocument.presentationml.template`

// The names of Microsoft's older documents are given to the newer ones, too.
const zip = "application/zip application/msword application/vnd.ms-excel application/vnd.ms-powerpoint application/vnd.visio application/x-krita"

const isoMedia = `video/mp4 video/quicktime video/x-m4v video/3gpp video/3gpp2 audio/mp4 audio/3gpp audio/3gpp2 audio/aac audio/mpeg
	image/heic image/heic-sequence image/heif image/heif-sequence image/avif image/avif-sequence image/x-canon-cr3`

// unmarked are types whose files need not begin with a signature: a stream may
// begin anywhere, an old archive has none, and every camera has its own.
var unmarked = set(`audio/mpeg audio/mp2 audio/aac video/mpeg video/mp2t video/quicktime application/x-tar
	application/x-blender application/x-gnumeric application/x-abiword application/x-hdf application/x-netcdf application/x-hwp application/x-krita
	application/vnd.ms-excel application/msword
	image/emf image/wmf
	image/x-adobe-dng image/x-canon-crw image/x-canon-cr2 image/x-canon-cr3 image/x-fuji-raf image/x-kodak-dcr image/x-kodak-k25 image/x-kodak-kdc
	image/x-minolta-mrw image/x-nikon-nef image/x-nikon-nrw image/x-olympus-orf image/x-panasonic-rw image/x-panasonic-rw2 image/x-pentax-pef
	image/x-sigma-x3f image/x-sony-srf image/x-sony-sr2 image/x-sony-arw`)

// byType has the formats of each type in their lists.
var byType = func() map[string][]*format {
	m := map[string][]*format{}
	for _, f := range formats {
		for _, t := range strings.Fields(f.types) {
			m[t] = append(m[t], f)
		}
	}
	return m
}()

// formatsOf returns what files of a type may begin with.
func formatsOf(declared string) []*format {
	expected := slices.Clone(byType[declared])
	if strings.HasSuffix(declared, "+zip") {
		expected = append(expected, byType["application/zip"]...)
	}
	for _, t := range slices.Sorted(maps.Keys(byType)) {
		if t != declared && mediatype.Is(declared, t) {
			expected = append(expected, byType[t]...)
		}
	}
	return expected
}

// identify returns the format whose signature the bytes have, or nil. A text is
// none of the binary ones, although some of their signatures are letters: it may be
// a script in disguise.
func identify(head []byte) *format {
	text := isText(head)
	for _, f := range formats {
		if (!text || f.text) && f.match(head) {
			return f
		}
	}
	return nil
}

// isBMP looks at the reserved fields as well, for two letters are few.
func isBMP(head []byte) bool {
	return len(head) >= 18 && string(head[:2]) == "BM" && string(head[6:10]) == "\x00\x00\x00\x00" && head[15] == 0 && head[16] == 0 && head[17] == 0
}

// isIcon looks at the number of pictures, too.
func isIcon(head []byte) bool {
	return len(head) >= 22 && (string(head[:4]) == "\x00\x00\x01\x00" || string(head[:4]) == "\x00\x00\x02\x00") && head[4] > 0 && head[5] == 0
}

func isPNM(head []byte) bool {
	return len(head) > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && strings.IndexByte(" \t\r\n#", head[2]) >= 0
}

// isPDF finds the header in the first 1,024 bytes, as readers do.
func isPDF(head []byte) bool { return bytes.Contains(head[:min(1024, len(head))], []byte("%PDF-")) }

// isTransportStream finds the first packets, of 188 bytes, or of 192 with a time
// code before each.
func isTransportStream(head []byte) bool {
	sync := func(first, size int) bool {
		if len(head) <= first+2*size {
			return false
		}
		return head[first] == 0x47 && head[first+size] == 0x47 && head[first+2*size] == 0x47
	}
	return sync(0, 188) || sync(4, 192)
}

// isMPEGAudio recognizes the header of a frame of MP3 or AAC (ISO/IEC 11172-3
// §2.4.1.3, ISO/IEC 13818-7 §6.2).
func isMPEGAudio(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	h := binary.BigEndian.Uint32(head)
	adts := h>>16&0xfff6 == 0xfff0
	mp3 := h>>21 == 0x7ff && h>>19&3 != 1 && h>>17&3 != 0 && h>>12&15 != 15 && h>>10&3 != 3
	return adts || mp3
}
