package postern

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/store"
)

const (
	// completeWait is how long a request waits for its completion before it is
	// told to come back.
	completeWait = 20 * time.Second
	// comeBack is when it is told to.
	comeBack = 2 * time.Second
	// completeTimeout bounds a completion. 5 TiB are 1,024 copies of 5 GiB.
	completeTimeout = 2 * time.Hour
)

// Complete ends a chain that begins with [OpenTicket]: it freezes and verifies
// the upload, shows the receipt to the hook of [WithOnComplete], and answers with
// it. A completion that takes long goes on when the request has been answered
// with 202; completing again waits for it, or begins it again where it was lost.
func Complete(issuer *Issuer) http.Handler {
	return onTicket(issuer, ActionComplete, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		for {
			receipt, done, err := issuer.completions.run(r.Context(), u.ticket.id, completeWait, func(ctx context.Context) (*Receipt, error) {
				return issuer.complete(ctx, u.ticket.ticketData, u.ticket.request.Parts)
			})
			switch {
			case err != nil:
				return err
			case done:
				decide(r, u, u.ticket.mode, http.StatusOK, nil, nil)
				u.ticketDialect().WriteReceipt(w, r, receipt)
				return nil
			}
			if !u.ticketDialect().WritePending(w, r, comeBack) || r.Context().Err() != nil {
				decide(r, u, u.ticket.mode, http.StatusAccepted, nil, nil)
				return nil
			}
		}
	})
}

// complete is the road of one completion. Each step can be repeated: after a
// crash between any two, completing again ends in the same receipt.
func (i *Issuer) complete(ctx context.Context, t *ticketData, claimed []Part) (*Receipt, error) {
	if !i.sealed(t) {
		return nil, ErrNotSealed
	}
	object, err := i.store.Head(ctx, t.key)
	found := err == nil
	if errors.Is(err, store.ErrNotFound) {
		object, err = i.finish(ctx, t, claimed)
	}
	if err != nil {
		return nil, storeProblem(err)
	}
	duplicate, err := identify(t, object)
	if err != nil {
		return nil, err
	}
	if err := i.verify(ctx, t, object, duplicate); err != nil {
		return nil, i.reject(ctx, t, object, found, duplicate, err)
	}
	receipt := &Receipt{
		ID:        t.id,
		Bucket:    i.bucket.Name,
		Key:       t.key,
		Location:  i.public.url(t.key),
		Filename:  t.filename,
		Type:      t.typ,
		Size:      object.Size,
		Metadata:  t.metadata,
		ETag:      object.ETag,
		Subject:   t.subject,
		Tenant:    t.tenant,
		Replayed:  found && !duplicate && (t.object != t.key || t.mode == ModeMultipart),
		Duplicate: duplicate,
	}
	if t.sha256 != nil {
		receipt.SHA256 = hex.EncodeToString(t.sha256[:])
	}
	if i.config.onComplete != nil {
		if err := guard(func() error { return i.config.onComplete(ctx, *receipt) }); err != nil {
			return nil, ErrHookFailed.WithCause(err)
		}
	}
	if t.object != t.key {
		i.sweep(ctx, t.object)
	}
	return receipt, nil
}

// sealed reports whether a receipt was asked for, and the grant of a ticket cannot
// change the object after it. An upload in parts is not there without completion.
func (i *Issuer) sealed(t *ticketData) bool {
	if !i.config.completes() && t.mode != ModeMultipart {
		return false
	}
	return t.object != t.key || t.sha256 != nil ||
		t.mode == ModePut && i.provider.putIfAbsent || t.mode == ModeMultipart
}

// finish makes the final object, which was not there.
func (i *Issuer) finish(ctx context.Context, t *ticketData, claimed []Part) (*store.Object, error) {
	if t.mode == ModeMultipart {
		if err := i.assemble(ctx, t, claimed); err != nil {
			return nil, err
		}
	}
	if t.object != t.key {
		if err := i.freeze(ctx, t); err != nil {
			return nil, err
		}
	}
	object, err := i.store.Head(ctx, t.key)
	if errors.Is(err, store.ErrNotFound) && t.mode == ModeMultipart {
		return nil, ErrUploadGone
	}
	return object, err
}

// reject deletes an object that failed its verification, so that nobody takes it
// for a verified one. A fault of S3 proves nothing and deletes nothing. Nor is an
// object deleted that was there before and whose staging object is gone: it had a
// receipt, and the application may have changed it since. What another replica has
// deleted and frozen anew meanwhile stays, where the provider can tell.
func (i *Issuer) reject(ctx context.Context, t *ticketData, object *store.Object, found, duplicate bool, reason error) error {
	var p *Problem
	if !errors.As(reason, &p) || p.Status != http.StatusUnprocessableEntity || duplicate {
		return reason
	}
	if found && t.object != t.key {
		switch _, err := i.store.Head(ctx, t.object); {
		case errors.Is(err, store.ErrNotFound):
			return reason
		case err != nil:
			return storeProblem(err)
		}
	}
	etag := object.ETag
	if !i.provider.deleteIfMatch {
		etag = ""
	}
	if err := i.store.Delete(ctx, t.key, etag); err != nil {
		return storeProblem(err)
	}
	if t.object != t.key {
		i.sweep(ctx, t.object)
	}
	return reason
}

// sweep deletes what is no longer needed. If it fails, a lifecycle rule will.
func (i *Issuer) sweep(ctx context.Context, key string) {
	if err := i.store.Delete(ctx, key, ""); err != nil {
		contextLogger(ctx, &i.config.settings).Warn().Err(err).Msg("postern: a staging object is left to the lifecycle rules")
	}
}

// completions holds what is being completed, one at a time for each upload.
type completions struct {
	most    int
	mutex   sync.Mutex
	flights map[string]*flight
}

type flight struct {
	done    chan struct{}
	receipt *Receipt
	err     error
}

func newCompletions(most int) *completions {
	return &completions{most: most, flights: map[string]*flight{}}
}

// run completes an upload, or joins a completion of it that goes on. It returns
// done == false if that takes longer than wait; it then goes on.
func (c *completions) run(ctx context.Context, id string, wait time.Duration, complete func(context.Context) (*Receipt, error)) (r *Receipt, done bool, err error) {
	f, err := c.join(ctx, id, complete)
	if err != nil {
		return nil, false, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.receipt, true, f.err
	case <-timer.C:
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, nil
	}
}

func (c *completions) join(ctx context.Context, id string, complete func(context.Context) (*Receipt, error)) (*flight, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if f, ok := c.flights[id]; ok {
		return f, nil
	}
	if len(c.flights) >= c.most {
		return nil, ErrBusy
	}
	f := &flight{done: make(chan struct{})}
	c.flights[id] = f
	go func() {
		// The browser may hang up; the completion goes on.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), completeTimeout)
		defer cancel()
		defer func() {
			c.mutex.Lock()
			delete(c.flights, id)
			c.mutex.Unlock()
			close(f.done)
		}()
		f.err = guardAll(func() (err error) {
			f.receipt, err = complete(ctx)
			return err
		})
	}()
	return f, nil
}
