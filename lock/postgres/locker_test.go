package pglock_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/locktest"
	pglock "github.com/postern-go/postern/lock/postgres"
)

var _ postern.Locker = (*pglock.Locker)(nil)

func TestReplicasTakeTurns(t *testing.T) { locktest.ReplicasTakeTurns(t, shared.url()) }

func TestTheLockOfAKilledHolderIsFreeLongBeforeItsTTL(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := locktest.StartReplica(t, locktest.Role{URL: shared.url(), Name: name, TTL: locktest.Long})
	holder.Await(t, "held")
	require.NoError(t, holder.Process.Kill())
	locktest.Lock(t, pglock.New(shared.pool(t)), name)
}

func TestAHolderThatWasStoppedFindsItsLockLost(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	holder := locktest.StartReplica(t, locktest.Role{URL: shared.url(), Name: name, TTL: 2 * time.Second})
	holder.Await(t, "held")
	require.NoError(t, holder.Process.Signal(syscall.SIGSTOP))
	held := locktest.Lock(t, pglock.New(shared.pool(t), pglock.WithTTL(locktest.Long)), name)
	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	holder.Await(t, "lost")
	require.NoError(t, holder.Wait())
	require.NoError(t, context.Cause(held))
}

func TestHeldEndsBeforeAnotherHasTheLock(t *testing.T) {
	eachPool(t, func(t *testing.T, kind func(*pgxpool.Config)) {
		network := locktest.NewProxy(t, shared.Addr())
		name := rand.Text()
		held := locktest.Lock(t, pglock.New(shared.pool(t, kind, via(network)), pglock.WithTTL(4*time.Second)), name)
		network.Freeze(t)
		locktest.Lock(t, pglock.New(shared.pool(t)), name)
		require.ErrorIs(t, context.Cause(held), pglock.ErrLost)
	})
}

func TestALockLivesLongerThanItsTTL(t *testing.T) {
	eachPool(t, func(t *testing.T, kind func(*pgxpool.Config)) {
		asked := make(tracer, 1000)
		pool := shared.pool(t, kind, asked.trace("SELECT 1"))
		held := locktest.Lock(t, pglock.New(pool, pglock.WithTTL(6*time.Second)), rand.Text())
		for range 4 { // a third of the TTL each
			<-asked
		}
		require.NoError(t, context.Cause(held))
	})
}

func TestHeldEndsWhenTheConnectionDoes(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *server, *pgxpool.Pool){
		"the session is terminated": func(t *testing.T, _ *server, admin *pgxpool.Pool) {
			_, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
			require.NoError(t, err)
		},
		"the server is shut down": func(_ *testing.T, s *server, _ *pgxpool.Pool) { s.Stop(syscall.SIGINT) },
		"the server crashes":      func(_ *testing.T, s *server, _ *pgxpool.Pool) { s.Stop(syscall.SIGQUIT) },
		"the server is killed":    func(_ *testing.T, s *server, _ *pgxpool.Pool) { s.Stop(syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ownServer(t)
			held := locktest.Lock(t, pglock.New(server.pool(t), pglock.WithTTL(locktest.Long)), "name")
			end(t, server, server.pool(t))
			<-held.Done()
			require.ErrorIs(t, context.Cause(held), pglock.ErrLost)
		})
	}
}

func TestLocksCanBeHadAfterARestart(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	locker := pglock.New(server.pool(t), pglock.WithTTL(locktest.Long))
	held, unlock, err := locker.Lock(t.Context(), "name")
	require.NoError(t, err)
	server.Stop(syscall.SIGINT)
	<-held.Done()
	unlock()
	require.NoError(t, server.Start())
	locktest.Lock(t, locker, "name")
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	name := rand.Text()
	_, unlock, err := pglock.New(shared.pool(t)).Lock(t.Context(), name)
	require.NoError(t, err)

	refused := make(tracer, 1000)
	waiter := pglock.New(shared.pool(t, refused.trace("ROLLBACK")), pglock.WithTTL(locktest.Long))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-refused
		<-refused
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
	locker := pglock.New(shared.pool(t, via(network)), pglock.WithTTL(locktest.Long))
	locktest.WaitingEndsWithItsContextAlthoughTheServerHangs(t, locker, network)
}

func TestUnlockReturnsAlthoughTheServerHangs(t *testing.T) {
	eachPool(t, func(t *testing.T, kind func(*pgxpool.Config)) {
		network := locktest.NewProxy(t, shared.Addr())
		_, unlock, err := pglock.New(shared.pool(t, kind, via(network)), pglock.WithTTL(locktest.Long)).Lock(t.Context(), rand.Text())
		require.NoError(t, err)
		network.Freeze(t)
		unlock()
	})
}

func TestUnlockingTwiceLeavesTheNextHoldersLock(t *testing.T) {
	t.Parallel()
	pool := shared.pool(t, func(c *pgxpool.Config) { c.MaxConns = 1 }) // so that they have the same connection
	locker := pglock.New(pool, pglock.WithTTL(locktest.Long))
	name := rand.Text()
	held, unlock, err := locker.Lock(t.Context(), name)
	require.NoError(t, err)
	unlock()
	require.ErrorIs(t, context.Cause(held), context.Canceled)

	next := locktest.Lock(t, locker, name)
	unlock()
	require.NoError(t, context.Cause(next))
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(tracer, 1000)
	go func() {
		<-refused
		cancel()
	}()
	_, _, err = pglock.New(shared.pool(t, refused.trace("ROLLBACK"))).Lock(ctx, name)
	require.ErrorIs(t, err, context.Canceled, "the next holder's lock is gone")
}

func TestHeldEndsWithTheContext(t *testing.T) {
	t.Parallel()
	locktest.HeldEndsWithTheContext(t, pglock.New(shared.pool(t)))
}

func TestUnlockWorksAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	locktest.UnlockWorksAfterItsContextHasEnded(t, pglock.New(shared.pool(t), pglock.WithTTL(locktest.Long)))
}

func TestLocksOfOtherNamesAreFree(t *testing.T) {
	t.Parallel()
	locker := pglock.New(shared.pool(t), pglock.WithTTL(locktest.Long))
	name := rand.Text()
	locktest.Lock(t, locker, name)
	locktest.Lock(t, locker, name+"/other")
}

func TestWaitersHaveNoConnection(t *testing.T) {
	t.Parallel()
	const waiters = 20
	pool := shared.pool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
	locker := pglock.New(pool, pglock.WithTTL(locktest.Long))
	name := rand.Text()
	_, unlock, err := locker.Lock(t.Context(), name)
	require.NoError(t, err)
	errs := make(chan error)
	for range waiters {
		go func() {
			_, unlock, err := locker.Lock(t.Context(), name)
			if err == nil {
				unlock()
			}
			errs <- err
		}()
	}
	locktest.Lock(t, locker, rand.Text()) // while they wait
	unlock()
	for range waiters {
		require.NoError(t, <-errs)
	}
}

func TestHoldersLeaveTheApplicationHalfOfTheConnections(t *testing.T) {
	t.Parallel()
	const holders = 20
	pool := shared.pool(t, func(c *pgxpool.Config) { c.MaxConns = 4 })
	locker := pglock.New(pool, pglock.WithTTL(locktest.Long))
	locked, done := make(chan error, holders), make(chan struct{})
	finish := sync.OnceFunc(func() { close(done) })
	t.Cleanup(finish)
	for range holders {
		go func() {
			_, unlock, err := locker.Lock(t.Context(), rand.Text())
			locked <- err
			if err == nil {
				<-done
				unlock()
			}
		}()
	}
	require.NoError(t, <-locked)
	require.NoError(t, <-locked)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		defer conn.Release()
	}
	finish()
	for range holders - 2 {
		require.NoError(t, <-locked)
	}
}

func TestAConnectionComesBackAsItWas(t *testing.T) {
	t.Parallel()
	pool := shared.pool(t, func(c *pgxpool.Config) { c.MaxConns = 1 })
	state := func() (pid, locks int, timeout string) {
		err := pool.QueryRow(t.Context(), `SELECT pg_backend_pid(), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
			current_setting('idle_in_transaction_session_timeout')`).Scan(&pid, &locks, &timeout)
		require.NoError(t, err)
		return pid, locks, timeout
	}
	before, _, _ := state()
	_, unlock, err := pglock.New(pool).Lock(t.Context(), rand.Text())
	require.NoError(t, err)
	unlock()
	pid, locks, timeout := state()
	require.Equal(t, before, pid)
	require.Zero(t, locks)
	require.Equal(t, "0", timeout)
}

func TestAHolderHoldsVacuumUpForNothing(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	pool := server.pool(t, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	})
	locktest.Lock(t, pglock.New(pool), "name")
	var free bool
	err := server.pool(t).QueryRow(t.Context(), `SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity
		WHERE pid = (SELECT pid FROM pg_locks WHERE locktype = 'advisory')`).Scan(&free)
	require.NoError(t, err)
	require.True(t, free)
}

func TestFailuresOfPostgreSQLHaveNoSecrets(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, addr := range map[string]string{
		"the password is wrong": shared.Addr(),
		"nobody listens":        gone.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", "hunter2"), Host: addr}
			pool, err := pgxpool.New(t.Context(), u.String())
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			_, _, err = pglock.New(pool).Lock(t.Context(), rand.Text())
			require.ErrorContains(t, err, "pglock: ")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestATTLBelowOneSecondPanics(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Second, time.Second - 1} {
		require.Panics(t, func() { pglock.WithTTL(ttl) }, ttl)
	}
}

// eachPool runs a test with a pool as it is by default, and with one whose queries may
// go on for long after their context has ended.
func eachPool(t *testing.T, test func(t *testing.T, kind func(*pgxpool.Config))) {
	for name, kind := range map[string]func(*pgxpool.Config){
		"default": func(*pgxpool.Config) {},
		"patient": func(c *pgxpool.Config) {
			c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
				return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Hour}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// via leads connections through a proxy.
func via(p *locktest.Proxy) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		addr := p.Addr()
		c.ConnConfig.Host, c.ConnConfig.Port = addr.IP.String(), uint16(addr.Port)
	}
}

// tracer tells of each answer to one statement.
type tracer chan struct{}

func (answers tracer) trace(statement string) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.Tracer = statementTracer{answers, statement} }
}

type statementTracer struct {
	answers   tracer
	statement string
}

type isTraced struct{}

func (s statementTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, isTraced{}, data.SQL == s.statement)
}

func (s statementTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if is, _ := ctx.Value(isTraced{}).(bool); is && data.Err == nil {
		s.answers <- struct{}{}
	}
}
