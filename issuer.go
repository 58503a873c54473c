package postern

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
	"github.com/postern-go/postern/ticket"
)

// Issuer signs grants for one bucket, and completes their uploads. It is also the
// environment of every chain that begins and ends with it: its clock, randomness,
// dialect, logger, observers, trusted origins and limits hold in all of them. A
// program that renders forms itself uses one without HTTP, by [Issuer.Issue]. It is
// safe for concurrent use and does not change.
type Issuer struct {
	environment
	config *config
	home   *place  // its own bucket
	places *places // those of WithBuckets

	activity  *activity
	opener    *opener
	ephemeral *sync.Once // warns that the ticket key is this process's own; else nil
}

// NewIssuer returns an Issuer. The error joins a [ConfigError] for each mistake.
func NewIssuer(bucket Bucket, opts ...Option) (*Issuer, error) {
	all := make([]HandlerOption, len(opts))
	for k, opt := range opts {
		if opt != nil {
			all[k] = opt
		}
	}
	c, errs := newConfig(all)
	i, more := newIssuer(bucket, c)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return i, nil
}

func newIssuer(bucket Bucket, c *config) (*Issuer, []error) {
	b, errs := bucket.resolve()
	errs = append(errs, c.check(&b)...)
	if err := c.checkSessionsAt(b.Provider); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	i := &Issuer{environment: c.environment, config: c, activity: newActivity(c)}
	keys := c.ticketKeys
	if keys == nil {
		keys, _ = ticket.NewKeyring(ticket.RandomKey())
		i.ephemeral = new(sync.Once)
	}
	// The address of the bucket, path included: one host may serve several S3s.
	i.opener = &opener{keys, []byte(c.name + "\x00" + b.public.url("") + "\x00" + b.Name)}
	i.places = &places{config: c, issuer: i, home: idOf(&b), opener: i.opener, flights: i.activity.flights, kept: map[Bucket]*keptPlace{}}
	i.home = i.places.ready(&b)
	i.logAddress()
	i.attach()
	return i, nil
}

// logAddress says what was made of the bucket's endpoints.
func (i *Issuer) logAddress() {
	if i.logger == nil {
		return
	}
	p := i.home
	i.logger.Debug().
		Str("bucket", p.Name).Str("region", p.Region).Str("provider", string(p.Provider)).
		Str("server", p.server.endpoint+p.server.prefix).Str("public", p.postURL).
		Bool("path_style", p.server.pathStyle).Str("freeze", p.engine.Method()).
		Msg("postern: bucket")
}

// WithDialect returns the same Issuer for chains that speak another dialect: a
// ticket of one is a ticket of the other.
func (i *Issuer) WithDialect(d Dialect) (*Issuer, error) {
	if d == nil {
		return nil, &ConfigError{Option: "WithDialect", Err: errNil}
	}
	other := *i
	other.dialect = d
	return &other, nil
}

// ticketDialect is the dialect of requests with a ticket.
func (i *Issuer) ticketDialect() TicketDialect {
	if d, ok := i.dialect.(TicketDialect); ok {
		return d
	}
	return native{}
}

// Issue signs a grant for an upload: who may upload it was decided, what it may
// be is judged here once more. It sets u.Key where nothing has. For a multipart
// upload it asks S3 to begin one, and with [WithPromotion] keeps its ticket there, as it
// does for an upload whose metadata have no room for it; otherwise it does no I/O but for
// credentials.
//
// An upload that came through [Decode] must have passed [Authorize], and after it
// [NameKey] where there is one. One that the program filled itself needs a Subject,
// unless the Issuer has AllowAnonymous, and a Size: [UnknownSize] permits any size
// within the limits, and zero is an empty file.
//
// An error that the browser may see is a [Problem]. Others are of a key policy, of
// the source of randomness, or about patterns that are no types.
func (i *Issuer) Issue(ctx context.Context, u *Upload) (*Grant, error) {
	return i.issue(ctx, nil, u)
}

// issue is Issue for a request, or without one.
func (i *Issuer) issue(ctx context.Context, r *http.Request, u *Upload) (*Grant, error) {
	i.warnAboutTickets(ctx)
	if err := i.checkDecided(u); err != nil {
		return nil, err
	}
	p, err := i.place(ctx, u)
	if err != nil {
		return nil, err
	}
	mode, size, err := i.check(ctx, p, u)
	if err != nil {
		return nil, err
	}
	c, err := i.newClaim(p, u, mode, size)
	if err != nil {
		return nil, err
	}
	u.id, c.Trace = c.ID, i.ticketTrace(ctx)
	if err := i.reserve(ctx, r, u, &c); err != nil {
		return nil, err
	}
	g, err := i.grant(ctx, p, &c, u.SuccessRedirect)
	if err != nil {
		i.config.unreserve(context.WithoutCancel(ctx), &c)
		return nil, err
	}
	return g, nil
}

// grant makes the grant of a claim.
func (i *Issuer) grant(ctx context.Context, p *place, c *claim.Claim, redirect string) (*Grant, error) {
	mode := Mode(c.Mode)
	g := &Grant{Mode: mode, Bucket: p.Name, Key: c.Key, Location: p.public.url(c.Key)}
	g.Complete = i.config.completes() || mode == ModeMultipart
	if mode == ModeMultipart {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, store.Limits.Road)
		defer cancel()
		if err := p.beginMultipart(ctx, i.config, c, g); err != nil {
			return nil, err
		}
	}
	header := c.WriteHeader()
	var err error
	if g.Ticket, err = i.seal(c, &header); err == nil && c.Beside() {
		err = p.engine.KeepTicket(ctx, c, g.Ticket)
	}
	switch {
	case err != nil:
		err = engineProblem(err)
	case mode == ModePut:
		err = p.signPut(ctx, i.config.lifetime, c, &header, g)
	case mode == ModePost:
		err = p.signPost(ctx, i.config.lifetime, c, &header, redirect, g)
	default:
		begun := *c // which is kept
		g.FirstParts = p.signFirstParts(ctx, i.config.lifetime, &begun)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// checkDecided refuses an upload that was not decided about.
func (i *Issuer) checkDecided(u *Upload) error {
	if !u.decoded {
		return i.adopt(u)
	}
	if u.issuer != i || u.Action != ActionSign || !u.authorized || u.ticket != nil || u.Key != "" && !u.named {
		return ErrChainIncomplete
	}
	return nil
}

// check judges an upload. It returns the mode of the grant, and which sizes it
// permits.
func (i *Issuer) check(ctx context.Context, p *place, u *Upload) (mode Mode, size limits, err error) {
	mode = i.mode(p, u)
	size = i.sizes(u, mode)
	if err := size.admit(u.Size); err != nil {
		return "", size, err
	}
	if u.Size != UnknownSize {
		size = limits{u.Size, u.Size}
	}
	if err := u.checkType(i.types(u)); err != nil {
		return "", size, err
	}
	if u.Key == "" && !u.named {
		if err := u.name(ctx, i.config.keyPolicy); err != nil {
			return "", size, err
		}
	}
	if err := i.config.checkFinalKey(u.Key); err != nil {
		return "", size, ErrKeyInvalid.WithCause(err)
	}
	return mode, size, i.checkMode(p, mode, u)
}

// adopt takes an upload that the program filled itself.
func (i *Issuer) adopt(u *Upload) error {
	u.issuer = i
	if u.Subject == "" && !i.config.anonymous {
		return ErrSubjectMissing
	}
	if u.Action == "" {
		u.Action = ActionSign
	}
	if u.Filename = filename.Clean(u.Filename); u.Filename == "" {
		return ErrFilenameRequired
	}
	u.Path, u.Type = filename.CleanPath(u.Path), i.typeOf(u.Type, u.Filename)
	return nil
}

// typeOf returns the type that was declared, or that of the name where none was and
// an option says so.
func (i *Issuer) typeOf(declared, name string) string {
	if !i.config.typeByName || !mediatype.Undeclared(declared) {
		return declared
	}
	if byName := mediatype.ByExtension(name); !mediatype.Active(byName) {
		return byName
	}
	return declared
}

// mode chooses the way: what the client asks for, else many parts above the
// threshold, a form where the provider takes one and a form cannot be replayed,
// else a PUT.
func (i *Issuer) mode(p *place, u *Upload) Mode {
	switch {
	case u.Mode != "":
		return u.Mode
	case u.Size > i.config.multipartAbove && !i.config.strangers():
		return ModeMultipart
	case i.config.mode != "":
		return i.config.mode
	case !p.abilities.PostForms, i.config.needsReplayProof():
		return ModePut
	default:
		return ModePost
	}
}

// sizes is what all limits together allow. What was given to the Issuer holds in
// any chain; its default holds where no rule ran.
func (i *Issuer) sizes(u *Upload, mode Mode) limits {
	size := i.config.sizeLimit()
	switch {
	case i.config.limits != nil:
		size = u.sizeRules.of(size)
	case u.sizeRules.set:
		size = u.sizeRules.limits
	}
	if mode != ModeMultipart {
		size = size.and(limits{max: object.MaxSingle})
	}
	return u.ownSize.of(size)
}

// types is the same of types; those of other rules are looked at with it.
func (i *Issuer) types(u *Upload) *mediatype.Set {
	if i.config.types == nil && len(u.typeRules) > 0 {
		return u.typeRules[0]
	}
	return i.config.contentTypes()
}

// checkMode refuses what a mode cannot carry.
func (i *Issuer) checkMode(p *place, mode Mode, u *Upload) error {
	switch {
	case mode != ModePost && u.SuccessRedirect != "":
		return ErrRedirectInvalid.WithCause(errRedirectMode)
	case mode != ModePost && mode != ModePut && mode != ModeMultipart,
		mode == ModePost && !p.abilities.PostForms:
		return ErrModeUnsupported
	case mode == ModeMultipart && p.noParts != nil:
		return ErrModeUnsupported.WithCause(p.noParts)
	case mode == ModePut && u.Size == UnknownSize,
		mode == ModeMultipart && u.Size == UnknownSize && !i.config.unbounded:
		return ErrSizeRequired
	case mode == ModeMultipart && u.Size == 0:
		return ErrSizeTooSmall
	case mode == ModeMultipart && u.SHA256 != nil:
		return ErrChecksumUnsupported
	case mode == ModeMultipart && u.PartChecksums && !p.abilities.PartSums:
		return ErrChecksumUnsupported.WithDetail("This bucket keeps no checksums of parts. Send the file without them.")
	case mode == ModePost && i.config.needsReplayProof() && u.SHA256 == nil:
		return ErrChecksumRequired
	}
	return checkRedirect(u.SuccessRedirect)
}

var (
	errRedirectMode  = errors.New("only a form can redirect")
	errRedirectMagic = errors.New("S3 replaces ${filename} in a redirect, and then refuses the form")
)

func checkRedirect(redirect string) error {
	if redirect == "" {
		return nil
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !printableASCII(redirect) {
		return ErrRedirectInvalid
	}
	if hasFilenameVariable(redirect) {
		return ErrRedirectInvalid.WithCause(errRedirectMagic)
	}
	return nil
}

// newClaim gathers what the grant binds.
func (i *Issuer) newClaim(p *place, u *Upload, mode Mode, size limits) (c claim.Claim, err error) {
	var id [16]byte
	if err := u.readRandom(id[:]); err != nil {
		return c, err
	}
	c = claim.Claim{
		ID:            hex.EncodeToString(id[:]),
		Mode:          claim.Mode(mode),
		Issued:        u.Time(),
		Expires:       u.Time().Add(i.config.ticketLifetime),
		Key:           u.Key,
		Size:          u.Size,
		MinSize:       size.min,
		MaxSize:       size.max,
		Type:          u.Type,
		SHA256:        u.SHA256,
		Filename:      u.Filename,
		Subject:       u.Subject,
		Tenant:        u.Tenant,
		PartSize:      u.PartSize,
		PartChecksums: u.PartChecksums,
	}
	c.Bucket = p.id
	if mode == ModeMultipart && c.PartSize == 0 {
		preferred := cmp.Or(i.config.partSize, partSizeAt(u.Rate))
		c.PartSize = partSizeFor(c.MaxSize, preferred, p.abilities.maxParts())
	}
	if !i.config.keepExtensions {
		essence, _, _ := strings.Cut(c.Type, ";")
		c.Filename = filename.WithExtension(c.Filename, essence)
	}
	if i.config.staging != "" {
		c.StagingKey = i.config.staging + c.ID
	}
	if u.Replace != "" {
		if i.config.staging == "" || !p.abilities.CompleteIfMatch {
			return c, ErrAttributesInvalid.WithCause(errReplace)
		}
		c.Replaces = `"` + strings.Trim(u.Replace, `"`) + `"`
	}
	c.Attributes, c.Metadata, err = i.attributes(u)
	return c, err
}

// attributes returns what is stored with the object: the upload's own attributes,
// then the Issuer's, and the metadata that the browser may set.
func (i *Issuer) attributes(u *Upload) (a object.Attributes, client map[string]string, err error) {
	a = u.Attributes.values().WithDefaults(&i.config.attributes)
	err = checkAttributes(&a)
	if err == nil {
		err = i.checkLate(&a, u.Time())
	}
	if err != nil {
		return a, nil, ErrAttributesInvalid.WithCause(err)
	}
	if len(u.Metadata) == 0 || len(i.config.clientMetadata) == 0 {
		return a, nil, nil
	}
	for _, name := range i.config.clientMetadata {
		if value := u.Metadata[name]; value != "" {
			if client == nil {
				client = map[string]string{}
			}
			client[name] = value
		}
	}
	a.Metadata = object.Merge(client, a.Metadata)
	if err := checkMetadata(a.Metadata); err != nil {
		return a, nil, ErrMetadataInvalid.WithCause(err)
	}
	return a, client, nil
}

// seal makes the ticket of a grant. In staging the object carries it in its metadata,
// if there is room.
func (i *Issuer) seal(c *claim.Claim, header *object.Header) (string, error) {
	var array [1024]byte
	s, err := i.opener.keys.Seal(c.Append(array[:0]), i.opener.context, c.Expires)
	if errors.Is(err, ticket.ErrTooLarge) {
		return "", ErrMetadataInvalid.WithCause(err)
	}
	if err != nil || !c.Staged() || c.Beside() {
		return s, err
	}
	header.Ticket = s
	if header.MetadataSize() <= object.MaxMetadata {
		return s, nil
	}
	header.Ticket = ""
	c.PutBeside()
	return i.seal(c, header)
}

// open reads a ticket of this Issuer.
func (i *Issuer) open(token string, now time.Time) (*claim.Claim, error) {
	if token == "" {
		return nil, ErrTicketInvalid.WithDetail("The request needs the ticket of an upload.")
	}
	c, err := i.opener.open(token, now)
	switch {
	case errors.Is(err, ticket.ErrExpired):
		return nil, ErrTicketExpired
	case err != nil:
		return nil, ErrTicketInvalid.WithCause(err)
	}
	return c, nil
}

// opener opens the tickets of an Issuer.
type opener struct {
	keys    *ticket.Keyring
	context []byte
}

func (o *opener) open(token string, now time.Time) (*claim.Claim, error) {
	content, expires, err := o.keys.Open(token, o.context, now)
	if err != nil {
		return nil, err
	}
	c, err := claim.Parse(content)
	if err == nil {
		c.Expires = expires
	}
	return c, err
}

// Origin returns where browsers find the bucket, such as
// "https://acme-uploads.s3.eu-central-1.amazonaws.com": what a page's Content Security
// Policy needs in connect-src, and in form-action where forms go up without
// JavaScript.
func (i *Issuer) Origin() string { return i.home.upload.endpoint }

// Provider returns the S3 implementation of the Issuer's own bucket, found by its
// endpoint where it was not set.
func (i *Issuer) Provider() Provider { return i.home.Provider }

// Server returns where the handler finds S3: the endpoint without the bucket, the
// region, and whether the bucket stands in the path.
func (i *Issuer) Server() (endpoint, region string, pathStyle bool) {
	return i.home.server.base, i.home.Region, i.home.server.pathStyle
}

// NeedsLocker reports whether a completion rests on [WithLocker]: the server has no
// conditions by which a final object is made once, and processes that complete uploads
// must share a lock.
func (i *Issuer) NeedsLocker() bool { return i.home.engine.Method() == "lock" }

// OriginIn is [Issuer.Origin] for one of the buckets of [WithBuckets].
func (i *Issuer) OriginIn(b Bucket) (string, error) {
	p, err := i.places.get(b)
	if err != nil {
		return "", err
	}
	return p.upload.endpoint, nil
}

// PresignGet returns a URL with which a browser reads an object until ttl has
// passed: 1 s to 7 days, and never longer than the credentials live. It does not
// ask S3 whether the object is there. Who may read what is the caller's to
// decide. It signs with [Bucket.ServiceCredentials], which need s3:GetObject.
func (i *Issuer) PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error) {
	return i.presignGet(ctx, i.home, key, ttl)
}

// PresignGetIn is [Issuer.PresignGet] for one of the buckets of [WithBuckets].
func (i *Issuer) PresignGetIn(ctx context.Context, b Bucket, key string, ttl time.Duration) (string, error) {
	p, err := i.places.get(b)
	if err != nil {
		return "", err
	}
	return i.presignGet(ctx, p, key, ttl)
}

func (i *Issuer) presignGet(ctx context.Context, p *place, key string, ttl time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", ErrKeyInvalid.WithCause(err)
	}
	if ttl < time.Second || ttl > sigv4.MaxExpires {
		return "", fmt.Errorf("postern: PresignGet: a URL lives from 1 s to 7 days, not %s", ttl)
	}
	now := i.clock()
	creds, expires, err := p.service.credentials(ctx, now, ttl.Truncate(time.Second))
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Presign(creds, now, sigv4.Request{
		Method:   "GET",
		Endpoint: p.public.endpoint,
		Path:     p.public.prefix + key,
		Expires:  expires.Sub(now).Truncate(time.Second),
	})
	return signed, unusable(err)
}

// warnAboutTickets says once that tickets die with the process.
func (i *Issuer) warnAboutTickets(ctx context.Context) {
	if i.ephemeral != nil && (i.config.completes() || i.config.multipart()) {
		i.ephemeral.Do(func() {
			i.loggerOf(ctx).Warn().
				Msg("postern: without WithTicketKeys, tickets are valid in this process only: not on other replicas, not after a restart")
		})
	}
}
