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
	// renewBefore is how early credentials are renewed, in the background. What an
	// application's cache holds is renewed later, since the cache must forget it for
	// that.
	renewBefore      = 5 * time.Minute
	renewCacheBefore = 2 * time.Minute
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
	provider aws.CredentialsProvider
	// cache is the provider, if it is one of the application's own that keeps what
	// it has until the end.
	cache *aws.CredentialsCache
	clock func() time.Time

	held atomic.Pointer[aws.Credentials]

	mutex    sync.Mutex
	renewal  *renewal  // that goes on
	last     error     // of the last one
	failures int       // in a row
	next     time.Time // no renewal before
}

// renewal is one call of a provider.
type renewal struct {
	done chan struct{}
	err  error
}

func newIdentity(provider aws.CredentialsProvider, clock func() time.Time) *identity {
	cache, _ := provider.(*aws.CredentialsCache)
	return &identity{provider: provider, cache: cache, clock: clock}
}

// credentials returns credentials, and when a signature made now with a lifetime
// expires: a policy expires at a whole second, the next one.
func (i *identity) credentials(ctx context.Context, now time.Time, lifetime time.Duration) (sigv4.Credentials, time.Time, error) {
	c, err := i.get(ctx, now, min(lifetime/2, longEnough))
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
	i.peek(now)
	c := i.held.Load()
	left := remaining(c, now)
	if left > renewBefore || i.cache != nil && left > renewCacheBefore {
		return c, nil
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

// peek takes what the application's cache has by now, without waiting.
func (i *identity) peek(now time.Time) {
	if i.cache == nil {
		return
	}
	c, err := i.cache.Retrieve(ended)
	held := i.held.Load()
	if err != nil || held != nil && held.AccessKeyID == c.AccessKeyID && held.SecretAccessKey == c.SecretAccessKey && held.Expires.Equal(c.Expires) {
		return
	}
	if remaining(&c, now) >= minRemaining {
		c = trimmed(c)
		i.held.Store(&c)
	}
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
	if pause = time.Until(i.next); pause > 0 {
		return nil, pause, i.last
	}
	r = &renewal{done: make(chan struct{})}
	i.renewal = r
	go func() {
		if i.cache != nil && i.held.Load() != nil {
			i.cache.Invalidate()
		}
		var c aws.Credentials
		c, r.err = i.call()
		i.finish(r, c)
		close(r.done)
	}()
	return r, 0, nil
}

// call asks the provider, and gives it up after a while, even if it does not listen
// to its context.
func (i *identity) call() (aws.Credentials, error) {
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
			a.c, err = i.provider.Retrieve(ctx)
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
		if kept, err := i.failToRefresh(context.Background(), *held, r.err); err == nil {
			c, r.err = kept, nil
		}
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.renewal, i.last = nil, r.err
	if r.err == nil {
		c = trimmed(c)
		i.held.Store(&c)
	}
	now := i.clock()
	if r.err == nil && (held == nil || remaining(&c, now) > remaining(held, now)) {
		i.failures, i.next = 0, time.Time{}
		return
	}
	// It failed, or had nothing better.
	i.next = time.Now().Add(min(time.Second<<min(i.failures, 10), maxBackoff))
	i.failures++
}

// failToRefresh does what the provider does where its credentials cannot be renewed:
// nothing but to say why, unless it has a strategy.
func (i *identity) failToRefresh(ctx context.Context, c aws.Credentials, cause error) (aws.Credentials, error) {
	strategy, ok := i.provider.(aws.HandleFailRefreshCredentialsCacheStrategy)
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
	return guardedProvider{&identity{provider: provider}}
}

type guardedProvider struct{ *identity }

func (p guardedProvider) Retrieve(context.Context) (aws.Credentials, error) { return p.call() }

// HandleFailToRefresh does what the provider does where a cache cannot renew its
// credentials.
func (p guardedProvider) HandleFailToRefresh(ctx context.Context, c aws.Credentials, cause error) (aws.Credentials, error) {
	return p.failToRefresh(ctx, c, cause)
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
