package postern

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/mediatype"
)

// Rule returns a link that judges or narrows the upload: the request goes on if
// fn returns nil, and is refused with its error otherwise, as [Refuse] says. It
// must stand after [Decode]. A panic in fn costs that request only.
func Rule(fn func(r *http.Request, u *Upload) error) func(http.Handler) http.Handler {
	if fn == nil {
		panic(&ConfigError{Option: "Rule", Err: errNil})
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u := UploadFrom(r.Context())
			if u == nil {
				Refuse(w, r, ErrChainIncomplete)
				return
			}
			if err := guard(func() error { return fn(r, u) }); err != nil {
				Refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// SameOrigin refuses requests that a page of another origin makes with the
// user's cookies, with the problem cross_origin. It is net/http's
// [http.CrossOriginProtection], for GET requests too, since some dialects grant by
// them: it is for uploads, not for pages. A request with an Authorization header
// passes, since no page can make a browser add one without CORS, but for the
// schemes in which browsers authenticate by themselves: Basic, Digest, Negotiate
// and NTLM. It takes [WithTrustedOrigins]. [Sign] does the same check where no
// SameOrigin ran.
func SameOrigin(opts ...Option) func(http.Handler) http.Handler {
	return sameOrigin(mustConfig(forSameOrigin, opts))
}

func sameOrigin(c *config) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r, u := begin(r, &c.settings)
			if err := checkOrigin(c.trustedOrigins, r); err != nil {
				Refuse(w, r, err)
				return
			}
			u.originChecked = true
			next.ServeHTTP(w, r)
		})
	}
}

var sameOriginOnly = http.NewCrossOriginProtection()

// checkOrigin makes the check at the end of a chain that no SameOrigin began.
func (u *Upload) checkOrigin(r *http.Request) error {
	if u.originChecked {
		return nil
	}
	return checkOrigin(sameOriginOnly, r)
}

func checkOrigin(p *http.CrossOriginProtection, r *http.Request) error {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "", "basic", "digest", "negotiate", "ntlm":
	default:
		return nil
	}
	// A GET of another site may ask for a grant too, in some dialects.
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		post := *r
		post.Method = http.MethodPost
		r = &post
	}
	if err := p.Check(r); err != nil {
		return ErrCrossOrigin.WithCause(err)
	}
	return nil
}

// Decode reads the request into an [Upload] and puts it into the context. It
// takes [WithDialect], [WithClock], [WithRandom], [WithBodyLimit], [WithLogger]
// and [WithObserver].
func Decode(opts ...Option) func(http.Handler) http.Handler {
	return decode(mustConfig(forDecode, opts))
}

func decode(c *config) func(http.Handler) http.Handler {
	return read(c, ActionSign, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		err := guard(func() error { return c.dialect.ReadUpload(w, r, u) })
		u.forget() // a refusal is logged too
		if err != nil {
			return err
		}
		return u.clean()
	})
}

// forget leaves of an upload what a dialect may read. Who uploads, and what is
// allowed, is decided later.
func (u *Upload) forget() {
	*u = Upload{
		Action: ActionSign, Filename: u.Filename, Type: u.Type, Size: u.Size, SHA256: u.SHA256,
		PartChecksums: u.PartChecksums, Mode: u.Mode, PartSize: u.PartSize, Metadata: u.Metadata,
		settings: u.settings, start: u.start, now: u.now, originChecked: u.originChecked,
	}
}

// clean takes an upload as a dialect has read it.
func (u *Upload) clean() error {
	declared := u.Type
	u.Filename, u.Type = filename.Clean(u.Filename), ""
	if u.Filename == "" {
		return ErrFilenameRequired
	}
	if u.Size < UnknownSize {
		return ErrSizeInvalid
	}
	t, err := mediatype.Parse(declared)
	if err != nil {
		return ErrTypeInvalid
	}
	u.Type = t.String()
	return nil
}

// read is the link that makes the upload of a request.
func read(c *config, action Action, fill func(http.ResponseWriter, *http.Request, *Upload) error) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r, u := begin(r, &c.settings)
			if u.decoded {
				Refuse(w, r, ErrChainIncomplete)
				return
			}
			u.settings, u.Action, u.now = &c.settings, action, c.clock()
			if err := fill(w, r, u); err != nil {
				Refuse(w, r, err)
				return
			}
			u.decoded = true
			next.ServeHTTP(w, r)
		})
	}
}

// Authorize asks fn who uploads, and whether they may. fn sets u.Subject, and
// u.Tenant where there are tenants, and may narrow u.MinSize, u.MaxSize and
// u.AllowedTypes; it returns [ErrUnauthenticated], [ErrForbidden] or another
// [Problem] to refuse. An error that is no Problem answers 500 without its text.
// Without a subject the request fails, unless [AllowAnonymous] is given; then fn
// may be nil.
func Authorize(fn func(r *http.Request, u *Upload) error, opts ...Option) func(http.Handler) http.Handler {
	c := mustConfig(forAuthorize, opts)
	c.authorizer = fn
	if fn == nil && !c.anonymous {
		panic(&ConfigError{Option: "Authorize", Err: errNoAuthorizer})
	}
	return authorize(c)
}

var errNoAuthorizer = errors.New("an authorizer is needed, or AllowAnonymous")

func authorize(c *config) func(http.Handler) http.Handler {
	return Rule(func(r *http.Request, u *Upload) error {
		if c.authorizer != nil {
			if err := c.authorizer(r, u); err != nil {
				return err
			}
		}
		if u.Subject == "" && !c.anonymous {
			return ErrSubjectMissing
		}
		// A key that was named before has the tenant of another decision.
		u.authorized, u.named = true, false
		return nil
	})
}

// LimitSize refuses files of less than least or more than most bytes. Several
// limits, and those that the authorizer sets, add up to the narrowest, in
// whatever order they come.
func LimitSize(least, most int64) func(http.Handler) http.Handler {
	l := limits{least, most}
	if err := l.check(); err != nil {
		panic(&ConfigError{Option: "LimitSize", Err: err})
	}
	return Rule(func(_ *http.Request, u *Upload) error { return u.judgeSize(l) })
}

// LimitSizeFunc is [LimitSize] with limits in bytes that depend on the request.
// Limits that make no sense refuse every file.
func LimitSizeFunc(fn func(r *http.Request, u *Upload) (least, most int64)) func(http.Handler) http.Handler {
	if fn == nil {
		panic(&ConfigError{Option: "LimitSizeFunc", Err: errNil})
	}
	return Rule(func(r *http.Request, u *Upload) error {
		least, most := fn(r, u)
		return u.judgeSize(limits{least, most})
	})
}

// AllowContentTypes refuses files whose declared type meets no pattern: a type,
// a family such as "image/*", or "*/*". A wildcard never admits a type that a
// browser executes, such as text/html and image/svg+xml: those must be named.
// Several lists must all admit the type. What is declared is a promise of the
// browser; the grant stores the object under it, whatever the bytes are.
func AllowContentTypes(patterns ...string) func(http.Handler) http.Handler {
	set, err := newTypes(patterns)
	if err != nil {
		panic(&ConfigError{Option: "AllowContentTypes", Err: err})
	}
	return allowTypes(set)
}

func allowTypes(set *mediatype.Set) func(http.Handler) http.Handler {
	return Rule(func(_ *http.Request, u *Upload) error {
		err := u.judgeType(set)
		u.types = append(u.types, set)
		return err
	})
}

// NameKey names the object by a policy. It must stand after [Authorize], whose
// tenant and subject the key may have, and after the type rule, whose type gives
// the extension.
func NameKey(policy KeyPolicy) func(http.Handler) http.Handler {
	if err := checkPolicy(policy); err != nil {
		panic(err)
	}
	return Rule(func(r *http.Request, u *Upload) error {
		if !u.authorized {
			return ErrChainIncomplete
		}
		if err := nameKey(r.Context(), policy, u); err != nil {
			return err
		}
		u.named = true
		return nil
	})
}

func nameKey(ctx context.Context, policy KeyPolicy, u *Upload) error {
	return guard(func() error {
		key, err := policy.Key(ctx, u)
		if err != nil {
			return err
		}
		if err := checkKey(key); err != nil {
			return ErrKeyInvalid.WithCause(err)
		}
		u.Key = key
		return nil
	})
}

// Sign ends a chain: it issues the grant and writes it. It answers 500
// chain_incomplete unless [Authorize] and then [NameKey] ran; where no size or
// type rule ran, those of the Issuer hold.
func Sign(issuer *Issuer) http.Handler {
	if issuer == nil {
		panic(&ConfigError{Option: "Sign", Err: errNil})
	}
	return end(func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		if err := u.checkOrigin(r); err != nil {
			return err
		}
		grant, err := issuer.Issue(r.Context(), u)
		if err != nil {
			return err
		}
		decide(r, u, grant.Mode, http.StatusCreated, nil, nil)
		u.settings.dialect.WriteGrant(w, r, grant)
		return nil
	})
}

// end ends a chain: serve answers, or says why not.
func end(serve func(w http.ResponseWriter, r *http.Request, u *Upload) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := UploadFrom(r.Context())
		if u == nil {
			Refuse(w, r, ErrChainIncomplete)
			return
		}
		if err := serve(w, r, u); err != nil {
			Refuse(w, r, err)
		}
	})
}

// Refuse answers with the problem in err, in the dialect of the request, and logs
// it. It is the one place that does: links of your own call it too. An error
// without a [Problem] is a 500 whose text is logged and never sent.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, u := problemOf(err), pending(r.Context())
	decide(r, u, "", p.Status, p, err)
	u.settingsOrDefault().dialect.WriteProblem(w, r, p)
}
