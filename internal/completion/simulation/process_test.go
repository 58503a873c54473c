package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/internal/storetest"
)

// process is a replica from its start to its death. When it is dead it does nothing
// more: its calls fail before they act, and nobody hears of it.
type process struct {
	w      *world
	n      uint64
	dead   atomic.Bool
	dies   int // in a thousand of its calls
	names  atomic.Int64
	engine *completion.Engine
}

// newProcess starts a process of a number of its own.
func (w *world) newProcess(n, dies int) *process {
	p := &process{w: w, n: uint64(n), dies: dies}
	pr := &w.plan.provider
	c := completion.Config{
		Store: &bucket{w.final, p}, Receipts: true, Sniff: w.plan.sniff,
		PutIfAbsent: pr.putIfAbsent, CompleteIfAbsent: pr.completeIfAbsent, CopyPartIfMatch: pr.copyPartIfMatch,
		CopyPartSums: pr.copyPartSums, CompleteSize: pr.completeSize, DeleteIfMatch: pr.deleteIfMatch,
		Lock: p.lock, Now: time.Now, Open: open, Flights: completion.NewFlights(4),
		Random: func() string { return fmt.Sprintf("%03d-%03d", p.n, p.names.Add(1)) },
		Accept: p.accept,
		Ended: func(_ context.Context, c *claim.Claim, end *completion.End) {
			if !p.dead.Load() && end.Err != nil {
				w.noted(c, fmt.Sprintf("%s: %v", end.Trigger, end.Err))
			}
		},
		GaveUp: func(_ context.Context, c *claim.Claim, err error) {
			if !p.dead.Load() {
				w.gaveUp(c, err)
			}
		},
		Left: func(_ context.Context, what string, err error) { w.log(p, "left: %s: %v", what, err) },
	}
	c.Staging = c.Store
	if w.staging != w.final {
		c.Staging = &bucket{w.staging, p}
	}
	if w.plan.promotion {
		c.Prefix = prefix
	}
	p.engine = completion.New(c)
	return p
}

func (p *process) die() {
	if !p.dead.Swap(true) {
		p.w.log(p, "dies")
	}
}

// bucket is a bucket as a process finds it: over a network.
type bucket struct {
	at *storetest.Bucket
	p  *process
}

// What may become of a call.
const (
	lostBefore = iota // it never arrived
	lostAfter         // its answer never arrived
	twice             // the SDK tried again, since it had heard nothing of the first
	echoed            // the SDK tried again, and the first arrives later
	late              // nobody waits for it any more when it arrives
	refused           // credentials have ended, say
	faults
)

// kind is what a call is like: how long it may take, and whether it changes anything.
type kind struct {
	limit  time.Duration
	writes bool
}

var (
	reading = kind{15 * time.Second, false}
	writing = kind{15 * time.Second, true}
	copying = kind{5 * time.Minute, true}
)

func lost(op string) error {
	return &store.Error{Op: op, Kind: store.ErrUnavailable, Err: errors.New("lost")}
}

// call makes a call over the network.
func call[T any](ctx context.Context, b *bucket, op, key string, k kind, act func() (T, error)) (answer T, err error) {
	p, w := b.p, b.p.w
	if p.dead.Load() || ctx.Err() != nil {
		return answer, lost(op)
	}
	d := w.draw(p, op, key)
	again := func(after time.Duration) {
		if k.writes {
			go func() {
				time.Sleep(after)
				_, err := act()
				w.log(p, "%s %s: much later: %v", op, key, err)
			}()
		}
	}
	delay := w.delay(&d)
	if delay > k.limit {
		w.zombie(op, key, k)
		again(delay)
		time.Sleep(k.limit)
		w.log(p, "%s %s: no answer", op, key)
		return answer, lost(op)
	}
	time.Sleep(delay)
	if w.faulty.Load() && d.n(1000) < p.dies {
		p.die()
	}
	if p.dead.Load() || ctx.Err() != nil {
		if d.in100(50) { // it was on its way
			w.zombie(op, key, k)
			_, err := act()
			w.log(p, "%s %s: nobody hears: %v", op, key, err)
		}
		return answer, lost(op)
	}
	what := faults
	if w.faulty.Load() && d.in100(w.plan.faults) {
		what = d.n(faults)
	}
	switch what {
	case lostBefore:
	case lostAfter:
		_, err = act()
		w.log(p, "%s %s: answer lost: %v", op, key, err)
		return answer, lost(op)
	case twice:
		_, first := act()
		time.Sleep(d.between(time.Millisecond, 4*time.Second))
		answer, err = act()
		w.log(p, "%s %s: twice: %v, %v", op, key, first, err)
		return answer, err
	case echoed:
		w.zombie(op, key, k)
		answer, err = act()
		again(d.between(time.Millisecond, 2*time.Minute))
	case late:
		w.zombie(op, key, k)
		again(d.between(time.Millisecond, 2*time.Minute))
	case refused:
		w.log(p, "%s %s: denied", op, key)
		return answer, &store.Error{Op: op, Kind: store.ErrDenied, Err: errors.New("denied")}
	default:
		answer, err = act()
	}
	if what == lostBefore || what == late {
		w.log(p, "%s %s: lost", op, key)
		return answer, lost(op)
	}
	w.log(p, "%s %s: %v", op, key, err)
	return answer, err
}

type nothing struct{}

func just(err error) (nothing, error) { return nothing{}, err }

func (b *bucket) Bucket() string { return b.at.Bucket() }

func (b *bucket) CheckBucket(ctx context.Context) error {
	_, err := call(ctx, b, "CheckBucket", "", reading, func() (nothing, error) { return just(b.at.CheckBucket(ctx)) })
	return err
}

func (b *bucket) Head(ctx context.Context, key string) (*store.Object, error) {
	return call(ctx, b, "Head", key, reading, func() (*store.Object, error) { return b.at.Head(ctx, key) })
}

func (b *bucket) Get(ctx context.Context, key, ifMatch string, n int64) (io.ReadCloser, error) {
	return call(ctx, b, "Get", key, reading, func() (io.ReadCloser, error) { return b.at.Get(ctx, key, ifMatch, n) })
}

func (b *bucket) Read(ctx context.Context, key string, max int64) ([]byte, error) {
	return call(ctx, b, "Read", key, reading, func() ([]byte, error) { return b.at.Read(ctx, key, max) })
}

func (b *bucket) Put(ctx context.Context, key string, content []byte) error {
	_, err := call(ctx, b, "Put", key, writing, func() (nothing, error) { return just(b.at.Put(ctx, key, content)) })
	return err
}

func (b *bucket) PutEmpty(ctx context.Context, key string, h object.Header, on store.Condition) error {
	_, err := call(ctx, b, "PutEmpty", key, writing, func() (nothing, error) { return just(b.at.PutEmpty(ctx, key, h, on)) })
	return err
}

func (b *bucket) PutIfAbsent(ctx context.Context, key string, content []byte) error {
	_, err := call(ctx, b, "PutIfAbsent", key, writing, func() (nothing, error) { return just(b.at.PutIfAbsent(ctx, key, content)) })
	return err
}

func (b *bucket) Copy(ctx context.Context, from, source, etag, key string, h object.Header) error {
	_, err := call(ctx, b, "Copy", key, copying, func() (nothing, error) { return just(b.at.Copy(ctx, from, source, etag, key, h)) })
	return err
}

func (b *bucket) Delete(ctx context.Context, key, ifMatch string) error {
	_, err := call(ctx, b, "Delete", key, writing, func() (nothing, error) { return just(b.at.Delete(ctx, key, ifMatch)) })
	return err
}

type page[T, N any] struct {
	all  []T
	next N
}

func (b *bucket) List(ctx context.Context, prefix, after string) ([]store.Entry, bool, error) {
	p, err := call(ctx, b, "List", prefix, reading, func() (page[store.Entry, bool], error) {
		all, more, err := b.at.List(ctx, prefix, after)
		return page[store.Entry, bool]{all, more}, err
	})
	return p.all, p.next, err
}

func (b *bucket) Uploads(ctx context.Context, prefix string, after store.Marker) ([]store.Begun, store.Marker, error) {
	p, err := call(ctx, b, "Uploads", prefix, reading, func() (page[store.Begun, store.Marker], error) {
		all, next, err := b.at.Uploads(ctx, prefix, after)
		return page[store.Begun, store.Marker]{all, next}, err
	})
	return p.all, p.next, err
}

func (b *bucket) CreateMultipart(ctx context.Context, key string, h object.Header, sums bool) (string, error) {
	return call(ctx, b, "CreateMultipart", key, writing, func() (string, error) { return b.at.CreateMultipart(ctx, key, h, sums) })
}

func (b *bucket) CopyPart(ctx context.Context, from, source, etag, key, uploadID string, number int32, first, last int64) (store.Part, error) {
	return call(ctx, b, "CopyPart", key, copying, func() (store.Part, error) {
		return b.at.CopyPart(ctx, from, source, etag, key, uploadID, number, first, last)
	})
}

func (b *bucket) CompleteMultipart(ctx context.Context, key, uploadID string, parts []store.Part, o store.CompleteOptions) error {
	_, err := call(ctx, b, "CompleteMultipart", key, copying, func() (nothing, error) {
		return just(b.at.CompleteMultipart(ctx, key, uploadID, parts, o))
	})
	return err
}

func (b *bucket) Parts(ctx context.Context, key, uploadID string) ([]store.Part, error) {
	return call(ctx, b, "Parts", key, reading, func() ([]store.Part, error) { return b.at.Parts(ctx, key, uploadID) })
}

func (b *bucket) Abort(ctx context.Context, key, uploadID string) error {
	return storetest.Abort(ctx, key, uploadID, b.abortOnce, b.Parts)
}

func (b *bucket) abortOnce(ctx context.Context, key, uploadID string) error {
	_, err := call(ctx, b, "Abort", key, writing, func() (nothing, error) { return just(b.at.AbortOnce(ctx, key, uploadID)) })
	return err
}
