package postern

import (
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/sniff"
	"github.com/postern-go/postern/internal/store"
)

// identify tells whether an object is the ticket's upload, by the id that its
// grant sealed. An object of another id is a duplicate if it is certain to have
// the same bytes and the same owner; anything else is a conflict.
func identify(t *ticketData, object *store.Object) (duplicate bool, err error) {
	metadata := object.Header.Metadata
	if metadata[metadataID] == t.id {
		return false, nil
	}
	if t.sha256 != nil && metadata[metadataOwner] == owner(t.tenant, t.subject) {
		return true, nil
	}
	return false, ErrObjectConflict
}

// verify holds an object that no grant can change any more against what was
// granted.
func (i *Issuer) verify(ctx context.Context, t *ticketData, object *store.Object, duplicate bool) error {
	if err := t.checkSize(object.Size); err != nil {
		return err
	}
	if !mediatype.Same(object.Header.Type, t.typ) {
		return ErrTypeMismatch
	}
	if !t.sameHeader(&object.Header, duplicate) {
		return ErrAttributesMismatch
	}
	if t.sha256 != nil {
		if err := i.verifyChecksum(ctx, t, object); err != nil {
			return err
		}
	}
	if i.config.sniff && object.Size > 0 {
		return i.verifyContent(ctx, t, object)
	}
	return nil
}

func (t *ticketData) checkSize(size int64) error {
	if size < t.least || size > t.most {
		return ErrSizeMismatch
	}
	return nil
}

// sameHeader compares what is stored with what was granted. S3 does not tell the
// ACL and the values of tags, tells their number only to who may read them, and a
// KMS key by its ARN. Scanners for malware add tags of their own.
func (t *ticketData) sameHeader(stored *store.Header, duplicate bool) bool {
	want := t.header()
	class := func(s string) string {
		if s == "" {
			return "STANDARD"
		}
		return s
	}
	metadata := stored.Metadata
	if duplicate {
		// The name and the browser's metadata are those of the first upload.
		metadata, want.ContentDisposition = want.Metadata, stored.ContentDisposition
	}
	return (stored.CacheControl == want.CacheControl || want.CacheControl == "" && t.byBrowser(stored.CacheControl)) &&
		stored.ContentDisposition == want.ContentDisposition &&
		stored.ContentEncoding == want.ContentEncoding &&
		stored.ContentLanguage == want.ContentLanguage &&
		stored.Expires == want.Expires &&
		class(stored.StorageClass) == class(want.StorageClass) &&
		stored.WebsiteRedirect == want.WebsiteRedirect &&
		(want.Encryption == "" || stored.Encryption == want.Encryption) &&
		(want.KMSKeyID == "" || sameKMSKey(stored.KMSKeyID, want.KMSKeyID)) &&
		(stored.TagCount == 0 || stored.TagCount >= want.TagCount) &&
		maps.Equal(metadata, want.Metadata)
}

// byBrowser reports whether a Cache-Control that nobody asked for is what browsers
// add to a PUT by themselves because it has If-None-Match (Fetch Standard §4.6; the
// second is Chromium's). It only asks caches to look again.
func (t *ticketData) byBrowser(cacheControl string) bool {
	return t.mode == ModePut && (cacheControl == "no-cache" || cacheControl == "max-age=0")
}

func sameKMSKey(stored, want string) bool {
	return stored == want || strings.HasSuffix(stored, "/"+want) || strings.HasPrefix(want, "alias/") || strings.Contains(want, ":alias/")
}

// verifyChecksum compares the object's SHA-256 with the sealed one. Of an object
// that was copied in one part S3 tells the sum of the sum; where it tells none,
// the object is read.
func (i *Issuer) verifyChecksum(ctx context.Context, t *ticketData, object *store.Object) error {
	ofSum := sha256.Sum256(t.sha256[:])
	switch object.SHA256 {
	case checksumOf(t.sha256[:]), checksumOf(ofSum[:]) + "-1":
		return nil
	}
	body, err := i.store.Get(ctx, t.key, object.ETag, 0)
	if err != nil {
		return storeProblem(err)
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return ErrStorage.WithCause(err)
	}
	if [32]byte(h.Sum(nil)) != *t.sha256 {
		return ErrChecksumMismatch
	}
	return nil
}

// verifyContent looks at the first bytes. What they do not tell passes.
func (i *Issuer) verifyContent(ctx context.Context, t *ticketData, object *store.Object) error {
	body, err := i.store.Get(ctx, t.key, object.ETag, sniff.Length)
	if err != nil {
		return storeProblem(err)
	}
	defer body.Close()
	head, err := io.ReadAll(io.LimitReader(body, sniff.Length))
	if err != nil {
		return ErrStorage.WithCause(err)
	}
	declared, _ := mediatype.Parse(t.typ)
	if verdict, found := sniff.Judge(head, declared.Essence); verdict == sniff.Contradicts {
		return ErrContentMismatch.WithDetail("The file says that it is " + declared.Essence + ", but its content is " + found + ".")
	}
	return nil
}
