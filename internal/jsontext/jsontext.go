// Package jsontext appends JSON.
package jsontext

import "unicode/utf8"

// plainJSON marks the bytes that stand in a JSON string as they are: ASCII but
// for control characters and what JSON or HTML gives a meaning.
var plainJSON = func() (set [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		switch c {
		case '"', '\\', '<', '>', '&':
		default:
			set[c] = true
		}
	}
	return set
}()

// AppendString appends s as a JSON string that is also safe inside HTML.
// What is not UTF-8 becomes U+FFFD.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := plainLength(s); i < len(s); i += plainLength(s[i:]) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[start:i]...)
				b = append(b, `\ufffd`...)
				start = i + size
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// plainLength is how far s stands in a JSON string as it is. It looks at eight
// bytes at a time, since the policy and the ticket of a grant are long.
func plainLength(s string) (n int) {
	for n+8 <= len(s) {
		c := s[n : n+8]
		if !(plainJSON[c[0]] && plainJSON[c[1]] && plainJSON[c[2]] && plainJSON[c[3]] &&
			plainJSON[c[4]] && plainJSON[c[5]] && plainJSON[c[6]] && plainJSON[c[7]]) {
			break
		}
		n += 8
	}
	for n < len(s) && plainJSON[s[n]] {
		n++
	}
	return n
}
