package postern

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/justinas/alice"
	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/ticket"
)

// environment is what a chain needs to know of its surroundings.
type environment struct {
	clock     func() time.Time
	random    io.Reader
	dialect   Dialect
	observers []func(context.Context, Decision)
	steps     []func(context.Context, Step) (context.Context, func(StepEnd))
	traces    []func(context.Context) string
	logger    *zerolog.Logger
	origins   *http.CrossOriginProtection
}

// usual is the environment where there is no Issuer yet.
var usual = environment{clock: time.Now, random: rand.Reader, dialect: native{}}

// config is what options set, with the defaults.
type config struct {
	environment

	attachments []func(*Issuer)

	// Of New alone.
	authorizer func(*http.Request, *Upload) error
	middleware []alice.Constructor
	limitFunc  func(*http.Request, *Upload) (min, max int64)
	noReports  bool

	reconcileEvery time.Duration // 0: never

	// What is granted.
	anonymous      bool
	quota          *metering // nil: none
	uncounted      bool
	sessions       *sessions // nil: none
	bodyLimit      int64
	batchLimit     int
	keyPolicy      KeyPolicy
	buckets        Buckets
	limits         *limits        // nil: the default
	types          *mediatype.Set // nil: the default
	attributes     object.Attributes
	typeByName     bool
	keepExtensions bool
	clientMetadata []string
	lifetime       time.Duration
	mode           Mode
	multipartAbove int64
	partSize       int64 // 0 follows the client's rate
	sharedAllowed  bool
	unbounded      bool

	// Tickets.
	name           string
	ticketKeys     *ticket.Keyring
	ticketLifetime time.Duration

	// Completion.
	staging        string
	onComplete     func(context.Context, *Receipt) error
	sniff          bool
	maxCompletions int
	locker         Locker

	hookTimeout       time.Duration
	completionTimeout time.Duration
	inspectors        []func(context.Context, *Object) (Verdict, error)
	inspectorTimeout  time.Duration
}

// The defaults of a grant.
const (
	defaultMaxSize   = 10 << 20
	defaultLifetime  = 5 * time.Minute
	defaultBodyLimit = 16 << 10

	defaultTicketLifetime = 24 * time.Hour
	defaultMultipartAbove = 100 << 20
	defaultPartSize       = 8 << 20  // of a client that knows no rate
	mostPart              = 32 << 20 // that a rate may choose: browsers read a part into memory to sum it
	defaultMaxCompletions = 64

	defaultHookTimeout       = time.Minute
	defaultCompletionTimeout = time.Hour
	defaultInspectorTimeout  = time.Minute
)

func newConfig(opts []HandlerOption) (*config, []error) {
	c := &config{
		environment:    usual,
		bodyLimit:      defaultBodyLimit,
		batchLimit:     maxBatch,
		keyPolicy:      defaultKeyPolicy,
		lifetime:       defaultLifetime,
		multipartAbove: defaultMultipartAbove,
		maxCompletions: defaultMaxCompletions,
		locker:         &processLocker{locks: map[string]*processLock{}},

		hookTimeout:       defaultHookTimeout,
		completionTimeout: defaultCompletionTimeout,
		inspectorTimeout:  defaultInspectorTimeout,
	}
	c.origins = http.NewCrossOriginProtection()
	var errs []error
	given := map[string]bool{}
	for _, opt := range opts {
		if opt == nil {
			errs = append(errs, &ConfigError{Option: "Option", Err: errNil})
			continue
		}
		o := opt.handlerOption()
		err := o.apply(c)
		if given[o.name] && !o.repeatable {
			err = errRepeated
		}
		if given[o.name] = true; err != nil {
			errs = append(errs, &ConfigError{Option: o.name, Err: err})
		}
	}
	if c.ticketLifetime == 0 {
		c.ticketLifetime = max(defaultTicketLifetime, c.lifetime)
	}
	return c, errs
}

// ConfigError is a mistake in the configuration. [New] and [NewIssuer] return all
// of them at once, joined; middleware that is made by hand panics with them.
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

// mustHave panics where an argument is nil.
func mustHave(option string, there bool) {
	if !there {
		panic(&ConfigError{Option: option, Err: errNil})
	}
}

// sizeLimit is the limit that was given, or the default.
func (c *config) sizeLimit() limits {
	if c.limits != nil {
		return *c.limits
	}
	return limits{1, defaultMaxSize}
}

// contentTypes are the types that were given, or the default.
func (c *config) contentTypes() *mediatype.Set {
	if c.types != nil {
		return c.types
	}
	return inertTypes
}

// completes reports whether the application asked for receipts.
func (c *config) completes() bool { return c.onComplete != nil || c.staging != "" }

// strangers reports whether there are uploads that nobody answers for, and that nothing
// bounds.
func (c *config) strangers() bool { return c.anonymous && c.quota == nil }

// multipart reports whether an upload may be so large that it needs parts.
func (c *config) multipart() bool {
	unbounded := c.limitFunc != nil && c.limits == nil
	return unbounded || c.sizeLimit().max > c.multipartAbove
}

// needsReplayProof reports whether receipts are asked for, and no promotion keeps a
// grant from being used again after one.
func (c *config) needsReplayProof() bool { return c.completes() && c.staging == "" }

var (
	errNil            = errors.New("the argument is nil")
	errRepeated       = errors.New("the option is given twice")
	errModeProvider   = errors.New("the provider takes no POST policies")
	errReplay         = errors.New("the provider has no conditional writes, so that a grant could be used again after its receipt: use WithMode(ModePost), with which browsers must send a SHA-256")
	errReplayPut      = errors.New("the provider has neither conditional writes nor POST policies, so that a grant could be used again after its receipt")
	errReplayParts    = errors.New("the provider completes multipart uploads without a condition: keep WithSizeLimit below the WithMultipartThreshold")
	errUnsigned       = errors.New("the provider is not known to reject headers that were not signed, so that an object may have attributes that nobody granted: receipts need WithPromotion, which drops them")
	errInspectStaging = errors.New("objects are inspected before anybody can have them with WithPromotion only")
	errNoStaging      = errors.New("a bucket for staging needs WithPromotion")
	errNoPartCopy     = errors.New("the provider copies no more than 5 GiB: keep WithSizeLimit below")
	errAnonymous      = errors.New("completion needs a subject, or WithQuota")
	errAnonymousParts = errors.New("multipart uploads need a subject, or WithQuota: keep WithSizeLimit below the WithMultipartThreshold")
	errUncounted      = errors.New("nothing is counted without WithQuota")
	errShared         = errors.New("the provider is not known to reject headers that were not signed, so grants must be signed by credentials that may only put objects: set ServiceCredentials for all else, or AllowSharedCredentials")
)

// check finds what does not go together.
func (c *config) check(b *resolved) (errs []error) {
	server := &b.abilities
	fail := func(option string, err error) { errs = append(errs, &ConfigError{Option: option, Err: err}) }
	if c.mode == ModePost && !server.PostForms {
		fail("WithMode", errModeProvider)
	}
	if c.staging == "" && c.attributes.Late() {
		fail("WithAttributes", errLate)
	}
	if c.staging == "" && b.StagingName != "" {
		fail("Bucket.StagingName", errNoStaging)
	}
	if c.staging == "" && len(c.inspectors) > 0 {
		fail("WithInspector", errInspectStaging)
	}
	if c.staging != "" && server.NoPartCopy && c.sizeLimit().max > object.MaxSingle {
		fail("WithPromotion", errNoPartCopy)
	}
	switch {
	case !c.needsReplayProof():
	case !server.RejectsUnsigned:
		fail("WithOnComplete", errUnsigned)
	case c.mode != ModePost && !server.PutIfAbsent && server.PostForms:
		fail("WithOnComplete", errReplay)
	case c.mode != ModePost && !server.PutIfAbsent:
		fail("WithOnComplete", errReplayPut)
	case c.multipart() && c.replayableParts(server):
		fail("WithOnComplete", errReplayParts)
	}
	if c.strangers() && c.completes() {
		fail("AllowAnonymous", errAnonymous)
	}
	if c.uncounted && c.quota == nil {
		fail("AllowUncounted", errUncounted)
	}
	if c.strangers() && c.sizeLimit().max > c.multipartAbove {
		fail("AllowAnonymous", errAnonymousParts)
	}
	if c.reconcileEvery > 0 {
		if err := c.reconciles(); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.checkSessions()...)
	if c.hookTimeout > c.completionTimeout {
		fail("WithHookTimeout", errLongHook(c.hookTimeout, c.completionTimeout))
	}
	if c.ticketLifetime < c.lifetime {
		fail("WithTicketLifetime", errShortTicket(c.ticketLifetime, c.lifetime))
	}
	if t, ok := c.keyPolicy.(*keyTemplate); ok && c.staging != "" && strings.HasPrefix(t.beginning(), c.staging) {
		fail("WithKeyPolicy", errPolicyStaging(t.beginning(), c.staging))
	}
	if (c.completes() || c.multipart()) && c.shares(b) {
		fail("Bucket.ServiceCredentials", errShared)
	}
	return errs
}

// replayableParts reports whether an upload in parts could be used again after its
// receipt.
func (c *config) replayableParts(server *Abilities) bool {
	return c.needsReplayProof() && !server.CompleteIfAbsent
}

// shares reports whether a grant is signed by credentials that may do more than
// it, at a provider where that can be abused.
func (c *config) shares(b *resolved) bool {
	shared := b.ServiceCredentials == nil || sameProvider(b.ServiceCredentials, b.Credentials)
	return shared && b.Credentials != nil && !b.abilities.RejectsUnsigned && !c.sharedAllowed
}

// noParts says why uploads cannot be made of parts, if they cannot. check finds
// it where the size may demand parts; a dialect may ask for them at any size.
func (c *config) noParts(b *resolved) error {
	switch {
	case c.strangers():
		return &ConfigError{Option: "AllowAnonymous", Err: errAnonymousParts}
	case c.replayableParts(&b.abilities):
		return &ConfigError{Option: "WithOnComplete", Err: errReplayParts}
	case c.shares(b):
		return &ConfigError{Option: "Bucket.ServiceCredentials", Err: errShared}
	}
	return nil
}

var errKeyStaging = errors.New("the key lies under the staging prefix")

// checkFinalKey also keeps the key of a receipt out of where grants write.
func (c *config) checkFinalKey(key string) error {
	if c.staging != "" && strings.HasPrefix(key, c.staging) {
		return errKeyStaging
	}
	return checkKey(key)
}

// logLeft says what completion could not remove.
func (c *config) logLeft(ctx context.Context, what string, err error) {
	c.loggerOf(ctx).Warn().Err(err).Msg("postern: " + what + " is left to the lifecycle rules")
}
