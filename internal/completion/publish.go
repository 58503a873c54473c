package completion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// Where a server lacks one of the conditions that make a copy final in one step, a
// freeze has two: the source is copied to a key of this attempt alone, where no grant
// can write, and verified there; then one attempt is copied to the final key.
//
// Which one is decided by an election, where PutObject has a condition: the first
// that writes its ballot at a name made of the final bucket and key has won for good, and
// whoever comes later, after a crash too, copies the winner's attempt. Since attempts
// never change, copying one twice does no harm. A ballot outlives all completions
// that may have seen the key free; the bucket's lifecycle rules remove it.
//
// Where nothing has a condition, a lock is held from the look at the final key to
// the end of the copy. If it is lost meanwhile, the copy is cut off; what S3 has
// begun by then may still be done, and replace an object that the next holder has
// made since, of the same upload or of another with the same key. Final keys with a
// {uuid} leave of this that one verified attempt of an upload replaces another.

// publishes reports whether a freeze has two steps: also where a wrong object at the
// final key could not be taken back, since it has replaced another or is locked, or since
// a delete that comes late would take another one, which is right, with it.
func (e *Engine) publishes(c *claim.Claim) bool {
	return c.Staged() && (e.Method() != "conditional" || c.Replaces != "" || c.Attributes.Locked() ||
		!e.DeleteIfMatch && (e.Sniff || c.SHA256 != nil))
}

// publish freezes by way of an attempt.
func (e *Engine) publish(ctx context.Context, c *claim.Claim, source *store.Object) error {
	attempt := e.attemptsOf(c) + strings.ToLower(e.Random())
	if err := e.copyTo(ctx, c.StagingKey, source, e.Staging, attempt, c.Header().Unlocked()); err != nil {
		return err
	}
	elected, unsure := "", false
	defer func() {
		if elected != attempt && !unsure { // a loser, or a failure
			e.deleteAttempt(ctx, attempt)
		}
	}()
	frozen, err := e.Staging.Head(ctx, attempt)
	if err != nil {
		return err
	}
	if frozen.Header.ID != c.ID {
		return ErrConflict
	}
	if err := e.verifyAt(ctx, c, e.Staging, attempt, frozen, false); err != nil {
		var verdict *Rejected
		if errors.As(err, &verdict) {
			err = &discarded{err}
		}
		return err
	}
	if err := e.inspectAttempt(ctx, c, attempt, frozen); err != nil {
		return err
	}
	switch {
	case c.Replaces != "":
		err = e.copyFinal(ctx, c, attempt, frozen, store.Condition{IfMatch: c.Replaces})
		if errors.Is(err, store.ErrNotFound) {
			err = ErrConflict // what was to be replaced is gone
		}
	case e.Method() == "conditional":
		err = e.copyFinal(ctx, c, attempt, frozen, store.Condition{IfAbsent: true})
	case e.Method() == "election":
		elected, err = e.elect(ctx, c, attempt)
		if err != nil {
			// Its ballot may have been written, or arrive yet.
			unsure = !errors.Is(err, ErrConflict) && !errors.Is(err, store.ErrNotFound)
			return err
		}
		if elected != attempt {
			if frozen, err = e.Staging.Head(ctx, elected); err != nil {
				return err
			}
		}
		err = e.copyTo(ctx, elected, frozen, e.Store, c.Key, c.Header())
	default:
		err = e.publishLocked(ctx, c, attempt, frozen)
	}
	if err != nil {
		return err
	}
	if elected != "" {
		e.deleteAttempt(ctx, elected)
	}
	return nil
}

// attemptsOf is how the keys of an upload's attempts begin.
func (e *Engine) attemptsOf(c *claim.Claim) string { return e.Prefix + attemptsName + c.ID + "-" }

// ballot is what an election writes down.
type ballot struct {
	ID      string `json:"id"` // of the upload
	Attempt string `json:"attempt"`
}

// elect returns the attempt that may be copied to the final key.
func (e *Engine) elect(ctx context.Context, c *claim.Claim, attempt string) (string, error) {
	sum := sha256.Sum256([]byte(e.Store.Bucket() + "\x00" + c.Key))
	key := e.Prefix + electionsName + hex.EncodeToString(sum[:])
	own, err := json.Marshal(ballot{c.ID, attempt})
	if err != nil {
		return "", err
	}
	err = e.Staging.PutIfAbsent(ctx, key, own)
	if err == nil {
		return attempt, nil
	}
	if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrConflict) {
		return "", err
	}
	// An earlier try of this one, whose answer was lost, may be what is there.
	written, err := e.Staging.Read(ctx, key, 4<<10)
	if err != nil {
		return "", err
	}
	var winner ballot
	if err := json.Unmarshal(written, &winner); err != nil || winner.ID != c.ID ||
		!strings.HasPrefix(winner.Attempt, e.attemptsOf(c)) {
		return "", ErrConflict
	}
	return winner.Attempt, nil
}

// lockKey keeps others from a key, as long as held lasts.
func (e *Engine) lockKey(ctx context.Context, in Bucket, key string) (held context.Context, unlock func(), err error) {
	held, unlock, err = e.Lock(ctx, in.Bucket()+"/"+key)
	if err != nil {
		err = &store.Error{Op: "Lock", Kind: store.ErrUnavailable, Err: err}
	}
	return held, unlock, err
}

// publishLocked copies an attempt to a final key that is free.
func (e *Engine) publishLocked(ctx context.Context, c *claim.Claim, attempt string, frozen *store.Object) error {
	held, unlock, err := e.lockKey(ctx, e.Store, c.Key)
	if err != nil {
		return err
	}
	defer unlock()
	switch _, err := e.Store.Head(held, c.Key); {
	case err == nil:
		return store.ErrExists
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return e.copyTo(held, attempt, frozen, e.Store, c.Key, c.Header())
}

// deleteAttempt deletes an attempt that is not wanted any more.
func (e *Engine) deleteAttempt(ctx context.Context, key string) {
	if err := e.Staging.Delete(context.WithoutCancel(ctx), key, ""); err != nil {
		e.Left(ctx, "a copy", err)
	}
}
