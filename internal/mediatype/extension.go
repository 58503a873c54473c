package mediatype

import (
	"path"
	"slices"
	"strings"
)

//go:generate go run ./generate -iana ${MIME_DB}

// kind is what the database knows of a type.
type kind struct {
	extensions []string // with their dots, the preferred one first
	parents    []string
}

// kinds has the rows of the database by name, aliases the names of their other
// names, and byExtension the names by file name extension. They are fixed: the
// system's own would give the same upload another key on another machine.
var kinds, aliases, byExtension = index()

func index() (map[string]kind, map[string]string, map[string]string) {
	kinds, aliases, byExtension := map[string]kind{}, map[string]string{}, map[string]string{}
	for _, row := range database {
		k := kind{strings.Fields(row.extensions), strings.Fields(row.parents)}
		kinds[row.name] = k
		for _, alias := range strings.Fields(row.aliases) {
			aliases[alias] = row.name
		}
		for _, ext := range k.extensions {
			byExtension[ext] = row.name
		}
	}
	for ext, name := range owners {
		byExtension[ext] = name
	}
	return kinds, aliases, byExtension
}

// Canonical returns the registered name of an essence that is another name of
// it, such as image/jpeg for image/jpg, and any other essence as it is. It never
// makes an active type of an inert one, nor the reverse.
func Canonical(essence string) string {
	if name, ok := aliases[essence]; ok {
		return name
	}
	return essence
}

// Extension returns the usual file name extension of a type, with its dot, or
// "".
func Extension(essence string) string {
	if extensions := kinds[essence].extensions; len(extensions) > 0 {
		return extensions[0]
	}
	return ""
}

// HasExtension reports whether files of a type may have the extension, which
// begins with its dot, in any case.
func HasExtension(essence, ext string) bool {
	return slices.Contains(kinds[essence].extensions, strings.ToLower(ext))
}

// ByExtension returns the type that the extension of a file name stands for, or
// "". It may be an active one.
func ByExtension(filename string) string {
	return byExtension[strings.ToLower(path.Ext(filename))]
}

// Is reports whether every file of a type is one of another as well: an EPUB is
// a ZIP archive, and CSV is plain text. A type is itself.
func Is(essence, parent string) bool {
	return essence == parent || slices.ContainsFunc(kinds[essence].parents, func(p string) bool { return Is(p, parent) })
}
