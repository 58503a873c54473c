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
// sealed. An object of another id is a duplicate if it is certain to have the same
// bytes and the same owner; anything else is a conflict.
func identify(c *claim.Claim, final *store.Object) (duplicate bool, err error) {
	want := c.Header()
	switch {
	case final.Header.ID == want.ID:
		return false, nil
	case c.SHA256 != nil && final.Header.Owner == want.Owner:
		return true, nil
	}
	return false, ErrConflict
}

// verify holds an object that no grant can change any more against what was
// granted.
func (e *Engine) verify(ctx context.Context, c *claim.Claim, final *store.Object, duplicate bool) error {
	if err := checkSize(c, final); err != nil {
		return err
	}
	if stored, err := mediatype.Parse(final.Header.Type); err != nil || stored.String() != c.Type {
		return &Rejected{Kind: ErrTypeMismatch}
	}
	want := c.Header()
	allow := object.Lenience{ByPut: c.Mode == claim.Put, Duplicate: duplicate}
	if differ := final.Header.Differences(&want, allow); len(differ) > 0 {
		return &Rejected{Kind: ErrAttributesMismatch, Cause: errors.New(strings.Join(differ, ", "))}
	}
	if c.SHA256 != nil {
		if err := e.verifyChecksum(ctx, c, final); err != nil {
			return err
		}
	}
	if e.Sniff && final.Size > 0 {
		return e.verifyContent(ctx, c, final)
	}
	return nil
}

func checkSize(c *claim.Claim, o *store.Object) error {
	if o.Size < c.MinSize || o.Size > c.MaxSize {
		return &Rejected{Kind: ErrSizeMismatch}
	}
	return nil
}

// verifyChecksum compares the object's SHA-256 with the granted one. Of an object
// that was copied in one part S3 tells the sum of the sum; where it tells none, the
// object is read.
func (e *Engine) verifyChecksum(ctx context.Context, c *claim.Claim, final *store.Object) error {
	sumOfSum := sha256.Sum256(c.SHA256[:])
	switch final.SHA256 {
	case base64Of(c.SHA256[:]), base64Of(sumOfSum[:]) + "-1":
		return nil
	}
	body, err := e.Store.Get(ctx, c.Key, final.ETag, 0)
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

func base64Of(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// verifyContent looks at the first bytes.
func (e *Engine) verifyContent(ctx context.Context, c *claim.Claim, final *store.Object) error {
	body, err := e.Store.Get(ctx, c.Key, final.ETag, sniff.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	head, err := io.ReadAll(io.LimitReader(body, sniff.Length))
	if err != nil {
		return store.Interrupted(err)
	}
	declared, _ := mediatype.Parse(c.Type)
	if detected, ok := sniff.Agrees(head, declared.Essence); !ok {
		return &Rejected{
			Kind:   ErrContentMismatch,
			Detail: "The file says that it is " + declared.Essence + ", but its content is " + detected + ".",
		}
	}
	return nil
}
