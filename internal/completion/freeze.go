package completion

import (
	"context"
	"errors"
	"sync"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

const (
	// copiesAtOnce bounds the copies of one freeze.
	copiesAtOnce = 4
	// freezeTries bounds how often a freeze starts over, because the staging object
	// was replaced under it.
	freezeTries = 3
)

// freeze copies the staging object to its key, where no grant can write. The copy
// is bound to the source's ETag and made only if the key is free. That the key is
// taken is no error: the caller looks at what is there. source is the staging
// object if it was seen already.
func (e *Engine) freeze(ctx context.Context, c *claim.Claim, source *store.Object) error {
	if !c.Staged() {
		return nil
	}
	for try := 1; ; try++ {
		err := e.freezeOnce(ctx, c, source)
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
		if _, headErr := e.Store.Head(ctx, c.Key); !errors.Is(headErr, store.ErrNotFound) {
			return headErr
		}
		if errors.Is(err, store.ErrNotFound) || try == freezeTries {
			return err
		}
		source = nil
	}
}

func (e *Engine) freezeOnce(ctx context.Context, c *claim.Claim, source *store.Object) (err error) {
	if source == nil {
		if source, err = e.Store.Head(ctx, c.StagingKey); err != nil {
			return err
		}
	}
	// A filter only, which saves a copy: what counts is looked at after it.
	if source.Header.ID != c.ID {
		return ErrConflict
	}
	if err := checkSize(c, source); err != nil {
		return err
	}
	if source.Size == 0 {
		return e.Store.PutEmpty(ctx, c.Key, c.Header())
	}
	uploadID, err := e.Store.CreateMultipart(ctx, c.Key, c.Header(), c.SHA256 != nil)
	if err != nil {
		return err
	}
	parts, err := e.copyParts(ctx, c, source, uploadID)
	if err == nil {
		err = e.Store.CompleteMultipart(ctx, c.Key, uploadID, parts, true)
	}
	if err != nil {
		e.abandon(ctx, c.Key, uploadID)
	}
	return err
}

// copyParts copies the source into the parts of an upload.
func (e *Engine) copyParts(ctx context.Context, c *claim.Claim, source *store.Object, uploadID string) ([]store.Part, error) {
	size := partSize(source.Size)
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
			parts[n], errs[n] = e.Store.CopyPart(ctx, c.StagingKey, source.ETag, c.Key, uploadID, int32(n+1), first, last)
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
