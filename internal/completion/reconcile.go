package completion

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// Done is what a reconciliation has done with something that it has found.
type Done string

// What is done.
const (
	Completed Done = "completed" // the application has its receipt
	Aborted   Done = "aborted"   // it never arrived whole, and its ticket has ended
	Removed   Done = "removed"   // it comes to nothing, or was left by a crash
	Left      Done = "left"      // another pass will look at it
)

// Reconciliation says how to go through what is in staging.
type Reconciliation struct {
	// MinAge is how long an upload is left to its browser.
	MinAge time.Duration
	// DryRun: tell what would be done.
	DryRun bool
	// Sweep: complete nothing, but give up and remove what comes to nothing.
	Sweep bool
	// Tell is told of everything that was found, by several goroutines at a time. err
	// says why it was not completed.
	Tell func(done Done, key string, err error)
}

// Reasons of a reconciliation.
var (
	// ErrForeign: nothing of ours has this name.
	ErrForeign = errors.New("nothing of an upload's has this name")
	// ErrResting: a completion that has failed waits for its next turn.
	ErrResting = errors.New("it has failed before, and waits for its next turn")
	// ErrBegun: a crash has left it.
	ErrBegun = errors.New("a crash has left it")
	// ErrWhole: it is left to who completes uploads.
	ErrWhole = errors.New("it is whole, and left to a reconciliation that completes uploads")
	// ErrOld: it is of no use any more.
	ErrOld = errors.New("it is of no use any more")
)

const (
	// reconciledAtOnce bounds how many uploads one reconciliation is at, and reconcileWait
	// how long it waits for each: what takes longer goes on without it, so that slow
	// copies and hooks of one tenant do not delay others.
	reconciledAtOnce = 8
	reconcileWait    = 5 * time.Second
	// longestTicket is more than any ticket lives, of whichever handler.
	longestTicket = 31 * 24 * time.Hour
	// longestCompletion is longer than any completion takes: a copy or a ballot that is
	// older belongs to none that goes on.
	longestCompletion = 25 * time.Hour
	// longestBeginning is longer than it takes from beginning an upload in parts to
	// writing its ticket down.
	longestBeginning = 10 * time.Minute
)

// Reconcile goes through the staging prefix: it completes what has arrived whole, gives
// up what has ended, and removes what a crash has left. Several replicas may do so at
// the same time. The error tells that not everything was looked at.
func (e *Engine) Reconcile(ctx context.Context, r Reconciliation) error {
	p := &pass{Engine: e, Reconciliation: r, now: e.Now(), slots: make(chan struct{}, reconciledAtOnce)}
	p.settled = e.settled.when()
	err := p.objects(ctx)
	p.running.Wait()
	if err == nil && !r.DryRun && !p.unsettled.Load() {
		e.settled.until(p.now.Add(-longestCompletion))
	}
	return errors.Join(err, p.begun(ctx), p.copies(ctx))
}

// pass is one reconciliation.
type pass struct {
	*Engine
	Reconciliation
	now     time.Time
	slots   chan struct{}
	running sync.WaitGroup

	settled   time.Time // verdicts that were written before it were looked at
	unsettled atomic.Bool
}

// objects goes through the objects under the prefix.
func (p *pass) objects(ctx context.Context) error {
	for after, more := "", true; more; {
		page, further, err := p.Staging.List(ctx, p.Prefix, after)
		if err != nil {
			return err
		}
		for _, o := range page {
			select {
			case p.slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			p.running.Go(func() {
				defer func() { <-p.slots }()
				p.object(ctx, o)
			})
			after = o.Key
		}
		more = further
	}
	return nil
}

func (p *pass) object(ctx context.Context, o store.Entry) {
	name := strings.TrimPrefix(o.Key, p.Prefix)
	is := func(folder string) bool { return strings.HasPrefix(name, folder) }
	age := p.now.Sub(o.Modified)
	switch {
	case age < p.MinAge:
	case isID(name):
		p.upload(ctx, o.Key, age)
	case is(sessionsName):
		p.file(ctx, o.Key, age)
	case is(sessionTicketsName):
		p.removeOlder(ctx, o.Key, age, longestTicket)
	case is(ticketsName):
		p.ticket(ctx, o)
	case is(attemptsName):
		p.attempt(ctx, o.Key, age)
	case is(electionsName):
		p.removeOlder(ctx, o.Key, age, longestCompletion)
	case is(verdictsName):
		p.verdict(ctx, o, age)
	case is(duplicatesName):
		p.removeOlder(ctx, o.Key, age, longestTicket)
	default:
		p.Tell(Left, o.Key, ErrForeign)
	}
}

// upload deals with an object that a browser has written.
func (p *pass) upload(ctx context.Context, key string, age time.Duration) {
	c, err := p.Find(ctx, key, Reconciler)
	switch {
	case err == nil:
		p.complete(ctx, c)
	case errors.Is(err, store.ErrNotFound): // done meanwhile
	case errors.Is(err, ErrTicketInvalid):
		// It may be another handler's, as long as a ticket can live.
		if age < longestTicket {
			p.Tell(Left, key, err)
			return
		}
		p.remove(ctx, key, err)
	default:
		p.Tell(Left, key, err)
	}
}

// complete completes an upload that has arrived.
func (p *pass) complete(ctx context.Context, c *claim.Claim) {
	ended := p.ended(c)
	if p.Sweep {
		p.Tell(Left, c.StagingKey, ErrWhole)
		return
	}
	if p.DryRun {
		p.Tell(Completed, c.StagingKey, nil)
		return
	}
	if !ended && p.rests.rest(c.ID, p.now) {
		p.Tell(Left, c.StagingKey, ErrResting)
		return
	}
	_, err := p.Complete(ctx, c, Request{Trigger: Reconciler, Wait: reconcileWait})
	uninspected := errors.As(err, new(*NotInspected))
	switch {
	case err == nil:
		p.rests.forget(c.ID)
		p.Tell(Completed, c.StagingKey, nil)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, ErrGone):
		switch {
		case c.Mode == claim.Multipart && p.now.Sub(c.Expires) >= longestCompletion:
			// A part that came late has brought an upload back that was aborted, and that
			// never becomes whole.
			p.giveUp(ctx, c, ErrGone)
		case p.stands(ctx, c):
			p.postpone(c, err)
		} // else it was done meanwhile
	case ended && uninspected && p.now.Sub(c.Expires) < longestCompletion:
		p.postpone(c, err)
	case ended && (errors.Is(err, ErrUndecided) || uninspected):
		if err := p.Abort(ctx, c); err != nil {
			p.Tell(Left, c.StagingKey, err)
			return
		}
		p.rests.forget(c.ID)
		p.GaveUp(ctx, c, err)
		p.Tell(Removed, c.StagingKey, err)
	case forGood(err):
		p.rests.forget(c.ID)
		p.comesToNothing(ctx, c)
		p.Tell(Removed, c.StagingKey, err)
	case ended && !passes(err):
		p.rests.forget(c.ID)
		p.GaveUp(ctx, c, err)
		if left := p.discard(ctx, c); left != nil {
			p.Tell(Left, c.StagingKey, left)
			return
		}
		p.Tell(Removed, c.StagingKey, err)
	default:
		p.postpone(c, err)
	}
}

// postpone leaves a completion that has failed to another pass.
func (p *pass) postpone(c *claim.Claim, err error) {
	p.rests.failed(c.ID, p.now)
	p.Tell(Left, c.StagingKey, err)
}

// stands reports whether an upload is still in staging.
func (p *pass) stands(ctx context.Context, c *claim.Claim) bool {
	_, err := p.Staging.Head(ctx, c.StagingKey)
	return !errors.Is(err, store.ErrNotFound)
}

// ended reports whether the browser can do no more.
func (p *pass) ended(c *claim.Claim) bool { return !p.now.Before(c.Expires) }

// forGood reports whether an upload can never be completed.
func forGood(err error) bool {
	var rejected *Rejected
	var size *SizeError
	return errors.As(err, &rejected) || errors.As(err, &size) || errors.Is(err, ErrConflict)
}

// passes reports whether an error is none of the upload's.
func passes(err error) bool {
	var own *NotAccepted
	if errors.As(err, &own) {
		return false
	}
	var s3 *store.Error
	return errors.As(err, &s3) || errors.Is(err, ErrBusy) || errors.Is(err, ErrPending) || errors.Is(err, ErrShuttingDown) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// ticket deals with an upload whose ticket lies beside it: one in parts, for the other's
// object is found by itself.
func (p *pass) ticket(ctx context.Context, o store.Entry) {
	id := strings.TrimPrefix(o.Key, p.Prefix+ticketsName)
	key := p.Prefix + id
	if p.rests.rest(id, p.now) {
		p.Tell(Left, key, ErrResting)
		return
	}
	token, err := p.Staging.Read(ctx, o.Key, maxTicket)
	var c *claim.Claim
	if err == nil {
		c, err = p.Open(string(token))
	}
	if err == nil && c.Session != "" && c.ID == id {
		key = c.StagingKey
	}
	if err == nil && c.StagingKey != key {
		err = ErrTicketInvalid
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return
	case errors.Is(err, ErrTicketInvalid):
		p.removeOlder(ctx, o.Key, p.now.Sub(o.Modified), longestTicket)
		return
	case err != nil:
		p.Tell(Left, o.Key, err)
		return
	}
	_, err = p.Staging.Head(ctx, key)
	switch {
	case err == nil: // it is found by itself, whatever parts have come late
	case !errors.Is(err, store.ErrNotFound):
		p.Tell(Left, key, err)
	case c.Mode == claim.Multipart:
		p.unassembled(ctx, c, o.Key)
	case p.ended(c):
		p.remove(ctx, o.Key, ErrOld)
	}
}

// unassembled deals with an upload in parts that has no object in staging: none yet, or
// none any more.
func (p *pass) unassembled(ctx context.Context, c *claim.Claim, ticket string) {
	parts, err := p.Staging.Parts(ctx, c.StagingKey, c.UploadID)
	switch {
	case err == nil:
		p.parts(ctx, c, parts)
	case errors.Is(err, store.ErrNoUpload):
		p.assembled(ctx, c, ticket)
	default:
		p.Tell(Left, c.StagingKey, err)
	}
}

// assembled removes the ticket of an upload in parts of which nothing is in staging.
// While some servers put it together, there is neither the upload nor the object, and if
// they die then, the upload is there again: without its ticket it would be lost.
func (p *pass) assembled(ctx context.Context, c *claim.Claim, ticket string) {
	frozen, err := p.isFrozen(ctx, c)
	switch {
	case frozen, p.now.Sub(c.Expires) >= longestCompletion:
		if !p.stands(ctx, c) { // since it was looked for
			p.remove(ctx, ticket, ErrOld)
		}
	case err != nil:
		p.Tell(Left, c.StagingKey, err)
	}
}

// parts deals with an upload in parts that was not put together.
func (p *pass) parts(ctx context.Context, c *claim.Claim, parts []store.Part) {
	var latest time.Time
	for _, part := range parts {
		latest = later(latest, part.Modified)
	}
	err := checkParts(c, parts, nil)
	switch {
	case err == nil && c.Size != claim.UnknownSize:
		if p.ended(c) || p.now.Sub(latest) >= p.MinAge {
			p.complete(ctx, c)
		}
	case !p.ended(c):
		p.rests.idle(c.ID, p.now, later(latest, c.Issued), c.Expires)
		p.Tell(Left, c.StagingKey, ErrPartsMissing)
	case p.DryRun:
		p.Tell(Aborted, c.StagingKey, err)
	default:
		if err == nil {
			err = ErrPartsMissing // nobody has said that it is whole
		}
		p.giveUp(ctx, c, err)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// giveUp aborts an upload in parts. For one that stands at its final key it is too late: a
// part that came late has brought it back, beside what a crash has left of it in staging.
func (p *pass) giveUp(ctx context.Context, c *claim.Claim, why error) {
	err := p.Abort(ctx, c)
	frozen := false
	if err == nil {
		frozen, err = p.isFrozen(ctx, c)
	}
	if frozen {
		err = p.Staging.Abort(ctx, c.WriteKey(), c.UploadID)
	}
	if frozen && err == nil {
		err = p.emptyStaging(ctx, c)
	}
	switch {
	case err != nil:
		p.Tell(Left, c.StagingKey, err)
	case frozen:
		p.Tell(Removed, c.StagingKey, ErrOld)
	default:
		p.Tell(Aborted, c.StagingKey, why)
	}
}

// attempt deals with a copy on its way to a final key. While its upload stands in
// staging, or its ticket does, it may be the elected one.
func (p *pass) attempt(ctx context.Context, key string, age time.Duration) {
	if age < longestCompletion {
		return
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(key, p.Prefix+attemptsName), "-")
	_, err := p.Staging.Head(ctx, p.Prefix+id)
	if errors.Is(err, store.ErrNotFound) {
		_, err = p.Staging.Head(ctx, p.Prefix+ticketsName+id)
	}
	switch {
	case err == nil:
	case errors.Is(err, store.ErrNotFound):
		p.remove(ctx, key, ErrBegun)
	default:
		p.Tell(Left, key, err)
	}
}

// verdict deals with what was decided about an upload. A freeze that a rejection has
// overtaken may have made the object once more, and died.
func (p *pass) verdict(ctx context.Context, o store.Entry, age time.Duration) {
	id := strings.TrimPrefix(o.Key, p.Prefix+verdictsName)
	switch {
	case age >= longestTicket:
		p.remove(ctx, o.Key, ErrOld)
	case age < longestCompletion, p.DryRun, o.Modified.Before(p.settled):
	default:
		v, err := p.Verdict(ctx, id)
		if err == nil && v != nil && v.Reason != nil {
			err = p.deleteFinal(ctx, v.Key, id)
		}
		if err != nil {
			var s3 *store.Error // another handler's does not open, and never will
			if errors.As(err, &s3) {
				p.unsettled.Store(true)
			}
			p.Tell(Left, o.Key, err)
		}
	}
}

// settled remembers until when verdicts were looked at: there are as many of them as there
// were uploads in a month. Every process has its own.
type settled struct {
	mutex sync.Mutex
	time  time.Time
}

func (s *settled) when() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.time
}

func (s *settled) until(t time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if t.After(s.time) {
		s.time = t
	}
}

func (p *pass) removeOlder(ctx context.Context, key string, age, than time.Duration) {
	if age >= than {
		p.remove(ctx, key, ErrOld)
	}
}

// remove deletes something in staging.
func (p *pass) remove(ctx context.Context, key string, why error) {
	if !p.DryRun {
		if err := p.Staging.Delete(ctx, key, ""); err != nil {
			p.Tell(Left, key, err)
			return
		}
	}
	p.Tell(Removed, key, why)
}

// begun goes through the multipart uploads in staging. Those whose grant was given have
// a ticket.
func (p *pass) begun(ctx context.Context) error {
	return p.uploads(ctx, p.Staging, p.Prefix, func(u store.Begun, age time.Duration) bool {
		id := strings.TrimPrefix(u.Key, p.Prefix)
		switch {
		case !isID(id):
			return age >= longestCompletion
		case age < longestBeginning, p.rests.rest(id, p.now):
			return false
		}
		_, err := p.Staging.Head(ctx, p.Prefix+ticketsName+id)
		return errors.Is(err, store.ErrNotFound)
	})
}

// copies goes through the multipart uploads of the bucket of final objects. One to the
// key of a finished upload is a copy that a crash has left, if it was begun before that
// was there, or is old.
func (p *pass) copies(ctx context.Context) error {
	same := p.Store.Bucket() == p.Staging.Bucket()
	return p.uploads(ctx, p.Store, "", func(u store.Begun, age time.Duration) bool {
		if same && strings.HasPrefix(u.Key, p.Prefix) || age < p.MinAge {
			return false
		}
		o, err := p.Store.Head(ctx, u.Key)
		return err == nil && o.Header.ID != "" && (u.Initiated.Before(o.Modified) || age >= longestCompletion)
	})
}

// uploads aborts the multipart uploads that a crash has left. One of which the server
// does not tell when it was begun is left.
func (p *pass) uploads(ctx context.Context, in Bucket, prefix string, crashed func(u store.Begun, age time.Duration) bool) error {
	for marker := (store.Marker{}); ; {
		page, next, err := in.Uploads(ctx, prefix, marker)
		if err != nil {
			return err
		}
		for _, u := range page {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !u.Initiated.IsZero() && crashed(u, p.now.Sub(u.Initiated)) {
				p.abort(ctx, in, u)
			}
		}
		if marker = next; marker == (store.Marker{}) {
			return nil
		}
	}
}

func (p *pass) abort(ctx context.Context, in Bucket, u store.Begun) {
	if !p.DryRun {
		if err := in.Abort(ctx, u.Key, u.UploadID); err != nil {
			p.Tell(Left, u.Key, err)
			return
		}
	}
	p.Tell(Removed, u.Key, ErrBegun)
}

// rests remembers which uploads have failed, so that each is tried again with growing
// pauses. Every process has its own.
type rests struct {
	mutex sync.Mutex
	until map[string]rest
}

type rest struct {
	times int
	until time.Time
}

const (
	shortestRest = time.Minute
	longestRest  = time.Hour
)

func (r *rests) rest(id string, now time.Time) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return now.Before(r.until[id].until)
}

func (r *rests) failed(id string, now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	one := r.until[id]
	one.until = now.Add(min(shortestRest<<min(one.times, 10), longestRest))
	one.times++
	r.set(id, one)
}

// idle has an upload in parts be looked at again after a tenth of the time for which
// nothing has come.
func (r *rests) idle(id string, now, since, end time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	until := now.Add(min(now.Sub(since)/10, longestRest))
	if until.After(end) {
		until = end
	}
	r.set(id, rest{until: until})
}

// set remembers a rest. If there are too many, any other is forgotten.
func (r *rests) set(id string, one rest) {
	if r.until == nil {
		r.until = map[string]rest{}
	}
	if _, known := r.until[id]; !known && len(r.until) >= remembered {
		for other := range r.until {
			delete(r.until, other)
			break
		}
	}
	r.until[id] = one
}

func (r *rests) forget(id string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.until, id)
}
