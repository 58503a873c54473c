package completion

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/hook"
)

const (
	// defaultTimeout bounds one completion.
	defaultTimeout = time.Hour
	// slotWait is how long a completion waits for a slot. With what a request waits for
	// its end it stays well below the minute after which browsers give up.
	slotWait = 5 * time.Second
	// waitingForEach bounds how many wait, for each slot that there is.
	waitingForEach = 16
)

// Flights holds the completions that go on: one at a time for each upload, so many in
// all, and not all of them for one owner, who is the tenant, or the subject where there
// is none.
//
// A free slot goes to the owner who holds the fewest, and of several to the one whose
// turn is the longest ago; within an owner the first comes first. The last slots are
// kept for owners who hold few: see [Flights.kept].
type Flights struct {
	max int

	mutex   sync.Mutex
	calls   map[string]*call  // that go on, by upload
	places  map[string]*place // that wait, by upload
	owners  map[string]*owner // of both
	turn    uint64            // counts places at the end of the round
	closing bool
}

// NewFlights returns room for max completions.
func NewFlights(max int) *Flights {
	return &Flights{max: max, calls: map[string]*call{}, places: map[string]*place{}, owners: map[string]*owner{}}
}

// call is one completion.
type call struct {
	done   chan struct{}
	result *Result
	err    error
}

// flight is a completion that is to be begun.
type flight struct {
	id, owner string
	timeout   time.Duration
	run       func(context.Context) (*Result, error)
	begun     func(context.Context) (context.Context, func(*End))
	ended     func(context.Context, *End) // is told how that was
}

// place is a flight that waits for a slot.
type place struct {
	flight
	ctx     context.Context // of the request that has come first
	waiting int             // requests
	ready   chan struct{}   // closed when there is one of the following
	call    *call
	err     error
}

// owner is whose completions go on, or wait.
type owner struct {
	held  int // slots
	turn  uint64
	queue []*place
}

// ownerOf names the owner of an upload.
func ownerOf(c *claim.Claim) string {
	if c.Tenant != "" {
		return "tenant\x00" + c.Tenant
	}
	return "subject\x00" + c.Subject
}

// kept is how many free slots an owner who holds so many must leave to others. The last
// eighth is for those who hold fewer than that, and a quarter of it for those who hold
// none: of 64, one owner can have 56, a second one then 6, and two more one each. A
// single slot is everybody's.
func (f *Flights) kept(held int) int {
	few := 0
	if f.max > 1 {
		few = max(1, f.max/8)
	}
	switch {
	case held == 0:
		return 0
	case held < few:
		return few / 4
	default:
		return few
	}
}

// find returns the completion of an upload that goes on, or nil. It fails where none
// may be begun.
func (f *Flights) find(id string) (*call, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	c := f.calls[id]
	if c == nil && f.closing {
		return nil, ErrShuttingDown
	}
	return c, nil
}

// begin begins a flight when there is a slot, or joins one of the same upload. What has
// begun goes on when ctx has ended. What waits does not, unless another request waits
// with it. The error is [ErrBusy] or [ErrShuttingDown].
func (f *Flights) begin(ctx context.Context, fl flight) (*call, error) {
	p, err := f.enter(ctx, fl)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case <-p.ready:
		return p.call, p.err
	case <-timer.C:
		err = ErrBusy
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
	if f.leave(p) {
		return nil, err
	}
	return p.call, p.err
}

// enter finds a place for a request, which is ready at once if there is a slot.
func (f *Flights) enter(ctx context.Context, fl flight) (*place, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if c, ok := f.calls[fl.id]; ok {
		return &place{ready: closed, call: c}, nil
	}
	if f.closing {
		return nil, ErrShuttingDown
	}
	p, ok := f.places[fl.id]
	if !ok {
		p = &place{flight: fl, ctx: ctx, ready: make(chan struct{})}
		f.push(p)
		f.dispatch()
		f.bound()
	}
	p.waiting++
	return p, nil
}

// closed is ready from the beginning.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// leave gives the place of one request up. It reports false if the place is ready.
func (f *Flights) leave(p *place) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.places[p.id] != p {
		return false
	}
	if p.waiting--; p.waiting == 0 {
		f.pop(p)
	}
	return true
}

// push puts a place at the end of its owner's queue. Whoever has not waited is the last
// of the round.
func (f *Flights) push(p *place) {
	o, ok := f.owners[p.owner]
	if !ok {
		o = &owner{}
		f.owners[p.owner] = o
	}
	if len(o.queue) == 0 {
		f.turn++
		o.turn = f.turn
	}
	o.queue = append(o.queue, p)
	f.places[p.id] = p
}

// pop takes a place out of its queue.
func (f *Flights) pop(p *place) {
	o := f.owners[p.owner]
	k := slices.Index(o.queue, p)
	o.queue = slices.Delete(o.queue, k, k+1)
	delete(f.places, p.id)
	f.forget(p.owner)
}

// forget forgets an owner who has nothing here any more.
func (f *Flights) forget(name string) {
	if o := f.owners[name]; o.held == 0 && len(o.queue) == 0 {
		delete(f.owners, name)
	}
}

// dispatch begins what there are slots for.
func (f *Flights) dispatch() {
	for {
		next := f.first(func(a, b *owner) int {
			return cmp.Or(cmp.Compare(a.held, b.held), cmp.Compare(a.turn, b.turn))
		})
		// Where the one who holds the fewest must leave the slot to others, so must all.
		if next == nil || f.max-len(f.calls) <= f.kept(next.held) {
			return
		}
		p := next.queue[0]
		f.turn++
		next.turn = f.turn
		next.held++
		p.call = &call{done: make(chan struct{})}
		f.calls[p.id] = p.call
		f.pop(p)
		close(p.ready)
		go f.fly(p.ctx, p.flight, p.call)
	}
}

// bound turns the last place of the longest queue away, if too many wait: one owner's
// crowd takes no place from others.
func (f *Flights) bound() {
	if len(f.places) <= waitingForEach*f.max {
		return
	}
	longest := f.first(func(a, b *owner) int {
		return cmp.Or(cmp.Compare(len(b.queue), len(a.queue)), cmp.Compare(b.turn, a.turn))
	})
	f.refuse(longest.queue[len(longest.queue)-1], ErrBusy)
}

// refuse turns a place away.
func (f *Flights) refuse(p *place, err error) {
	p.err = err
	f.pop(p)
	close(p.ready)
}

// first returns the first owner of whom something waits, or nil.
func (f *Flights) first(compare func(a, b *owner) int) (first *owner) {
	for _, o := range f.owners {
		if len(o.queue) > 0 && (first == nil || compare(o, first) < 0) {
			first = o
		}
	}
	return first
}

// fly runs a flight to its end. The browser may hang up meanwhile.
func (f *Flights) fly(ctx context.Context, fl flight, c *call) {
	ctx = context.WithoutCancel(ctx)
	defer func() {
		f.mutex.Lock()
		delete(f.calls, fl.id)
		f.owners[fl.owner].held--
		f.forget(fl.owner)
		f.dispatch()
		f.mutex.Unlock()
		close(c.done)
	}()
	ctx, over := fl.begun(ctx)
	timed, cancel := context.WithTimeout(ctx, cmp.Or(fl.timeout, defaultTimeout))
	defer cancel()
	start := time.Now()
	c.err = hook.GuardAll(func() (err error) {
		c.result, err = fl.run(timed)
		return err
	})
	end := &End{Result: c.result, Err: c.err, Duration: time.Since(start)}
	fl.ended(ctx, end)
	over(end)
}

// Count tells how many completions go on, and how many wait for a slot.
func (f *Flights) Count() (flying, waiting int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return len(f.calls), len(f.places)
}

// Shutdown takes no more completions, those that wait for a slot included, and waits for
// the end of those that go on. It returns the ids of those that still do when ctx ends,
// sorted. It may be called again, and by several goroutines.
func (f *Flights) Shutdown(ctx context.Context) (left []string) {
	f.mutex.Lock()
	f.closing = true
	for _, p := range f.places {
		f.refuse(p, ErrShuttingDown)
	}
	calls := maps.Clone(f.calls)
	f.mutex.Unlock()
	for id, c := range calls {
		select {
		case <-c.done:
		case <-ctx.Done():
		}
		select {
		case <-c.done:
		default:
			left = append(left, id)
		}
	}
	slices.Sort(left)
	return left
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
