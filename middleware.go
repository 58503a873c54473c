package postern

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"

	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/mediatype"
)

// Decode begins a chain that ends in [SignHandler] of the same Issuer. It refuses
// requests that a page of another origin makes with the user's cookies, with the
// problem cross_origin: see [WithTrustedOrigins]. Then it reads the request in the
// Issuer's dialect into an [Upload], and puts that into the context.
//
// A request in [Native] may be about several files. The rest of the chain then runs once
// for each, one after the other, with an Upload, a context and a ResponseWriter of its
// own, and what is written there is the result of that file: see [Upload.Batch].
func Decode(issuer *Issuer) func(http.Handler) http.Handler {
	mustHave("Decode", issuer != nil)
	b := &beginning{issuer: issuer, action: ActionSign, maxBody: issuer.config.bodyLimit, atOnce: 1}
	if _, ok := issuer.dialect.(native); ok {
		b.maxBody = issuer.config.batchBody()
		b.read = func(_ http.ResponseWriter, r *http.Request, u *Upload) ([][]byte, error) {
			d, files, err := readUploads(r, issuer.config.bodyLimit, issuer.config.batchLimit)
			if files != nil {
				return files, nil
			}
			return nil, u.take(d, err)
		}
		b.readOne = func(file []byte, u *Upload) error {
			if int64(len(file)) > issuer.config.bodyLimit {
				return ErrBodyTooLarge
			}
			return u.take(declarationOf(file))
		}
		return b.middleware
	}
	b.read = func(w http.ResponseWriter, r *http.Request, u *Upload) ([][]byte, error) {
		var d *Declaration
		err := hook.Guard(func() (err error) {
			d, err = issuer.dialect.ReadUpload(w, r)
			return err
		})
		return nil, u.take(d, err)
	}
	return b.middleware
}

// take takes what a dialect has read.
func (u *Upload) take(d *Declaration, err error) error {
	if d != nil { // a refusal is logged with it
		u.declare(d)
	}
	switch {
	case err != nil:
		return err
	case d == nil:
		return errNoDeclaration
	}
	return u.clean()
}

var errNoDeclaration = errors.New("the dialect has read neither a declaration nor an error")

// OpenTicket takes the place of [Decode] in chains that end in [PartsHandler],
// [ListHandler], [CompleteHandler], [AbortHandler] or [ReportHandler]: it reads a request
// with the ticket of a grant, and restores the upload from it. Subject and Tenant stay
// empty for [Authorize] to set, which compares them with those of the ticket.
//
// A request to complete may have several tickets in [Native]. The rest of the chain then
// runs once for each, as behind [Decode], but for up to 16 at once.
func OpenTicket(issuer *Issuer, action Action) func(http.Handler) http.Handler {
	mustHave("OpenTicket", issuer != nil)
	limit, ok := ticketBodyLimits[action]
	if !ok {
		panic(&ConfigError{Option: "OpenTicket", Err: fmt.Errorf("%w, not %q", errAction, action)})
	}
	dialect := issuer.ticketDialect()
	if action == ActionReport {
		dialect = native{} // no client of another dialect reports
	}
	b := &beginning{issuer: issuer, action: action, maxBody: limit, atOnce: completingAtOnce}
	if _, ok := dialect.(native); ok {
		b.read = func(_ http.ResponseWriter, r *http.Request, u *Upload) ([][]byte, error) {
			q, files, err := readTickets(r, action, issuer.config.batchLimit)
			if files != nil {
				return files, nil
			}
			return nil, issuer.restore(u, q, err)
		}
		b.readOne = func(file []byte, u *Upload) error {
			q, err := ticketRequestOf(file, action)
			return issuer.restore(u, q, err)
		}
		return b.middleware
	}
	b.read = func(w http.ResponseWriter, r *http.Request, u *Upload) ([][]byte, error) {
		var q *TicketRequest
		err := hook.Guard(func() (err error) {
			q, err = dialect.ReadTicket(w, r, action)
			return err
		})
		return nil, issuer.restore(u, q, err)
	}
	return b.middleware
}

// restore opens the ticket of a request.
func (i *Issuer) restore(u *Upload, q *TicketRequest, err error) error {
	if err != nil {
		return err
	}
	if q == nil { // a dialect that has found no ticket
		return ErrTicketInvalid
	}
	c, err := i.open(q.Ticket, u.now)
	if err != nil {
		return err
	}
	if q.Key != "" && q.Key != c.Key && q.Key != c.WriteKey() {
		return ErrTicketForeign.WithDetail("The ticket is of another upload.")
	}
	u.ticket = &openedTicket{claim: c, request: q}
	u.Filename, u.Type, u.Size, u.Key = c.Filename, c.Type, c.Size, c.Key
	u.SHA256, u.Metadata, u.PartChecksums = c.SHA256, c.Metadata, c.PartChecksums
	u.Mode, u.PartSize, u.id = Mode(c.Mode), c.PartSize, c.ID
	return nil
}

// ticketBodyLimits bound the bodies of requests with a ticket, in bytes: a ticket is
// 8 KiB at most, 10,000 numbers are 60 KiB, 2,000 checksums 110 KiB, 10,000 parts
// 700 KiB, and a report 4 KiB.
var ticketBodyLimits = map[Action]int64{
	ActionParts:    128 << 10,
	ActionList:     16 << 10,
	ActionComplete: 1 << 20,
	ActionAbort:    16 << 10,
	ActionReport:   12 << 10,
}

var errAction = errors.New("the actions with a ticket are parts, list, complete, abort and report")

// beginning is the first middleware of a chain: it makes the Upload, and read fills it, or
// finds several files, for each of which readOne does.
type beginning struct {
	issuer  *Issuer
	action  Action
	maxBody int64
	read    func(http.ResponseWriter, *http.Request, *Upload) (files [][]byte, err error)
	readOne func(file []byte, u *Upload) error
	atOnce  int // how many of the files
}

func (b *beginning) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if UploadFrom(r.Context()) != nil {
			Refuse(w, r, ErrChainIncomplete)
			return
		}
		if b.issuer.observed() {
			ctx, end := b.issuer.step(r.Context(), Step{Kind: StepRequest, Name: string(b.action)})
			defer end(StepEnd{})
			r = r.WithContext(ctx)
		}
		r, u := b.issuer.begin(w, r, b.action, b.maxBody)
		var files [][]byte
		err := checkOrigin(b.issuer.origins, r)
		if err == nil {
			files, err = b.read(w, r, u)
		}
		switch {
		case err != nil:
			b.issuer.refuse(w, r, u, err)
		case files != nil:
			newBatch(b, u.now, files).serve(w, r, next)
		default:
			u.decoded = true
			next.ServeHTTP(w, r)
		}
	})
}

// Rule returns middleware that judges or narrows the upload: the request goes on
// if fn returns nil, and is refused with its error otherwise, as [Refuse] says. It
// must stand after [Decode] or [OpenTicket]. A panic in fn costs that request only.
func Rule(fn func(r *http.Request, u *Upload) error) func(http.Handler) http.Handler {
	mustHave("Rule", fn != nil)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u := UploadFrom(r.Context())
			if u == nil {
				Refuse(w, r, ErrChainIncomplete)
				return
			}
			if err := hook.Guard(func() error { return fn(r, u) }); err != nil {
				Refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Authorize asks fn who uploads, and whether they may. fn sets u.Subject, and
// u.Tenant where there are tenants, and may narrow the upload by u.LimitSize and
// u.AllowContentTypes; it returns [ErrUnauthenticated], [ErrForbidden] or another
// [Problem] to refuse. An error that is no Problem answers 500 without its text.
// Without a subject the request fails, unless the Issuer has [AllowAnonymous].
//
// After [OpenTicket] it also compares what fn has set with the ticket, and refuses
// with the problem ticket_foreign what belongs to someone else.
func Authorize(fn func(r *http.Request, u *Upload) error) func(http.Handler) http.Handler {
	if fn == nil {
		panic(&ConfigError{Option: "Authorize", Err: errNoAuthorizer})
	}
	return authorize(fn)
}

var errNoAuthorizer = errors.New("an authorizer is needed, or AllowAnonymous")

func authorize(fn func(r *http.Request, u *Upload) error) func(http.Handler) http.Handler {
	return Rule(func(r *http.Request, u *Upload) error {
		if fn != nil {
			if err := fn(r, u); err != nil {
				return err
			}
		}
		if u.Subject == "" && !u.issuer.config.anonymous {
			return ErrSubjectMissing
		}
		// A key that was named before has the tenant of another decision.
		u.authorized, u.named = true, false
		if err := u.checkOwner(); err != nil {
			return err
		}
		u.item.authorized()
		return nil
	})
}

// checkOwner compares the principal with the ticket's, if there is one.
func (u *Upload) checkOwner() error {
	if u.ticket == nil {
		return nil
	}
	subject := subtle.ConstantTimeCompare([]byte(u.Subject), []byte(u.ticket.claim.Subject))
	tenant := subtle.ConstantTimeCompare([]byte(u.Tenant), []byte(u.ticket.claim.Tenant))
	if subject&tenant != 1 {
		return ErrTicketForeign
	}
	return nil
}

// LimitSize refuses files of fewer than min or more than max bytes. Several limits,
// and those of [Upload.LimitSize], add up to the narrowest, in whatever order they
// come. A limit that [WithSizeLimit] gave the Issuer holds as well; its default
// does not.
func LimitSize(min, max int64) func(http.Handler) http.Handler {
	l := limits{min, max}
	if err := l.check(); err != nil {
		panic(&ConfigError{Option: "LimitSize", Err: err})
	}
	return Rule(func(_ *http.Request, u *Upload) error { return u.limit(l) })
}

// LimitSizeFunc is [LimitSize] with limits in bytes that depend on the request.
// Limits that do not meet refuse every file.
func LimitSizeFunc(fn func(r *http.Request, u *Upload) (min, max int64)) func(http.Handler) http.Handler {
	mustHave("LimitSizeFunc", fn != nil)
	return Rule(func(r *http.Request, u *Upload) error {
		min, max := fn(r, u)
		return u.limit(limits{min, max})
	})
}

func (u *Upload) limit(l limits) error {
	u.sizeRules.add(l)
	if u.hasNoFile() {
		return nil
	}
	return u.ownSize.of(u.sizeRules.limits).admit(u.Size)
}

// AllowContentTypes refuses files whose declared type meets no pattern: a type,
// a family such as "image/*", or "*/*". A wildcard never admits a type that a
// browser executes, such as text/html and image/svg+xml: those must be named.
// Several lists must all admit the type, that of [WithContentTypes] included. What
// is declared is a promise of the browser; the grant stores the object under it,
// whatever the bytes are.
func AllowContentTypes(patterns ...string) func(http.Handler) http.Handler {
	set, err := newTypes(patterns)
	if err != nil {
		panic(&ConfigError{Option: "AllowContentTypes", Err: err})
	}
	return allowTypes(set)
}

func allowTypes(set *mediatype.Set) func(http.Handler) http.Handler {
	return Rule(func(_ *http.Request, u *Upload) error {
		var err error
		if !u.hasNoFile() {
			err = u.checkType(set)
		}
		if u.typeRules == nil {
			u.typeRules = u.firstType[:0]
		}
		u.typeRules = append(u.typeRules, set)
		return err
	})
}

// NameKey names the object by a policy. It must stand after [Authorize], whose
// tenant and subject the key may have, and after the type rule, whose type gives
// the extension. Without it the Issuer's policy names the object.
func NameKey(policy KeyPolicy) func(http.Handler) http.Handler {
	if err := checkPolicy(policy); err != nil {
		panic(err)
	}
	return Rule(func(r *http.Request, u *Upload) error {
		if !u.authorized {
			return ErrChainIncomplete
		}
		if u.hasNoFile() {
			return nil
		}
		return u.name(r.Context(), policy)
	})
}

// name names the object.
func (u *Upload) name(ctx context.Context, policy KeyPolicy) error {
	return hook.Guard(func() error {
		key, err := policy.Key(ctx, u)
		if err != nil {
			return err
		}
		if err := checkKey(key); err != nil {
			return ErrKeyInvalid.WithCause(err)
		}
		u.Key, u.named = key, true
		return nil
	})
}
