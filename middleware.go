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
func Decode(issuer *Issuer) func(http.Handler) http.Handler {
	mustHave("Decode", issuer != nil)
	return begin(issuer, ActionSign, issuer.config.bodyLimit, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		var d *Declaration
		err := hook.Guard(func() (err error) {
			d, err = issuer.dialect.ReadUpload(w, r)
			return err
		})
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
	})
}

var errNoDeclaration = errors.New("the dialect has read neither a declaration nor an error")

// OpenTicket takes the place of [Decode] in chains that end in [PartsHandler],
// [ListHandler], [CompleteHandler] or [AbortHandler]: it reads a request with the
// ticket of a grant, and restores the upload from it. Subject and Tenant stay empty
// for [Authorize] to set, which compares them with those of the ticket.
func OpenTicket(issuer *Issuer, action Action) func(http.Handler) http.Handler {
	mustHave("OpenTicket", issuer != nil)
	limit, ok := ticketBodyLimits[action]
	if !ok {
		panic(&ConfigError{Option: "OpenTicket", Err: fmt.Errorf("%w, not %q", errAction, action)})
	}
	dialect := issuer.ticketDialect()
	return begin(issuer, action, limit, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		var q *TicketRequest
		err := hook.Guard(func() (err error) {
			q, err = dialect.ReadTicket(w, r, action)
			return err
		})
		if err != nil {
			return err
		}
		if q == nil { // a dialect that has found no ticket
			return ErrTicketInvalid
		}
		c, err := issuer.open(q.Ticket, u.now)
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
	})
}

// ticketBodyLimits bound the bodies of requests with a ticket, in bytes: a ticket is
// 8 KiB at most, 10,000 numbers are 60 KiB, 2,000 checksums 110 KiB, and 10,000
// parts 700 KiB.
var ticketBodyLimits = map[Action]int64{
	ActionParts:    128 << 10,
	ActionList:     16 << 10,
	ActionComplete: 1 << 20,
	ActionAbort:    16 << 10,
}

var errAction = errors.New("the actions with a ticket are parts, list, complete and abort")

// begin is the first middleware of a chain: it makes the Upload, and read fills it.
func begin(i *Issuer, action Action, maxBody int64, read func(http.ResponseWriter, *http.Request, *Upload) error) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if UploadFrom(r.Context()) != nil {
				Refuse(w, r, ErrChainIncomplete)
				return
			}
			r, u := i.begin(w, r, action, maxBody)
			err := checkOrigin(i.origins, r)
			if err == nil {
				err = read(w, r, u)
			}
			if err != nil {
				i.refuse(w, r, u, err)
				return
			}
			u.decoded = true
			next.ServeHTTP(w, r)
		})
	}
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
		return u.checkOwner()
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
		err := u.checkType(set)
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
