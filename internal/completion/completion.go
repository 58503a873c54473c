// Package completion makes verified objects of what browsers have uploaded: it
// puts parts together, freezes what grants can write, verifies what was frozen,
// and removes what is left. It knows S3 and claims, and neither HTTP nor whoever
// asks.
//
// Each step can be repeated: after a crash between any two, completing again ends
// in the same result.
package completion

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// Config says where, and what the provider can do.
type Config struct {
	// Store is the bucket of final objects, Staging that to which browsers write, and
	// which may be the same.
	Store, Staging Bucket
	// Receipts: the application asked for them.
	Receipts bool
	// Prefix is that under which grants write and attempts are made in Staging, with
	// its slash; "" without promotion.
	Prefix string
	// What the server can do, as in the root package's Abilities.
	PutIfAbsent, CompleteIfAbsent, CopyPartIfMatch, CopyPartSums, CompleteSize, DeleteIfMatch bool
	// Lock keeps publications at one key apart where the server has no conditions:
	// see Locker in the root package.
	Lock func(ctx context.Context, name string) (held context.Context, unlock func(), err error)
	// Sniff: look at the first bytes.
	Sniff bool
	// Now tells the time.
	Now func() time.Time
	// Open opens a ticket, also one that has ended: [ErrTicketInvalid] for one of another
	// handler or bucket.
	Open func(ticket string) (*claim.Claim, error)
	// Admit makes an upload of a file that a session has written, and its ticket, by what
	// the session's ticket allows: [Rejected] if that does not. It is nil where no sessions
	// are known.
	Admit func(ctx context.Context, f File) (c *claim.Claim, ticket string, err error)
	// Random makes names of attempts; that of crypto/rand if it is nil.
	Random func() string
	// Inspector decides about verified objects; nil if nobody does.
	Inspector Inspector
	// Flights holds the completions that go on, of all engines of a process.
	Flights *Flights
	// Timeout bounds one completion; an hour if it is 0.
	Timeout time.Duration
	// Accept hands a verified result to the application. If it fails, so does the
	// completion, which may then be repeated.
	Accept func(ctx context.Context, c *claim.Claim, r *Result) error
	// Begun is told that a completion begins, if it is not nil: it returns the context of
	// the completion, and what is told of its end after Ended.
	Begun func(ctx context.Context, c *claim.Claim, by Trigger) (context.Context, func(*End))
	// Ended is told how each completion has ended, whoever waits for it.
	Ended func(ctx context.Context, c *claim.Claim, end *End)
	// Gone is told of an upload that has come to nothing: nothing is left of it but what
	// may stand at its final key, and nothing of it can arrive any more that is completed
	// without being told so by Accept. nil if nobody asks.
	Gone func(ctx context.Context, c *claim.Claim)
	// GaveUp is told of an upload that had arrived and comes to nothing, or to an object
	// that the application does not know.
	GaveUp func(ctx context.Context, c *claim.Claim, err error)
	// Left is told what could not be removed; the reconciler or a lifecycle rule will.
	Left func(ctx context.Context, what string, err error)
}

// Trigger is who has begun a completion.
type Trigger string

// The triggers.
const (
	Browser     Trigger = "browser"
	Reconciler  Trigger = "reconciler"
	Event       Trigger = "event"
	Application Trigger = "application"
)

// End is how a completion has ended.
type End struct {
	Trigger  Trigger
	Result   *Result // nil if it failed
	Err      error
	Duration time.Duration
	// Received is how many bytes of the browser's were there when it began.
	Received int64
}

// Engine completes the uploads of one bucket. It is safe for concurrent use.
type Engine struct {
	Config
	verified verified
	rests    rests
	settled  settled
}

// New returns an Engine.
func New(c Config) *Engine {
	if c.Random == nil {
		c.Random = rand.Text
	}
	return &Engine{Config: c}
}

// Result is a verified object.
type Result struct {
	Size int64 // bytes
	ETag string
	// Replayed hints that the upload was completed before.
	Replayed bool
	// Duplicate: the object is another upload of the same bytes by the same owner.
	Duplicate bool
	// CRC64NVME is the base64 of the object's sum, as the server tells it, or "".
	CRC64NVME string
	// Data is what the application tells the browser, in JSON, or nil. Accept sets it.
	Data []byte
}

// Request is what a completion is begun with.
type Request struct {
	Trigger Trigger
	// Parts and CRC64NVME are what a browser says of what it has sent; the sum is the
	// base64 of that of the whole file, or "".
	Parts     []Part
	CRC64NVME string
	// Wait is how long the caller waits.
	Wait time.Duration
}

// Part is a part that a browser has sent.
type Part struct {
	Number int32
	ETag   string // with quotes or without
}

// Complete completes the upload of a claim, or joins a completion of it that goes on.
// It may wait for a slot first; see [Flights]. The error is [ErrPending] if it takes
// longer than the request waits, or ctx ends: then it goes on nevertheless.
func (e *Engine) Complete(ctx context.Context, c *claim.Claim, q Request) (*Result, error) {
	if !e.replayProof(c) {
		return nil, ErrReplayable
	}
	start := time.Now()
	running, err := e.Flights.find(c.ID)
	if err != nil {
		return nil, err
	}
	if running == nil {
		// Whoever has uploaded nothing takes no slot.
		found, err := e.lookInTime(ctx, c, q.Parts)
		if err != nil {
			return nil, e.because(ctx, c, err)
		}
		running, err = e.Flights.begin(ctx, flight{
			id: c.ID, owner: ownerOf(c), timeout: e.Timeout,
			run: func(ctx context.Context) (*Result, error) {
				result, err := e.complete(ctx, c, found, q.CRC64NVME)
				return result, e.because(ctx, c, err)
			},
			begun: func(ctx context.Context) (context.Context, func(*End)) { return e.begun(ctx, c, q.Trigger) },
			ended: func(ctx context.Context, end *End) {
				end.Trigger, end.Received = q.Trigger, found.received(c)
				e.Ended(ctx, c, end)
				var d *discarded
				if errors.As(end.Err, &d) {
					e.comesToNothing(ctx, c)
				}
			},
		})
		if err != nil {
			return nil, err
		}
	}
	result, err := running.await(ctx, q.Wait-time.Since(start))
	if err == nil {
		// One that was joined knows another request's sum, or none.
		if err = sameSum(result.CRC64NVME, q.CRC64NVME); err != nil {
			return nil, err
		}
	}
	return result, err
}

// replayProof reports whether a receipt was asked for, and the grant cannot change
// the object after it. An upload in parts is not there without completion.
func (e *Engine) replayProof(c *claim.Claim) bool {
	if c.Mode == claim.Multipart {
		return true
	}
	return e.Receipts && (c.Staged() || c.SHA256 != nil || c.Mode == claim.Put && e.PutIfAbsent)
}

// found is what was there before the work began: the final object, or what it can
// be made of.
type found struct {
	final  *store.Object
	source *store.Object // what the browser wrote, in staging
	parts  []store.Part  // of an upload that was not put together yet
}

// received is how many bytes the browser has brought, as far as they are not known from
// an earlier completion.
func (f *found) received(c *claim.Claim) (bytes int64) {
	switch {
	case f.source != nil:
		return f.source.Size
	case f.final != nil && !c.Staged() && c.Mode != claim.Multipart:
		return f.final.Size
	}
	for _, p := range f.parts {
		bytes += p.Size
	}
	return bytes
}

// begun tells that a completion begins.
func (e *Engine) begun(ctx context.Context, c *claim.Claim, by Trigger) (context.Context, func(*End)) {
	if e.Begun == nil {
		return ctx, func(*End) {}
	}
	return e.Begun(ctx, c, by)
}

// lookInTime bounds a look, since somebody waits for more after it.
func (e *Engine) lookInTime(ctx context.Context, c *claim.Claim, claimed []Part) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, store.Limits.Road)
	defer cancel()
	return e.look(ctx, c, claimed)
}

// look finds what there is to complete. The error tells that there is nothing, or
// not all of it.
func (e *Engine) look(ctx context.Context, c *claim.Claim, claimed []Part) (f found, err error) {
	if f.final, err = e.final(ctx, c); !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	absent := err
	if c.Mode == claim.Multipart {
		f.parts, err = e.Staging.Parts(ctx, c.WriteKey(), c.UploadID)
		if err == nil {
			err = checkParts(c, f.parts, claimed)
			if size := (*SizeError)(nil); errors.As(err, &size) && size.Size > size.Max {
				e.abandon(ctx, e.Staging, c.WriteKey(), c.UploadID)
			}
			if err == nil || !c.Staged() {
				return f, err
			}
			// A part that came late brings an upload back that was put together.
			if source, headErr := e.Staging.Head(ctx, c.StagingKey); headErr == nil {
				return found{source: source}, nil
			}
			return f, err
		}
		if !errors.Is(err, store.ErrNoUpload) {
			return f, err
		}
		absent = ErrGone // or put together before
	}
	if c.Staged() {
		if f.source, err = e.Staging.Head(ctx, c.StagingKey); !errors.Is(err, store.ErrNotFound) {
			return f, err
		}
		absent = err
	} else if c.Mode != claim.Multipart {
		return f, e.missing(ctx, absent)
	}
	// Another replica may have completed it since.
	if f.final, err = e.final(ctx, c); errors.Is(err, store.ErrNotFound) {
		return f, e.missing(ctx, absent)
	}
	return f, err
}

// missing tells an object that is not there from a bucket that is not: HEAD has one
// answer for both.
func (e *Engine) missing(ctx context.Context, absent error) error {
	if !errors.Is(absent, store.ErrNotFound) {
		return absent
	}
	err := e.Staging.CheckBucket(ctx)
	if err == nil && e.Store.Bucket() != e.Staging.Bucket() {
		err = e.Store.CheckBucket(ctx)
	}
	return cmp.Or(err, absent)
}

// final looks at the final key. The object that is to be replaced does not count.
func (e *Engine) final(ctx context.Context, c *claim.Claim) (*store.Object, error) {
	o, err := e.Store.Head(ctx, c.Key)
	if err == nil && c.Replaces != "" && o.ETag == c.Replaces && o.Header.ID != c.ID {
		return nil, store.ErrNotFound
	}
	return o, err
}

// checkParts holds the parts that S3 lists against the claim, and what the browser
// says of them against what S3 lists.
func checkParts(c *claim.Claim, parts []store.Part, claimed []Part) error {
	var sum int64
	for _, p := range parts {
		sum += p.Size
		if c.Size != claim.UnknownSize && (p.Number > c.Parts() || p.Size != c.PartLength(p.Number)) {
			return &PartSizeError{p.Number}
		}
	}
	switch {
	case len(parts) == 0, c.Size != claim.UnknownSize && len(parts) != int(c.Parts()):
		return ErrPartsMissing
	case sum > c.MaxSize, sum < c.MinSize:
		return &SizeError{Size: sum, Min: c.MinSize, Max: c.MaxSize}
	}
	for _, p := range claimed {
		k, there := slices.BinarySearchFunc(parts, p.Number, func(p store.Part, n int32) int { return int(p.Number - n) })
		if !there || trimQuotes(parts[k].ETag) != trimQuotes(p.ETag) {
			return ErrPartsInvalid
		}
	}
	return nil
}

// complete is the way of one completion.
func (e *Engine) complete(ctx context.Context, c *claim.Claim, f found, sum string) (*Result, error) {
	verdict, final, err := e.decided(ctx, c, f.final)
	if err != nil {
		return nil, err
	}
	if final == nil {
		if err := e.assemble(ctx, c, f.parts); err != nil {
			return nil, err
		}
		source, err := e.checkSource(ctx, c, f.source, sum)
		if err != nil {
			return nil, err
		}
		if err := e.freeze(ctx, c, source); err != nil {
			return nil, err
		}
		final, err = e.Store.Head(ctx, c.Key)
		if errors.Is(err, store.ErrNotFound) && c.Mode == claim.Multipart {
			err = ErrGone
		}
		if err != nil {
			return nil, err
		}
	}
	duplicate, err := identify(c, final)
	if err == nil && duplicate {
		err = e.checkPossession(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	err = e.verify(ctx, c, final, duplicate)
	if err == nil && f.final == nil && !c.Staged() {
		err = sameSum(final.CRC64NVME, sum)
	}
	if err != nil {
		return nil, e.reject(ctx, c, final, f.final != nil, duplicate, err)
	}
	// The browser's word takes nothing back that may have a receipt: what was in staging
	// was held against it before.
	if err := sameSum(final.CRC64NVME, sum); err != nil {
		return nil, err
	}
	if e.Inspector != nil {
		if err := e.release(ctx, c, final, duplicate, verdict); err != nil {
			return nil, err
		}
	}
	result := &Result{
		Size: final.Size, ETag: final.ETag, Duplicate: duplicate, CRC64NVME: final.CRC64NVME,
		Replayed: f.final != nil && !duplicate && (c.Staged() || c.Mode == claim.Multipart),
	}
	if err := e.Accept(ctx, c, result); err != nil {
		return nil, e.notAccepted(ctx, c, err)
	}
	if duplicate {
		e.settleDuplicate(ctx, c)
	} else {
		e.deleteStaging(ctx, c)
	}
	return result, nil
}

// notAccepted is what becomes of an upload whose receipt was not taken. One that was given
// up meanwhile leaves nothing, unless its object has replaced another or cannot be deleted.
func (e *Engine) notAccepted(ctx context.Context, c *claim.Claim, err error) error {
	gone, ok := err.(*GivenUp) // and not what an application has wrapped
	if !ok {
		return &NotAccepted{err}
	}
	if c.Replaces == "" && !c.Attributes.Locked() {
		if err := e.deleteFinal(ctx, c.Key, c.ID); err != nil {
			return err
		}
	}
	return &discarded{&Rejected{Kind: gone.Err}}
}

// assemble makes an object of the parts. Without parts the upload was put together
// before.
func (e *Engine) assemble(ctx context.Context, c *claim.Claim, parts []store.Part) error {
	if len(parts) == 0 {
		return nil
	}
	err := e.Staging.CompleteMultipart(ctx, c.WriteKey(), c.UploadID, parts, store.CompleteOptions{
		Condition: store.Condition{IfAbsent: e.CompleteIfAbsent}, Size: e.CompleteSize,
	})
	if errors.Is(err, store.ErrNoUpload) || errors.Is(err, store.ErrExists) {
		return nil // perhaps an earlier try; the object's id tells
	}
	return err
}

// checkSource holds the sum that the browser has computed of the whole file against
// that of the server, before anything is copied. It returns the staging object, if
// there is one that was looked at.
func (e *Engine) checkSource(ctx context.Context, c *claim.Claim, source *store.Object, sum string) (*store.Object, error) {
	if sum == "" || !c.Staged() {
		return source, nil
	}
	if source == nil {
		var err error
		if source, err = e.Staging.Head(ctx, c.StagingKey); errors.Is(err, store.ErrNotFound) {
			return nil, nil // another completion may have frozen it; the final object tells
		} else if err != nil {
			return nil, err
		}
	}
	err := sameSum(source.CRC64NVME, sum)
	if err != nil && source.Header.ID == c.ID {
		err = &discarded{err}
	}
	return source, err
}

// sameSum compares a sum of the browser's with that of the server, where both tell
// one.
func sameSum(stored, sum string) error {
	if sum != "" && stored != "" && stored != sum {
		return &Rejected{Kind: ErrChecksumMismatch}
	}
	return nil
}

func trimQuotes(etag string) string {
	if inner, ok := strings.CutPrefix(etag, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			return inner
		}
	}
	return etag
}

// reject deletes an object that failed its verification, so that nobody takes it
// for a verified one. A fault of S3 is no verdict and deletes nothing. Nor is an
// object deleted that was there before and whose staging object is gone: it had a
// receipt, and the application may have changed it since. What another replica has
// deleted and frozen anew meanwhile stays, where the provider can tell.
func (e *Engine) reject(ctx context.Context, c *claim.Claim, final *store.Object, wasThere, duplicate bool, reason error) error {
	var verdict *Rejected
	if !errors.As(reason, &verdict) || duplicate {
		return reason
	}
	if wasThere && c.Staged() {
		switch _, err := e.Staging.Head(ctx, c.StagingKey); {
		case errors.Is(err, store.ErrNotFound):
			return reason
		case err != nil:
			return err
		}
	}
	if err := e.deleteSeen(ctx, c.Key, final); err != nil {
		return err
	}
	return &discarded{reason}
}

// deleteSeen deletes the object that was seen at a final key, and where the provider can
// tell no other one.
func (e *Engine) deleteSeen(ctx context.Context, key string, seen *store.Object) error {
	etag := seen.ETag
	if !e.DeleteIfMatch {
		etag = ""
	}
	return e.Store.Delete(ctx, key, etag)
}

// abandon ends a multipart upload that is not wanted any more.
func (e *Engine) abandon(ctx context.Context, in Bucket, key, uploadID string) {
	if err := in.Abort(context.WithoutCancel(ctx), key, uploadID); err != nil {
		e.Left(ctx, "a multipart upload", err)
	}
}

// Abort gives an upload up: it leaves none of its parts, and nothing in staging. For an
// object that stands at its final key it is too late: that stays, and is completed.
func (e *Engine) Abort(ctx context.Context, c *claim.Claim) error {
	if err := e.withdraw(ctx, c); err != nil {
		return err
	}
	if c.Staged() {
		if frozen, err := e.isFrozen(ctx, c); frozen || err != nil {
			return err
		}
	}
	return e.discard(ctx, c)
}
