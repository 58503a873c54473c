package postern

import (
	"errors"
	"net/http"
	"strings"

	"github.com/justinas/alice"
)

// Handler issues grants and completes uploads. It serves the addresses that end
// in /sign, /parts, /list, /complete and /abort, below whatever prefix the
// router gives it; every other address is 404. It is safe for concurrent use and
// does not change.
type Handler struct {
	issuer *Issuer
	roads  map[string]http.Handler
	config *config
}

// New returns a Handler for a bucket. The error joins a [ConfigError] for each
// mistake.
//
// It builds nothing that one could not build by hand. Its roads are the chains
//
//	SameOrigin > Decode > Authorize > your middleware > LimitSize >
//	AllowContentTypes > NameKey > Sign
//
// and, where the browser shows the ticket of a grant,
//
//	SameOrigin > OpenTicket > Authorize > your middleware > Parts, List,
//	Complete or Abort
func New(bucket Bucket, opts ...Option) (*Handler, error) {
	c, errs := newConfig(forHandler, opts)
	if c.authorizer == nil && !c.anonymous {
		errs = append(errs, &ConfigError{Option: "WithAuthorizer", Err: errNoAuthorizer})
	}
	issuer, more := newIssuer(bucket, c)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	return build(c, issuer), nil
}

// build makes the chains.
func build(c *config, issuer *Issuer) *Handler {
	size := LimitSize(c.limits.least, c.limits.most)
	if c.limitFunc != nil {
		size = LimitSizeFunc(c.limitFunc)
	}
	// chain begins alike on all roads: a ticket takes the place of the request.
	chain := func(read func(http.Handler) http.Handler) alice.Chain {
		return alice.New(sameOrigin(c), read, authorize(c)).Append(c.middleware...)
	}
	shown := func(action Action) alice.Chain { return chain(openTicket(issuer, action, c)) }
	return &Handler{
		issuer: issuer,
		config: c,
		roads: map[string]http.Handler{
			"sign":     chain(decode(c)).Append(size, allowTypes(c.types), NameKey(c.keyPolicy)).Then(Sign(issuer)),
			"parts":    shown(ActionParts).Then(Parts(issuer)),
			"list":     shown(ActionList).Then(List(issuer)),
			"complete": shown(ActionComplete).Then(Complete(issuer)),
			"abort":    shown(ActionAbort).Then(Abort(issuer)),
		},
	}
}

// Issuer returns the Issuer that signs for the Handler, for presigned GETs and
// for forms that the server renders.
func (h *Handler) Issuer() *Issuer { return h.issuer }

// Completes reports whether uploads end in a receipt: whether [WithOnComplete] or
// [WithPromotion] asks for completion.
func (h *Handler) Completes() bool { return h.config.completes() }

// Multipart returns nil if uploads may be made of parts, of whatever size, and
// otherwise the [ConfigError] that says what is missing.
func (h *Handler) Multipart() error { return h.issuer.noParts }

// Anonymous reports whether the Handler has [AllowAnonymous].
func (h *Handler) Anonymous() bool { return h.config.anonymous }

// ServeHTTP serves the road that the last segment of the path names, as it
// stands in the escaped path: what precedes it is the router's business.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	road, ok := h.roads[path[strings.LastIndexByte(path, '/')+1:]]
	if !ok {
		Refuse(w, h.begin(r), ErrNotFound)
		return
	}
	road.ServeHTTP(w, h.begin(r))
}

// Route returns one road alone, to mount it at any address. It panics if there
// is no road of that name.
func (h *Handler) Route(name string) http.Handler {
	road, ok := h.roads[name]
	if !ok {
		panic(&ConfigError{Option: "Route", Err: errNoRoad})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { road.ServeHTTP(w, h.begin(r)) })
}

var errNoRoad = errors.New("the roads are sign, parts, list, complete and abort")
