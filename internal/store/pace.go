package store

import (
	"context"
	"sync"
	"time"
)

type pacedKey struct{}

// Paced returns a context under which every call of a [Store] waits first, before its
// time begins to run. A call whose wait fails fails as one that was cancelled. What the
// SDK tries again does not wait again.
func Paced(ctx context.Context, wait func(context.Context) error) context.Context {
	return context.WithValue(ctx, pacedKey{}, wait)
}

// within returns the context of one call, which ends after a while.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	var err error
	if wait, ok := ctx.Value(pacedKey{}).(func(context.Context) error); ok {
		err = wait(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	if err != nil {
		cancel()
	}
	return ctx, cancel
}

// Pace spreads calls evenly over time. It is safe for concurrent use.
type Pace struct {
	interval time.Duration

	mutex sync.Mutex
	next  time.Time // when the next call may begin
}

// NewPace returns a Pace of so many calls a second, which is more than 0.
func NewPace(perSecond float64) *Pace {
	return &Pace{interval: time.Duration(float64(time.Second) / perSecond)}
}

// Wait waits until a call may begin. The error is that of ctx, if it ends before.
func (p *Pace) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait := p.reserve()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve takes the next place, and tells how long it is until then.
func (p *Pace) reserve() time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.interval)
	return wait
}
