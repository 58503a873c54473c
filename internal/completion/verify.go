package completion

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/sniff"
	"github.com/postern-go/postern/internal/store"
)

// identify tells whether an object is the claim's upload, by the id that its grant
// binds. An object of another id is a duplicate if it is certain to have the same
// bytes and the same owner; anything else is a conflict.
func identify(c *claim.Claim, final *store.Object) (duplicate bool, err error) {
	want := c.Header()
	switch {
	case final.Header.ID == want.ID:
		return false, nil
	case c.SHA256 != nil && c.Replaces == "" && final.Header.Owner == want.Owner:
		return true, nil
	}
	return false, ErrConflict
}

// verify holds the final object, which no grant can change any more, against what
// was granted. That nothing is in staging does not tell that it was verified: the
// browser may have given the upload up since.
func (e *Engine) verify(ctx context.Context, c *claim.Claim, final *store.Object, duplicate bool) error {
	if err := compare(c, final, duplicate); err != nil {
		return err
	}
	published := !duplicate && e.publishes(c) // once it was verified
	if published || !e.reads(c, final) || e.verified.has(c.ID, final.ETag) {
		return nil
	}
	if err := e.read(ctx, c, e.Store, c.Key, final); err != nil {
		return err
	}
	e.verified.add(c.ID, final.ETag)
	return nil
}

// verifyAt holds an object at a key that is not final against what was granted.
func (e *Engine) verifyAt(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object, duplicate bool) error {
	if err := compare(c, o, duplicate); err != nil {
		return err
	}
	return e.read(ctx, c, in, key, o)
}

// compare holds what S3 tells of an object against what was granted.
func compare(c *claim.Claim, o *store.Object, duplicate bool) error {
	if err := checkSize(c, o); err != nil {
		return err
	}
	if !mediatype.Same(o.Header.Type, c.Type) {
		return &Rejected{Kind: ErrTypeMismatch}
	}
	want := c.Header()
	allow := object.Lenience{ByPut: c.Mode == claim.Put, Duplicate: duplicate}
	if differ := o.Header.Differences(&want, allow); len(differ) > 0 {
		return &Rejected{Kind: ErrAttributesMismatch, Cause: errors.New(strings.Join(differ, ", "))}
	}
	return nil
}

func checkSize(c *claim.Claim, o *store.Object) error {
	if o.Size < c.MinSize || o.Size > c.MaxSize {
		return &Rejected{Kind: ErrSizeMismatch}
	}
	return nil
}

// reads reports whether the bytes of an object must be looked at.
func (e *Engine) reads(c *claim.Claim, o *store.Object) bool {
	return c.SHA256 != nil && !tellsChecksum(c, o) || e.Sniff && o.Size > 0
}

// tellsChecksum reports whether S3 tells that the object has the granted SHA-256. Of
// one that was copied in one part it tells the sum of the sum.
func tellsChecksum(c *claim.Claim, o *store.Object) bool {
	sumOfSum := sha256.Sum256(c.SHA256[:])
	return o.SHA256 == base64Of(c.SHA256[:]) || o.SHA256 == base64Of(sumOfSum[:])+"-1"
}

func base64Of(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// read looks at the bytes of an object, as far as S3 does not vouch for them.
func (e *Engine) read(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object) error {
	if c.SHA256 != nil && !tellsChecksum(c, o) {
		if err := e.verifyChecksum(ctx, c, in, key, o); err != nil {
			return err
		}
	}
	if e.Sniff && o.Size > 0 {
		return e.verifyContent(ctx, c, in, key, o)
	}
	return nil
}

// verifyChecksum reads the whole object.
func (e *Engine) verifyChecksum(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object) error {
	body, err := in.Get(ctx, key, o.ETag, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return store.Interrupted(err)
	}
	if [32]byte(h.Sum(nil)) != *c.SHA256 {
		return &Rejected{Kind: ErrChecksumMismatch}
	}
	return nil
}

// verifyContent looks at the first bytes. What they do not tell passes.
func (e *Engine) verifyContent(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object) error {
	body, err := in.Get(ctx, key, o.ETag, sniff.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	head, err := io.ReadAll(io.LimitReader(body, sniff.Length))
	if err != nil {
		return store.Interrupted(err)
	}
	declared, _ := mediatype.Parse(c.Type)
	if verdict, found := sniff.Judge(head, declared.Essence); verdict == sniff.Contradicts {
		return &Rejected{
			Kind:   ErrContentMismatch,
			Detail: "The file says that it is " + declared.Essence + ", but its content is " + found + ".",
		}
	}
	return nil
}
