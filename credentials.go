package postern

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/sigv4"
)

// identity is a principal at S3.
type identity struct {
	provider aws.CredentialsProvider
	early    time.Duration // by how much it tells an earlier expiry
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
func (i identity) credentials(ctx context.Context, now time.Time, lifetime time.Duration) (sigv4.Credentials, time.Time, error) {
	var c aws.Credentials
	err := hook.Guard(func() (err error) {
		c, err = i.provider.Retrieve(ctx)
		return err
	})
	if err != nil {
		return sigv4.Credentials{}, time.Time{}, ErrCredentialsUnavailable.WithCause(err)
	}
	expires := now.Add(lifetime + time.Second - 1).Truncate(time.Second)
	if end := c.Expires.Add(i.early); c.CanExpire && end.Before(expires) {
		expires = end.Truncate(time.Second)
		if expires.Sub(now) < minRemaining {
			return sigv4.Credentials{}, time.Time{}, ErrCredentialsUnavailable.WithCause(errExpired)
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
		return ErrCredentialsUnavailable.WithCause(err)
	}
	return err
}

// newIdentity wraps a provider that does not cache. What the cache returns says
// that it expires earlier than it does.
func newIdentity(provider aws.CredentialsProvider) identity {
	if cache, ok := provider.(*aws.CredentialsCache); ok {
		return identity{provider: cache}
	}
	return identity{early: refreshBefore, provider: aws.NewCredentialsCache(guardedProvider{provider},
		func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshBefore })}
}

// sameProvider reports whether two providers are certainly one.
func sameProvider(a, b aws.CredentialsProvider) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// guardedProvider bounds a provider's time and catches its panics, whatever they
// are: the cache calls it on a goroutine of its own, where one would end the
// process.
type guardedProvider struct{ provider aws.CredentialsProvider }

func (p guardedProvider) Retrieve(ctx context.Context) (c aws.Credentials, err error) {
	ctx, cancel := context.WithTimeout(ctx, retrieveTimeout)
	defer cancel()
	err = hook.GuardAll(func() (err error) {
		c, err = p.provider.Retrieve(ctx)
		return err
	})
	return c, err
}
