package postern

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// session is a provider whose credentials live for a time, and which can be made to
// fail or hang.
type session struct {
	life    time.Duration
	fails   atomic.Bool
	hangs   atomic.Bool
	calls   atomic.Int64
	running atomic.Int64
	most    int64 // calls at the same time
	last    time.Time
	closest time.Duration // between two calls
}

func (s *session) Retrieve(context.Context) (aws.Credentials, error) {
	s.most = max(s.most, s.running.Add(1))
	defer s.running.Add(-1)
	s.calls.Add(1)
	if !s.last.IsZero() {
		s.closest = min(s.closest, time.Since(s.last))
	}
	s.last = time.Now()
	if s.hangs.Load() { // and does not listen to its context
		time.Sleep(time.Hour)
	}
	if s.fails.Load() {
		return aws.Credentials{}, errors.New("the provider is down")
	}
	return aws.Credentials{
		AccessKeyID: "AKIA", SecretAccessKey: "secret", CanExpire: true, Expires: time.Now().Add(s.life),
	}, nil
}

const grantLife = 5 * time.Minute

// lives returns how long a grant of now lives.
func lives(t *testing.T, i *identity) time.Duration {
	t.Helper()
	now := time.Now()
	_, expires, err := i.credentials(t.Context(), now, grantLife)
	require.NoError(t, err)
	return expires.Sub(now)
}

func bubble(t *testing.T, life time.Duration, f func(t *testing.T, s *session, i *identity)) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{life: life, closest: time.Hour}
		f(t, s, newIdentity(s, time.Now))
		time.Sleep(2 * time.Hour) // for what hangs
	})
}

func TestNoGrantIsShortAroundARenewal(t *testing.T) {
	bubble(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		for begin := time.Now(); time.Since(begin) < 3*time.Hour; time.Sleep(time.Second) {
			require.GreaterOrEqual(t, lives(t, i), longEnough)
		}
		require.InDelta(t, 4, s.calls.Load(), 1)
		require.Equal(t, int64(1), s.most)
	})
}

func TestProviderThatIsDownForAWhileCostsNoGrant(t *testing.T) {
	bubble(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		lives(t, i)
		time.Sleep(59 * time.Minute) // 60 s are left
		s.fails.Store(true)
		s.last = time.Time{}
		for begin := time.Now(); time.Since(begin) < 15*time.Second; time.Sleep(50 * time.Millisecond) {
			require.Greater(t, lives(t, i), 40*time.Second)
		}
		require.GreaterOrEqual(t, s.closest, time.Second, "a call a second at most")
		s.fails.Store(false)
		time.Sleep(maxBackoff)
		require.GreaterOrEqual(t, lives(t, i), grantLife-time.Second)
	})
}

func TestHangCostsNoMoreThanASecondWhileCredentialsAreGood(t *testing.T) {
	bubble(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		lives(t, i)
		time.Sleep(59*time.Minute + 30*time.Second)
		s.hangs.Store(true)
		for range 20 {
			asked := time.Now()
			lives(t, i)
			require.LessOrEqual(t, time.Since(asked), renewalGrace)
		}
	})
}

func TestHangEndsWhereThereIsNothingToSignWith(t *testing.T) {
	bubble(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		s.hangs.Store(true)
		asked := time.Now()
		_, _, err := i.credentials(t.Context(), asked, grantLife)
		require.ErrorIs(t, err, ErrCredentialsUnavailable)
		require.Equal(t, retrieveTimeout, time.Since(asked))
	})
}

func TestShortSessionsAreUsedUntilTheyEnd(t *testing.T) {
	bubble(t, 20*time.Second, func(t *testing.T, s *session, i *identity) {
		for begin := time.Now(); time.Since(begin) < 5*time.Minute; time.Sleep(time.Second) {
			require.GreaterOrEqual(t, lives(t, i), time.Second)
		}
		require.GreaterOrEqual(t, s.closest, time.Second)
	})
}

// extending is a provider that keeps credentials alive while it cannot renew them,
// as that of EC2 roles does.
type extending struct{ *session }

func (extending) HandleFailToRefresh(_ context.Context, c aws.Credentials, _ error) (aws.Credentials, error) {
	c.Expires = time.Now().Add(30 * time.Minute)
	return c, nil
}

func TestProviderMayExtendWhatItCannotRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{life: time.Hour, closest: time.Hour}
		i := newIdentity(extending{s}, time.Now)
		lives(t, i)
		s.fails.Store(true)
		for range 5 {
			time.Sleep(30 * time.Minute)
			require.GreaterOrEqual(t, lives(t, i), longEnough)
		}
	})
}

func TestGrantsOfAnApplicationsCacheAreNotShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{life: time.Hour, closest: time.Hour}
		cache := aws.NewCredentialsCache(s, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
		i := newIdentity(cache, time.Now)
		for begin := time.Now(); time.Since(begin) < 3*time.Hour; time.Sleep(time.Second) {
			require.GreaterOrEqual(t, lives(t, i), longEnough-time.Second)
		}
		require.LessOrEqual(t, s.calls.Load(), int64(5))
	})
}

func TestGuardedProviderNeitherPanicsNorHangs(t *testing.T) {
	panics := GuardCredentials(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { panic("at the disco") }))
	_, err := aws.NewCredentialsCache(panics).Retrieve(t.Context())
	require.ErrorContains(t, err, "at the disco")

	synctest.Test(t, func(t *testing.T) {
		s := &session{life: time.Hour, closest: time.Hour}
		s.hangs.Store(true)
		asked := time.Now()
		_, err := aws.NewCredentialsCache(GuardCredentials(s)).Retrieve(t.Context())
		require.ErrorIs(t, err, errRetrieve)
		require.Equal(t, retrieveTimeout, time.Since(asked))
		time.Sleep(2 * time.Hour)
	})
}

func TestGuardedProviderKeepsTheStrategiesOfTheProvider(t *testing.T) {
	s := &session{life: time.Hour, closest: time.Hour}
	guarded := GuardCredentials(extending{s}).(aws.HandleFailRefreshCredentialsCacheStrategy)
	c, err := guarded.HandleFailToRefresh(t.Context(), aws.Credentials{AccessKeyID: "AKIA"}, errors.New("down"))
	require.NoError(t, err)
	require.Equal(t, "AKIA", c.AccessKeyID)

	plain := GuardCredentials(s).(aws.HandleFailRefreshCredentialsCacheStrategy)
	_, err = plain.HandleFailToRefresh(t.Context(), aws.Credentials{}, errors.New("down"))
	require.EqualError(t, err, "down")
	window := GuardCredentials(s).(aws.AdjustExpiresByCredentialsCacheStrategy)
	end := time.Unix(1000, 0)
	c, err = window.AdjustExpiresBy(aws.Credentials{CanExpire: true, Expires: end}, -time.Minute)
	require.NoError(t, err)
	require.Equal(t, end.Add(-time.Minute), c.Expires)
}
