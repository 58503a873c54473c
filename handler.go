package postern

import (
	"errors"
	"net/http"
	"strings"

	"github.com/justinas/alice"
)

// Handler issues grants. It serves the address that ends in /sign, below
// whatever prefix the router gives it; every other address is 404. It is safe
// for concurrent use and does not change.
type Handler struct {
	issuer *Issuer
	roads  map[string]http.Handler
	config *config
}

// New returns a Handler for a bucket. The error joins a [ConfigError] for each
// mistake.
//
// It builds nothing that one could not build by hand: its one road is the chain
//
//	SameOrigin > Decode > Authorize > your middleware > LimitSize >
//	AllowContentTypes > NameKey > Sign
func New(bucket Bucket, opts ...Option) (*Handler, error) {
	c, errs := newConfig(forHandler, opts)
	if c.authorizer == nil && !c.anonymous {
		errs = append(errs, &ConfigError{Option: "WithAuthorizer", Err: errNoAuthorizer})
	}
	issuer, more := newIssuer(bucket, c)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	size := LimitSize(c.limits.least, c.limits.most)
	if c.limitFunc != nil {
		size = LimitSizeFunc(c.limitFunc)
	}
	chain := alice.New(sameOrigin(c), decode(c), authorize(c)).
		Append(c.middleware...).
		Append(size, allowTypes(c.types), NameKey(c.keyPolicy))
	return &Handler{
		issuer: issuer,
		config: c,
		roads:  map[string]http.Handler{"sign": chain.Then(Sign(issuer))},
	}, nil
}

// Issuer returns the Issuer that signs for the Handler, for presigned GETs and
// for forms that the server renders.
func (h *Handler) Issuer() *Issuer { return h.issuer }

// ServeHTTP serves the road that the last segment of the path names, as it
// stands in the escaped path: what precedes it is the router's business.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	road, ok := h.roads[path[strings.LastIndexByte(path, '/')+1:]]
	if !ok {
		Refuse(w, h.begin(r), ErrNotFound)
		return
	}
	h.serve(road, w, r)
}

// Route returns one road alone, to mount it at any address. It panics if there
// is no road of that name.
func (h *Handler) Route(name string) http.Handler {
	road, ok := h.roads[name]
	if !ok {
		panic(&ConfigError{Option: "Route", Err: errNoRoad})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(road, w, r) })
}

var errNoRoad = errors.New(`the roads are "sign"`)

func (h *Handler) serve(road http.Handler, w http.ResponseWriter, r *http.Request) {
	r = h.begin(r)
	if r.Method != http.MethodPost {
		Refuse(w, r, ErrMethodNotAllowed)
		return
	}
	if h.config.logger != nil {
		if contextLogger(r.Context(), &h.config.settings) == h.config.logger {
			// A copy, fields included, so that links may call UpdateContext.
			logger := h.config.logger.With().Logger()
			r = r.WithContext(logger.WithContext(r.Context()))
		}
	}
	road.ServeHTTP(w, r)
}

// begin gives the request an Upload of this Handler, also where a SameOrigin
// outside it was first.
func (h *Handler) begin(r *http.Request) *http.Request {
	r, u := begin(r, &h.config.settings)
	u.settings = &h.config.settings
	return r
}
