package postern

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/justinas/alice"
	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/ticket"
)

// Option configures [New], [NewIssuer] or a single link; its comment says which.
// An option that means nothing there is a [ConfigError].
type Option struct {
	name  string
	scope scope
	apply func(*config) error
}

// scope is the set of constructors that an option is meant for.
type scope uint8

const (
	forHandler scope = 1 << iota
	forIssuer
	forDecode
	forSameOrigin
	forAuthorize
)

// ConfigError is a mistake in the configuration. [New] returns all of them at
// once, joined; the constructors of single links panic with them.
type ConfigError struct {
	// Option is what was wrong: "WithSizeLimit", "Bucket.Region".
	Option string
	// Err says why.
	Err error
}

// Error returns the option and the reason.
func (e *ConfigError) Error() string {
	return "postern: " + e.Option + ": " + strings.TrimPrefix(e.Err.Error(), "postern: ")
}

// Unwrap returns the reason.
func (e *ConfigError) Unwrap() error { return e.Err }

// config is what options set, with the defaults.
type config struct {
	settings

	authorizer     func(*http.Request, *Upload) error
	anonymous      bool
	trustedOrigins *http.CrossOriginProtection
	middleware     []alice.Constructor

	keyPolicy      KeyPolicy
	limits         limits
	ownLimits      bool // WithSizeLimit was given
	limitFunc      func(*http.Request, *Upload) (least, most int64)
	types          *mediatype.Set
	ownTypes       bool // WithContentTypes was given
	attributes     Attributes
	clientMetadata []string
	lifetime       time.Duration

	name           string
	ticketKeys     *ticket.Keyring
	ticketLifetime time.Duration
	mode           Mode
	multipartAbove int64
	partSize       int64
	sharedAllowed  bool
	unbounded      bool

	staging        string
	onComplete     func(context.Context, Receipt) error
	sniff          bool
	maxCompletions int
}

// completes reports whether the application asked for receipts.
func (c *config) completes() bool { return c.onComplete != nil || c.staging != "" }

// multipart reports whether an upload may be so large that it needs parts.
func (c *config) multipart() bool {
	unbounded := c.limitFunc != nil && !c.ownLimits
	return unbounded || c.limits.most > c.multipartAbove
}

// The defaults of a grant.
const (
	defaultMaxSize  = 10 << 20
	defaultLifetime = 5 * time.Minute

	defaultTicketLifetime = 24 * time.Hour
	defaultMultipartAbove = 100 << 20
	defaultPartSize       = 8 << 20
	defaultMaxCompletions = 64
)

func newConfig(where scope, opts []Option) (*config, []error) {
	c := &config{
		settings:       defaultSettings,
		trustedOrigins: http.NewCrossOriginProtection(),
		keyPolicy:      defaultKeyPolicy,
		limits:         limits{least: 1, most: defaultMaxSize},
		types:          inertTypes,
		lifetime:       defaultLifetime,
		multipartAbove: defaultMultipartAbove,
		partSize:       defaultPartSize,
		maxCompletions: defaultMaxCompletions,
	}
	var errs []error
	for _, opt := range opts {
		var err error
		switch {
		case opt.apply == nil:
			err = errEmptyOption
		case opt.scope&where == 0:
			err = errScope
		default:
			err = opt.apply(c)
		}
		if err != nil {
			errs = append(errs, &ConfigError{Option: opt.name, Err: err})
		}
	}
	if c.ticketLifetime == 0 {
		c.ticketLifetime = max(defaultTicketLifetime, c.lifetime)
	}
	return c, errs
}

// mustConfig is newConfig for single links.
func mustConfig(where scope, opts []Option) *config {
	c, errs := newConfig(where, opts)
	if len(errs) > 0 {
		panic(errors.Join(errs...))
	}
	return c
}

var (
	errEmptyOption  = errors.New("the zero Option configures nothing")
	errScope        = errors.New("the option means nothing here")
	errNil          = errors.New("nil is not a value")
	errSizeRange    = errors.New("a size limit is 0 ≤ min ≤ max ≤ 5 TiB in bytes")
	errNoTypes      = errors.New("at least one content type is needed")
	errLifetime     = errors.New("a grant lives from 1 s to 7 days")
	errBodyLimit    = errors.New("a body limit is from 1 KiB to 1 MiB")
	errMetadataName = errors.New("a metadata name is made of lower case letters, digits and hyphens, and does not begin with postern-")
)

// WithAuthorizer sets the function that decides who uploads: see [Authorize].
// For [New], which refuses to build without it or [AllowAnonymous].
func WithAuthorizer(fn func(r *http.Request, u *Upload) error) Option {
	return Option{"WithAuthorizer", forHandler, func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.authorizer = fn
		return nil
	}}
}

// AllowAnonymous admits uploads without a subject, and makes the authorizer
// optional. For [New], [NewIssuer] and [Authorize].
func AllowAnonymous() Option {
	return Option{"AllowAnonymous", forHandler | forIssuer | forAuthorize, func(c *config) error {
		c.anonymous = true
		return nil
	}}
}

// WithKeyPolicy sets how objects are named: {uuid}{ext} by default, under the
// tenant if there is one. For [New] and [NewIssuer].
func WithKeyPolicy(policy KeyPolicy) Option {
	return Option{"WithKeyPolicy", forHandler | forIssuer, func(c *config) error {
		c.keyPolicy = policy
		return checkPolicy(policy)
	}}
}

// WithSizeLimit sets the smallest and largest size in bytes: 1 byte to 10 MiB by
// default. For [New] and [NewIssuer].
func WithSizeLimit(least, most int64) Option {
	return Option{"WithSizeLimit", forHandler | forIssuer, func(c *config) error {
		c.limits, c.ownLimits = limits{least: least, most: most}, true
		return c.limits.check()
	}}
}

// WithSizeLimitFunc sets the limits by request, such as those of the customer's
// plan, in place of the default; with [WithSizeLimit] both hold. See
// [LimitSizeFunc]. For [New].
func WithSizeLimitFunc(fn func(r *http.Request, u *Upload) (least, most int64)) Option {
	return Option{"WithSizeLimitFunc", forHandler, func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.limitFunc = fn
		return nil
	}}
}

// WithContentTypes sets which types are accepted: see [AllowContentTypes]. By
// default all but those that a browser executes. For [New] and [NewIssuer].
func WithContentTypes(patterns ...string) Option {
	return Option{"WithContentTypes", forHandler | forIssuer, func(c *config) (err error) {
		c.ownTypes = true
		c.types, err = newTypes(patterns)
		return err
	}}
}

// WithAttributes sets what is stored with every object; an upload's own
// attributes go before. For [New] and [NewIssuer].
func WithAttributes(a Attributes) Option {
	return Option{"WithAttributes", forHandler | forIssuer, func(c *config) error {
		c.attributes = a
		return a.check()
	}}
}

// WithClientMetadata names the metadata that the browser may set on the object;
// none by default. Other members of the request's metadata are not stored. For
// [New] and [NewIssuer].
func WithClientMetadata(names ...string) Option {
	return Option{"WithClientMetadata", forHandler | forIssuer, func(c *config) error {
		for _, name := range names {
			if !metadataName(name) || strings.HasPrefix(name, reservedMetadata) {
				return fmt.Errorf("%w: %q", errMetadataName, name)
			}
		}
		c.clientMetadata = names
		return nil
	}}
}

// WithGrantLifetime sets how long a grant can be used: 5 minutes by default,
// 7 days at most, and never longer than the credentials live. For [New] and
// [NewIssuer].
func WithGrantLifetime(d time.Duration) Option {
	return Option{"WithGrantLifetime", forHandler | forIssuer, func(c *config) error {
		if d < time.Second || d > 7*24*time.Hour {
			return errLifetime
		}
		c.lifetime = d.Truncate(time.Second)
		return nil
	}}
}

// WithTrustedOrigins admits cross-origin requests from front ends elsewhere:
// "https://app.example.com". CORS is still the server's to allow. For [New] and
// [SameOrigin].
func WithTrustedOrigins(origins ...string) Option {
	return Option{"WithTrustedOrigins", forHandler | forSameOrigin, func(c *config) error {
		var errs []error
		for _, origin := range origins {
			errs = append(errs, c.trustedOrigins.AddTrustedOrigin(origin))
		}
		return errors.Join(errs...)
	}}
}

// WithMiddleware puts links of your own after Authorize and before the rules.
// For [New].
func WithMiddleware(mw ...func(http.Handler) http.Handler) Option {
	return Option{"WithMiddleware", forHandler, func(c *config) error {
		for _, m := range mw {
			if m == nil {
				return errNil
			}
			c.middleware = append(c.middleware, m)
		}
		return nil
	}}
}

// WithObserver shows every decision to a function, after it was logged and
// before the answer is complete: it must be quick. It runs on the request's
// goroutine, many at once; it may be given several times. For [New] and
// [Decode].
func WithObserver(fn func(ctx context.Context, d Decision)) Option {
	return Option{"WithObserver", forHandler | forDecode, func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.observers = append(c.observers, fn)
		return nil
	}}
}

// WithLogger sets the logger for requests whose context has none; hlog's, where
// it is set up, goes before. Without either nothing is logged. For [New] and
// [Decode].
func WithLogger(logger zerolog.Logger) Option {
	return Option{"WithLogger", forHandler | forDecode, func(c *config) error {
		c.logger = &logger
		return nil
	}}
}

// WithClock sets the source of the time; [time.Now] by default. For [New],
// [NewIssuer] and [Decode].
func WithClock(now func() time.Time) Option {
	return Option{"WithClock", forHandler | forIssuer | forDecode, func(c *config) error {
		if now == nil {
			return errNil
		}
		c.clock = now
		return nil
	}}
}

// WithRandom sets the source of randomness for keys; [crypto/rand.Reader] by default.
// It must be safe for concurrent use. For [New], [NewIssuer] and [Decode].
func WithRandom(random io.Reader) Option {
	return Option{"WithRandom", forHandler | forIssuer | forDecode, func(c *config) error {
		if random == nil {
			return errNil
		}
		c.random = random
		return nil
	}}
}

// WithBodyLimit sets the largest body of a request in bytes: 16 KiB by default,
// 1 KiB to 1 MiB. For [New] and [Decode].
func WithBodyLimit(n int64) Option {
	return Option{"WithBodyLimit", forHandler | forDecode, func(c *config) error {
		if n < 1<<10 || n > 1<<20 {
			return errBodyLimit
		}
		c.bodyLimit = n
		return nil
	}}
}
