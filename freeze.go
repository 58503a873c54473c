package postern

import (
	"context"
	"errors"
	"sync"

	"github.com/postern-go/postern/internal/store"
)

const (
	// copySize is the size of the parts in which an object above 5 GiB is copied,
	// in bytes; 5 TiB are 5,120 of them.
	copySize = 1 << 30
	// copiesAtOnce bounds the copies of one freeze.
	copiesAtOnce = 4
	// freezeTries bounds how often a freeze starts over, because the staging
	// object was replaced under it.
	freezeTries = 3
)

// freeze copies the staging object to its key, where no grant can write. The
// copy is bound to the source's ETag and made only if the key is free. That the
// key is taken is no error: the caller looks at what is there.
func (i *Issuer) freeze(ctx context.Context, t *ticketData) error {
	for try := 1; ; try++ {
		err := i.freezeOnce(ctx, t)
		lost := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrNoUpload)
		moved := errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrConflict)
		switch {
		case errors.Is(err, store.ErrExists):
			return nil
		case !lost && !moved:
			return storeProblem(err)
		}
		// Another completion, or an earlier try whose answer was lost, may have
		// made the object: the key tells.
		if _, headErr := i.store.Head(ctx, t.key); !errors.Is(headErr, store.ErrNotFound) {
			return storeProblem(headErr)
		}
		if errors.Is(err, store.ErrNotFound) || try == freezeTries {
			return storeProblem(err)
		}
	}
}

func (i *Issuer) freezeOnce(ctx context.Context, t *ticketData) error {
	source, err := i.store.Head(ctx, t.object)
	if err != nil {
		return err
	}
	// A filter only, which saves a copy: what counts is looked at after it.
	if source.Header.Metadata[metadataID] != t.id {
		return ErrObjectConflict
	}
	if err := t.checkSize(source.Size); err != nil {
		return err
	}
	header := t.header()
	if source.Size == 0 {
		return i.store.PutEmpty(ctx, t.key, header)
	}
	if t.sha256 != nil {
		header.ChecksumAlgorithm = "SHA256"
	}
	uploadID, err := i.store.CreateMultipart(ctx, t.key, header)
	if err != nil {
		return err
	}
	parts, err := i.copyParts(ctx, t, source, uploadID)
	if err == nil {
		err = i.store.CompleteMultipart(ctx, t.key, uploadID, parts, true)
	}
	if err != nil {
		i.giveUp(ctx, t.key, uploadID)
	}
	return err
}

// giveUp aborts a copy that is not wanted any more. If it fails, a lifecycle rule
// will.
func (i *Issuer) giveUp(ctx context.Context, key, uploadID string) {
	if err := i.store.Abort(context.WithoutCancel(ctx), key, uploadID); err != nil {
		contextLogger(ctx, &i.config.settings).Warn().Err(err).Msg("postern: a multipart upload is left to the lifecycle rules")
	}
}

// copyParts copies the source into the parts of an upload: one, if S3 allows.
func (i *Issuer) copyParts(ctx context.Context, t *ticketData, source *store.Object, uploadID string) ([]store.Part, error) {
	size := int64(maxSingle)
	if source.Size > size {
		size = copySize
	}
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
			parts[n], errs[n] = i.store.CopyPart(ctx, t.object, source.ETag, t.key, uploadID, int32(n+1), first, last)
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
