package postern

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/sigv4"
)

const (
	// minRemaining is how long credentials must live to be worth signing with.
	minRemaining = time.Second
	// renewBefore is how early credentials are renewed, in the background.
	renewBefore = 5 * time.Minute
	// longEnough is how long credentials should live for a grant, if the grant asks
	// for twice as long: what lives shorter waits a little for better ones.
	longEnough = time.Minute
	// renewalGrace is how long a request waits for better credentials while it has
	// some.
	renewalGrace = time.Second
	// retrieveTimeout bounds one call of a credentials provider, and the wait of a
	// request that has none.
	retrieveTimeout = 10 * time.Second
	// maxBackoff is the longest pause between two calls of a provider that fails.
	// The shortest is a second.
	maxBackoff = 15 * time.Second
)

// identity is a principal at S3. It holds its credentials until they really end, and
// renews them in the background before that, by one call at a time. It is safe for
// concurrent use.
type identity struct {
	// first gives the first credentials. It may be a cache of the application's, which
	// has them already.
	first aws.CredentialsProvider
	// provider renews them: first, or what is inside that cache. The cache itself
	// would keep what it has until the end.
	provider aws.CredentialsProvider
	clock    func() time.Time

	held atomic.Pointer[aws.Credentials]
	seen atomic.Pointer[aws.Credentials] // in the application's cache, the last time
	next atomic.Int64                    // in nanoseconds since 1970; nothing is asked before

	mutex    sync.Mutex
	renewal  *renewal  // that goes on
	obtained time.Time // of what is held
	last     error     // of the last one
	failures int       // in a row
}

// renewal is one call of a provider.
type renewal struct {
	done chan struct{}
	err  error
}

func newIdentity(provider aws.CredentialsProvider, clock func() time.Time) *identity {
	return &identity{first: provider, provider: inside(provider), clock: clock}
}

// inside finds the provider in a cache. The cache has no other way to renew before the
// end than to forget what it has: then it fails all who use it while its provider does,
// and the provider's strategy for that is given nothing to keep.
func inside(provider aws.CredentialsProvider) aws.CredentialsProvider {
	for {
		cache, ok := provider.(*aws.CredentialsCache)
		if !ok || cache == nil {
			return provider
		}
		field := reflect.ValueOf(cache).Elem().FieldByName("provider")
		if !field.IsValid() || field.Type() != reflect.TypeFor[aws.CredentialsProvider]() || field.IsNil() {
			return provider
		}
		provider = *(*aws.CredentialsProvider)(field.Addr().UnsafePointer())
	}
}

// credentials returns credentials, and when a signature made now with a lifetime
// expires: a policy expires at a whole second, the next one.
func (i *identity) credentials(ctx context.Context, now time.Time, lifetime time.Duration) (sigv4.Credentials, time.Time, error) {
	// What expires is rounded down to a second.
	c, err := i.get(ctx, now, min(lifetime/2, longEnough)+time.Second)
	if err != nil {
		return sigv4.Credentials{}, time.Time{}, ErrCredentialsUnavailable.WithCause(err)
	}
	expires := now.Add(lifetime + time.Second - 1).Truncate(time.Second)
	if c.CanExpire && c.Expires.Before(expires) {
		expires = c.Expires.Truncate(time.Second)
	}
	return sigv4.Credentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
	}, expires, nil
}

// Retrieve makes an aws.CredentialsProvider of the identity, for calls of our own.
func (i *identity) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := i.get(ctx, i.clock(), longEnough)
	if err != nil {
		return aws.Credentials{}, err
	}
	return *c, nil
}

var (
	errExpired  = errors.New("the credentials have expired")
	errRetrieve = errors.New("the credentials provider does not answer")
)

// get returns credentials that live as long as needed, if they can be had.
func (i *identity) get(ctx context.Context, now time.Time, need time.Duration) (*aws.Credentials, error) {
	c := i.held.Load()
	left := remaining(c, now)
	if left > renewBefore {
		i.peek(now, left)
		return i.held.Load(), nil
	}
	r, pause, last := i.renew()
	if c != nil && left >= need {
		return c, nil
	}
	if r == nil && left < minRemaining && pause <= renewalGrace {
		// There is nothing to sign with, and soon a chance to get it.
		select {
		case <-time.After(pause):
			r, _, last = i.renew()
		case <-ctx.Done():
			last = ctx.Err()
		}
	}
	if r != nil {
		patience := retrieveTimeout
		if left >= minRemaining {
			patience = renewalGrace
		}
		last = r.await(ctx, patience)
	}
	switch c = i.held.Load(); {
	case c != nil && remaining(c, now) >= minRemaining:
		return c, nil
	case last != nil:
		return nil, last
	default:
		return nil, errExpired
	}
}

// ended is a context that waits for nothing.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// peek takes what the application's cache has got meanwhile, without waiting, such as
// other keys after it was told to forget the old ones. It is left alone when what it
// had has expired, since it would ask the provider, too.
func (i *identity) peek(now time.Time, left time.Duration) {
	cache, ok := i.first.(*aws.CredentialsCache)
	seen := i.seen.Load()
	if !ok || remaining(seen, now) <= 0 || time.Now().UnixNano() < i.next.Load() {
		return
	}
	c, err := cache.Retrieve(ended)
	if err != nil {
		i.mutex.Lock()
		defer i.mutex.Unlock()
		i.backOff()
		return
	}
	if seen.AccessKeyID == c.AccessKeyID && seen.SecretAccessKey == c.SecretAccessKey && seen.Expires.Equal(c.Expires) {
		return
	}
	i.seen.Store(&c)
	if live := remaining(&c, now); live > renewBefore || live >= left {
		c = trimmed(c)
		i.mutex.Lock()
		defer i.mutex.Unlock()
		i.held.Store(&c)
		i.obtained = now
	}
}

// backOff leaves the provider alone for a while, which gets longer.
func (i *identity) backOff() {
	pause := min(time.Second<<min(i.failures, 10), maxBackoff)
	i.next.Store(time.Now().Add(pause).UnixNano())
	i.failures++
}

// trimmed takes white space off keys, which those that were read from a file have.
func trimmed(c aws.Credentials) aws.Credentials {
	c.AccessKeyID, c.SecretAccessKey = strings.TrimSpace(c.AccessKeyID), strings.TrimSpace(c.SecretAccessKey)
	c.SessionToken = strings.TrimSpace(c.SessionToken)
	return c
}

// remaining is how long credentials live.
func remaining(c *aws.Credentials, now time.Time) time.Duration {
	switch {
	case c == nil:
		return 0
	case !c.CanExpire:
		return 1<<63 - 1
	}
	return c.Expires.Sub(now)
}

// renew begins a renewal, or returns the one that goes on; none while a provider that
// failed is left alone, but for how long yet, and the last error.
func (i *identity) renew() (r *renewal, pause time.Duration, last error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.renewal != nil {
		return i.renewal, 0, nil
	}
	if pause = time.Duration(i.next.Load() - time.Now().UnixNano()); pause > 0 {
		return nil, pause, i.last
	}
	r = &renewal{done: make(chan struct{})}
	i.renewal = r
	go func() {
		provider, first := i.provider, i.held.Load() == nil
		if first {
			provider = i.first
		}
		var c aws.Credentials
		c, r.err = call(provider)
		if first && r.err == nil {
			i.seen.Store(&c)
		}
		i.finish(r, c)
		close(r.done)
	}()
	return r, 0, nil
}

// call asks the provider, and gives it up after a while, even if it does not listen
// to its context.
func call(provider aws.CredentialsProvider) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(context.Background(), retrieveTimeout)
	type answer struct {
		c   aws.Credentials
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer cancel()
		var a answer
		a.err = hook.GuardAll(func() (err error) {
			a.c, err = provider.Retrieve(ctx)
			return err
		})
		answers <- a
	}()
	select {
	case a := <-answers:
		return a.c, a.err
	case <-ctx.Done():
		select {
		case a := <-answers: // which it ended
			return a.c, a.err
		default:
			return aws.Credentials{}, errRetrieve
		}
	}
}

// finish takes the result of a renewal.
func (i *identity) finish(r *renewal, c aws.Credentials) {
	held := i.held.Load()
	if r.err != nil && held != nil {
		if kept, err := failToRefresh(context.Background(), i.provider, *held, r.err); err == nil {
			c, r.err = kept, nil
		}
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.renewal, i.last = nil, r.err
	now := i.clock()
	if r.err == nil {
		c = trimmed(c)
		i.held.Store(&c)
		i.obtained = now
	}
	if r.err == nil && (held == nil || remaining(&c, now) > remaining(held, now)) {
		i.failures = 0
		i.next.Store(0)
		return
	}
	i.backOff() // it failed, or had nothing better
}

// failToRefresh does what the provider does where its credentials cannot be renewed:
// nothing but to say why, unless it has a strategy.
func failToRefresh(ctx context.Context, provider aws.CredentialsProvider, c aws.Credentials, cause error) (aws.Credentials, error) {
	strategy, ok := provider.(aws.HandleFailRefreshCredentialsCacheStrategy)
	if !ok {
		return aws.Credentials{}, cause
	}
	err := hook.GuardAll(func() (err error) {
		c, err = strategy.HandleFailToRefresh(ctx, c, cause)
		return err
	})
	return c, err
}

// await waits for the end of a renewal.
func (r *renewal) await(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.done:
		return r.err
	case <-timer.C:
		return errRetrieve
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unusable makes a problem of credentials that cannot sign, such as empty ones.
func unusable(err error) error {
	if errors.Is(err, sigv4.ErrCredentials) {
		return ErrCredentialsUnavailable.WithCause(err)
	}
	return err
}

// sameProvider reports whether two providers are certainly one.
func sameProvider(a, b aws.CredentialsProvider) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// GuardCredentials returns a provider that does what another does, in no more than
// 10 seconds and without panics. Postern guards every provider that it is given; but
// an [aws.CredentialsCache] calls the provider inside it on a goroutine of its own,
// where a panic ends the process and nobody else can catch it. Put a provider of
// your own, which may panic, into this before the cache:
//
//	aws.NewCredentialsCache(postern.GuardCredentials(provider))
func GuardCredentials(provider aws.CredentialsProvider) aws.CredentialsProvider {
	return guardedProvider{provider}
}

type guardedProvider struct{ provider aws.CredentialsProvider }

func (p guardedProvider) Retrieve(context.Context) (aws.Credentials, error) { return call(p.provider) }

// HandleFailToRefresh does what the provider does where a cache cannot renew its
// credentials.
func (p guardedProvider) HandleFailToRefresh(ctx context.Context, c aws.Credentials, cause error) (aws.Credentials, error) {
	return failToRefresh(ctx, p.provider, c, cause)
}

// AdjustExpiresBy does what the provider does with a cache's window.
func (p guardedProvider) AdjustExpiresBy(c aws.Credentials, d time.Duration) (aws.Credentials, error) {
	strategy, ok := p.provider.(aws.AdjustExpiresByCredentialsCacheStrategy)
	if !ok {
		if c.CanExpire {
			c.Expires = c.Expires.Add(d)
		}
		return c, nil
	}
	err := hook.GuardAll(func() (err error) {
		c, err = strategy.AdjustExpiresBy(c, d)
		return err
	})
	return c, err
}
