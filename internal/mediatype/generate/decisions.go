package main

import (
	"regexp"
	"strings"
)

// apart are names that the database takes for aliases and that stay types of
// their own, since they say more.
var apart = []string{
	"video/x-m4v",
	"image/heic image/heic-sequence image/heif-sequence image/avif-sequence",
	"audio/vorbis audio/speex",
	"text/vbscript",
}

// corrected are parents that are other ones than the database's: JSON is no
// program.
var corrected = map[string]string{"application/json": "text/plain"}

// keptNames stay the name although an alias is registered, which means payloads
// of RTP. So do the names of additions.
var keptNames = words("audio/x-vorbis+ogg audio/x-speex+ogg")

// wanted are types that are neither registered nor kin of another.
var wanted = words(`
	application/octet-stream
	application/x-7z-compressed application/x-bzip2 application/x-tar application/x-xz application/x-lzip
	application/x-lz4 application/x-lzma application/x-lha application/x-rpm application/x-cpio application/x-archive
	application/x-apple-diskimage application/x-cd-image application/x-blender application/x-hdf application/x-netcdf
	application/x-dvi application/x-bittorrent application/x-java-keystore application/x-x509-ca-cert application/x-pkcs12
	application/x-spss-sav application/x-gnumeric application/x-krita application/x-hwp application/x-dbf
	application/x-mobipocket-ebook application/x-mswrite application/x-qemu-disk application/x-vmdk-disk
	application/x-executable application/x-sharedlib application/x-object application/x-font-pcf
	application/x-font-bdf application/x-par2 application/x-stuffit application/x-ace application/x-arj
	application/x-python-bytecode application/x-navi-animation
	audio/x-aiff audio/aiff audio/x-ape audio/x-wavpack audio/x-musepack audio/wav audio/midi audio/x-it audio/x-mod
	audio/x-s3m audio/x-xm audio/x-dsf audio/x-tta audio/x-voc audio/x-caf audio/x-mpegurl audio/amr audio/flac
	image/x-canon-crw image/x-canon-cr3 image/x-fuji-raf image/x-minolta-mrw image/x-olympus-orf
	image/x-panasonic-rw image/x-panasonic-rw2 image/x-sigma-x3f image/x-exr image/x-dds image/x-icns image/x-pict
	image/x-portable-anymap image/x-tga image/x-xcf image/x-xbitmap image/x-xpixmap image/x-win-bitmap image/x-sgi
	image/x-photo-cd image/x-sun-raster image/x-ilbm image/x-jp2-codestream
	model/mtl model/stl model/obj
	video/webm audio/webm video/x-msvideo video/x-m4v video/x-flv video/x-mng video/x-flic video/dv
	video/x-ms-wmv video/x-ms-asf video/x-mjpeg
`)

// unwanted are formats of consoles, and of programs that nobody uploads from.
var unwanted = regexp.MustCompile(`[-.]rom$|x-thomson|x-nintendo|x-wii|x-doom|godot|x-amiga|x-mame|x-fds|gameboy|gamegear|genesis|x-sms|x-sg1000|x-gtktalog|` +
	`x-ipod|x-iriver|x-amzxml|x-planperfect|x-siag|vnd\.stardivision|vnd\.sun\.xml|x-applix|x-kexi|x-cisco|x-it87|x-ccmx|x-trash|x-partial-download|` +
	`x-tex-gf|x-tex-pk|x-gz|x-bz(dvi|pdf|postscript|eps)|x-xzpdf|x-lzpdf|-compressed-iso|x-cdrdao|x-nautilus|x-pyspread|x-magicpoint|x-markaby|x-toutdoux|x-font-(ttx|tex|type1)|` +
	`emusic|lotus-wordpro|youtube|squashfs|vnd\.snap|flatpak|xdgapp|symbian|unknown|x-minipsf|x-psf|x-mswinurl|x-uri|x-profile|` +
	`x-(arc|zoo|alz|dar|sv4|wais|tarz|tzo|qw|mif|oleo|pw|sc|slp|qtiplot|cue|ica|karbon|kchart|kformula|killustrator|kivio|kontour|kpovmodeler|kpresenter|kspread|kugar|kword|egon|e-theme|fluid)\b`)

type addition struct{ name, aliases, extensions, parents string }

// additions are, first of all, names that browsers and systems declare and that no database has
// (Windows' registry, Android's MimeTypeMap, Safari's uniform type identifiers),
// the extension that is written where several are known, and types that are
// newer than the database. An alias that the database has as a type of its own
// is taken into the row. Names that are not registered stand where browsers know
// no other: audio/wav for RFC 2361's audio/vnd.wave, and video/x-msvideo.
var additions = []addition{
	{"application/octet-stream", "binary/octet-stream application/binary application/x-binary application/x-octet-stream", "", ""},
	{"application/epub+zip", "application/x-epub+zip", ".epub", ""},
	{"application/gzip", "application/x-gzip application/x-gunzip application/gzipped application/gzip-compressed application/x-gzip-compressed", ".gz", ""},
	{"application/json", "application/x-json", ".json .map", ""},
	{"application/ld+json", "", ".jsonld", "application/json"},
	{"application/geo+json", "", ".geojson", ""},
	{"application/manifest+json", "", ".webmanifest", "application/json"},
	{"application/x-ndjson", "application/x-jsonlines application/jsonl application/x-jsonl application/jsonlines", ".ndjson .jsonl", "text/plain"},
	{"application/yaml", "application/x-yaml", ".yaml .yml", ""},
	{"application/msword", "application/doc application/winword application/x-winword", ".doc .rtf .wiz", ""},
	{"application/ogg", "application/x-ogg", ".ogx", ""},
	{"application/pdf", "application/vnd.pdf", ".pdf", ""},
	{"application/postscript", "application/ps application/eps application/x-eps", ".ps .eps .epsf .epsi", ""},
	{"image/x-eps", "image/eps", ".eps", ""},
	{"application/illustrator", "", ".ai", "application/pdf application/postscript"},
	{"application/rtf", "application/x-rtf application/richtext", ".rtf", ""},
	{"text/rtf", "", ".rtf", "application/rtf"},
	{"application/sql", "application/x-sql", ".sql", ""},
	{"application/toml", "application/x-toml", ".toml", ""},
	{"application/vnd.ms-excel", "application/xls application/x-xls application/excel application/x-excel", ".xls .csv .xlt .xla", "application/x-ole-storage"},
	{"application/vnd.ms-powerpoint", "application/ppt application/x-ppt application/x-powerpoint", ".ppt .pps .pot", "application/x-ole-storage"},
	{"application/vnd.ms-outlook", "application/x-outlook-msg application/msoutlook application/x-msg", ".msg", "application/x-ole-storage"},
	{"application/vnd.ms-project", "application/msproject application/x-msproject", ".mpp .mpt", "application/x-ole-storage"},
	{"application/x-mspublisher", "application/vnd.ms-publisher", ".pub", "application/x-ole-storage"},
	{"application/x-msi", "application/x-windows-installer application/x-ms-installer", ".msi", ""},
	{"application/onenote", "application/msonenote", ".one", ""},
	{"application/vnd.ms-powerpoint.addin.macroenabled.12", "", "", "application/zip"},
	{"application/vnd.apache.parquet", "application/x-parquet application/parquet", ".parquet", ""},
	{"application/vnd.apache.arrow.file", "", ".arrow .feather", ""},
	{"application/vnd.sqlite3", "", ".sqlite .sqlite3 .db .db3", ""},
	{"application/vnd.rar", "application/x-rar application/x-rar-compressed application/rar", ".rar", ""},
	{"application/x-bzip2", "application/x-bzip application/bzip2 application/bzip", ".bz2", ""},
	{"application/x-tar", "application/tar", ".tar", ""},
	{"application/x-xz", "application/xz", ".xz", ""},
	{"application/x-7z-compressed", "application/x-7zip application/7z application/x-7z", ".7z", ""},
	{"application/x-compressed-tar", "application/x-tgz application/tgz", ".tgz", ""},
	{"application/zip", "application/x-zip application/x-zip-compressed", ".zip", ""},
	{"application/zstd", "application/x-zstd", ".zst", ""},
	{"application/vnd.microsoft.portable-executable", "application/x-ms-dos-executable application/x-msdownload application/x-msdos-program application/x-dosexec application/x-exe application/exe application/dos-exe", ".exe .dll .com .scr .sys .efi", ""},
	{"application/x-mach-binary", "application/x-mach-executable", ".dylib", ""},
	{"application/x-shellscript", "application/x-sh text/x-sh text/x-shellscript", ".sh .bash", ""},
	{"application/x-bat", "application/bat application/x-msdos-batch", ".bat .cmd", "text/plain"},
	{"application/x-powershell", "", ".ps1 .psm1 .psd1", "text/plain"},
	{"application/x-perl", "text/x-perl", ".pl .pm", ""},
	{"application/x-ruby", "text/x-ruby", ".rb", ""},
	{"application/x-php", "application/x-httpd-php application/x-httpd-php-source text/x-php text/php application/php", ".php", ""},
	{"text/x-python", "text/x-python3 text/x-script.python", ".py", ""},
	{"text/x-r", "text/x-r-source", ".r", "text/plain"},
	{"text/x-log", "", ".log", "text/plain"},
	{"text/x-go", "", ".go", "text/plain"},
	{"text/x-typescript", "application/typescript application/x-typescript text/typescript", ".tsx .mts .cts", "text/plain"},
	{"text/x-vue", "", ".vue", "text/plain"},
	{"text/x-kotlin", "", ".kt .kts", "text/plain"},
	{"text/x-swift", "", ".swift", "text/plain"},
	{"text/prs.fallenstein.rst", "text/x-rst", ".rst", "text/plain"},
	{"text/x-tex", "application/x-tex application/x-latex text/x-latex", ".tex .latex .ltx", ""},
	{"text/x-bibtex", "application/x-bibtex", ".bib", ""},
	{"text/x-ini", "application/x-wine-extension-ini", ".ini .cfg .conf .properties .env", "text/plain"},
	{"application/x-pem-file", "", ".pem", "text/plain"},
	{"application/x-pkcs12", "", ".p12 .pfx", ""},
	{"application/pkcs12", "application/x-pkcs12", ".p12 .pfx", ""},
	{"application/x-ipynb+json", "", ".ipynb", ""},
	{"application/vnd.google-earth.kmz", "", ".kmz", ""},
	{"model/vnd.usdz+zip", "", ".usdz", "application/zip"},
	{"application/vnd.sketch", "application/x-sketch", ".sketch", "application/zip"},
	{"application/vnd.apple.mpegurl", "application/x-mpegurl", ".m3u8 .m3u", "text/plain"},
	{"application/dash+xml", "", ".mpd", "application/xml"},
	{"application/x-subrip", "text/srt text/x-srt text/x-subrip application/srt", ".srt", ""},
	{"application/x-ass", "text/x-ssa text/x-ass", ".ass .ssa", "text/plain"},
	{"application/dicom", "image/dicom", ".dcm", ""},
	{"application/x-hdf", "application/x-hdf5 application/vnd.hdfgroup.hdf5", ".h5 .hdf5", ""},
	{"application/vnd.ms-fontobject", "application/x-font-eot font/eot", ".eot", ""},

	{"audio/aac", "audio/x-aac audio/aacp audio/x-hx-aac-adts audio/vnd.dlna.adts audio/x-adts", ".aac .adts", ""},
	{"audio/aiff", "audio/x-aiff", ".aiff .aif", ""},
	{"audio/amr", "audio/x-amr audio/amr-nb", ".amr", ""},
	{"audio/basic", "audio/x-basic", ".au .snd", ""},
	{"audio/flac", "audio/x-flac", ".flac", ""},
	{"audio/midi", "audio/mid audio/x-mid audio/x-midi audio/sp-midi", ".mid .midi", ""},
	{"audio/mp4", "audio/m4a audio/x-m4a audio/x-mp4 audio/mp4a-latm audio/x-mp4a", ".m4a .mp4 .f4a", ""},
	{"audio/mpeg", "audio/mp3 audio/x-mp3 audio/x-mpeg audio/mpeg3 audio/x-mpeg-3 audio/x-mpeg3 audio/mpg audio/x-mpg audio/x-mpegaudio", ".mp3 .mpga", ""},
	{"audio/mp2", "audio/x-mp2", ".mp2", ""},
	{"audio/ogg", "audio/x-ogg", ".oga .ogg", ""},
	{"audio/opus", "audio/x-opus+ogg audio/x-opus", ".opus", ""},
	{"audio/wav", "audio/x-wav audio/wave audio/x-wave audio/x-pn-wav audio/vnd.wave", ".wav", ""},
	{"audio/webm", "audio/x-webm", ".weba .webm", "video/webm"},
	{"audio/matroska", "audio/x-matroska", ".mka", ""},
	{"audio/3gpp", "audio/x-3gpp audio/3gp", ".3gp .3gpp", "video/3gpp"},
	{"audio/3gpp2", "audio/3g2", ".3g2", "video/3gpp2"},
	{"audio/x-caf", "audio/caf", ".caf", ""},
	{"audio/x-ms-wma", "", ".wma", "video/x-ms-asf"},

	{"font/otf", "application/x-font-otf application/x-font-opentype application/font-otf application/vnd.ms-opentype font/opentype font/x-otf", ".otf", ""},
	{"font/ttf", "application/x-font-ttf application/x-font-truetype application/font-ttf application/x-truetype-font font/truetype font/x-ttf font/x-truetype", ".ttf", ""},
	{"font/sfnt", "application/font-sfnt application/x-font-sfnt", "", ""},
	{"font/collection", "application/x-font-collection", ".ttc .otc", ""},
	{"font/woff", "application/font-woff application/x-font-woff", ".woff", ""},
	{"font/woff2", "application/font-woff2 application/x-font-woff2", ".woff2", ""},

	{"image/apng", "image/vnd.mozilla.apng", ".apng .png", "image/png"},
	{"image/avif", "", ".avif", ""},
	{"image/avif-sequence", "", ".avifs", ""},
	{"image/bmp", "image/x-bmp image/x-ms-bmp image/x-windows-bmp image/ms-bmp", ".bmp .dib", ""},
	{"image/gif", "image/x-gif", ".gif", ""},
	{"image/heic", "image/x-heic", ".heic .hif", ""},
	{"image/heic-sequence", "", ".heics", ""},
	{"image/heif", "image/x-heif", ".heif .heic .hif", ""},
	{"image/heif-sequence", "", ".heifs", ""},
	{"image/jpeg", "image/jpg image/pjpeg image/pjpg image/x-jpeg image/x-jpg image/jfif", ".jpg .jpeg .jpe .jfif .pjpeg .pjp", ""},
	{"image/jxl", "image/x-jxl", ".jxl", ""},
	{"image/jxr", "image/vnd.ms-photo", ".jxr .wdp .hdp", ""},
	{"image/jp2", "image/x-jp2 image/jpeg2000", ".jp2", ""},
	{"image/png", "image/x-png", ".png", ""},
	{"image/tiff", "image/tif image/x-tiff image/x-tif", ".tiff .tif", ""},
	{"image/vnd.adobe.photoshop", "", ".psd .psb", ""},
	{"image/vnd.microsoft.icon", "image/x-icon image/ico image/icon image/x-ico", ".ico", ""},
	{"image/webp", "image/x-webp", ".webp", ""},
	{"image/x-adobe-dng", "image/dng image/x-dng", ".dng", ""},
	{"image/x-canon-cr2", "image/cr2 image/x-cr2", ".cr2", ""},
	{"image/x-canon-cr3", "image/cr3 image/x-cr3", ".cr3", ""},
	{"image/x-nikon-nef", "image/nef image/x-nef", ".nef", ""},
	{"image/x-sony-arw", "image/arw image/x-arw", ".arw", ""},
	{"image/vnd.radiance", "image/x-hdr", ".hdr", ""},
	{"image/x-exr", "", ".exr", ""},
	{"image/emf", "", ".emf", ""},
	{"image/wmf", "windows/metafile", ".wmf", ""},

	{"model/gltf+json", "", ".gltf", ""},
	{"model/gltf-binary", "", ".glb", ""},
	{"model/obj", "", ".obj", ""},
	{"model/stl", "application/sla application/vnd.ms-pki.stl application/x-navistyle model/x.stl-ascii model/x.stl-binary", ".stl", ""},
	{"model/step", "application/step", ".step .stp", "text/plain"},
	{"model/ply", "application/ply", ".ply", ""},

	{"text/calendar", "text/ics application/x-ical", ".ics", ""},
	{"text/csv", "text/comma-separated-values text/x-comma-separated-values text/x-csv application/csv application/x-csv", ".csv", ""},
	{"text/markdown", "text/x-markdown text/x-web-markdown text/md application/x-markdown", ".md .markdown", ""},
	{"text/plain", "text/x-plain", ".txt .text .asc", ""},
	{"text/tab-separated-values", "text/tsv text/x-tsv", ".tsv", ""},
	{"text/vcard", "text/x-vcard text/directory", ".vcf", ""},
	{"text/vtt", "text/webvtt", ".vtt", "text/plain"},
	{"text/javascript", "application/javascript", ".js .mjs .cjs", "text/plain"},
	{"text/css", "", ".css", ""},
	{"text/html", "", ".html .htm", ""},
	{"text/xml", "", ".xml", "text/plain"},
	{"application/xml", "", ".xml", ""},
	{"application/xhtml+xml", "", ".xhtml .xht", "application/xml"},
	{"application/hta", "", ".hta", "text/plain"},
	{"application/wasm", "", ".wasm", ""},
	{"application/x-shockwave-flash", "application/vnd.adobe.flash.movie", ".swf", ""},
	{"application/java-archive", "application/x-java-archive", ".jar .war .ear", ""},
	{"application/x-chrome-extension", "", ".crx", ""},

	{"video/3gpp", "video/3gp video/x-3gpp", ".3gp .3gpp", ""},
	{"video/3gpp2", "video/3g2", ".3g2", ""},
	{"video/mp2t", "video/vnd.dlna.mpeg-tts video/x-mp2t video/mpeg-ts", ".ts .m2ts .mts .m2t", ""},
	{"video/mp4", "video/x-mp4 video/mp4v-es", ".mp4 .m4v", ""},
	{"video/x-m4v", "video/m4v", ".m4v", "video/mp4"},
	{"video/mpeg", "video/mpg video/x-mpg video/mpeg2", ".mpeg .mpg", ""},
	{"video/ogg", "video/x-ogg", ".ogv", ""},
	{"video/quicktime", "video/x-quicktime video/mov", ".mov .qt", ""},
	{"video/webm", "video/x-webm", ".webm", ""},
	{"video/matroska", "video/x-matroska", ".mkv", ""},
	{"video/matroska-3d", "video/x-matroska-3d", ".mk3d", ""},
	{"video/x-msvideo", "video/avi video/msvideo video/x-avi video/vnd.avi", ".avi", ""},
	{"video/x-ms-asf", "application/vnd.ms-asf video/asf video/x-ms-asf-plugin video/x-ms-wm", ".asf", ""},
	{"video/x-ms-wmv", "video/wmv", ".wmv", "video/x-ms-asf"},
}

// owner decides between types that share an extension. Where people mean the
// media file or the plain text far more often, that one has it.
var owner = map[string]string{
	".3g2":      "video/3gpp2",
	".3gp":      "video/3gpp",
	".3gpp":     "video/3gpp",
	".appimage": "application/vnd.appimage",
	".asc":      "text/plain",
	".asf":      "video/x-ms-asf",
	".ass":      "application/x-ass",
	".c":        "text/x-csrc",
	".csv":      "text/csv",
	".djv":      "image/vnd.djvu",
	".djvu":     "image/vnd.djvu",
	".dot":      "application/msword-template",
	".eps":      "image/x-eps",
	".epsf":     "image/x-eps",
	".epsi":     "image/x-eps",
	".gpg":      "application/pgp-encrypted",
	".heic":     "image/heic",
	".hif":      "image/heif",
	".htm":      "text/html",
	".html":     "text/html",
	".json":     "application/json",
	".key":      "application/vnd.apple.keynote",
	".m":        "text/x-objcsrc",
	".m3u":      "application/vnd.apple.mpegurl",
	".m3u8":     "application/vnd.apple.mpegurl",
	".m4v":      "video/x-m4v",
	".mm":       "text/x-objc++src",
	".mod":      "audio/x-mod",
	".mp4":      "video/mp4",
	".mpl":      "video/mp2t",
	".mpp":      "application/vnd.ms-project",
	".mts":      "video/mp2t",
	".oga":      "audio/ogg",
	".ogg":      "audio/ogg",
	".opus":     "audio/opus",
	".otc":      "font/collection",
	".otf":      "font/otf",
	".pdb":      "application/vnd.palm",
	".pem":      "application/x-x509-ca-cert",
	".pgp":      "application/pgp-encrypted",
	".pm":       "application/x-perl",
	".png":      "image/png",
	".pot":      "application/vnd.ms-powerpoint",
	".prc":      "application/x-mobipocket-ebook",
	".rtf":      "application/rtf",
	".service":  "text/x-systemd-unit",
	".smi":      "application/x-sami",
	".spx":      "audio/x-speex+ogg",
	".sub":      "text/x-microdvd",
	".t":        "text/troff",
	".ts":       "video/mp2t",
	".ui":       "application/x-designer",
	".vst":      "application/vnd.visio",
	".webm":     "video/webm",
	".wks":      "application/vnd.lotus-1-2-3",
	".xml":      "application/xml",
}

// decided are the aliases of additions.
var decided = func() map[string]bool {
	set := map[string]bool{}
	for _, a := range additions {
		for alias := range words(a.aliases) {
			set[alias] = true
		}
	}
	return set
}()

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}
