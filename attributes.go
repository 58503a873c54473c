package postern

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-go/postern/internal/object"
)

// Attributes are what the server stores with an object. Each one that is set is
// signed into the grant, so that the browser can neither change nor omit it. With
// [WithPromotion] the ACL, the language, the lock, the storage class, the tags and the
// website redirect are set once the upload is verified.
type Attributes struct {
	// ACL is a canned ACL such as "public-read". Leave it empty where ACLs are
	// disabled, as they are in new buckets: S3 then refuses any.
	ACL string
	// CacheControl is the object's Cache-Control header.
	CacheControl string
	// ContentEncoding is the object's Content-Encoding header.
	ContentEncoding string
	// ContentLanguage is the object's Content-Language header, such as "de" or "de, en".
	// It needs [WithPromotion], since forms have no such field.
	ContentLanguage string
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
	// 2 KiB in all.
	Metadata map[string]string
	// WebsiteRedirect is where a bucket that is a website redirects requests for
	// the object: a path or an http or https URL.
	WebsiteRedirect string
	// ObjectLock keeps the object from being deleted or replaced. It needs
	// [WithPromotion], and a bucket with Object Lock.
	ObjectLock ObjectLock
}

// ObjectLock is S3's Object Lock of an object ("Locking objects with Object Lock"). The
// zero value leaves it to the bucket.
type ObjectLock struct {
	// Mode is "GOVERNANCE" or "COMPLIANCE", and holds until RetainUntil, which is later
	// than the ticket's end. S3 counts in whole seconds.
	Mode        string
	RetainUntil time.Time
	// LegalHold holds until somebody takes it away.
	LegalHold bool
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
	errLock           = errors.New("an Object Lock is GOVERNANCE or COMPLIANCE until a time after the ticket's end")
	errLate           = errors.New("a Content-Language and an Object Lock are set by promotion: they need WithPromotion")
	errReplace        = errors.New("to replace an object needs WithPromotion, and a provider that honours If-Match on CompleteMultipartUpload")
	errTags           = errors.New("there are at most 10 tags, with keys of 1 to 128 and values of at most 256 letters, digits, spaces and + - = . _ : / @")
	errMetadata       = errors.New("metadata has names in lower case letters, digits and hyphens that do not begin with postern-, values in printable ASCII, and 2048 bytes at most")
	errAttributeValue = errors.New("an attribute is printable ASCII")
)

// values returns the attributes in the form of the table, which shares the maps.
func (a *Attributes) values() object.Attributes {
	v := object.Attributes{Tags: a.Tags, Metadata: a.Metadata}
	v.Values[object.ACL] = a.ACL
	v.Values[object.CacheControl] = a.CacheControl
	v.Values[object.ContentEncoding] = a.ContentEncoding
	v.Values[object.ContentLanguage] = a.ContentLanguage
	v.Values[object.ContentDisposition] = string(a.Disposition)
	v.Values[object.StorageClass] = a.StorageClass
	v.Values[object.Encryption] = a.Encryption.Algorithm
	v.Values[object.KMSKeyID] = a.Encryption.KMSKeyID
	v.Values[object.WebsiteRedirect] = a.WebsiteRedirect
	if a.Encryption.BucketKey {
		v.Values[object.BucketKey] = "true"
	}
	v.Values[object.LockMode] = a.ObjectLock.Mode
	if !a.ObjectLock.RetainUntil.IsZero() {
		v.Values[object.LockUntil] = a.ObjectLock.RetainUntil.UTC().Format(time.RFC3339)
	}
	if a.ObjectLock.LegalHold {
		v.Values[object.LegalHold] = "ON"
	}
	return v
}

// checkAttributes finds what S3 would refuse, or read otherwise.
func checkAttributes(a *object.Attributes) error {
	for k, v := range a.Values {
		if !printableASCII(v) {
			return fmt.Errorf("%w: %s is %q", errAttributeValue, object.Attribute(k), v)
		}
	}
	switch kind := Disposition(a.Values[object.ContentDisposition]); kind {
	case "", Attachment, Inline, NoDisposition:
	default:
		return fmt.Errorf("%w, not %q", errDisposition, kind)
	}
	switch algorithm := a.Values[object.Encryption]; algorithm {
	case "", "AES256":
		if a.Values[object.KMSKeyID] != "" || a.Values[object.BucketKey] != "" {
			return fmt.Errorf("%w, not %q with a key", errEncryption, algorithm)
		}
	case "aws:kms", "aws:kms:dsse":
	default:
		return fmt.Errorf("%w, not %q", errEncryption, algorithm)
	}
	switch mode, until := a.Values[object.LockMode], a.Values[object.LockUntil]; mode {
	case "", "GOVERNANCE", "COMPLIANCE":
		if (mode == "") != (until == "") {
			return fmt.Errorf("%w, not %q until %q", errLock, mode, until)
		}
	default:
		return fmt.Errorf("%w, not %q", errLock, mode)
	}
	if len(a.Tags) > maxTags {
		return fmt.Errorf("%w, not %d", errTags, len(a.Tags))
	}
	for k, v := range a.Tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue || !tagText(k) || !tagText(v) {
			return fmt.Errorf("%w, not %q: %q", errTags, k, v)
		}
	}
	return checkMetadata(a.Metadata)
}

// checkLate finds what promotion could not set.
func (i *Issuer) checkLate(a *object.Attributes, now time.Time) error {
	if a.Late() && i.config.staging == "" {
		return errLate
	}
	if until := a.Values[object.LockUntil]; until != "" && until <= now.Add(i.config.ticketLifetime).UTC().Format(time.RFC3339) {
		return fmt.Errorf("%w, not until %s", errLock, until)
	}
	return nil
}

func checkMetadata(metadata map[string]string) error {
	total := 0
	for name, value := range metadata {
		if !metadataName(name) || strings.HasPrefix(name, object.Reserved) ||
			value == "" || !printableASCII(value) || strings.TrimSpace(value) != value {
			return fmt.Errorf("%w, not %q: %q", errMetadata, name, value)
		}
		total += len(name) + len(value)
	}
	if total > maxMetadata {
		return fmt.Errorf("%w, not %d", errMetadata, total)
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
