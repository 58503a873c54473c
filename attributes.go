package postern

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/sigv4"
)

// Attributes are what the server stores with an object. Each one that is set is
// signed into the grant, so that the browser can neither change nor omit it.
type Attributes struct {
	// ACL is a canned ACL such as "public-read". Leave it empty where ACLs are
	// disabled, as they are in new buckets: S3 then refuses any.
	ACL string
	// CacheControl is the object's Cache-Control header.
	CacheControl string
	// ContentEncoding is the object's Content-Encoding header.
	ContentEncoding string
	// Disposition says how browsers present the object: as an attachment unless
	// said otherwise.
	Disposition Disposition
	// StorageClass is one of S3's storage classes, such as "STANDARD_IA".
	StorageClass string
	// Encryption is the server-side encryption.
	Encryption Encryption
	// Tags are at most 10; keys of at most 128 and values of at most 256
	// characters: letters, digits, spaces and + - = . _ : / @.
	Tags map[string]string
	// Metadata is user metadata: names in lower case letters, digits and
	// hyphens, not beginning with "postern-", values in printable ASCII, at most
	// 2 KB in all.
	Metadata map[string]string
	// WebsiteRedirect is where a bucket that is a website redirects requests for
	// the object: a path or an http or https URL.
	WebsiteRedirect string
}

// Disposition says how browsers present an object that they open.
type Disposition string

// The dispositions. Attachment is the default: what was uploaded is downloaded,
// under the name it had, and not shown. Inline shows it, with that name.
// NoDisposition stores none.
const (
	Attachment    Disposition = "attachment"
	Inline        Disposition = "inline"
	NoDisposition Disposition = "none"
)

// Encryption is the server-side encryption of an object. The zero value leaves
// it to the bucket.
type Encryption struct {
	// Algorithm is "AES256", "aws:kms" or "aws:kms:dsse".
	Algorithm string
	// KMSKeyID is the id or ARN of the KMS key; empty means Amazon's own.
	KMSKeyID string
	// BucketKey asks for S3's bucket keys, which call KMS less often.
	BucketKey bool
}

// Limits of S3 on metadata ("Working with object metadata") and on tags
// ("Categorizing your objects using tags").
const (
	maxMetadata = 2 << 10
	maxTags     = 10
	maxTagKey   = 128
	maxTagValue = 256
)

var (
	errDisposition    = errors.New("the disposition is attachment, inline or none")
	errEncryption     = errors.New("the encryption is AES256, aws:kms or aws:kms:dsse, and only the latter two have a key")
	errTags           = errors.New("there are at most 10 tags, with keys of 1 to 128 and values of at most 256 letters, digits, spaces and + - = . _ : / @")
	errMetadata       = errors.New("metadata has names in lower case letters, digits and hyphens that do not begin with postern-, values in printable ASCII, and 2048 bytes at most")
	errAttributeValue = errors.New("an attribute is printable ASCII")
)

func (a *Attributes) check() error {
	for _, v := range [...]string{a.ACL, a.CacheControl, a.ContentEncoding, a.StorageClass, a.Encryption.KMSKeyID, a.WebsiteRedirect} {
		if !printableASCII(v) {
			return fmt.Errorf("%w: %q", errAttributeValue, v)
		}
	}
	switch a.Disposition {
	case "", Attachment, Inline, NoDisposition:
	default:
		return fmt.Errorf("%w: %q", errDisposition, a.Disposition)
	}
	switch a.Encryption.Algorithm {
	case "", "AES256":
		if a.Encryption.KMSKeyID != "" || a.Encryption.BucketKey {
			return errEncryption
		}
	case "aws:kms", "aws:kms:dsse":
	default:
		return errEncryption
	}
	if len(a.Tags) > maxTags {
		return errTags
	}
	for k, v := range a.Tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue || !tagText(k) || !tagText(v) {
			return errTags
		}
	}
	return checkMetadata(a.Metadata)
}

// reservedMetadata begins the names that grants seal themselves.
const reservedMetadata = "postern-"

func checkMetadata(metadata map[string]string) error {
	total := 0
	for name, value := range metadata {
		if !metadataName(name) || strings.HasPrefix(name, reservedMetadata) ||
			value == "" || !printableASCII(value) || strings.TrimSpace(value) != value {
			return errMetadata
		}
		total += len(name) + len(value)
	}
	if total > maxMetadata {
		return errMetadata
	}
	return nil
}

func metadataName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// tagText reports whether s is made of what S3 allows in tags.
func tagText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != ' ' && !strings.ContainsRune("+-=._:/@", r)
	})
}

// over returns a with what is empty taken from base; maps are merged.
func (a Attributes) over(base *Attributes) Attributes {
	for _, f := range [...]struct{ own, base *string }{
		{&a.ACL, &base.ACL},
		{&a.CacheControl, &base.CacheControl},
		{&a.ContentEncoding, &base.ContentEncoding},
		{(*string)(&a.Disposition), (*string)(&base.Disposition)},
		{&a.StorageClass, &base.StorageClass},
		{&a.WebsiteRedirect, &base.WebsiteRedirect},
	} {
		if *f.own == "" {
			*f.own = *f.base
		}
	}
	if a.Encryption == (Encryption{}) {
		a.Encryption = base.Encryption
	}
	a.Tags = merge(base.Tags, a.Tags)
	a.Metadata = merge(base.Metadata, a.Metadata)
	return a
}

func merge(base, over map[string]string) map[string]string {
	switch {
	case len(over) == 0:
		return base
	case len(base) == 0:
		return over
	}
	merged := maps.Clone(base)
	maps.Copy(merged, over)
	return merged
}

// disposition returns the Content-Disposition header for a file name, or "".
func (a *Attributes) disposition(name string) string {
	switch a.Disposition {
	case NoDisposition:
		return ""
	case Inline:
		return filename.Disposition("inline", name)
	default:
		return filename.Disposition("attachment", name)
	}
}

// appendConditions appends the attributes in the order in which S3 documents
// them.
func (a *Attributes) appendConditions(to []sigv4.Condition, name string) []sigv4.Condition {
	set := func(field, value string) {
		if value != "" {
			to = append(to, sigv4.Exact(field, value))
		}
	}
	set("acl", a.ACL)
	set("Cache-Control", a.CacheControl)
	set("Content-Disposition", a.disposition(name))
	set("Content-Encoding", a.ContentEncoding)
	set("tagging", tagging(a.Tags))
	set("x-amz-storage-class", a.StorageClass)
	set("x-amz-website-redirect-location", a.WebsiteRedirect)
	set("x-amz-server-side-encryption", a.Encryption.Algorithm)
	set("x-amz-server-side-encryption-aws-kms-key-id", a.Encryption.KMSKeyID)
	if a.Encryption.BucketKey {
		set("x-amz-server-side-encryption-bucket-key-enabled", "true")
	}
	for _, name := range sortedKeys(a.Metadata) {
		to = append(to, sigv4.Exact(metaPrefix+name, a.Metadata[name]))
	}
	return to
}

// tagging is the XML that a form has in its field of that name ("S3 API: POST
// Object").
func tagging(tags map[string]string) string {
	if len(tags) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<Tagging><TagSet>")
	for _, key := range sortedKeys(tags) {
		b.WriteString("<Tag><Key>")
		_ = xml.EscapeText(&b, []byte(key))
		b.WriteString("</Key><Value>")
		_ = xml.EscapeText(&b, []byte(tags[key]))
		b.WriteString("</Value></Tag>")
	}
	b.WriteString("</TagSet></Tagging>")
	return b.String()
}

func sortedKeys(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
