package completion

import (
	"context"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/hook"
)

// timeout bounds one completion: 5 TiB are 5,120 copies of 1 GiB, four at a time.
const timeout = 2 * time.Hour

// Flights holds the completions that go on: one at a time for each upload, and in
// all no more than max.
type Flights struct {
	max   int
	mutex sync.Mutex
	calls map[string]*call
}

// NewFlights returns room for max completions.
func NewFlights(max int) *Flights { return &Flights{max: max, calls: map[string]*call{}} }

// call is one completion.
type call struct {
	done   chan struct{}
	result *Result
	err    error
}

// find returns the completion of an upload that goes on, or nil.
func (f *Flights) find(id string) *call {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.calls[id]
}

// begin runs fn, unless a completion of the upload goes on, and tells ended how that
// was. The browser may hang up; fn goes on.
func (f *Flights) begin(ctx context.Context, id string, fn func(context.Context) (*Result, error), ended func(context.Context, *End)) (*call, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if c, ok := f.calls[id]; ok {
		return c, nil
	}
	if len(f.calls) >= f.max {
		return nil, ErrBusy
	}
	c := &call{done: make(chan struct{})}
	f.calls[id] = c
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		defer func() {
			f.mutex.Lock()
			delete(f.calls, id)
			f.mutex.Unlock()
			close(c.done)
		}()
		start := time.Now()
		c.err = hook.GuardAll(func() (err error) {
			c.result, err = fn(ctx)
			return err
		})
		ended(context.WithoutCancel(ctx), &End{Result: c.result, Err: c.err, Duration: time.Since(start)})
	}()
	return c, nil
}

// await waits for the end of a completion, but no longer than wait.
func (c *call) await(ctx context.Context, wait time.Duration) (*Result, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.result, c.err
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, ErrPending
}
