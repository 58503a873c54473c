package sigv4

// unreserved marks the bytes that Signature Version 4 leaves as they are
// (RFC 3986 §2.3).
var unreserved = func() (set [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" {
		set[c] = true
	}
	return set
}()

const upperHex = "0123456789ABCDEF"

// appendEscaped appends s with every byte escaped that is not unreserved, nor,
// in a path, a slash.
func appendEscaped(dst []byte, s string, path bool) []byte {
	start := 0
	for i := range len(s) {
		c := s[i]
		if unreserved[c] || path && c == '/' {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// EscapePath escapes a path as it stands in a presigned URL: every byte but
// letters, digits, "-", ".", "_", "~" and the slash.
func EscapePath(path string) string {
	for i := range len(path) {
		if !unreserved[path[i]] && path[i] != '/' {
			return string(appendEscaped(make([]byte, 0, len(path)+32), path, true))
		}
	}
	return path
}

// compareEscaped orders parameters by escaped name, then by escaped value.
func compareEscaped(a, b Field) int {
	if c := compareEscapedString(a.Name, b.Name); c != 0 {
		return c
	}
	return compareEscapedString(a.Value, b.Value)
}

// compareEscapedString compares two strings as if both were escaped: at the
// first byte that differs, an escaped one stands as its percent sign, and two
// escaped ones stand in the order of their bytes, as their digits do.
func compareEscapedString(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x == y:
			continue
		case unreserved[x] == unreserved[y]:
			return int(x) - int(y)
		case unreserved[x]:
			return 1 // '%' sorts before every unreserved byte
		default:
			return -1
		}
	}
	return len(a) - len(b)
}

// appendNames appends the names of the signed headers.
func appendNames(dst []byte, header []Field, separator string) []byte {
	for i := range header {
		if i > 0 {
			dst = append(dst, separator...)
		}
		dst = append(dst, header[i].Name...)
	}
	return dst
}
