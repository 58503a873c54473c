package postern

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// place is a bucket, made ready: what signs for it, and what completes its uploads.
type place struct {
	*resolved
	id      string // in tickets; "" for the Issuer's own bucket
	postURL string // of the bucket that browsers write to

	signer  *sigv4.Signer
	signing *identity
	service *identity
	store   *store.Store // of the bucket that browsers write to
	engine  *completion.Engine
	noParts error // why uploads cannot be made of parts
}

// ready makes a bucket ready. The Issuer's own has no name in tickets, with whichever
// credentials.
func (ps *places) ready(b *resolved) *place {
	c, id := ps.config, idOf(b)
	if id == ps.home {
		id = ""
	}
	p := &place{
		resolved: b,
		id:       id,
		postURL:  b.upload.url(""),
		signer:   sigv4.NewSigner(b.Region),
		signing:  newIdentity(b.Credentials, c.clock),
		noParts:  c.noParts(b),
	}
	p.service = p.signing
	if b.ServiceCredentials != nil {
		p.service = newIdentity(b.ServiceCredentials, c.clock)
	}
	final := store.New(store.Config{
		Bucket: b.Name, Region: b.Region, Endpoint: b.server.base, PathStyle: b.server.pathStyle, Credentials: p.service,
		Trace: c.traceCalls(b.Name),
	})
	p.store = final.In(b.uploadName())
	p.engine = completion.New(completion.Config{
		Store: final, Staging: p.store, Prefix: c.staging, Receipts: c.completes(), Sniff: c.sniff, Flights: ps.flights, Timeout: c.completionTimeout,
		PutIfAbsent: b.abilities.PutIfAbsent, CompleteIfAbsent: b.abilities.CompleteIfAbsent, CopyPartIfMatch: b.abilities.CopyPartIfMatch,
		CopyPartSums: b.abilities.CopyPartSums, CompleteSize: b.abilities.CompleteSize, DeleteIfMatch: b.abilities.DeleteIfMatch,
		Lock: c.locker.Lock, Now: c.clock, Left: c.logLeft,
		Open: func(token string) (*claim.Claim, error) { return ps.opener.openAny(id, token) },
		Accept: func(ctx context.Context, cl *claim.Claim, r *completion.Result) error {
			if err := c.settle(ctx, cl, r); err != nil {
				return err
			}
			data, err := c.accept(ctx, p.receipt(cl, r))
			r.Data = data
			return err
		},
		Gone:   func(ctx context.Context, cl *claim.Claim) { c.unreserve(context.WithoutCancel(ctx), cl) },
		GaveUp: func(ctx context.Context, cl *claim.Claim, err error) { c.logGaveUp(ctx, p, cl, err) },
		Ended: func(ctx context.Context, cl *claim.Claim, end *completion.End) {
			c.logEnd(ctx, p.Name, cl, end, engineProblem(end.Err))
		},
	})
	p.engine.Admit = func(ctx context.Context, f completion.File) (*claim.Claim, string, error) {
		return ps.issuer.admit(ctx, p, f)
	}
	if c.observed() {
		p.engine.Begun = func(ctx context.Context, cl *claim.Claim, by completion.Trigger) (context.Context, func(*completion.End)) {
			ctx, end := c.step(ctx, Step{
				Kind: StepCompletion, Trigger: Trigger(by), Bucket: p.Name, ID: cl.ID, Key: cl.Key, Trace: cl.Trace,
			})
			return ctx, func(e *completion.End) { end(endOf(engineProblem(e.Err))) }
		}
	}
	if len(c.inspectors) > 0 {
		p.engine.Inspector = &inspection{config: c, opener: ps.opener, place: p}
	}
	return p
}

// idOf names a bucket: by its name, by its address, since one name may be found at
// several, and by where it has what was not verified yet.
func idOf(b *resolved) string {
	id := b.Name + "\x00" + b.public.url("")
	if b.StagingName != "" {
		id += "\x00" + b.StagingName
	}
	return id
}

// Buckets decides into which bucket an upload goes: that of the tenant's region, or a
// customer's own.
type Buckets interface {
	// For returns the bucket of an upload that was authorized: u.Subject and u.Tenant
	// are set. The zero Bucket is the Issuer's own. When a ticket is presented, it is
	// asked again, and must return the bucket in which the upload was begun, whose
	// name is u.Bucket. It is called by many goroutines at once, and its Buckets are
	// kept ready for a while: it returns the same CredentialsProvider, a pointer, for
	// the same bucket.
	For(ctx context.Context, u *Upload) (Bucket, error)
}

// BucketLister is a [Buckets] that knows all of its buckets, so that [WithReconciler] can
// go through them.
type BucketLister interface {
	Buckets
	// List returns the buckets other than the Issuer's own.
	List(ctx context.Context) ([]Bucket, error)
}

// BucketsFunc makes [Buckets] of a function.
type BucketsFunc func(ctx context.Context, u *Upload) (Bucket, error)

// For calls f.
func (f BucketsFunc) For(ctx context.Context, u *Upload) (Bucket, error) { return f(ctx, u) }

// place returns where an upload goes.
func (i *Issuer) place(ctx context.Context, u *Upload) (*place, error) {
	if i.config.buckets == nil {
		return i.home, nil
	}
	var b Bucket
	err := hook.Guard(func() (err error) {
		b, err = i.config.buckets.For(ctx, u)
		return err
	})
	if err != nil {
		return nil, err
	}
	if b == (Bucket{}) {
		return i.home, nil
	}
	return i.places.get(b)
}

// placeOf returns where the upload of a ticket was begun.
func (i *Issuer) placeOf(ctx context.Context, u *Upload) (*place, error) {
	c := u.ticket.claim
	u.Bucket = i.home.Name
	if c.Bucket != "" {
		u.Bucket, _, _ = strings.Cut(c.Bucket, "\x00")
	}
	p, err := i.place(ctx, u)
	if err != nil {
		return nil, err
	}
	if c.Bucket != p.id {
		return nil, ErrBucketChanged
	}
	return p, nil
}

const (
	// maxPlaces bounds how many buckets are kept ready.
	maxPlaces = 256
	// placeIdle is how long one is kept that nobody asks for: it holds credentials.
	placeIdle = 10 * time.Minute
)

// places keeps buckets ready that were asked for lately.
type places struct {
	config  *config
	issuer  *Issuer
	home    string // the name of the Issuer's own bucket, as idOf gives it
	opener  *opener
	flights *completion.Flights

	mutex sync.Mutex
	kept  map[Bucket]*keptPlace
}

type keptPlace struct {
	*place
	used  time.Time
	timer *time.Timer
}

// get returns a bucket, ready.
func (ps *places) get(b Bucket) (*place, error) {
	keep := keyed(b)
	if keep {
		ps.mutex.Lock()
		defer ps.mutex.Unlock()
		if k, ok := ps.kept[b]; ok {
			k.used = time.Now()
			k.timer.Reset(placeIdle)
			return k.place, nil
		}
	}
	r, errs := b.resolve()
	errs = append(errs, ps.config.check(&r)...)
	if len(errs) > 0 {
		return nil, ErrBucketInvalid.WithCause(errors.Join(errs...))
	}
	p := ps.ready(&r)
	if !keep {
		return p, nil
	}
	if len(ps.kept) >= maxPlaces {
		ps.forgetOldest()
	}
	ps.kept[b] = &keptPlace{place: p, used: time.Now(), timer: time.AfterFunc(placeIdle, func() {
		ps.mutex.Lock()
		defer ps.mutex.Unlock()
		delete(ps.kept, b)
	})}
	return p, nil
}

func (ps *places) forgetOldest() {
	var oldest Bucket
	var used time.Time
	for b, k := range ps.kept {
		if used.IsZero() || k.used.Before(used) {
			oldest, used = b, k.used
		}
	}
	ps.kept[oldest].timer.Stop()
	delete(ps.kept, oldest)
}

// keyed reports whether a Bucket may be the key of a map.
func keyed(b Bucket) bool {
	for _, p := range [...]any{b.Credentials, b.ServiceCredentials} {
		if p != nil && !reflect.TypeOf(p).Comparable() {
			return false
		}
	}
	return true
}
