package redislock_test

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/locktest"
	redislock "github.com/postern-go/postern/lock/redis"
)

var _ postern.Locker = (*redislock.Locker)(nil)

func TestReplicasTakeTurns(t *testing.T) { locktest.ReplicasTakeTurns(t, shared.URL()) }

func TestTheLockOfAKilledHolderComesFree(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := locktest.StartReplica(t, locktest.Role{URL: shared.URL(), Name: name, TTL: 2 * time.Second})
	holder.Await(t, "held")
	require.NoError(t, holder.Process.Kill())
	locktest.Lock(t, shared.locker(t), name)
}

func TestAHolderThatWasStoppedFindsItsLockLost(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := locktest.StartReplica(t, locktest.Role{URL: shared.URL(), Name: name, TTL: 2 * time.Second})
	holder.Await(t, "held")
	require.NoError(t, holder.Process.Signal(syscall.SIGSTOP))
	locktest.Lock(t, shared.locker(t, redislock.WithTTL(locktest.Long)), name)
	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	holder.Await(t, "lost")
	require.NoError(t, holder.Wait())
	require.EqualValues(t, 1, shared.client(t).Exists(t.Context(), "postern:lock:"+name).Val(), "its unlock has hit the next holder's lock")
}

func TestHeldEndsBeforeAnotherHasTheLock(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	name := rand.Text()
	held := locktest.Lock(t, redislock.New(shared.client(t, network.Addr().String()), redislock.WithTTL(4*time.Second)), name)
	network.Freeze(t)
	locktest.Lock(t, shared.locker(t), name)
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
}

func TestALockLivesLongerThanItsTTL(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	calls := count(client)
	name := rand.Text()
	held := locktest.Lock(t, redislock.New(client, redislock.WithTTL(6*time.Second)), name)
	for range 4 { // a third of the TTL each, after the one that took the lock
		<-calls
	}
	<-calls
	require.NoError(t, context.Cause(held))
	require.EqualValues(t, 1, shared.client(t).Exists(t.Context(), "postern:lock:"+name).Val())
}

func TestHeldEndsWhenRedisHasForgottenTheLock(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	name := rand.Text()
	held, unlock, err := redislock.New(client, redislock.WithTTL(2*time.Second)).Lock(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, client.Del(t.Context(), "postern:lock:"+name).Err())
	other := shared.locker(t, redislock.WithTTL(locktest.Long))
	locktest.Lock(t, other, name)
	<-held.Done()
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
	require.ErrorContains(t, context.Cause(held), "another's")

	unlock()
	require.EqualValues(t, 1, client.Exists(t.Context(), "postern:lock:"+name).Val(), "the next holder's lock is gone")
}

func TestHeldEndsWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	held := locktest.Lock(t, server.locker(t, redislock.WithTTL(2*time.Second)), "name")
	server.Stop(syscall.SIGKILL)
	<-held.Done()
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
}

func TestLocksCanBeHadAfterARestart(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	locker := server.locker(t, redislock.WithTTL(locktest.Long))
	locktest.Lock(t, locker, "name")
	server.Stop(syscall.SIGKILL)
	require.NoError(t, server.Start())
	locktest.Lock(t, locker, "name") // the server has forgotten the first, and the script
}

func TestALockWhoseAnswerWasLostIsHad(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	locker := redislock.New(shared.client(t, network.Addr().String()), redislock.WithTTL(locktest.Long))
	locktest.Lock(t, locker, rand.Text()) // connected, and the script is there
	network.LoseNext.Store(true)
	locktest.Lock(t, locker, rand.Text())
	require.False(t, network.LoseNext.Load())
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	_, unlock, err := shared.locker(t).Lock(t.Context(), name)
	require.NoError(t, err)

	client := shared.client(t)
	calls := count(client)
	waiter := redislock.New(client, redislock.WithTTL(locktest.Long))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-calls // is refused
		<-calls
		cancel()
	}()
	_, _, err = waiter.Lock(ctx, name)
	require.ErrorIs(t, err, context.Canceled)

	unlock()
	locktest.Lock(t, waiter, name)
}

func TestWaitingEndsWithItsContextAlthoughTheServerHangs(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	client := redis.NewClient(&redis.Options{Addr: network.Addr().String(), Password: shared.Password, ReadTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	locker := redislock.New(client)
	locktest.WaitingEndsWithItsContextAlthoughTheServerHangs(t, locker, network)
}

func TestUnlockReturnsAlthoughTheServerHangs(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	client := redis.NewClient(&redis.Options{Addr: network.Addr().String(), Password: shared.Password, ReadTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	_, unlock, err := redislock.New(client, redislock.WithTTL(locktest.Long)).Lock(t.Context(), rand.Text())
	require.NoError(t, err)
	network.Freeze(t)
	unlock()
}

func TestUnlockingTwiceLeavesTheNextHoldersLock(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	locker := redislock.New(client, redislock.WithTTL(locktest.Long))
	name := rand.Text()
	held, unlock, err := locker.Lock(t.Context(), name)
	require.NoError(t, err)
	unlock()
	require.ErrorIs(t, context.Cause(held), context.Canceled)

	next := locktest.Lock(t, locker, name)
	unlock()
	require.NoError(t, context.Cause(next))
	require.EqualValues(t, 1, client.Exists(t.Context(), "postern:lock:"+name).Val())
}

func TestHeldEndsWithTheContext(t *testing.T) {
	t.Parallel()
	locktest.HeldEndsWithTheContext(t, shared.locker(t))
}

func TestUnlockWorksAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	locktest.UnlockWorksAfterItsContextHasEnded(t, shared.locker(t, redislock.WithTTL(locktest.Long)))
}

func TestLocksOfOtherNamesAndPrefixesAreFree(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	locktest.Lock(t, shared.locker(t, redislock.WithTTL(locktest.Long)), name)
	locktest.Lock(t, shared.locker(t, redislock.WithTTL(locktest.Long)), name+"/other")
	locktest.Lock(t, shared.locker(t, redislock.WithTTL(locktest.Long), redislock.WithPrefix("other:")), name)
	require.EqualValues(t, 1, shared.client(t).Exists(t.Context(), "other:"+name).Val())
}

func TestFailuresOfRedisHaveNoSecrets(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, options := range map[string]*redis.Options{
		"the password is wrong": {Addr: shared.Addr(), Password: "hunter2"},
		"nobody listens":        {Addr: gone.Addr().String(), Password: "hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewClient(options)
			t.Cleanup(func() { _ = client.Close() })
			_, _, err := redislock.New(client).Lock(t.Context(), rand.Text())
			require.ErrorContains(t, err, "redislock: ")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestATTLBelowOneSecondPanics(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Second, time.Second - 1} {
		require.Panics(t, func() { redislock.WithTTL(ttl) }, ttl)
	}
}

// count tells of each script that Redis has answered to a client.
func count(c *redis.Client) <-chan struct{} {
	calls := make(counter, 1000)
	c.AddHook(calls)
	return calls
}

type counter chan struct{}

func (counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && strings.HasPrefix(cmd.Name(), "eval") {
			c <- struct{}{}
		}
		return err
	}
}
