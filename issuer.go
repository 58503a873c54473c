package postern

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
	"github.com/postern-go/postern/ticket"
)

// Issuer signs grants for one bucket, and completes their uploads. It knows no
// HTTP: [Sign] and the other ends of chains are an Issuer with the wire around
// it, and a program that renders forms itself uses one directly. It is safe for
// concurrent use and does not change.
type Issuer struct {
	config   *config
	bucket   Bucket
	provider abilities
	public   address
	postURL  string

	signer  *sigv4.Signer
	signing identity
	service identity
	store   *store.Store

	tickets       *ticket.Keyring
	ticketContext []byte
	throwaway     bool // the ticket key is this process's own
	warn          sync.Once
	completions   *completions
	noParts       error // why uploads cannot be made of parts
}

// NewIssuer returns an Issuer. The error joins a [ConfigError] for each mistake.
func NewIssuer(bucket Bucket, opts ...Option) (*Issuer, error) {
	c, errs := newConfig(forIssuer, opts)
	i, more := newIssuer(bucket, c)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return i, nil
}

func newIssuer(bucket Bucket, c *config) (*Issuer, []error) {
	bucket, public, errs := bucket.check()
	provider := providers[bucket.Provider]
	if errs = append(errs, c.check(bucket, provider)...); len(errs) > 0 {
		return nil, errs
	}
	i := &Issuer{
		config:      c,
		bucket:      bucket,
		provider:    provider,
		public:      public,
		postURL:     public.url(""),
		signer:      sigv4.NewSigner(bucket.Region),
		signing:     newIdentity(bucket.Credentials),
		tickets:     c.ticketKeys,
		completions: newCompletions(c.maxCompletions),
		noParts:     c.noParts(bucket, provider),
	}
	i.service = i.signing
	if bucket.ServiceCredentials != nil {
		i.service = newIdentity(bucket.ServiceCredentials)
	}
	endpoint, pathStyle := bucket.forSDK()
	i.store = store.New(store.Config{
		Bucket: bucket.Name, Region: bucket.Region, Endpoint: endpoint, PathStyle: pathStyle, Credentials: i.service.provider,
	})
	if i.tickets == nil {
		i.tickets, _ = ticket.NewKeyring(ticket.RandomKey())
		i.throwaway = true
	}
	// The address of the bucket, path included: one host may serve several S3s.
	i.ticketContext = []byte(c.name + "\x00" + i.postURL + "\x00" + bucket.Name)
	return i, nil
}

// Issue signs a grant for an upload: who may upload it was decided, what it may
// be is judged here once more. It sets u.Key where nothing has. For a multipart
// upload it asks S3 to begin one; otherwise it does no I/O but for credentials.
//
// An upload that came through [Decode] must have passed [Authorize] (or
// [AllowAnonymous]) and then [NameKey]. One that the program filled itself needs
// a Subject, unless the Issuer has AllowAnonymous; a Size of [UnknownSize] permits
// any size within the limits.
//
// The error is a [Problem], or an error of a key policy.
func (i *Issuer) Issue(ctx context.Context, u *Upload) (*Grant, error) {
	i.warnAboutTickets(ctx)
	mode, err := i.prepare(ctx, u)
	if err != nil {
		return nil, err
	}
	t, err := i.newTicket(u, mode)
	if err != nil {
		return nil, err
	}
	var g *Grant
	switch mode {
	case ModeMultipart:
		g, err = i.beginMultipart(ctx, &t)
	case ModePut:
		g, err = i.signPut(ctx, u.Time(), &t)
	default:
		g, err = i.signPost(ctx, u, &t)
	}
	if err != nil {
		return nil, err
	}
	g.Mode, g.Bucket, g.Key, g.Location = mode, i.bucket.Name, t.key, i.public.url(t.key)
	g.Complete = i.config.completes() || mode == ModeMultipart
	g.Ticket, err = i.seal(&t)
	return g, err
}

// prepare refuses an upload that was not decided about, and judges what was.
func (i *Issuer) prepare(ctx context.Context, u *Upload) (Mode, error) {
	switch {
	case u.decoded && !(u.authorized && u.named):
		return "", ErrChainIncomplete
	case !u.decoded:
		if err := i.adopt(u); err != nil {
			return "", err
		}
	}
	mode := i.mode(u)
	// What was said to the Issuer holds in any chain; its defaults hold where no
	// rule ran.
	limit := i.config.limits
	if u.limited && !i.config.ownLimits {
		limit = u.limits
	}
	if mode != ModeMultipart {
		limit = limit.and(limits{most: maxSingle})
	}
	if err := u.judgeSize(limit); err != nil {
		return "", err
	}
	types := i.config.types
	if len(u.types) > 0 && !i.config.ownTypes {
		types = u.types[0]
	}
	if err := u.judgeType(types); err != nil {
		return "", err
	}
	if u.Key == "" && !u.decoded {
		if err := nameKey(ctx, i.config.keyPolicy, u); err != nil {
			return "", err
		}
	}
	if err := i.checkFinalKey(u.Key); err != nil {
		return "", ErrKeyInvalid.WithCause(err)
	}
	return mode, i.checkMode(mode, u)
}

// mode chooses the way: what the client asks for, else many parts above the
// threshold, a form where the provider takes one and no seal is needed that a form
// lacks, else a PUT.
func (i *Issuer) mode(u *Upload) Mode {
	switch {
	case u.Mode != "":
		return u.Mode
	case u.Size > i.config.multipartAbove && !i.config.anonymous:
		return ModeMultipart
	case i.config.mode != "":
		return i.config.mode
	case !i.provider.post, i.config.needsSeal():
		return ModePut
	default:
		return ModePost
	}
}

// checkMode refuses what a mode cannot carry.
func (i *Issuer) checkMode(mode Mode, u *Upload) error {
	switch {
	case mode != ModePost && u.SuccessRedirect != "":
		return ErrRedirectInvalid.WithCause(errRedirectMode)
	case mode != ModePost && mode != ModePut && mode != ModeMultipart,
		mode == ModePost && !i.provider.post:
		return ErrModeUnsupported
	case mode == ModeMultipart && i.noParts != nil:
		return ErrModeUnsupported.WithCause(i.noParts)
	case mode == ModePut && u.Size == UnknownSize,
		mode == ModeMultipart && u.Size == UnknownSize && !i.config.unbounded:
		return ErrSizeRequired
	case mode == ModeMultipart && u.Size == 0:
		return ErrSizeTooSmall
	case mode == ModeMultipart && u.SHA256 != nil:
		return ErrChecksumUnsupported
	case mode == ModePost && i.config.needsSeal() && u.SHA256 == nil:
		return ErrChecksumRequired
	}
	return checkRedirect(u.SuccessRedirect)
}

// adopt takes an upload that the program filled itself.
func (i *Issuer) adopt(u *Upload) error {
	if u.settings == nil {
		u.settings = &i.config.settings
	}
	if u.Subject == "" && !i.config.anonymous {
		return ErrSubjectMissing
	}
	if u.Action == "" {
		u.Action = ActionSign
	}
	if u.Filename = filename.Clean(u.Filename); u.Filename == "" {
		return ErrFilenameRequired
	}
	return nil
}

var errRedirectMode = errors.New("only a form can redirect")

func checkRedirect(redirect string) error {
	if redirect == "" {
		return nil
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !printableASCII(redirect) {
		return ErrRedirectInvalid
	}
	return nil
}

// Origin returns where browsers find the bucket, such as
// "https://acme-uploads.s3.eu-central-1.amazonaws.com": what a page's Content Security
// Policy needs in connect-src, and in form-action where forms go up without
// JavaScript.
func (i *Issuer) Origin() string { return i.public.endpoint }

// PresignGet returns a URL with which a browser reads an object until ttl has
// passed: 1 s to 7 days, and never longer than the credentials live. It does not
// ask S3 whether the object is there. Who may read what is the caller's to
// decide. It signs with [Bucket.ServiceCredentials], which need s3:GetObject.
func (i *Issuer) PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", ErrKeyInvalid.WithCause(err)
	}
	if ttl < time.Second || ttl > sigv4.MaxExpires {
		return "", fmt.Errorf("postern: PresignGet: a URL lives from 1 s to 7 days, not %s", ttl)
	}
	now := i.config.clock()
	creds, expires, err := i.service.credentials(ctx, now, ttl.Truncate(time.Second))
	if err != nil {
		return "", err
	}
	signed, err := i.signer.Presign(creds, now, sigv4.Request{
		Method:   "GET",
		Endpoint: i.public.endpoint,
		Path:     i.public.prefix + key,
		Expires:  expires.Sub(now).Truncate(time.Second),
	})
	return signed, unusable(err)
}

// warnAboutTickets says once that tickets die with the process.
func (i *Issuer) warnAboutTickets(ctx context.Context) {
	if i.throwaway && (i.config.completes() || i.config.multipart()) {
		i.warn.Do(func() {
			contextLogger(ctx, &i.config.settings).Warn().
				Msg("postern: without WithTicketKeys, tickets are valid in this process only: not on other replicas, not after a restart")
		})
	}
}
