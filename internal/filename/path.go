package filename

import "strings"

const (
	maxPath     = 512 // bytes of a cleaned path
	maxSegments = 32
	maxPathRead = 16 << 10 // what is looked at
)

// CleanPath returns the folders of a path as [Clean] makes them of each, with slashes
// between them: without "." and ".." and those of which nothing is left, and without
// "${", which S3 would replace in a key. What is deeper than 32 folders or 512 bytes is
// left out.
func CleanPath(path string) string {
	if len(path) > maxPathRead {
		path = path[:maxPathRead]
	}
	var b strings.Builder
	segments := 0
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		segment = strings.ReplaceAll(Clean(segment), "${", "_{")
		if segment == "" {
			continue
		}
		if segments++; segments > maxSegments || b.Len()+1+len(segment) > maxPath {
			break
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(segment)
	}
	return b.String()
}
