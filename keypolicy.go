package postern

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/mediatype"
)

// KeyPolicy names the object of an upload. It is called after the authorizer and
// the rules, by many goroutines at once. Whatever it returns is checked: 1 to
// 1,024 bytes of UTF-8 without control characters, in segments of 1 to 255 bytes
// that are neither "." nor "..", without "${filename}".
type KeyPolicy interface {
	Key(ctx context.Context, u *Upload) (string, error)
}

// KeyFunc makes a [KeyPolicy] of a function. The file's name comes from the
// browser: use [Upload.Filename] for display, never as it is in a key.
type KeyFunc func(ctx context.Context, u *Upload) (string, error)

// Key calls f.
func (f KeyFunc) Key(ctx context.Context, u *Upload) (string, error) { return f(ctx, u) }

// KeyOption changes how a key policy writes tenants and subjects.
type KeyOption func(*principals)

// EncodePrincipals lets tenants and subjects be any text: a byte outside
// [A-Za-z0-9._@-] is written as "=" and two hexadecimal digits, and so are the
// dots of "." and "..". Two different values never become the same segment.
// Without it such values are refused with principal_invalid.
func EncodePrincipals() KeyOption {
	return func(p *principals) { p.encode = true }
}

// principals writes a tenant or a subject as a whole segment.
type principals struct{ encode bool }

var errPrincipal = errors.New("a tenant or subject in a key is not . or .. and has 1 to 255 of the characters A-Z a-z 0-9 . _ @ = -")

func (p principals) segment(value string) (string, error) {
	if p.encode {
		value = encodePrincipal(value)
	}
	if value == "" || value == "." || value == ".." || len(value) > maxSegment {
		return "", ErrPrincipalInvalid.WithCause(errPrincipal)
	}
	for i := range len(value) {
		if c := value[i]; c != '=' && !principalChar(c) {
			return "", ErrPrincipalInvalid.WithCause(errPrincipal)
		}
	}
	return value, nil
}

func principalChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '.' || c == '_' || c == '@' || c == '-'
}

func encodePrincipal(value string) string {
	dots := value == "." || value == ".."
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; principalChar(c) && !dots {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// KeyTemplate returns a policy that fills in a template such as
// "{tenant}/{date}/{uuid}{ext}".
//
//	{tenant}   the tenant, always a whole segment
//	{subject}  the subject, always a whole segment
//	{date}     the day of the request in UTC: 2026-02-28
//	{yyyy} {mm} {dd}  its parts
//	{uuid}     a random UUID, version 7 (RFC 9562): 74 random bits after the time
//	{ext}      the usual extension of the granted type with its dot, or nothing
//	{slug}     the file's name without extension in a-z, 0-9 and hyphens, or "file"
//	{path}     the folders in which the file was, as [Upload.Path] has them, between
//	           slashes and before another segment; without any it is left out with
//	           its slash: "{subject}/{path}/{uuid}{ext}"
//	{sha256}   the checksum in hexadecimal; without one the upload is refused
//	           with checksum_required
//
// Without {uuid} or {sha256} keys can be guessed, and one upload may replace
// another. A template that is wrong is a [ConfigError] of [New], a panic of
// [NameKey], and an error of Key.
func KeyTemplate(template string, opts ...KeyOption) KeyPolicy {
	t := &keyTemplate{}
	for _, opt := range opts {
		opt(&t.principals)
	}
	t.parts, t.err = parseTemplate(template)
	if t.err != nil {
		t.err = &ConfigError{Option: "KeyTemplate", Err: fmt.Errorf("%w: %q", t.err, template)}
	}
	return t
}

// TenantPrefix returns a policy that puts the tenant before the keys of another
// one: "acme/" and what policy says.
func TenantPrefix(policy KeyPolicy, opts ...KeyOption) KeyPolicy {
	p := &tenantPrefix{policy: policy}
	for _, opt := range opts {
		opt(&p.principals)
	}
	return p
}

type tenantPrefix struct {
	policy     KeyPolicy
	principals principals
}

func (p *tenantPrefix) Key(ctx context.Context, u *Upload) (string, error) {
	tenant, err := p.principals.segment(u.Tenant)
	if err != nil {
		return "", err
	}
	key, err := p.policy.Key(ctx, u)
	if err != nil {
		return "", err
	}
	return tenant + "/" + key, nil
}

var errNoPolicy = errors.New("a key policy is needed")

// checkPolicy finds what is wrong with a policy before it is used.
func checkPolicy(policy KeyPolicy) error {
	switch p := policy.(type) {
	case nil:
		return &ConfigError{Option: "KeyPolicy", Err: errNoPolicy}
	case KeyFunc:
		if p == nil {
			return &ConfigError{Option: "KeyFunc", Err: errNoPolicy}
		}
	case *keyTemplate:
		return p.err
	case *tenantPrefix:
		return checkPolicy(p.policy)
	}
	return nil
}

// defaultKeyPolicy is used where none is given: a random key, under the tenant
// if there is one.
var defaultKeyPolicy = KeyFunc(func(ctx context.Context, u *Upload) (string, error) {
	if u.Tenant != "" {
		return defaultTenantKey.Key(ctx, u)
	}
	return defaultKey.Key(ctx, u)
})

var (
	defaultTenantKey = KeyTemplate("{tenant}/{uuid}{ext}")
	defaultKey       = KeyTemplate("{uuid}{ext}")
)

// keyTemplate is a parsed template: literals and placeholders in turn.
type keyTemplate struct {
	parts      []templatePart
	principals principals
	err        error
}

type templatePart struct {
	literal     string
	placeholder string // without braces; "" for a literal
}

var (
	errTemplateEmpty       = errors.New("a template is not empty")
	errTemplatePlaceholder = errors.New("the placeholders are {tenant} {subject} {date} {yyyy} {mm} {dd} {uuid} {ext} {slug} {path} {sha256}")
	errTemplateBrace       = errors.New("a brace stands alone")
	errTemplateSegment     = errors.New("{tenant} and {subject} stand between slashes alone")
	errTemplatePath        = errors.New("{path} stands between slashes alone, and before another segment")
	errTemplateEmptyPart   = errors.New("every segment needs something that is never empty")
)

func parseTemplate(template string) ([]templatePart, error) {
	if template == "" {
		return nil, errTemplateEmpty
	}
	var parts []templatePart
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		if i > 0 {
			parts = append(parts, templatePart{literal: "/"})
		}
		if segment == "{path}" && i+1 < len(segments) {
			parts = append(parts, templatePart{placeholder: "path"})
			continue
		}
		own, err := parseSegment(segment)
		if err != nil {
			return nil, err
		}
		parts = append(parts, own...)
	}
	var shortestKey strings.Builder
	for _, part := range parts {
		shortestKey.WriteString(part.literal)
		shortestKey.WriteString(shortest[part.placeholder])
	}
	return parts, checkKey(shortestKey.String())
}

// shortest is the shortest text that each placeholder becomes.
var shortest = map[string]string{
	"tenant": "t", "subject": "s", "slug": "s", "ext": "", "path": "p",
	"date": "2006-01-02", "yyyy": "2006", "mm": "01", "dd": "02",
	"uuid": strings.Repeat("0", 36), "sha256": strings.Repeat("0", 64),
}

func parseSegment(segment string) (parts []templatePart, err error) {
	for rest := segment; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			open = len(rest)
		}
		if open > 0 {
			parts = append(parts, templatePart{literal: rest[:open]})
			rest = rest[open:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if rest[0] == '}' || end < 0 {
			return nil, errTemplateBrace
		}
		name := rest[1:end]
		if _, ok := shortest[name]; !ok {
			return nil, fmt.Errorf("%w, not {%s}", errTemplatePlaceholder, name)
		}
		if (name == "tenant" || name == "subject") && segment != rest[:end+1] {
			return nil, errTemplateSegment
		}
		if name == "path" {
			return nil, errTemplatePath
		}
		parts = append(parts, templatePart{placeholder: name})
		rest = rest[end+1:]
	}
	if len(parts) == 0 || len(parts) == 1 && parts[0].placeholder == "ext" {
		return nil, errTemplateEmptyPart
	}
	return parts, nil
}

// beginning is the text with which all keys begin.
func (t *keyTemplate) beginning() string {
	var b strings.Builder
	for _, part := range t.parts {
		if part.placeholder != "" {
			break
		}
		b.WriteString(part.literal)
	}
	return b.String()
}

// needs reports whether a template has a placeholder.
func (t *keyTemplate) needs(placeholder string) bool {
	return slices.ContainsFunc(t.parts, func(p templatePart) bool { return p.placeholder == placeholder })
}

func (t *keyTemplate) Key(_ context.Context, u *Upload) (string, error) {
	if t.err != nil {
		return "", t.err
	}
	var array [256]byte
	b := array[:0]
	for i, part := range t.parts {
		if part.placeholder == "" {
			if i > 0 && t.parts[i-1].placeholder == "path" && u.Path == "" {
				continue // its slash
			}
			b = append(b, part.literal...)
			continue
		}
		var err error
		if b, err = t.appendPlaceholder(b, part.placeholder, u); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

func (t *keyTemplate) appendPlaceholder(b []byte, name string, u *Upload) ([]byte, error) {
	switch name {
	case "tenant", "subject":
		value := u.Tenant
		if name == "subject" {
			value = u.Subject
		}
		segment, err := t.principals.segment(value)
		return append(b, segment...), err
	case "date":
		return u.Time().AppendFormat(b, "2006-01-02"), nil
	case "yyyy":
		return u.Time().AppendFormat(b, "2006"), nil
	case "mm":
		return u.Time().AppendFormat(b, "01"), nil
	case "dd":
		return u.Time().AppendFormat(b, "02"), nil
	case "uuid":
		return appendUUID(b, u)
	case "ext":
		t, _ := mediatype.Parse(u.Type)
		return append(b, mediatype.Extension(t.Essence)...), nil
	case "slug":
		return append(b, filename.Slug(u.Filename)...), nil
	case "path":
		return append(b, u.Path...), nil
	default: // sha256
		if u.SHA256 == nil {
			return nil, ErrChecksumRequired
		}
		return append(b, u.SHA256Hex()...), nil
	}
}

// appendUUID appends a UUID of version 7 (RFC 9562 §5.7): the time in milliseconds,
// then 74 random bits.
func appendUUID(b []byte, u *Upload) ([]byte, error) {
	var id [16]byte
	if err := u.readRandom(id[6:]); err != nil {
		return b, err
	}
	now := u.Time().UnixMilli()
	binary.BigEndian.PutUint16(id[:], uint16(now>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(now))
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:]), nil
}

const (
	maxKey     = 1024
	maxSegment = 255
)

var (
	errKeyLength  = errors.New("a key is 1 to 1024 bytes long")
	errKeyText    = errors.New("a key is UTF-8 without control characters")
	errKeySegment = errors.New("a segment of a key is not . or .. and is 1 to 255 bytes long")
	errKeyMagic   = errors.New("S3 replaces ${filename} in a key")
)

// checkKey holds every key to what all servers and browsers agree about.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return errKeyLength
	}
	if !utf8.ValidString(key) {
		return errKeyText
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] == 0x7f {
			return errKeyText
		}
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > maxSegment {
			return errKeySegment
		}
	}
	if hasFilenameVariable(key) {
		return errKeyMagic
	}
	return nil
}

// hasFilenameVariable reports whether S3 replaces a part of a form's field, so that it
// is no longer what was signed.
func hasFilenameVariable(field string) bool {
	return strings.Contains(field, "${") && strings.Contains(strings.ToLower(field), "${filename}")
}
