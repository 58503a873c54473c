// Package gather does together what many ask for at the same time: while one group is
// under way, the next one gathers. So a server that takes long for one call, and little
// more for a hundred, keeps up with any number.
package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrNotBegun is the error of a call whose context has ended before its turn came: it was
// not done, and is not done later.
var ErrNotBegun = errors.New("nothing was done yet")

// Group does calls of one kind. It is safe for concurrent use.
type Group[Q, A any] struct {
	// Do does calls together, and sets what becomes of each. Its context ends after
	// Patience; a call whose caller has gone is done nevertheless.
	Do       func(ctx context.Context, calls []*Call[Q, A])
	Most     int // calls in one group
	Lanes    int // groups at once
	Patience time.Duration

	mutex   sync.Mutex
	waiting []*Call[Q, A]
	running int
}

// Call is what one has asked for.
type Call[Q, A any] struct {
	Question Q
	Answer   A
	Err      error
	done     chan struct{}
}

// Ask asks, and waits for the answer until ctx ends. What was not begun by then is not
// done: [ErrNotBegun].
func (g *Group[Q, A]) Ask(ctx context.Context, q Q) (answer A, err error) {
	if err := ctx.Err(); err != nil {
		return answer, fmt.Errorf("%w: %w", ErrNotBegun, err)
	}
	c := &Call[Q, A]{Question: q, done: make(chan struct{})}
	g.mutex.Lock()
	g.waiting = append(g.waiting, c)
	if g.running < g.Lanes {
		g.running++
		go g.work(context.WithoutCancel(ctx))
	}
	g.mutex.Unlock()
	select {
	case <-c.done:
		return c.Answer, c.Err
	case <-ctx.Done():
		g.mutex.Lock()
		defer g.mutex.Unlock()
		if k := slices.Index(g.waiting, c); k >= 0 {
			g.waiting = slices.Delete(g.waiting, k, k+1)
			return answer, fmt.Errorf("%w: %w", ErrNotBegun, ctx.Err())
		}
		return answer, ctx.Err()
	}
}

// work does groups until nobody waits.
func (g *Group[Q, A]) work(ctx context.Context) {
	for {
		calls := g.next()
		if calls == nil {
			return
		}
		timed, cancel := context.WithTimeout(ctx, g.Patience)
		g.Do(timed, calls)
		cancel()
		for _, c := range calls {
			close(c.done)
		}
	}
}

func (g *Group[Q, A]) next() []*Call[Q, A] {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	n := min(len(g.waiting), g.Most)
	if n == 0 {
		g.running--
		return nil
	}
	calls := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return calls
}
