package redislock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
	// patience is how long unlock waits for Redis.
	patience = time.Second
)

// ErrLost is the cause (context.Cause) of a held context whose lock was lost.
var ErrLost = errors.New("redislock: the lock was lost")

var (
	errNotOurs = fmt.Errorf("%w: its key is gone, or another's", ErrLost)
	errLate    = fmt.Errorf("%w: it could not be extended in time", ErrLost)
)

// The scripts change a key only for the holder whose token it has. Each can be
// repeated, as go-redis does where an answer is lost: who has the lock and asks for
// it has it.
var (
	acquire = redis.NewScript(`
if redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return 1 end
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return 0`)
	extend = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return 0`)
	release = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)
)

// Locker is a postern.Locker. It is safe for concurrent use.
type Locker struct {
	client redis.UniversalClient
	prefix string
	ttl    time.Duration
}

// New returns a Locker. It does not close the client.
func New(client redis.UniversalClient, options ...Option) *Locker {
	l := &Locker{client: client, prefix: defaultPrefix, ttl: defaultTTL}
	for _, o := range options {
		o(l)
	}
	return l
}

// Lock waits for the lock of a name until ctx ends, and fails if Redis does. held ends
// with ctx, with unlock, and when the lock is lost: see the package's documentation.
// unlock may be called again, by several goroutines; it returns after a second at most,
// and what it could not tell Redis by then expires.
func (l *Locker) Lock(ctx context.Context, name string) (held context.Context, unlock func(), err error) {
	k := key{l, l.prefix + name, rand.Text()}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		sent := time.Now()
		got, err := k.try(ctx)
		if err != nil {
			return nil, nil, err
		}
		if got && time.Since(sent) < l.lease() {
			held, unlock = k.hold(ctx, sent)
			return held, unlock, nil
		}
		if got { // an answer that came too late to rely on
			continue
		}
		if !sleep(ctx, pause/2+randv2.N(pause/2)) {
			return nil, nil, ctx.Err()
		}
	}
}

// lease is how long a holder relies on its key, from the time at which it asked for it.
func (l *Locker) lease() time.Duration { return l.ttl * 3 / 4 }

// key is the lock of a name as one that asks for it sees it.
type key struct {
	*Locker
	name, token string
}

// try asks for the lock once. go-redis does not look at ctx while it waits for an
// answer, so that happens on the side.
func (k key) try(ctx context.Context) (bool, error) {
	var got bool
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		got, err = k.run(ctx, acquire)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	if ctx.Err() == nil && err == nil {
		return got, nil
	}
	// It may have been set nevertheless.
	go func() {
		<-answered
		k.release(ctx)
	}()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return false, fmt.Errorf("redislock: %w", err)
}

func (k key) run(ctx context.Context, script *redis.Script) (bool, error) {
	n, err := script.Run(ctx, k.client, []string{k.name}, k.token, k.ttl.Milliseconds()).Int()
	return n == 1, err
}

func (k key) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.ttl)
	defer cancel()
	_, _ = k.run(ctx, release) // it expires
}

// hold extends the key until it is unlocked, lost, or ctx ends.
func (k key) hold(ctx context.Context, sent time.Time) (context.Context, func()) {
	held, end := context.WithCancelCause(ctx)
	watchdog := time.AfterFunc(time.Until(sent.Add(k.lease())), func() { end(errLate) })
	go func() {
		defer watchdog.Stop()
		k.keep(held, end, watchdog)
	}()
	return held, sync.OnceFunc(func() {
		end(nil) // before anyone else has it
		released := make(chan struct{})
		go func() {
			defer close(released)
			k.release(ctx)
		}()
		select {
		case <-released:
		case <-time.After(patience):
		}
	})
}

func (k key) keep(held context.Context, end context.CancelCauseFunc, watchdog *time.Timer) {
	pause := k.ttl / 3
	for sleep(held, pause) {
		sent := time.Now()
		ctx, cancel := context.WithTimeout(held, k.ttl/6)
		extended, err := k.run(ctx, extend)
		cancel()
		switch {
		case err != nil: // the watchdog knows how long
			pause = k.ttl / 30
		case !extended:
			end(errNotOurs)
		default:
			watchdog.Reset(time.Until(sent.Add(k.lease())))
			pause = k.ttl / 3
		}
	}
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
