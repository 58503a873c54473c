package postern

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/justinas/alice"
)

// Handler issues grants and completes uploads. It serves the addresses that end
// in /sign, /parts, /list, /complete, /abort, /report, /rules and, with [WithSessions], /session, below whatever prefix
// the router gives it; every other address is 404. It is safe for concurrent use and
// does not change.
type Handler struct {
	issuer    *Issuer
	config    *config
	endpoints map[Action]http.Handler
}

// New returns a Handler for a bucket. The error joins a [ConfigError] for each
// mistake.
//
// It builds nothing that one could not build by hand. For each action it has a
// chain, of which that for grants is
//
//	Decode > Authorize > your middleware > LimitSize > AllowContentTypes >
//	NameKey > SignHandler
//
// and those for what the browser asks with the ticket of a grant are
//
//	OpenTicket > Authorize > your middleware > PartsHandler, ListHandler,
//	CompleteHandler, AbortHandler or ReportHandler
//
// What the first of them accepts is told by
//
//	AskRules > Authorize > your middleware > LimitSize > AllowContentTypes > RulesHandler
//
// and credentials for many files come, with [WithSessions], from
//
//	AskSession > Authorize > your middleware > LimitSize > AllowContentTypes > SessionHandler
func New(bucket Bucket, opts ...HandlerOption) (*Handler, error) {
	c, errs := newConfig(opts)
	if c.authorizer == nil && !c.anonymous {
		errs = append(errs, &ConfigError{Option: "WithAuthorizer", Err: errNoAuthorizer})
	}
	issuer, more := newIssuer(bucket, c)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if c.reconcileEvery > 0 {
		go issuer.keepReconciling(issuer.activity.running)
	}
	return newHandler(issuer, c), nil
}

// newHandler makes the chains.
func newHandler(issuer *Issuer, c *config) *Handler {
	chain := func(first func(http.Handler) http.Handler) alice.Chain {
		return alice.New(first, authorize(c.authorizer)).Append(c.middleware...)
	}
	size := LimitSize(c.sizeLimit().min, c.sizeLimit().max)
	if c.limitFunc != nil {
		size = LimitSizeFunc(c.limitFunc)
	}
	rules := alice.New(size, allowTypes(c.contentTypes()))
	sign := chain(Decode(issuer)).Extend(rules).Append(NameKey(c.keyPolicy))
	ticket := func(action Action) alice.Chain { return chain(OpenTicket(issuer, action)) }
	h := &Handler{
		issuer: issuer,
		config: c,
		endpoints: map[Action]http.Handler{
			ActionSign:     sign.Then(SignHandler(issuer)),
			ActionParts:    ticket(ActionParts).Then(PartsHandler(issuer)),
			ActionList:     ticket(ActionList).Then(ListHandler(issuer)),
			ActionComplete: ticket(ActionComplete).Then(CompleteHandler(issuer)),
			ActionAbort:    ticket(ActionAbort).Then(AbortHandler(issuer)),
			ActionReport:   ticket(ActionReport).Then(ReportHandler(issuer)),
			ActionRules:    chain(AskRules(issuer)).Extend(rules).Then(RulesHandler(issuer)),
			ActionSession:  chain(AskSession(issuer)).Extend(rules).Then(SessionHandler(issuer)),
		},
	}
	nothing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { issuer.refuse(w, r, nil, ErrNotFound) })
	if c.noReports {
		h.endpoints[ActionReport] = nothing
	}
	if c.sessions == nil {
		h.endpoints[ActionSession] = nothing
	}
	return h
}

// ServeHTTP serves the action that the last segment of the path names, as it
// stands in the escaped path: what precedes it is the router's business, and so is a
// slash behind it, which some routers add.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	endpoint, ok := h.endpoints[Action(path[strings.LastIndexByte(path, '/')+1:])]
	if !ok {
		h.issuer.refuse(w, r, nil, ErrNotFound)
		return
	}
	endpoint.ServeHTTP(w, r)
}

// Route returns the endpoint of one action, to mount it at any address. It panics
// if there is no such action.
func (h *Handler) Route(action Action) http.Handler {
	endpoint, ok := h.endpoints[action]
	if !ok {
		panic(&ConfigError{Option: "Route", Err: fmt.Errorf("%w, not %q", errNoAction, action)})
	}
	return endpoint
}

var errNoAction = errors.New("the actions are sign, parts, list, complete, abort, report, rules and session")

// WithDialect returns the same Handler speaking another dialect: with the same
// rules and tickets.
func (h *Handler) WithDialect(d Dialect) (*Handler, error) {
	issuer, err := h.issuer.WithDialect(d)
	if err != nil {
		return nil, err
	}
	return newHandler(issuer, h.config), nil
}

// Issuer returns the Issuer that signs for the Handler, for presigned GETs and
// for forms that the server renders.
func (h *Handler) Issuer() *Issuer { return h.issuer }

// Completes reports whether uploads end in a receipt: whether [WithOnComplete] or
// [WithPromotion] asks for completion.
func (h *Handler) Completes() bool { return h.config.completes() }

// CheckMultipart returns nil if uploads may be made of parts, of whatever size, and
// otherwise the [ConfigError] that says what is missing.
func (h *Handler) CheckMultipart() error { return h.issuer.home.noParts }

// Anonymous reports whether the Handler has [AllowAnonymous].
func (h *Handler) Anonymous() bool { return h.config.anonymous }
