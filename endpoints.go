package postern

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/store"
)

// openedTicket is the ticket of a request.
type openedTicket struct {
	claim   *claim.Claim
	request *TicketRequest // what else the request has
}

// details reads the lists of the request.
func (t *openedTicket) details() (*TicketDetails, error) {
	if t.request.Details == nil {
		return &TicketDetails{}, nil
	}
	d, err := t.request.Details()
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return &TicketDetails{}, nil
	case len(d.Parts) > maxParts || len(d.Numbers) > maxParts:
		return nil, ErrPartsInvalid
	case d.CRC64NVME != "" && !isCRC64(d.CRC64NVME):
		return nil, ErrChecksumInvalid.WithDetail("The checksum is not the base64 of a CRC-64/NVME.")
	}
	return d, nil
}

// isCRC64 reports whether s is the base64 of eight bytes, as S3 writes it.
func isCRC64(s string) bool {
	var b [9]byte
	n, err := base64.StdEncoding.Strict().Decode(b[:], []byte(s))
	return len(s) == 12 && err == nil && n == 8
}

// SignHandler ends a chain that began with [Decode] of the same Issuer: it issues
// the grant and writes it. It answers 500 chain_incomplete unless [Authorize] ran
// and, where there is a [NameKey], before it. The limits of [WithSizeLimit] and
// [WithContentTypes] hold in every chain, their defaults where no such rule ran.
func SignHandler(issuer *Issuer) http.Handler {
	return endpoint("SignHandler", issuer, ActionSign, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		grant, err := issuer.issue(r.Context(), r, u)
		if err != nil {
			return err
		}
		issuer.decide(r, u, Decision{Bucket: grant.Bucket, Mode: grant.Mode, Status: http.StatusCreated})
		u.item.answers("grant")
		issuer.dialect.WriteGrant(w, r, grant)
		return nil
	})
}

// PartsHandler ends a chain that began with [OpenTicket]: it signs the URLs of the
// parts that the request names, each for its exact length.
func PartsHandler(issuer *Issuer) http.Handler {
	return endpoint("PartsHandler", issuer, ActionParts, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		details, err := u.ticket.details()
		if err != nil {
			return err
		}
		p, err := issuer.placeOf(r.Context(), u)
		if err != nil {
			return err
		}
		urls, err := p.signParts(r.Context(), issuer.config.lifetime, u, details)
		if err != nil {
			return err
		}
		issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusOK})
		issuer.ticketDialect().WriteParts(w, r, urls)
		return nil
	})
}

// ListHandler ends a chain that began with [OpenTicket]: it tells which parts have
// arrived.
func ListHandler(issuer *Issuer) http.Handler {
	return endpoint("ListHandler", issuer, ActionList, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		c := u.ticket.claim
		if c.Mode != claim.Multipart {
			return ErrNotMultipart
		}
		p, err := issuer.placeOf(r.Context(), u)
		if err != nil {
			return err
		}
		stored, err := p.store.Parts(r.Context(), c.WriteKey(), c.UploadID)
		if err != nil {
			return engineProblem(err)
		}
		parts := make([]Part, len(stored))
		for k, p := range stored {
			parts[k] = Part{Number: p.Number, Size: p.Size, ETag: p.ETag}
		}
		issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusOK})
		issuer.ticketDialect().WriteList(w, r, parts)
		return nil
	})
}

const (
	// completeWait is how long a request waits for its completion before it is
	// told to ask again.
	completeWait = 20 * time.Second
	// pendingRetryAfter is when it is told to ask again.
	pendingRetryAfter = 2 * time.Second
	// undecidedRetryAfter is the same for an object that waits for a verdict.
	undecidedRetryAfter = 5 * time.Second
	// undecidedWait is how long a request waits for a verdict whose client would not
	// ask again.
	undecidedWait = time.Minute
)

// CompleteHandler ends a chain that began with [OpenTicket]: it freezes and verifies
// the upload, hands the receipt to the hook of [WithOnComplete], and answers with
// it. A completion that takes long goes on when the request has been answered with
// 202; completing again waits for it, or begins it again where it was lost.
func CompleteHandler(issuer *Issuer) http.Handler {
	return endpoint("CompleteHandler", issuer, ActionComplete, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		details, err := u.ticket.details()
		if err != nil {
			return err
		}
		p, err := issuer.placeOf(r.Context(), u)
		if err != nil {
			return err
		}
		dialect := issuer.ticketDialect()
		begun := time.Now()
		for {
			receipt, err := issuer.complete(r.Context(), p, u.ticket.claim, details, u.item.wait())
			after := pendingRetryAfter
			switch {
			case err == nil:
				issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusOK})
				u.item.answers("receipt")
				dialect.WriteReceipt(w, r, receipt)
				return nil
			case errors.Is(err, completion.ErrUndecided):
				after = undecidedRetryAfter
			case !errors.Is(err, completion.ErrPending):
				return engineProblem(err)
			}
			u.item.answers("pending")
			answered := dialect.WritePending(w, r, after) == Answered
			if !answered && errors.Is(err, completion.ErrUndecided) {
				if time.Since(begun) >= undecidedWait {
					return engineProblem(err)
				}
				sleep(r.Context(), after)
			}
			if answered || r.Context().Err() != nil {
				issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusAccepted})
				return nil
			}
		}
	})
}

// sleep waits, but no longer than ctx.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// complete completes the upload of a ticket. The hook has had the receipt.
func (i *Issuer) complete(ctx context.Context, p *place, c *claim.Claim, d *TicketDetails, wait time.Duration) (*Receipt, error) {
	q := completion.Request{
		Trigger: completion.Browser, Parts: make([]completion.Part, len(d.Parts)), CRC64NVME: d.CRC64NVME, Wait: wait,
	}
	for k, p := range d.Parts {
		q.Parts[k] = completion.Part{Number: p.Number, ETag: p.ETag}
	}
	result, err := p.engine.Complete(i.ownLogger(ctx), c, q)
	if err != nil {
		return nil, err
	}
	return p.receipt(c, result), nil
}

// AbortHandler ends a chain that began with [OpenTicket]: it gives the upload up,
// and leaves none of its parts, and nothing under the staging prefix. An object that
// stands at its final key already stays.
func AbortHandler(issuer *Issuer) http.Handler {
	return endpoint("AbortHandler", issuer, ActionAbort, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		p, err := issuer.placeOf(r.Context(), u)
		if err != nil {
			return err
		}
		if err := p.engine.Abort(r.Context(), u.ticket.claim); err != nil {
			return engineProblem(err)
		}
		issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusNoContent})
		issuer.ticketDialect().WriteAborted(w, r)
		return nil
	})
}

// endpoint ends a chain: serve answers, or says why not.
func endpoint(name string, issuer *Issuer, action Action, serve func(w http.ResponseWriter, r *http.Request, u *Upload) error) http.Handler {
	mustHave(name, issuer != nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := UploadFrom(r.Context())
		err := u.checkChain(issuer, action)
		if err == nil {
			err = issuer.inTime(r, action, func(r *http.Request) error { return serve(w, r, u) })
		}
		if err != nil {
			Refuse(w, r, err)
		}
	})
}

// inTime bounds what a request may take, but for completions, which are waited for and
// go on, and for grants and rules of the one bucket: rules make no call, and grants for
// parts bound themselves.
func (i *Issuer) inTime(r *http.Request, action Action, serve func(*http.Request) error) error {
	if action == ActionComplete || (action == ActionSign || action == ActionRules) && i.config.buckets == nil {
		return serve(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), store.Limits.Road)
	defer cancel()
	err := serve(r.WithContext(ctx))
	var p *Problem
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && !errors.As(err, &p) {
		return ErrStorageUnavailable.WithCause(err) // the application's Buckets
	}
	return err
}

// checkChain refuses an upload that came another way than by the beginning that
// belongs to an end: by another Issuer, for another action, undecided, or with the
// ticket of someone else.
func (u *Upload) checkChain(issuer *Issuer, action Action) error {
	if u == nil || u.issuer != issuer || u.Action != action || !u.authorized ||
		(u.ticket == nil) != (action == ActionSign || action == ActionRules || action == ActionSession) {
		return ErrChainIncomplete
	}
	return u.checkOwner()
}
