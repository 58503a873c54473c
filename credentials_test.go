package postern

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
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

	mutex   sync.Mutex
	most    int64 // calls at the same time
	last    time.Time
	closest time.Duration // between two calls
}

func (s *session) Retrieve(context.Context) (aws.Credentials, error) {
	defer s.running.Add(-1)
	s.calls.Add(1)
	s.note(s.running.Add(1))
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

func (s *session) note(running int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.most = max(s.most, running)
	if !s.last.IsZero() {
		s.closest = min(s.closest, time.Since(s.last))
	}
	s.last = time.Now()
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

// ways are how applications hand a provider over.
var ways = map[string]func(p aws.CredentialsProvider) aws.CredentialsProvider{
	"as it is": func(p aws.CredentialsProvider) aws.CredentialsProvider { return p },
	"guarded":  GuardCredentials,
	"in a cache": func(p aws.CredentialsProvider) aws.CredentialsProvider {
		return aws.NewCredentialsCache(p)
	},
	// As config.LoadDefaultConfig does.
	"in a cache with a window": inWindow,
	"guarded in a cache with a window": func(p aws.CredentialsProvider) aws.CredentialsProvider {
		return inWindow(GuardCredentials(p))
	},
	"in a cache in a cache": func(p aws.CredentialsProvider) aws.CredentialsProvider {
		return inWindow(aws.NewCredentialsCache(p))
	},
}

func inWindow(p aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(p, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
}

// everyWay tries a session of some life in every way that it may be handed over.
func everyWay(t *testing.T, life time.Duration, f func(t *testing.T, s *session, i *identity)) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &session{life: life, closest: time.Hour}
				f(t, s, newIdentity(way(s), time.Now))
				time.Sleep(2 * time.Hour) // for what hangs
			})
		})
	}
}

// waitUntilLeft sleeps until what an identity holds lives for no longer than this.
func waitUntilLeft(i *identity, left time.Duration) {
	time.Sleep(time.Until(i.held.Load().Expires) - left)
}

func TestNoGrantIsShortAroundARenewal(t *testing.T) {
	everyWay(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		shortest := time.Hour
		for begin := time.Now(); time.Since(begin) < 3*time.Hour; time.Sleep(997 * time.Millisecond) {
			shortest = min(shortest, lives(t, i))
		}
		t.Logf("the shortest grant lives %v; %d calls in 3 hours", shortest, s.calls.Load())
		require.GreaterOrEqual(t, shortest, longEnough)
		require.InDelta(t, 4, s.calls.Load(), 1)
		require.Equal(t, int64(1), s.most)
	})
}

func TestNoGrantLivesLessThanHalfOfWhatItAsks(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Minute, 6 * time.Minute, 15 * time.Minute} {
		for _, asked := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour} {
			t.Run(fmt.Sprintf("%v in sessions of %v", asked, life), func(t *testing.T) {
				bubble(t, life, func(t *testing.T, s *session, i *identity) {
					for begin := time.Now(); time.Since(begin) < time.Hour; time.Sleep(997 * time.Millisecond) {
						now := time.Now()
						_, expires, err := i.credentials(t.Context(), now, asked)
						require.NoError(t, err)
						require.GreaterOrEqual(t, expires.Sub(now), min(asked/2, time.Minute))
					}
				})
			})
		}
	}
}

func TestProviderThatIsDownForAWhileCostsNoGrant(t *testing.T) {
	everyWay(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		lives(t, i)
		waitUntilLeft(i, time.Minute)
		s.fails.Store(true)
		s.last = time.Time{}
		before, grants := s.calls.Load(), 0
		for begin := time.Now(); time.Since(begin) < 15*time.Second; time.Sleep(50 * time.Millisecond) {
			require.Greater(t, lives(t, i), 40*time.Second)
			grants++
		}
		t.Logf("%d grants, no refusal; %d calls in 15 s, %v apart at least", grants, s.calls.Load()-before, s.closest)
		require.GreaterOrEqual(t, s.closest, time.Second, "a call a second at most")
		require.Greater(t, s.calls.Load()-before, int64(1), "and more than one")
		s.fails.Store(false)
		time.Sleep(maxBackoff)
		require.GreaterOrEqual(t, lives(t, i), grantLife-time.Second)
	})
}

func TestProviderThatFailsIsCalledOnceASecondAtMost(t *testing.T) {
	everyWay(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		for _, healthy := range []bool{false, true} { // before: nothing is held, or something that expires
			s.fails.Store(false)
			if healthy {
				time.Sleep(maxBackoff)
				lives(t, i)
				waitUntilLeft(i, 2*time.Minute)
			}
			s.fails.Store(true)
			s.last, s.closest = time.Time{}, time.Hour
			before := s.calls.Load()
			var requests sync.WaitGroup
			for range 8 {
				requests.Go(func() {
					for begin := time.Now(); time.Since(begin) < 5*time.Minute; time.Sleep(30 * time.Millisecond) {
						_, _, _ = i.credentials(t.Context(), time.Now(), grantLife)
					}
				})
			}
			requests.Wait()
			t.Logf("%d calls in 5 minutes, %v apart at least", s.calls.Load()-before, s.closest)
			require.GreaterOrEqual(t, s.closest, time.Second)
			require.Equal(t, int64(1), s.most)
		}
	})
}

func TestHangCostsNoMoreThanASecondWhileCredentialsAreGood(t *testing.T) {
	everyWay(t, time.Hour, func(t *testing.T, s *session, i *identity) {
		lives(t, i)
		waitUntilLeft(i, 5*time.Minute)
		s.hangs.Store(true)
		longest := time.Duration(0)
		for time.Until(i.held.Load().Expires) > 3*time.Second {
			waits := make(chan time.Duration, 4)
			for range cap(waits) {
				go func() {
					asked := time.Now()
					_, _, err := i.credentials(t.Context(), asked, grantLife)
					assert.NoError(t, err)
					waits <- time.Since(asked)
				}()
			}
			for range cap(waits) {
				longest = max(longest, <-waits)
			}
			time.Sleep(200 * time.Millisecond)
		}
		t.Logf("no request waited for more than %v", longest)
		require.LessOrEqual(t, longest, renewalGrace)
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

func (extending) HandleFailToRefresh(_ context.Context, c aws.Credentials, cause error) (aws.Credentials, error) {
	if !c.CanExpire {
		return aws.Credentials{}, cause // there is nothing to keep
	}
	c.Expires = time.Now().Add(30 * time.Minute)
	return c, nil
}

func TestProviderMayExtendWhatItCannotRenew(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &session{life: time.Hour, closest: time.Hour}
				provider := way(extending{s})
				i := newIdentity(provider, time.Now)
				lives(t, i)
				s.fails.Store(true)
				for begin := time.Now(); time.Since(begin) < 3*time.Hour; time.Sleep(time.Second) {
					require.GreaterOrEqual(t, lives(t, i), longEnough)
				}
				if cache, ok := provider.(*aws.CredentialsCache); ok {
					_, err := cache.Retrieve(t.Context())
					require.NoError(t, err, "the cache still has what it may extend")
				}
			})
		})
	}
}

// roomy is a provider that keeps a cache from taking a window off short sessions, as
// that of EC2 roles does.
type roomy struct{ *session }

func (roomy) AdjustExpiresBy(c aws.Credentials, d time.Duration) (aws.Credentials, error) {
	if time.Until(c.Expires) > 15*time.Minute {
		c.Expires = c.Expires.Add(d)
	}
	return c, nil
}

func TestProviderDecidesOverTheWindowOfACache(t *testing.T) {
	for name, way := range map[string]func(p aws.CredentialsProvider) aws.CredentialsProvider{
		"as it is": inWindow, "guarded": ways["guarded in a cache with a window"],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for life, want := range map[time.Duration]time.Duration{10 * time.Minute: 10 * time.Minute, time.Hour: 55 * time.Minute} {
					i := newIdentity(way(roomy{&session{life: life, closest: time.Hour}}), time.Now)
					lives(t, i)
					require.Equal(t, want, time.Until(i.held.Load().Expires))
				}
			})
		})
	}
}

func TestCacheIsNotMadeToForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{life: time.Hour, closest: time.Hour}
		cache := inWindow(s)
		i := newIdentity(cache, time.Now)
		lives(t, i)
		s.fails.Store(true)
		for time.Until(i.held.Load().Expires) > time.Second {
			_, err := cache.Retrieve(t.Context())
			require.NoError(t, err, "others use it, too")
			lives(t, i)
			time.Sleep(time.Second)
		}
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
	c, err := guarded.HandleFailToRefresh(t.Context(), aws.Credentials{AccessKeyID: "AKIA", CanExpire: true}, errors.New("down"))
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
