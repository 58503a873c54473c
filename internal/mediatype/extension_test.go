package mediatype

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryNameInTheTableIsAType(t *testing.T) {
	for _, row := range database {
		require.True(t, valid(row.name), row.name)
		require.Equal(t, row.name, Canonical(row.name), "a name is no alias of another")
		for _, ext := range strings.Fields(row.extensions) {
			require.Regexp(t, `^\.[a-z0-9]+$`, ext)
			require.Contains(t, byExtension, ext)
		}
	}
	for ext, name := range owners {
		require.True(t, HasExtension(name, ext), ext)
	}
}

func TestEveryOtherNameHasOneRegisteredName(t *testing.T) {
	seen := map[string]string{}
	for _, row := range database {
		for _, alias := range strings.Fields(row.aliases) {
			require.Empty(t, seen[alias], alias)
			seen[alias] = row.name
			require.False(t, Active(alias), alias)
			require.False(t, Active(row.name), row.name)
		}
	}
}

// The extensions that keys have had, which must stay as they are.
func TestExtension(t *testing.T) {
	for essence, want := range map[string]string{
		"application/epub+zip": ".epub", "application/gzip": ".gz", "application/json": ".json", "application/ld+json": ".jsonld",
		"application/geo+json": ".geojson", "application/msword": ".doc", "application/ogg": ".ogx", "application/pdf": ".pdf",
		"application/postscript": ".ps", "application/rtf": ".rtf", "application/sql": ".sql", "application/vnd.ms-excel": ".xls",
		"application/vnd.ms-outlook": ".msg", "application/vnd.ms-powerpoint": ".ppt",
		"application/vnd.oasis.opendocument.presentation":                           ".odp",
		"application/vnd.oasis.opendocument.spreadsheet":                            ".ods",
		"application/vnd.oasis.opendocument.text":                                   ".odt",
		"application/vnd.apache.parquet":                                            ".parquet",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
		"application/vnd.rar": ".rar", "application/x-7z-compressed": ".7z", "application/x-bzip2": ".bz2", "application/x-tar": ".tar",
		"application/zip": ".zip", "application/zstd": ".zst", "audio/aac": ".aac", "audio/flac": ".flac", "audio/midi": ".mid",
		"audio/mp4": ".m4a", "audio/mpeg": ".mp3", "audio/ogg": ".oga", "audio/opus": ".opus", "audio/wav": ".wav", "audio/webm": ".weba",
		"font/otf": ".otf", "font/ttf": ".ttf", "font/woff": ".woff", "font/woff2": ".woff2", "image/apng": ".apng", "image/avif": ".avif",
		"image/bmp": ".bmp", "image/gif": ".gif", "image/heic": ".heic", "image/heif": ".heif", "image/jpeg": ".jpg", "image/jxl": ".jxl",
		"image/png": ".png", "image/svg+xml": ".svg", "image/tiff": ".tiff", "image/vnd.adobe.photoshop": ".psd",
		"image/vnd.microsoft.icon": ".ico", "image/webp": ".webp", "model/gltf+json": ".gltf", "model/gltf-binary": ".glb",
		"model/obj": ".obj", "model/stl": ".stl", "text/calendar": ".ics", "text/css": ".css", "text/csv": ".csv", "text/html": ".html",
		"text/javascript": ".js", "text/markdown": ".md", "text/plain": ".txt", "text/tab-separated-values": ".tsv", "text/vcard": ".vcf",
		"text/vtt": ".vtt", "text/xml": ".xml", "application/xml": ".xml", "video/3gpp": ".3gp", "video/mp2t": ".ts", "video/mp4": ".mp4",
		"video/mpeg": ".mpeg", "video/ogg": ".ogv", "video/quicktime": ".mov", "video/webm": ".webm", "video/matroska": ".mkv",
		"video/x-msvideo": ".avi", "video/x-m4v": ".m4v", "application/vnd.ms-excel.sheet.macroenabled.12": ".xlsm",
		OctetStream: "", "application/x-unheard-of": "",
	} {
		require.Equal(t, want, Extension(essence), essence)
	}
}

func TestCanonical(t *testing.T) {
	for alias, want := range map[string]string{
		"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "image/x-icon": "image/vnd.microsoft.icon",
		"audio/mp3": "audio/mpeg", "audio/x-m4a": "audio/mp4", "audio/x-wav": "audio/wav", "audio/vnd.wave": "audio/wav",
		"audio/x-flac": "audio/flac", "audio/vnd.dlna.adts": "audio/aac", "video/x-matroska": "video/matroska",
		"video/vnd.dlna.mpeg-tts": "video/mp2t", "video/avi": "video/x-msvideo", "application/x-zip-compressed": "application/zip",
		"application/x-gzip": "application/gzip", "application/x-rar-compressed": "application/vnd.rar",
		"text/x-csv": "text/csv", "text/comma-separated-values": "text/csv", "text/x-markdown": "text/markdown", "text/x-vcard": "text/vcard",
		"application/x-font-ttf": "font/ttf", "application/font-woff": "font/woff", "application/x-pdf": "application/pdf",
		"binary/octet-stream": OctetStream,
		"video/x-m4v":         "video/x-m4v", "image/heic": "image/heic", "application/x-javascript": "application/x-javascript", "text/xml": "text/xml",
	} {
		require.Equal(t, want, Canonical(alias), alias)
	}
}

func TestByExtension(t *testing.T) {
	for name, want := range map[string]string{
		"photo.HEIC": "image/heic", "a.b.Jpeg": "image/jpeg", "page.html": "text/html", "report.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"table.csv": "text/csv", "song.mp3": "audio/mpeg", "backup.tar.gz": "application/gzip", "font.otf": "font/otf", "film.mkv": "video/matroska",
		"setup.exe": "application/vnd.microsoft.portable-executable", "noextension": "", ".": "", "": "", "a.nosuch": "",
	} {
		require.Equal(t, want, ByExtension(name), name)
	}
}

func TestIs(t *testing.T) {
	for _, tc := range []struct{ essence, parent string }{
		{"application/epub+zip", "application/zip"},
		{"application/vnd.ms-excel.sheet.macroenabled.12", "application/zip"},
		{"application/vnd.android.package-archive", "application/java-archive"},
		{"image/x-nikon-nef", "image/tiff"},
		{"text/csv", "text/plain"},
		{"application/geo+json", "text/plain"},
		{"application/vnd.ms-outlook", "application/x-ole-storage"},
		{"image/never-heard-of", "image/never-heard-of"},
	} {
		require.True(t, Is(tc.essence, tc.parent), tc)
		require.Equal(t, tc.essence == tc.parent, Is(tc.parent, tc.essence), tc)
	}
}

func FuzzByExtension(f *testing.F) {
	for _, s := range []string{"a.png", "photo.HEIC", ".", "a.b.c", "x.\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if essence := ByExtension(name); essence != "" {
			require.True(t, valid(essence))
			require.True(t, HasExtension(essence, name[strings.LastIndexByte(name, '.'):]))
		}
	})
}

// TestTypesThatThePageJudgesHaveNoOtherMeaning has the types that client/src/accept.js
// refuses by itself: of the same list, in its own tests.
func TestTypesThatThePageJudgesHaveNoOtherMeaning(t *testing.T) {
	text, err := os.ReadFile("testdata/one-name.json")
	require.NoError(t, err)
	var names []string
	require.NoError(t, json.Unmarshal(text, &names))
	require.NotEmpty(t, names)
	for _, name := range names {
		require.Equal(t, name, Canonical(name), "the server takes it for another")
	}
}
