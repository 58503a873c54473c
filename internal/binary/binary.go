// Package binary is the encoding of a ticket's content: positional, integers as
// varints, strings and maps with their length.
package binary

import (
	"encoding/binary"
	"maps"
	"slices"
)

// AppendText appends a string.
func AppendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendInt appends an integer.
func AppendInt(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendMap appends a map, in the order of its keys.
func AppendMap(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	if len(m) == 0 {
		return b
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = AppendText(AppendText(b, k), m[k])
	}
	return b
}

// Reader takes an encoding apart. After a failure it returns zeros. The zero
// Reader has nothing to read.
type Reader struct {
	rest   []byte
	failed bool
}

// NewReader returns a Reader of b, which it does not keep any part of.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Done reports whether all was read, and nothing was missing.
func (r *Reader) Done() bool { return !r.failed && len(r.rest) == 0 }

// More reports whether there is more to read.
func (r *Reader) More() bool { return len(r.rest) > 0 }

// Bytes fills b.
func (r *Reader) Bytes(b []byte) { copy(b, r.take(len(b))) }

// Byte returns the next byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool returns a boolean: what is not 1 is false.
func (r *Reader) Bool() bool { return r.Byte() == 1 }

// Int returns an integer.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

// Text returns a string.
func (r *Reader) Text() string { return string(r.take(r.length())) }

// Map returns a map; nil for one without entries.
func (r *Reader) Map() map[string]string {
	n := r.length()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for range n {
		if r.failed {
			return nil
		}
		k := r.Text()
		m[k] = r.Text()
	}
	return m
}

func (r *Reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *Reader) length() int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(len(r.rest)) {
		n, v = -1, 0
	}
	r.take(n)
	return int(v)
}
