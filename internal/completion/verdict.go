package completion

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// Where the application inspects objects, each upload has at most one verdict: an
// object at verdicts/<id>, which is written once and before anything is done about it,
// and stays until no ticket of the upload can live. So all replicas say the same,
// whichever of them dies, and whoever decides at the same time.
//
//	none      the object is inspected at every completion, and nobody has its receipt
//	released  the receipt is given, and given again, of the one object that was released
//	rejected  the final object and what is in staging are deleted
//
// That staging is empty proves nothing here: a browser can have it emptied.

// Inspector decides about objects that were verified.
type Inspector interface {
	// Inspect looks at an object, in a bucket and at a key, which are not the final
	// ones where that object could not be taken back. It returns nil for one that may
	// be released, [Rejected], [ErrUndecided], or why nothing could be found out.
	Inspect(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object, duplicate bool) error
	// Seal and Open are the encoding of a verdict, which nobody else can make.
	Seal(c *claim.Claim, v *Verdict) ([]byte, error)
	Open(id string, content []byte) (*Verdict, error)
}

// Verdict is what was decided about an upload, for good.
type Verdict struct {
	Key      string // of the final object
	Released string // which object was released; "" for a rejection
	Reason   error  // why it was rejected; else nil
}

// versionOf tells a final object from another that has been made at its key since. What
// was elected may be copied there twice, by replicas that complete at the same time, and
// is the same object then.
func (e *Engine) versionOf(o *store.Object) string {
	var made int64
	if e.Method() == "conditional" {
		made = o.Modified.Unix()
	}
	return fmt.Sprintf("%d %d %s", o.Size, made, o.ETag)
}

func (e *Engine) verdictKey(id string) string { return e.Prefix + verdictsName + id }

// maxVerdict bounds a verdict in bytes.
const maxVerdict = 8 << 10

// Verdict returns what was decided about an upload, or nil.
func (e *Engine) Verdict(ctx context.Context, id string) (*Verdict, error) {
	if e.Inspector == nil || !isID(id) {
		return nil, nil
	}
	content, err := e.Staging.Read(ctx, e.verdictKey(id), maxVerdict)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return e.Inspector.Open(id, content)
}

// decide writes a verdict down, unless there is one, and returns the one that holds.
func (e *Engine) decide(ctx context.Context, c *claim.Claim, v *Verdict) (*Verdict, error) {
	v.Key = c.Key
	content, err := e.Inspector.Seal(c, v)
	if err != nil {
		return nil, err
	}
	if !e.PutIfAbsent {
		return e.decideLocked(ctx, c, v, content)
	}
	err = e.Staging.PutIfAbsent(ctx, e.verdictKey(c.ID), content)
	if err == nil {
		return v, nil
	}
	if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrConflict) {
		return nil, err
	}
	// It may be what an earlier try of this one has written.
	held, readErr := e.Verdict(ctx, c.ID)
	if readErr == nil && held == nil {
		readErr = &store.Error{Op: "PutObject", Kind: store.ErrUnavailable, Err: err}
	}
	return held, readErr
}

// decideLocked does so where no write has a condition.
func (e *Engine) decideLocked(ctx context.Context, c *claim.Claim, v *Verdict, content []byte) (*Verdict, error) {
	key := e.verdictKey(c.ID)
	ctx, unlock, err := e.lockKey(ctx, e.Staging, key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	held, err := e.Verdict(ctx, c.ID)
	if held != nil || err != nil {
		return held, err
	}
	return v, e.Staging.Put(ctx, key, content)
}

// inspectsFirst reports whether an object is inspected before it is at its final key:
// where it could not be taken back from there.
func (e *Engine) inspectsFirst(c *claim.Claim) bool {
	return e.Inspector != nil && (c.Replaces != "" || c.Attributes.Locked())
}

// inspectAttempt inspects an object before it goes to its final key.
func (e *Engine) inspectAttempt(ctx context.Context, c *claim.Claim, attempt string, frozen *store.Object) error {
	if !e.inspectsFirst(c) {
		return nil
	}
	reason := e.inspect(ctx, c, e.Staging, attempt, frozen, false)
	var rejected *Rejected
	if !errors.As(reason, &rejected) {
		return reason
	}
	held, err := e.decide(ctx, c, &Verdict{Reason: reason})
	if err != nil {
		return err
	}
	return e.enforce(ctx, c, held)
}

// release has a verified object inspected, unless v says what was decided before. The
// error is [ErrUndecided], or why the object is not released.
func (e *Engine) release(ctx context.Context, c *claim.Claim, final *store.Object, duplicate bool, v *Verdict) error {
	if v == nil {
		var err error
		if v, err = e.judge(ctx, c, final, duplicate); err != nil {
			return err
		}
	}
	if v.Reason != nil {
		return e.enforce(ctx, c, v)
	}
	if v.Released != e.versionOf(final) {
		return ErrConflict
	}
	return nil
}

// inspect asks the inspector. The error is [Rejected], [ErrUndecided] or [NotInspected].
func (e *Engine) inspect(ctx context.Context, c *claim.Claim, in Bucket, key string, o *store.Object, duplicate bool) error {
	err := e.Inspector.Inspect(ctx, c, in, key, o, duplicate)
	var rejected *Rejected
	if err == nil || errors.As(err, &rejected) || errors.Is(err, ErrUndecided) {
		return err
	}
	return &NotInspected{err}
}

// judge makes a verdict of what the inspector says of an object.
func (e *Engine) judge(ctx context.Context, c *claim.Claim, final *store.Object, duplicate bool) (*Verdict, error) {
	own := &Verdict{Released: e.versionOf(final)}
	if !e.inspectsFirst(c) || duplicate {
		err := e.inspect(ctx, c, e.Store, c.Key, final, duplicate)
		var rejected *Rejected
		switch {
		case errors.As(err, &rejected):
			own = &Verdict{Reason: err}
		case errors.Is(err, ErrUndecided):
			// Whoever was told of it may have decided meanwhile.
			held, readErr := e.Verdict(ctx, c.ID)
			if held == nil && readErr == nil {
				readErr = err
			}
			return held, readErr
		case err != nil:
			return nil, err
		}
	}
	return e.decide(ctx, c, own)
}

// enforce deletes the object of an upload that was rejected, and returns why it was, by
// which the rest goes. It can be repeated.
func (e *Engine) enforce(ctx context.Context, c *claim.Claim, v *Verdict) error {
	if v.Reason == nil {
		return nil
	}
	if err := e.deleteFinal(ctx, c.Key, c.ID); err != nil {
		return err
	}
	return &discarded{v.Reason}
}

// deleteFinal deletes the object at a final key if it is that of an upload.
func (e *Engine) deleteFinal(ctx context.Context, key, id string) error {
	final, err := e.Store.Head(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && final.Header.ID != id:
		return nil
	case err != nil:
		return err
	}
	return e.deleteSeen(ctx, key, final)
}

// because replaces the error that nothing is there by the reason why.
func (e *Engine) because(ctx context.Context, c *claim.Claim, err error) error {
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrGone) && !errors.Is(err, store.ErrNoUpload) {
		return err
	}
	if v, readErr := e.Verdict(ctx, c.ID); readErr == nil && v != nil && v.Reason != nil {
		return v.Reason
	}
	return err
}

// decided looks whether there is a verdict, before anything is made of an upload. Of
// one that was rejected nothing is made. Nor is another object made of one that was
// released: nobody has inspected what the browser may have sent since.
func (e *Engine) decided(ctx context.Context, c *claim.Claim, final *store.Object) (*Verdict, *store.Object, error) {
	v, err := e.Verdict(ctx, c.ID)
	switch {
	case err != nil || v == nil:
		return nil, final, err
	case v.Reason != nil:
		return nil, nil, e.enforce(ctx, c, v)
	case final != nil:
		return v, final, nil
	}
	final, err = e.final(ctx, c)
	if errors.Is(err, store.ErrNotFound) {
		e.deleteStaging(ctx, c)
		err = ErrGone
	}
	return v, final, err
}

// Release decides that the final object of an upload is released. The error is
// [ErrRejected] if it was decided otherwise before. Completing then gives the receipt.
func (e *Engine) Release(ctx context.Context, c *claim.Claim) error {
	final, err := e.final(ctx, c)
	if errors.Is(err, store.ErrNotFound) {
		v, readErr := e.Verdict(ctx, c.ID)
		switch {
		case readErr != nil:
			return readErr
		case v != nil && v.Reason != nil:
			return ErrRejected
		}
	}
	if err != nil {
		return err
	}
	if _, err := identify(c, final); err != nil {
		return err
	}
	held, err := e.decide(ctx, c, &Verdict{Released: e.versionOf(final)})
	switch {
	case err != nil:
		return err
	case held.Reason != nil:
		return ErrRejected
	case held.Released != e.versionOf(final):
		return ErrConflict
	}
	return nil
}

// Reject decides that an upload is rejected, for a reason, which is a [Rejected]. The
// error is [ErrReleased] if it was decided otherwise before.
func (e *Engine) Reject(ctx context.Context, c *claim.Claim, reason error) error {
	held, err := e.decide(ctx, c, &Verdict{Reason: reason})
	switch {
	case err != nil:
		return err
	case held.Reason == nil:
		return ErrReleased
	}
	if err := e.enforce(ctx, c, held); !errors.Is(err, held.Reason) {
		return err
	}
	e.comesToNothing(ctx, c)
	return nil
}

// withdraw takes an object back that nobody has released, since its upload is given up.
func (e *Engine) withdraw(ctx context.Context, c *claim.Claim) error {
	if e.Inspector == nil {
		return nil
	}
	if frozen, err := e.isFrozen(ctx, c); !frozen || err != nil {
		return err
	}
	err := e.Reject(ctx, c, &Rejected{Kind: ErrGone})
	if errors.Is(err, ErrReleased) {
		return nil
	}
	return err
}
