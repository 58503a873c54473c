package redislock_test

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	redislock "github.com/postern-go/postern/lock/redis"
)

var _ postern.Locker = (*redislock.Locker)(nil)

// long is a TTL that does not pass while a test runs.
const long = time.Hour

func TestReplicasTakeTurns(t *testing.T) {
	const replicas, sections = 3, 200
	journal := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(journal, nil, 0o600))
	var all []*process
	name := rand.Text()
	for range replicas {
		p := startReplica(t, shared, role{Name: name, TTL: long, Journal: journal, Sections: sections})
		p.await(t, "ready")
		all = append(all, p)
	}
	for _, p := range all {
		require.NoError(t, p.tell("go"))
	}
	for _, p := range all {
		require.NoError(t, p.Wait())
	}
	written, err := os.ReadFile(journal)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(written)), "\n")
	require.Len(t, lines, 2*replicas*sections)
	for k := 0; k < len(lines); k += 2 {
		id, begins := strings.CutPrefix(lines[k], "begin ")
		require.True(t, begins, "line %d: %s", k, lines[k])
		require.Equal(t, "end "+id, lines[k+1], "line %d", k+1)
	}
}

func TestTheLockOfAKilledHolderComesFree(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := startReplica(t, shared, role{Name: name, TTL: 2 * time.Second})
	holder.await(t, "held")
	require.NoError(t, holder.Process.Kill())
	lock(t, shared.locker(t), name)
}

func TestAHolderThatWasStoppedFindsItsLockLost(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := startReplica(t, shared, role{Name: name, TTL: 2 * time.Second})
	holder.await(t, "held")
	require.NoError(t, holder.Process.Signal(syscall.SIGSTOP))
	lock(t, shared.locker(t, redislock.WithTTL(long)), name)
	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	holder.await(t, "lost")
	require.NoError(t, holder.Wait())
	require.EqualValues(t, 1, shared.client(t).Exists(t.Context(), "postern:lock:"+name).Val(), "its unlock has hit the next holder's lock")
}

func TestHeldEndsBeforeAnotherHasTheLock(t *testing.T) {
	t.Parallel()
	network := newProxy(t, shared.addr)
	name := rand.Text()
	held := lock(t, redislock.New(shared.client(t, network.addr()), redislock.WithTTL(4*time.Second)), name)
	network.freeze(t)
	lock(t, shared.locker(t), name)
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
}

func TestALockLivesLongerThanItsTTL(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	calls := count(client)
	name := rand.Text()
	held := lock(t, redislock.New(client, redislock.WithTTL(6*time.Second)), name)
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
	other := shared.locker(t, redislock.WithTTL(long))
	lock(t, other, name)
	<-held.Done()
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
	require.ErrorContains(t, context.Cause(held), "another's")

	unlock()
	require.EqualValues(t, 1, client.Exists(t.Context(), "postern:lock:"+name).Val(), "the next holder's lock is gone")
}

func TestHeldEndsWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	held := lock(t, server.locker(t, redislock.WithTTL(2*time.Second)), "name")
	server.kill()
	<-held.Done()
	require.ErrorIs(t, context.Cause(held), redislock.ErrLost)
}

func TestLocksCanBeHadAfterARestart(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	locker := server.locker(t, redislock.WithTTL(long))
	lock(t, locker, "name")
	server.kill()
	require.NoError(t, server.start())
	lock(t, locker, "name") // the server has forgotten the first, and the script
}

func TestALockWhoseAnswerWasLostIsHad(t *testing.T) {
	t.Parallel()
	network := newProxy(t, shared.addr)
	locker := redislock.New(shared.client(t, network.addr()), redislock.WithTTL(long))
	lock(t, locker, rand.Text()) // connected, and the script is there
	network.loseNext.Store(true)
	lock(t, locker, rand.Text())
	require.False(t, network.loseNext.Load())
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	_, unlock, err := shared.locker(t).Lock(t.Context(), name)
	require.NoError(t, err)

	client := shared.client(t)
	calls := count(client)
	waiter := redislock.New(client, redislock.WithTTL(long))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-calls // is refused
		<-calls
		cancel()
	}()
	_, _, err = waiter.Lock(ctx, name)
	require.ErrorIs(t, err, context.Canceled)

	unlock()
	lock(t, waiter, name)
}

func TestWaitingEndsWithItsContextAlthoughTheServerHangs(t *testing.T) {
	t.Parallel()
	network := newProxy(t, shared.addr)
	client := redis.NewClient(&redis.Options{Addr: network.addr(), Password: shared.password, ReadTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	locker := redislock.New(client)
	lock(t, locker, rand.Text())
	network.freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := locker.Lock(ctx, rand.Text())
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestUnlockReturnsAlthoughTheServerHangs(t *testing.T) {
	t.Parallel()
	network := newProxy(t, shared.addr)
	client := redis.NewClient(&redis.Options{Addr: network.addr(), Password: shared.password, ReadTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	_, unlock, err := redislock.New(client, redislock.WithTTL(long)).Lock(t.Context(), rand.Text())
	require.NoError(t, err)
	network.freeze(t)
	unlock()
}

func TestUnlockingTwiceLeavesTheNextHoldersLock(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	locker := redislock.New(client, redislock.WithTTL(long))
	name := rand.Text()
	held, unlock, err := locker.Lock(t.Context(), name)
	require.NoError(t, err)
	unlock()
	require.ErrorIs(t, context.Cause(held), context.Canceled)

	next := lock(t, locker, name)
	unlock()
	require.NoError(t, context.Cause(next))
	require.EqualValues(t, 1, client.Exists(t.Context(), "postern:lock:"+name).Val())
}

func TestHeldEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	held, unlock, err := shared.locker(t).Lock(ctx, rand.Text())
	require.NoError(t, err)
	defer unlock()
	cancel()
	require.ErrorIs(t, held.Err(), context.Canceled)
}

func TestUnlockWorksAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	locker := shared.locker(t, redislock.WithTTL(long))
	name := rand.Text()
	ctx, cancel := context.WithCancel(t.Context())
	_, unlock, err := locker.Lock(ctx, name)
	require.NoError(t, err)
	cancel()
	unlock()
	lock(t, locker, name)
}

func TestLocksOfOtherNamesAndPrefixesAreFree(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	lock(t, shared.locker(t, redislock.WithTTL(long)), name)
	lock(t, shared.locker(t, redislock.WithTTL(long)), name+"/other")
	lock(t, shared.locker(t, redislock.WithTTL(long), redislock.WithPrefix("other:")), name)
	require.EqualValues(t, 1, shared.client(t).Exists(t.Context(), "other:"+name).Val())
}

func TestFailuresOfRedisHaveNoSecrets(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, options := range map[string]*redis.Options{
		"the password is wrong": {Addr: shared.addr, Password: "hunter2"},
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

// lock takes a lock, which is given back when the test ends.
func lock(t *testing.T, l *redislock.Locker, name string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	held, unlock, err := l.Lock(ctx, name)
	require.NoError(t, err)
	t.Cleanup(unlock)
	return held
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
