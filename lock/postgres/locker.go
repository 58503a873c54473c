package pglock

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
	// patience is how long unlock waits for PostgreSQL.
	patience = time.Second
)

// ErrLost is the cause (context.Cause) of a held context whose lock was lost.
var ErrLost = errors.New("pglock: the lock was lost")

// Locker is a postern.Locker. It is safe for concurrent use.
type Locker struct {
	pool  *pgxpool.Pool
	ttl   time.Duration
	slots chan struct{} // bounds the connections
}

// New returns a Locker. It does not close the pool.
func New(pool *pgxpool.Pool, options ...Option) *Locker {
	l := &Locker{pool: pool, ttl: defaultTTL, slots: make(chan struct{}, max(1, pool.Config().MaxConns/2))}
	for _, o := range options {
		o(l)
	}
	return l
}

// Lock waits for the lock of a name until ctx ends, and fails if PostgreSQL does. held
// ends with ctx, with unlock, and when the lock is lost: see the package's
// documentation. unlock may be called again, by several goroutines; it returns after a
// second at most, and goes on without its caller where the server does not answer.
func (l *Locker) Lock(ctx context.Context, name string) (held context.Context, unlock func(), err error) {
	id := hash(name)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		t, err := l.try(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if t != nil {
			held, unlock = t.hold(ctx)
			return held, unlock, nil
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return nil, nil, ctx.Err()
		}
	}
}

// lease is how long a holder relies on its lock, from the time at which it sent what
// the server has answered.
func (l *Locker) lease() time.Duration { return l.ttl * 3 / 4 }

// try returns a transaction that has the lock, or nil if it is another's.
func (l *Locker) try(ctx context.Context, id int64) (*transaction, error) {
	t, err := l.begin(ctx)
	if err != nil {
		return nil, failure(ctx, err)
	}
	got, err := t.lock(ctx, id)
	switch {
	case err != nil:
		t.end()
		return nil, failure(ctx, err)
	case !got, time.Since(t.heard) >= l.lease(): // an answer that came too late to rely on
		t.end()
		return nil, nil
	}
	return t, nil
}

// hold keeps the transaction until it is unlocked, lost, or ctx ends.
func (t *transaction) hold(ctx context.Context) (context.Context, func()) {
	held, end := context.WithCancelCause(ctx)
	watchdog := time.AfterFunc(time.Until(t.heard.Add(t.lease())), func() { end(errLate) })
	left := make(chan struct{}) // the connection, by whoever keeps it
	go func() {
		defer close(left)
		defer watchdog.Stop()
		t.keep(held, end, watchdog)
	}()
	return held, sync.OnceFunc(func() {
		end(nil) // before anyone else has it
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			<-left
			t.end()
		}()
		select {
		case <-ended:
		case <-time.After(patience):
		}
	})
}

// hash makes a number of a name that nobody else's locks have, and hardly another name.
func hash(name string) int64 {
	sum := sha256.Sum256([]byte("postern\x00" + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// sleep reports whether ctx has lasted for d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
