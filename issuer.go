package postern

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/sigv4"
)

// Issuer signs grants for one bucket. It knows no HTTP: [Sign] is an Issuer with
// the wire around it, and a program that renders forms itself uses one directly.
// It is safe for concurrent use and does not change.
type Issuer struct {
	bucket  Bucket
	public  address
	signer  *sigv4.Signer
	postURL string
	early   time.Duration // by how much Credentials tells an earlier expiry
	config  *config
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
	if len(errs) > 0 {
		return nil, errs
	}
	provider, early := cached(bucket.Credentials)
	bucket.Credentials = provider
	return &Issuer{
		early:   early,
		bucket:  bucket,
		public:  public,
		signer:  sigv4.NewSigner(bucket.Region),
		postURL: public.url(""),
		config:  c,
	}, nil
}

// Issue signs a grant for an upload: who may upload it was decided, what it may
// be is judged here once more. It sets u.Key where nothing has.
//
// An upload that came through [Decode] must have passed [Authorize] (or
// [AllowAnonymous]) and then [NameKey]. One that the program filled itself needs
// a Subject, unless the Issuer has AllowAnonymous; a Size of [UnknownSize] permits
// any size within the limits.
//
// The error is a [Problem], or an error of a key policy.
func (i *Issuer) Issue(ctx context.Context, u *Upload) (*Grant, error) {
	if err := i.prepare(ctx, u); err != nil {
		return nil, err
	}
	now := u.Time()
	creds, expires, err := i.credentials(ctx, now, i.config.lifetime)
	if err != nil {
		return nil, err
	}
	attributes, err := i.attributes(u)
	if err != nil {
		return nil, err
	}

	var array [24]sigv4.Condition
	conditions := append(array[:0],
		sigv4.Exact("bucket", i.bucket.Name),
		sigv4.Exact("key", u.Key),
		sigv4.Exact("Content-Type", u.Type))
	conditions = attributes.appendConditions(conditions, u.Filename)
	if u.SHA256 != nil {
		conditions = append(conditions,
			sigv4.Exact("x-amz-checksum-algorithm", "SHA256"),
			sigv4.Exact("x-amz-checksum-sha256", u.SHA256Base64()))
	}
	if u.SuccessRedirect != "" {
		conditions = append(conditions, sigv4.Exact("success_action_redirect", u.SuccessRedirect))
	} else {
		conditions = append(conditions, sigv4.Exact("success_action_status", "201"))
	}
	size := u.limits.narrowed(u)
	if u.Size != UnknownSize {
		size = limits{u.Size, u.Size}
	}
	conditions = append(conditions, sigv4.ContentLengthRange(size.least, size.most))

	form, err := i.signer.SignPost(creds, now, sigv4.Policy{Expires: expires, Conditions: conditions})
	if err != nil {
		return nil, unusable(err)
	}
	return &Grant{
		Mode:      ModePost,
		Key:       u.Key,
		Method:    "POST",
		URL:       i.postURL,
		Fields:    form,
		Location:  i.public.url(u.Key),
		Expires:   expires,
		ExpiresIn: expires.Sub(now).Truncate(time.Second),
	}, nil
}

// prepare refuses an upload that was not decided about, and judges what was.
func (i *Issuer) prepare(ctx context.Context, u *Upload) error {
	switch {
	case u.decoded && !(u.authorized && u.named):
		return ErrChainIncomplete
	case !u.decoded:
		if err := i.adopt(u); err != nil {
			return err
		}
	}
	limit := i.config.limits
	if u.limited {
		limit = u.limits
	}
	if err := u.judgeSize(limit.and(limits{most: maxSingle})); err != nil {
		return err
	}
	types := i.config.types
	if len(u.types) > 0 {
		types = u.types[0]
	}
	if err := u.judgeType(types); err != nil {
		return err
	}
	if u.Key == "" && !u.decoded {
		if err := nameKey(ctx, i.config.keyPolicy, u); err != nil {
			return err
		}
	}
	if err := checkKey(u.Key); err != nil {
		return ErrKeyInvalid.WithCause(err)
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

// attributes returns what is stored with the object: the upload's own
// attributes over the Issuer's, and the metadata that the browser may set.
func (i *Issuer) attributes(u *Upload) (*Attributes, error) {
	a := u.Attributes.over(&i.config.attributes)
	if err := a.check(); err != nil {
		return nil, ErrAttributesInvalid.WithCause(err)
	}
	if len(u.Metadata) == 0 || len(i.config.clientMetadata) == 0 {
		return &a, nil
	}
	client := map[string]string{}
	for _, name := range i.config.clientMetadata {
		if value, ok := u.Metadata[name]; ok {
			client[name] = value
		}
	}
	a.Metadata = merge(client, a.Metadata)
	if err := checkMetadata(a.Metadata); err != nil {
		return nil, ErrMetadataInvalid.WithCause(err)
	}
	return &a, nil
}

func checkRedirect(redirect string) error {
	if redirect == "" {
		return nil
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !printableASCII(redirect) {
		return errRedirectNotAllowed
	}
	return nil
}

// PresignGet returns a URL with which a browser reads an object until ttl has
// passed: 1 s to 7 days, and never longer than the credentials live. It does not
// ask S3 whether the object is there. Who may read what is the caller's to
// decide.
func (i *Issuer) PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", ErrKeyInvalid.WithCause(err)
	}
	if ttl < time.Second || ttl > sigv4.MaxExpires {
		return "", fmt.Errorf("postern: PresignGet: a URL lives from 1 s to 7 days, not %s", ttl)
	}
	now := i.config.clock()
	creds, expires, err := i.credentials(ctx, now, ttl.Truncate(time.Second))
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

const (
	// minRemaining is how long credentials must live to be worth signing with.
	minRemaining = time.Second
	// refreshBefore is how early cached credentials are replaced, so that grants
	// seldom live shorter than they should.
	refreshBefore = time.Minute
	// retrieveTimeout bounds one call of a credentials provider.
	retrieveTimeout = 10 * time.Second
)

// credentials returns credentials, and when a signature made now with a
// lifetime expires: a policy expires at a whole second, the next one.
func (i *Issuer) credentials(ctx context.Context, now time.Time, lifetime time.Duration) (sigv4.Credentials, time.Time, error) {
	var c aws.Credentials
	err := guard(func() (err error) {
		c, err = i.bucket.Credentials.Retrieve(ctx)
		return err
	})
	if err != nil {
		return sigv4.Credentials{}, time.Time{}, ErrCredentials.WithCause(err)
	}
	expires := now.Add(lifetime + time.Second - 1).Truncate(time.Second)
	if end := c.Expires.Add(i.early); c.CanExpire && end.Before(expires) {
		expires = end.Truncate(time.Second)
		if expires.Sub(now) < minRemaining {
			return sigv4.Credentials{}, time.Time{}, ErrCredentials.WithCause(errExpired)
		}
	}
	return sigv4.Credentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
	}, expires, nil
}

var errExpired = errors.New("the credentials have expired")

// unusable makes a problem of credentials that cannot sign, such as empty ones.
func unusable(err error) error {
	if errors.Is(err, sigv4.ErrCredentials) {
		return ErrCredentials.WithCause(err)
	}
	return err
}

// cached wraps a provider that does not cache. What the cache returns says that
// it expires earlier than it does, by the duration.
func cached(provider aws.CredentialsProvider) (aws.CredentialsProvider, time.Duration) {
	if cache, ok := provider.(*aws.CredentialsCache); ok {
		return cache, 0
	}
	return aws.NewCredentialsCache(guardedProvider{provider}, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = refreshBefore
	}), refreshBefore
}

// guardedProvider bounds a provider's time and catches its panics, whatever they
// are: the cache calls it on a goroutine of its own, where one would end the
// process.
type guardedProvider struct{ provider aws.CredentialsProvider }

func (p guardedProvider) Retrieve(ctx context.Context) (c aws.Credentials, err error) {
	ctx, cancel := context.WithTimeout(ctx, retrieveTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return p.provider.Retrieve(ctx)
}
