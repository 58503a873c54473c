package sigv4

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Policy is what an upload by form must satisfy. S3 refuses a form that has a
// field without a condition, or that fails one ("S3 API: POST Policy").
type Policy struct {
	// Expires is when S3 stops to accept the policy; fractions of a second are
	// cut. S3 looks at it when the request starts.
	Expires time.Time
	// Conditions are written in this order. Bucket and key are needed.
	Conditions []Condition
}

// Condition is one line of a policy: [Exact], [StartsWith] or
// [ContentLengthRange].
type Condition struct {
	kind     kind
	field    string
	value    string
	min, max int64
}

type kind uint8

const (
	exact kind = iota + 1
	startsWith
	contentLengthRange
)

// Exact asks that a form field has this value. The value becomes a field of the
// signed [Form], but for "bucket", which S3 reads from the request's address.
//
// Field names are spelled as S3 documents them: key, acl, bucket, Content-Type,
// Content-Disposition, Content-Encoding, Cache-Control, Expires,
// success_action_status, success_action_redirect, tagging, x-amz-meta-*,
// x-amz-storage-class, x-amz-server-side-encryption*, x-amz-checksum-*,
// x-amz-website-redirect-location.
func Exact(field, value string) Condition {
	return Condition{kind: exact, field: field, value: value}
}

// StartsWith asks that a form field begins with prefix; the empty prefix admits
// any value. The browser's form adds the field itself.
func StartsWith(field, prefix string) Condition {
	return Condition{kind: startsWith, field: field, value: prefix}
}

// ContentLengthRange bounds the file's size in bytes, both ends included.
func ContentLengthRange(min, max int64) Condition {
	return Condition{kind: contentLengthRange, min: min, max: max}
}

// Field is a name and a value: a field of a form, a header, or a parameter of a
// query.
type Field struct {
	Name, Value string
}

// Form is the fields of a signed policy, in the order in which to send them. The
// file comes after them, in a field named "file": S3 ignores what follows it.
type Form []Field

// Get returns the value of the field with this name, or "".
func (f Form) Get(name string) string {
	for _, field := range f {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// SignPost signs a policy at a time and returns the fields that go with it: the
// exact conditions in the policy's order, then x-amz-algorithm,
// x-amz-credential, x-amz-date, x-amz-security-token if there is one, policy and
// x-amz-signature.
//
// The error wraps [ErrCredentials], [ErrExpiry], [ErrField] or [ErrValue].
func (s *Signer) SignPost(creds Credentials, now time.Time, p Policy) (Form, error) {
	if !p.Expires.After(now) {
		return nil, fmt.Errorf("%w: the policy expires before it is signed", ErrExpiry)
	}
	fields, err := p.check()
	if err != nil {
		return nil, err
	}

	date := newTimestamp(now)
	key, err := s.keys.get(creds, s.region, date.day())
	if err != nil {
		return nil, err
	}
	sc := key.scratch.get()
	defer key.scratch.put(sc)

	// One buffer holds the document, its base64, the signature and the date; all
	// strings of the form are cut from one copy of it.
	b, err := p.appendJSON(sc.buf[:0], key, date)
	if err != nil {
		return nil, err
	}
	document := len(b)
	b = base64.StdEncoding.AppendEncode(b, b)
	encoded := len(b)
	b = sc.appendSignature(b, b[document:])
	b = append(b, date[:]...)
	sc.buf = b

	tail := string(b[document:])
	policy, tail := tail[:encoded-document], tail[encoded-document:]
	signature, amzDate := tail[:64], tail[64:]

	fields += 5 // those of the signature
	if creds.SessionToken != "" {
		fields++
	}
	form := make(Form, 0, fields)
	for i := range p.Conditions {
		if c := &p.Conditions[i]; c.kind == exact && c.field != "bucket" {
			form = append(form, Field{c.field, c.value})
		}
	}
	form = append(form,
		Field{"x-amz-algorithm", algorithm},
		Field{"x-amz-credential", key.credential},
		Field{"x-amz-date", amzDate})
	if creds.SessionToken != "" {
		form = append(form, Field{"x-amz-security-token", creds.SessionToken})
	}
	return append(form, Field{"policy", policy}, Field{"x-amz-signature", signature}), nil
}

// check looks at every condition but its text, which appendJSON does, and counts
// the fields of the form.
func (p *Policy) check() (fields int, err error) {
	var bucket, key bool
	for i := range p.Conditions {
		c := &p.Conditions[i]
		if c.kind == contentLengthRange {
			if c.min < 0 || c.max < c.min {
				return 0, fmt.Errorf("%w: content-length-range %d to %d", ErrValue, c.min, c.max)
			}
			continue
		}
		if c.kind == 0 || !documented(c.field) {
			return 0, fmt.Errorf("%w: %q", ErrField, c.field)
		}
		for j := range i {
			if p.Conditions[j].field == c.field {
				return 0, fmt.Errorf("%w: %s stands twice", ErrField, c.field)
			}
		}
		key = key || c.field == "key"
		switch {
		case c.kind != exact:
		case c.field == "bucket":
			bucket = true
		default:
			fields++
		}
	}
	if !bucket || !key {
		return 0, fmt.Errorf("%w: a policy needs an exact bucket, and a key", ErrField)
	}
	return fields, nil
}

// documented reports whether S3 documents the field for POST and the Signer
// does not write it itself.
func documented(name string) bool {
	switch name {
	case "key", "acl", "bucket", "Content-Type", "Content-Disposition", "Content-Encoding",
		"Cache-Control", "Expires", "success_action_status", "success_action_redirect", "tagging",
		"x-amz-storage-class", "x-amz-website-redirect-location":
		return true
	}
	for _, prefix := range [...]string{"x-amz-meta-", "x-amz-server-side-encryption", "x-amz-checksum-"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return plainName(rest) || rest == "" && prefix == "x-amz-server-side-encryption"
		}
	}
	return false
}

// plainName reports whether s is made of what the names of S3's fields, headers
// and methods are made of, none of which needs escaping anywhere.
func plainName(s string) bool {
	for i := range len(s) {
		if !unreserved[s[i]] {
			return false
		}
	}
	return s != ""
}

// appendJSON appends the document. Each text is checked while it is written, so
// that it is read once.
func (p *Policy) appendJSON(dst []byte, key *signingKey, date timestamp) ([]byte, error) {
	dst = append(dst, `{"expiration":"`...)
	dst = appendISO8601(dst, p.Expires)
	dst = append(dst, `","conditions":[`...)
	for i := range p.Conditions {
		var ok bool
		if dst, ok = p.Conditions[i].appendJSON(dst); !ok {
			return nil, fmt.Errorf("%w: %s", ErrValue, p.Conditions[i].field)
		}
	}
	dst = append(dst, `{"x-amz-algorithm":"`+algorithm+`"},{"x-amz-credential":"`...)
	dst = append(dst, key.inPolicy...)
	dst = append(dst, `"},{"x-amz-date":"`...)
	dst = append(dst, date[:]...)
	if key.tokenInPolicy != "" {
		dst = append(dst, `"},{"x-amz-security-token":"`...)
		dst = append(dst, key.tokenInPolicy...)
	}
	return append(dst, `"}]}`...), nil
}

// appendJSON appends one condition and a comma, and reports whether its value is
// text.
func (c *Condition) appendJSON(dst []byte) (_ []byte, ok bool) {
	switch c.kind {
	case contentLengthRange:
		dst = append(dst, `["content-length-range",`...)
		dst = strconv.AppendInt(dst, c.min, 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, c.max, 10)
		return append(dst, `],`...), true
	case startsWith:
		dst = append(dst, `["starts-with","$`...)
		dst = append(dst, c.field...)
		dst = append(dst, `","`...)
		dst, ok = appendText(dst, c.value)
		return append(dst, `"],`...), ok
	default:
		dst = append(dst, `{"`...)
		dst = append(dst, c.field...)
		dst = append(dst, `":"`...)
		dst, ok = appendText(dst, c.value)
		return append(dst, `"},`...), ok
	}
}

// appendText appends what stands between the quotes of s as a JSON string of
// ASCII alone, and reports whether s is text: UTF-8 without control characters. A
// dollar sign becomes \u0024: S3 documents the escape \$, which is no JSON and
// which other servers refuse, and a bare one may be read as a variable.
func appendText(dst []byte, s string) (_ []byte, ok bool) {
	ok = true
	for start := 0; ; {
		i := start
		for i < len(s) && plain[s[i]] {
			i++
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			return dst, ok
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			ok = false
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, high), low)
		default:
			dst = appendEscape(dst, r)
		}
		start = i + size
	}
}

// plain marks the bytes that stand in a policy as they are.
var plain = func() (set [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		set[c] = c != '"' && c != '\\' && c != '$'
	}
	return set
}()

func appendEscape(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
