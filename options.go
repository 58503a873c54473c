package postern

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/quota"
	"github.com/postern-go/postern/ticket"
)

// HandlerOption configures [New]. Every [Option] is one.
//
// An option is given once, but for those whose comments say otherwise. What it is
// given is copied: a later change of a map or slice has no effect.
type HandlerOption interface{ handlerOption() option }

// Option configures [NewIssuer], and [New].
type Option interface {
	HandlerOption
	issuerOption()
}

// option is a HandlerOption.
type option struct {
	name       string
	repeatable bool
	apply      func(*config) error
}

func (o option) handlerOption() option { return o }

// issuerOption is an Option.
type issuerOption struct{ option }

func (issuerOption) issuerOption() {}

// set makes an Option that is given once.
func set(name string, apply func(*config) error) Option {
	return issuerOption{option{name: name, apply: apply}}
}

// setHandler makes a HandlerOption that is given once.
func setHandler(name string, apply func(*config) error) HandlerOption {
	return option{name: name, apply: apply}
}

// within refuses a duration that is out of range.
func within(what string, d, shortest, longest time.Duration) error {
	if d < shortest || d > longest {
		return fmt.Errorf("%s is from %s to %s, not %s", what, shortest, longest, d)
	}
	return nil
}

// withinSize refuses a number of bytes that is out of range.
func withinSize(what string, n, smallest, largest int64) error {
	if n < smallest || n > largest {
		return fmt.Errorf("%s is from %d to %d bytes, not %d", what, smallest, largest, n)
	}
	return nil
}

const day = 24 * time.Hour

// Options of New alone.

// WithAuthorizer sets the function that decides who uploads: see [Authorize].
// [New] refuses to build without it or [AllowAnonymous].
func WithAuthorizer(fn func(r *http.Request, u *Upload) error) HandlerOption {
	return setHandler("WithAuthorizer", func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.authorizer = fn
		return nil
	})
}

// WithMiddleware puts middleware of your own after [Authorize] and before the
// rules, in the chains of all actions: u.Action tells which. It may be given
// several times.
func WithMiddleware(mw ...func(http.Handler) http.Handler) HandlerOption {
	mw = slices.Clone(mw)
	return option{name: "WithMiddleware", repeatable: true, apply: func(c *config) error {
		for _, m := range mw {
			if m == nil {
				return errNil
			}
			c.middleware = append(c.middleware, m)
		}
		return nil
	}}
}

// WithSizeLimitFunc sets the limits in bytes by request, such as those of the
// customer's plan, in place of the default; with [WithSizeLimit] both hold. See
// [LimitSizeFunc].
func WithSizeLimitFunc(fn func(r *http.Request, u *Upload) (min, max int64)) HandlerOption {
	return setHandler("WithSizeLimitFunc", func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.limitFunc = fn
		return nil
	})
}

// WithoutReports answers 404 where browsers report what the bucket has refused: see
// [ReportHandler].
func WithoutReports() HandlerOption {
	return setHandler("WithoutReports", func(c *config) error {
		c.noReports = true
		return nil
	})
}

// WithReconciler has the Handler do [Issuer.Reconcile] by itself, with its defaults, about
// as often as the interval says: 1 second to a day, say 30 seconds. An upload whose
// browser has gone is then completed within the interval and a minute. It begins when
// [New] returns and ends with [Handler.Shutdown]. It goes through the buckets of
// [WithBuckets] too, where these are [BucketLister].
func WithReconciler(interval time.Duration) HandlerOption {
	return setHandler("WithReconciler", func(c *config) error {
		c.reconcileEvery = interval
		return within("the interval of a reconciler", interval, time.Second, day)
	})
}

// What is granted.

// AllowAnonymous admits uploads without a subject, and makes the authorizer
// optional. Anonymous uploads have neither parts nor completion, unless [WithQuota]
// bounds them: their tickets are then all that tells whose they are.
func AllowAnonymous() Option {
	return set("AllowAnonymous", func(c *config) error {
		c.anonymous = true
		return nil
	})
}

// WithQuota counts uploads: fn says against which accounts, and how much these may use.
// What a grant permits is reserved when it is signed, for all accounts in one step, and
// until the end of its ticket; the receipt settles it by the real size, before the hook
// of [WithOnComplete] is called. What is given up or refused is given back. Where there is
// no room, the problem is quota_exceeded, files_exceeded, uploads_exceeded or
// rate_exceeded.
//
// fn is called where everything else was decided, and for [RulesHandler], when u.Action
// is [ActionRules]. Its request is nil where the program calls [Issuer.Issue] itself. It is
// not asked again for the ticket, which has the names of the accounts. What the
// application deletes it gives back by [quota.Store.Release], with the ID and the Accounts
// of the [Receipt].
//
// Limits of bytes and files need [WithPromotion]. Without completion, an upload is under
// way as long as its grant lives.
func WithQuota(store quota.Store, fn func(r *http.Request, u *Upload) Quota) Option {
	return set("WithQuota", func(c *config) error {
		if store == nil || fn == nil {
			return errNil
		}
		c.quota = &metering{store, fn}
		return nil
	})
}

// AllowUncounted goes on where the store of [WithQuota] fails, or does not answer within
// 2 seconds: grants are then signed without regard to any limit. By default they are
// refused with quota_unavailable, and so are completions, which may be repeated.
func AllowUncounted() Option {
	return set("AllowUncounted", func(c *config) error {
		c.uncounted = true
		return nil
	})
}

// WithSessions lets native apps and tools, such as rclone, ask for temporary credentials
// with which they write many files under one prefix in staging, until the session ends.
// Each is held against the rules, and has a receipt of its own, when events of S3 tell of
// it or [WithReconciler] finds it, which also removes what is refused. It needs
// [WithPromotion], [WithTicketKeys] and [WithQuota], whose store counts what each session
// brings, and reserves as much for it until it ends.
func WithSessions(provider SessionProvider, limits SessionLimits) Option {
	return set("WithSessions", func(c *config) error {
		if provider == nil {
			return errNil
		}
		c.sessions = &sessions{provider, limits}
		return c.sessions.limits.check()
	})
}

// WithKeyPolicy sets how objects are named: {uuid}{ext} by default, under the
// tenant if there is one. In a chain by hand, [NameKey] names them instead where it
// stands.
func WithKeyPolicy(policy KeyPolicy) Option {
	return set("WithKeyPolicy", func(c *config) error {
		c.keyPolicy = policy
		return checkPolicy(policy)
	})
}

// WithBuckets decides for each upload into which bucket it goes, after it was
// authorized; see [Buckets]. The bucket of [New] is that of the others, and its
// address part of every ticket.
func WithBuckets(b Buckets) Option {
	return set("WithBuckets", func(c *config) error {
		if f, ok := b.(BucketsFunc); b == nil || ok && f == nil {
			return errNil
		}
		c.buckets = b
		return nil
	})
}

var errSizeRange = errors.New("a size limit is 0 ≤ min ≤ max ≤ 48.8 TiB in bytes")

// WithSizeLimit sets the smallest and largest size in bytes: 1 byte to 10 MiB by
// default. In every chain of the Issuer it holds beside other limits.
func WithSizeLimit(min, max int64) Option {
	return set("WithSizeLimit", func(c *config) error {
		l := limits{min, max}
		if err := l.check(); err != nil {
			return err
		}
		c.limits = &l
		return nil
	})
}

// WithContentTypes sets which types are accepted: see [AllowContentTypes]. By
// default all but those that a browser executes. In every chain of the Issuer it
// holds beside other lists.
func WithContentTypes(patterns ...string) Option {
	patterns = slices.Clone(patterns)
	return set("WithContentTypes", func(c *config) (err error) {
		c.types, err = newTypes(patterns)
		return err
	})
}

// WithTypeByName takes the type of a file from the extension of its name, where the
// browser declares none, as Windows does for many: notes.md, photo.HEIC. A type that a
// browser executes is never taken from a name.
func WithTypeByName() Option {
	return set("WithTypeByName", func(c *config) error {
		c.typeByName = true
		return nil
	})
}

// KeepExtensions stores files under the extensions that their browsers gave them. By
// default a name that does not end as files of the granted type do gets the type's
// usual extension, so that setup.exe, declared to be image/png, is downloaded as
// setup.exe.png.
func KeepExtensions() Option {
	return set("KeepExtensions", func(c *config) error {
		c.keepExtensions = true
		return nil
	})
}

// WithAttributes sets what is stored with every object; an upload's own attributes
// take precedence.
func WithAttributes(a Attributes) Option {
	values := a.values()
	values.Tags, values.Metadata = maps.Clone(a.Tags), maps.Clone(a.Metadata)
	return set("WithAttributes", func(c *config) error {
		if err := checkAttributes(&values); err != nil {
			return err
		}
		c.attributes = values
		return nil
	})
}

// WithClientMetadata names the metadata that the browser may set on the object;
// none by default. Other members of the request's metadata are not stored.
func WithClientMetadata(names ...string) Option {
	names = slices.Clone(names)
	return set("WithClientMetadata", func(c *config) error {
		for _, name := range names {
			if !metadataName(name) || strings.HasPrefix(name, object.Reserved) {
				return fmt.Errorf("a metadata name is made of lower case letters, digits and hyphens, and does not begin with %s, not %q", object.Reserved, name)
			}
		}
		c.clientMetadata = names
		return nil
	})
}

// WithGrantLifetime sets how long a grant can be used: 5 minutes by default,
// 1 second to 7 days, and never longer than the credentials live.
func WithGrantLifetime(d time.Duration) Option {
	return set("WithGrantLifetime", func(c *config) error {
		if err := within("the life of a grant", d, time.Second, 7*day); err != nil {
			return err
		}
		c.lifetime = d.Truncate(time.Second)
		return nil
	})
}

// WithMode asks for grants of one mode, [ModePost] or [ModePut]. By default they
// are forms where the provider takes them and no receipt depends on a form that
// could be used again.
func WithMode(mode Mode) Option {
	return set("WithMode", func(c *config) error {
		if mode != ModePost && mode != ModePut {
			return fmt.Errorf("the mode is ModePost or ModePut, not %q: the size decides about ModeMultipart", mode)
		}
		c.mode = mode
		return nil
	})
}

// WithMultipartThreshold sets the size in bytes above which an upload is made of
// parts: 100 MiB by default, 5 MiB to 5 GiB.
func WithMultipartThreshold(size int64) Option {
	return set("WithMultipartThreshold", func(c *config) error {
		if err := withinSize("the threshold of multipart uploads", size, minPart, object.MaxSingle); err != nil {
			return err
		}
		c.multipartAbove = size
		return nil
	})
}

// WithPartSize sets the size of parts in bytes, 5 MiB to 5 GiB. Without it, it is 8 MiB,
// or follows how fast the client has sent before: 5 to 32 MiB. A file that would have
// more than 10,000 gets larger ones.
func WithPartSize(size int64) Option {
	return set("WithPartSize", func(c *config) error {
		if err := withinSize("the size of parts", size, minPart, object.MaxSingle); err != nil {
			return err
		}
		c.partSize = size
		return nil
	})
}

// AllowUnboundedParts admits multipart uploads of a size that the client does not
// tell, as some clients' do not. Their URLs do not bound the parts: an upload that
// has grown too large is given up when it is completed, and costs storage until
// then.
func AllowUnboundedParts() Option {
	return set("AllowUnboundedParts", func(c *config) error {
		c.unbounded = true
		return nil
	})
}

// AllowSharedCredentials lets the credentials that sign grants also make the
// handler's own calls, at a provider that is not known to reject headers that
// were not signed. Whoever holds a grant may then be able to copy objects, or
// worse. It is for development.
func AllowSharedCredentials() Option {
	return set("AllowSharedCredentials", func(c *config) error {
		c.sharedAllowed = true
		return nil
	})
}

// Tickets.

// WithName tells handlers of one bucket apart that share ticket keys: a ticket of
// one does not open at another.
func WithName(name string) Option {
	return set("WithName", func(c *config) error {
		if name == "" || len(name) > 64 || !printableASCII(name) {
			return fmt.Errorf("a name is 1 to 64 printable ASCII characters, not %q", name)
		}
		c.name = name
		return nil
	})
}

// WithTicketKeys sets the keys of tickets, each of 32 random bytes: current seals
// them, and all open them. Without it a random key is made for the process, and
// tickets open neither on other replicas nor after a restart.
func WithTicketKeys(current []byte, previous ...[]byte) Option {
	keys, err := ticket.NewKeyring(current, previous...)
	return set("WithTicketKeys", func(c *config) error {
		c.ticketKeys = keys
		return err
	})
}

// WithTicketLifetime sets how long an upload can be resumed and completed: 24 h
// by default, 1 min to 30 days, and at least as long as the grant's.
func WithTicketLifetime(d time.Duration) Option {
	return set("WithTicketLifetime", func(c *config) error {
		if err := within("the life of a ticket", d, time.Minute, 30*day); err != nil {
			return err
		}
		c.ticketLifetime = d
		return nil
	})
}

func errShortTicket(ticket, grant time.Duration) error {
	return fmt.Errorf("a ticket of %s does not outlive its grant of %s", ticket, grant)
}

// Completion.

// WithOnComplete asks for receipts: fn is called when an upload is there, frozen
// and verified. It is called at least once for each, perhaps by several
// goroutines or replicas at a time: [Receipt.ID] is its idempotency key. Its
// context is not cancelled with the request, but after [WithHookTimeout]. If it
// fails, the browser gets 503 and may ask again: it cannot refuse an upload for good.
// While its grant lives, an object that the application deletes may be uploaded, and
// completed, again.
//
// The receipt is the hook's own. What it sets as [Receipt.Data] goes to the page with
// the answer; what else it changes goes nowhere.
//
// No grant may change the object after its receipt: uploads are then by PUT, by
// parts, or by forms with [WithPromotion] or a SHA-256.
func WithOnComplete(fn func(ctx context.Context, r *Receipt) error) Option {
	return set("WithOnComplete", func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.onComplete = fn
		return nil
	})
}

// WithPromotion lets grants write under a staging prefix alone, such as
// "staging/". Completion copies the upload to its key, where no grant can write,
// and verifies it there. Let the bucket's lifecycle rules expire what stays in
// the prefix.
func WithPromotion(staging string) Option {
	return set("WithPromotion", func(c *config) error {
		key, ok := strings.CutSuffix(staging, "/")
		if !ok || len(staging) > 512 || checkKey(key) != nil {
			return fmt.Errorf("a staging prefix is a key and a slash, such as \"staging/\", not %q", staging)
		}
		c.staging = staging
		return nil
	})
}

func errPolicyStaging(beginning, staging string) error {
	return fmt.Errorf("keys that begin with %q lie under the staging prefix %q", beginning, staging)
}

// WithSniffing has completion look at the first bytes of every upload, and refuse
// one whose bytes are of another type than was declared. It proves a prefix, not
// that a file is harmless.
func WithSniffing() Option {
	return set("WithSniffing", func(c *config) error {
		c.sniff = true
		return nil
	})
}

// WithInspector has fn look at every upload that is frozen and verified, before there is
// a receipt. It may be given several times: the inspectors are asked in the order in which
// they are given, until one does not accept. An error, a panic, and one that takes longer
// than [WithInspectorTimeout] are 503 inspection_failed, and nothing is deleted. An upload
// may be inspected several times, at several replicas at once, but those that have
// accepted it are usually not asked again by the same process. Once all have, or it was
// decided otherwise, it is not inspected again: the first verdict holds. It needs
// [WithPromotion].
//
// Put the one that leaves uploads [Undecided] last, since [Issuer.Release] asks none.
func WithInspector(fn func(ctx context.Context, o *Object) (Verdict, error)) Option {
	return issuerOption{option{name: "WithInspector", repeatable: true, apply: func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.inspectors = append(c.inspectors, fn)
		return nil
	}}}
}

// WithInspectorTimeout sets how long each inspector may take: 1 minute by default, 1 s
// to 1 h. The context of an inspector ends then.
func WithInspectorTimeout(d time.Duration) Option {
	return set("WithInspectorTimeout", func(c *config) error {
		if err := within("the time of an inspector", d, time.Second, time.Hour); err != nil {
			return err
		}
		c.inspectorTimeout = d
		return nil
	})
}

// WithHookTimeout sets how long the hook of [WithOnComplete] may take: 1 minute by
// default, 1 second to 1 hour. Then its context ends. If it goes on nevertheless, the
// completion fails without it: the browser gets 503, and what the hook returns is logged
// and has no effect.
func WithHookTimeout(d time.Duration) Option {
	return set("WithHookTimeout", func(c *config) error {
		if err := within("the time of a hook", d, time.Second, time.Hour); err != nil {
			return err
		}
		c.hookTimeout = d
		return nil
	})
}

func errLongHook(hook, completion time.Duration) error {
	return fmt.Errorf("a hook of %s does not end within a completion of %s", hook, completion)
}

// WithCompletionTimeout sets how long a completion may take, from its first copy to the
// end of the hook: 1 hour by default, 1 minute to 24 hours. One that takes longer fails,
// and begins again when it is asked for: let it be enough for the largest file.
func WithCompletionTimeout(d time.Duration) Option {
	return set("WithCompletionTimeout", func(c *config) error {
		if err := within("the time of a completion", d, time.Minute, day); err != nil {
			return err
		}
		c.completionTimeout = d
		return nil
	})
}

// WithMaxCompletions sets how many completions may go on at once in this process: 64 by
// default. Others wait for 5 seconds, and are then refused with 503. One tenant, or one
// subject where there are no tenants, can have all but an eighth of them, at least one;
// who has the fewest is next.
func WithMaxCompletions(n int) Option {
	return set("WithMaxCompletions", func(c *config) error {
		if n < 1 {
			return fmt.Errorf("at least one completion must be possible, not %d", n)
		}
		c.maxCompletions = n
		return nil
	})
}

// WithLocker sets who keeps completions apart at servers without conditional writes:
// by default a lock in this process, which is enough for a single one. It has an
// effect with [WithPromotion] only.
func WithLocker(l Locker) Option {
	return set("WithLocker", func(c *config) error {
		if l == nil {
			return errNil
		}
		c.locker = l
		return nil
	})
}

// The environment of chains.

// WithTrustedOrigins admits cross-origin requests from front ends elsewhere, each
// an exact origin: "https://app.example.com". CORS is still the server's to allow.
// Where a proxy rewrites the Host, name the site's own origin, for browsers that send
// no Sec-Fetch-Site. It may be given several times.
func WithTrustedOrigins(origins ...string) Option {
	origins = slices.Clone(origins)
	return issuerOption{option{name: "WithTrustedOrigins", repeatable: true, apply: func(c *config) error {
		var errs []error
		for _, origin := range origins {
			canonical, err := canonicalOrigin(origin)
			if err == nil {
				err = c.origins.AddTrustedOrigin(canonical)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}}}
}

// WithDialect sets the dialect; [Native] by default.
func WithDialect(d Dialect) Option {
	return set("WithDialect", func(c *config) error {
		if d == nil {
			return errNil
		}
		c.dialect = d
		return nil
	})
}

// WithObserver shows every decision to a function, after it was logged and
// before the answer is complete: it must be quick. It runs on the goroutine of the
// request, or of the completion that has ended, many at once. It may be given several
// times.
func WithObserver(fn func(ctx context.Context, d Decision)) Option {
	return issuerOption{option{name: "WithObserver", repeatable: true, apply: func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.observers = append(c.observers, fn)
		return nil
	}}}
}

// WithInstrument shows a Handler at work to metrics or traces: see [Instrument]. It may be
// given several times.
func WithInstrument(in Instrument) Option {
	return issuerOption{option{name: "WithInstrument", repeatable: true, apply: func(c *config) error {
		if in.Attach != nil {
			c.attachments = append(c.attachments, in.Attach)
		}
		if in.Decision != nil {
			c.observers = append(c.observers, in.Decision)
		}
		if in.Step != nil {
			c.steps = append(c.steps, in.Step)
		}
		if in.Trace != nil {
			c.traces = append(c.traces, in.Trace)
		}
		return nil
	}}}
}

// WithLogger sets the logger for requests whose context has none; one that hlog
// has put there takes precedence. Hooks find it in the context of the request.
// Without either nothing is logged.
func WithLogger(logger zerolog.Logger) Option {
	return set("WithLogger", func(c *config) error {
		c.logger = &logger
		return nil
	})
}

// WithBatchLimit sets how many files one request for grants, or one to complete, may be
// about: 100 by default, 1 to 100. A bound on requests outside the chain counts a request
// about many as one.
func WithBatchLimit(files int) Option {
	return set("WithBatchLimit", func(c *config) error {
		if files < 1 || files > maxBatch {
			return fmt.Errorf("a request is about 1 to %d files, not %d", maxBatch, files)
		}
		c.batchLimit = files
		return nil
	})
}

// WithBodyLimit sets the largest body of a request for a grant in bytes: 16 KiB by
// default, 1 KiB to 1 MiB. A request about several files may have 32 times as much, up to
// 1 MiB, and this for each.
func WithBodyLimit(n int64) Option {
	return set("WithBodyLimit", func(c *config) error {
		if err := withinSize("a body limit", n, 1<<10, 1<<20); err != nil {
			return err
		}
		c.bodyLimit = n
		return nil
	})
}

// WithClock sets the source of the time; [time.Now] by default. It must be safe for
// concurrent use.
func WithClock(now func() time.Time) Option {
	return set("WithClock", func(c *config) error {
		if now == nil {
			return errNil
		}
		c.clock = now
		return nil
	})
}

// WithRandom sets the source of randomness for keys and ids; [crypto/rand.Reader]
// by default. It must be safe for concurrent use.
func WithRandom(random io.Reader) Option {
	return set("WithRandom", func(c *config) error {
		if random == nil {
			return errNil
		}
		c.random = random
		return nil
	})
}
