package completion

import (
	"context"
	"errors"
	"sync"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

const (
	// copiesAtOnce bounds the copies of one freeze.
	copiesAtOnce = 4
	// freezeTries bounds how often a freeze starts over, because the staging object
	// was replaced under it.
	freezeTries = 3
)

// Method is how an engine freezes: "conditional", "election" or "lock".
func (e *Engine) Method() string {
	switch {
	case e.CopyPartIfMatch && e.CompleteIfAbsent:
		return "conditional"
	case e.PutIfAbsent:
		return "election"
	default:
		return "lock"
	}
}

// freeze copies the staging object to its key, where no grant can write. That the
// key is taken is no error: the caller looks at what is there. source is the staging
// object if it was seen already.
func (e *Engine) freeze(ctx context.Context, c *claim.Claim, source *store.Object) error {
	if !c.Staged() {
		return nil
	}
	once := e.copyConditionally
	if e.publishes(c) {
		once = e.publish
	}
	for try := 1; ; try++ {
		err := e.freezeOnce(ctx, c, source, once)
		missing := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrNoUpload)
		replaced := errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrConflict)
		switch {
		case errors.Is(err, store.ErrExists):
			return nil
		case !missing && !replaced:
			return err
		}
		// Another completion, or an earlier try whose answer was lost, may have made
		// the object: the key tells.
		if _, headErr := e.final(ctx, c); !errors.Is(headErr, store.ErrNotFound) {
			return headErr
		}
		if errors.Is(err, store.ErrNotFound) || try == freezeTries {
			return err
		}
		source = nil
	}
}

func (e *Engine) freezeOnce(ctx context.Context, c *claim.Claim, source *store.Object, once func(context.Context, *claim.Claim, *store.Object) error) (err error) {
	if source == nil {
		if source, err = e.Staging.Head(ctx, c.StagingKey); err != nil {
			return err
		}
	}
	// A filter only, which saves a copy: what counts is looked at after it.
	if !isSource(c, source) {
		return ErrConflict
	}
	if err := checkSize(c, source); err != nil {
		return err
	}
	return once(ctx, c, source)
}

// isSource reports whether an object in staging is an upload's: by the id that its grant
// binds, or, where a session has written it, by being what was seen first.
func isSource(c *claim.Claim, o *store.Object) bool {
	if c.Session != "" {
		return o.ETag == c.Source
	}
	return o.Header.ID == c.ID
}

// copyConditionally makes the final object in one step: the copy is bound to the
// source's ETag, and completed only if the key is free.
func (e *Engine) copyConditionally(ctx context.Context, c *claim.Claim, source *store.Object) error {
	return e.copyFinal(ctx, c, c.StagingKey, source, store.Condition{IfAbsent: true})
}

// copyFinal copies an object of the staging bucket to the final key on a condition.
func (e *Engine) copyFinal(ctx context.Context, c *claim.Claim, from string, source *store.Object, on store.Condition) error {
	if source.Size == 0 {
		return e.Store.PutEmpty(ctx, c.Key, c.Header(), on)
	}
	return e.copyParts(ctx, from, source, e.Store, c.Key, c.Header(), partSize(source.Size, object.MaxSingle), c.SHA256 != nil && e.CopyPartSums, on)
}

// copyTo copies an object of the staging bucket to a key, whatever is there.
func (e *Engine) copyTo(ctx context.Context, from string, source *store.Object, in Bucket, to string, h object.Header) error {
	const atOnce = 4 << 30 // some servers copy a little less than 5 GiB
	switch {
	case source.Size == 0:
		return in.PutEmpty(ctx, to, h, store.Condition{})
	case source.Size <= atOnce:
		return in.Copy(ctx, e.Staging.Bucket(), from, source.ETag, to, h)
	default:
		return e.copyParts(ctx, from, source, in, to, h, partSize(source.Size, atOnce), false, store.Condition{})
	}
}

// copyParts copies an object of the staging bucket as the parts of a multipart upload.
func (e *Engine) copyParts(ctx context.Context, from string, source *store.Object, in Bucket, to string, h object.Header, size int64, sums bool, on store.Condition) error {
	uploadID, err := in.CreateMultipart(ctx, to, h, sums)
	if err != nil {
		return err
	}
	parts, err := e.copyAll(ctx, from, source, in, to, uploadID, size)
	if err == nil {
		err = in.CompleteMultipart(ctx, to, uploadID, parts, store.CompleteOptions{Condition: on, Size: e.CompleteSize})
	}
	if err != nil {
		e.abandon(ctx, in, to, uploadID)
	}
	return err
}

// partSize is the size of the parts in which an object is copied, in bytes: one
// part if it may have the object whole, else 1 GiB, or as much as it takes to have
// 10,000 of them.
func partSize(size, whole int64) int64 {
	const gib = 1 << 30
	if size <= whole {
		return whole
	}
	needed := (size + object.MaxParts - 1) / object.MaxParts
	return max(gib, needed)
}

func (e *Engine) copyAll(ctx context.Context, from string, source *store.Object, in Bucket, to, uploadID string, size int64) ([]store.Part, error) {
	parts := make([]store.Part, (source.Size+size-1)/size)
	errs := make([]error, len(parts))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, copiesAtOnce)
	for n := range parts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			first := int64(n) * size
			last := min(first+size, source.Size) - 1
			parts[n], errs[n] = in.CopyPart(ctx, e.Staging.Bucket(), from, source.ETag, to, uploadID, int32(n+1), first, last)
			if errs[n] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		// The first that is not the others' cancellation.
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return parts, errors.Join(errs...)
}
