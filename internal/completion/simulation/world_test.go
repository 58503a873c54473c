package simulation_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/storetest"
)

const (
	prefix = "staging/"
	// grantLife and ticketLife are how long a browser may begin to send, and come back.
	grantLife  = 5 * time.Minute
	ticketLife = time.Hour
	// chaos is how long faults happen.
	chaos = 20 * time.Minute
)

// provider is a kind of server, and what engines know of it.
type provider struct {
	name                                                                                      string
	server                                                                                    storetest.Profile
	putIfAbsent, completeIfAbsent, copyPartIfMatch, copyPartSums, completeSize, deleteIfMatch bool
}

var providers = []provider{
	{name: "amazon-s3", putIfAbsent: true, completeIfAbsent: true, copyPartIfMatch: true, copyPartSums: true, completeSize: true, deleteIfMatch: true},
	{name: "versitygw", server: storetest.Profile{Again: true}, putIfAbsent: true, completeIfAbsent: true, copyPartIfMatch: true, copyPartSums: true, completeSize: true, deleteIfMatch: true},
	{name: "minio", server: storetest.Profile{IgnoreDelete: true, NoCopySums: true, IgnoreSize: true}, putIfAbsent: true, completeIfAbsent: true, copyPartIfMatch: true},
	{name: "cloudflare-r2", server: storetest.Profile{IgnoreDelete: true, IgnoreSize: true, IgnoreCopySource: true}, putIfAbsent: true, completeIfAbsent: true},
	{name: "ceph-rgw", server: storetest.Profile{IgnoreComplete: true, IgnoreDelete: true, IgnoreSize: true, IgnoreCopySource: true}, putIfAbsent: true},
	{name: "garage", server: storetest.Profile{IgnorePut: true, IgnoreComplete: true, IgnoreDelete: true, IgnoreSize: true}, copyPartIfMatch: true},
	{name: "wasabi", server: storetest.Profile{IgnorePut: true, IgnoreComplete: true, IgnoreDelete: true, IgnoreSize: true, IgnoreCopySource: true, NoCopySums: true, NoCRC64: true}},
}

// plan is what a schedule is made of. Faults and slowness are in a hundred.
type plan struct {
	provider          provider
	promotion, sniff  bool
	twoBuckets        bool
	holdsSums         bool // S3 refuses what has not the granted sum
	collide           bool // files whose ETags are equal
	broken            bool // the hook never takes a receipt
	replicas, uploads int
	faults, slow      int
	deaths            int // in a hundred processes
	hookFails         int // in a hundred calls
}

func newPlan(d *dice) plan {
	p := plan{
		provider:   providers[d.n(len(providers))],
		promotion:  !d.in100(12),
		sniff:      d.in100(50),
		twoBuckets: d.in100(30),
		holdsSums:  d.in100(50),
		collide:    d.in100(15),
		broken:     d.in100(4),
		replicas:   1 + d.n(3),
		uploads:    1 + d.n(3),
		faults:     []int{0, 3, 10, 25}[d.n(4)],
		slow:       []int{0, 3, 15}[d.n(3)],
		deaths:     []int{0, 30, 80}[d.n(3)],
		hookFails:  []int{0, 10, 40}[d.n(3)],
	}
	p.holdsSums = p.holdsSums || !p.promotion // it is what seals a grant then
	return p
}

// world is one schedule: S3, the application, the replicas and the browsers.
type world struct {
	seed           uint64
	plan           plan
	start          time.Time
	server         *storetest.Server
	final, staging *storetest.Bucket // may be the same
	faulty         atomic.Bool
	tracing        bool

	mutex    sync.Mutex
	replicas []*process
	uploads  map[string]*upload   // by id
	zombies  map[string]bool      // keys, and calls with keys, that may have come too late
	made     map[string]int       // how often there was an object where none was, by final key
	frozen   map[string]time.Time // and when for the last time
	locks    map[string]*lock
	trace    []string
	broken   error // the first invariant that did not hold
}

// run runs one schedule in a bubble. It returns the invariant that was broken.
func run(seed uint64, tracing bool) (w *world) {
	d := dice(mix(seed))
	w = &world{
		seed: seed, plan: newPlan(&d), start: time.Now(), tracing: tracing,
		uploads: map[string]*upload{}, zombies: map[string]bool{}, made: map[string]int{}, frozen: map[string]time.Time{}, locks: map[string]*lock{},
	}
	profile := w.plan.provider.server
	profile.MinPart, profile.PageSize = 1, 3
	if w.plan.collide {
		md5 := storetest.New(storetest.Profile{}).ETag
		profile.ETag = func(content []byte) string { return md5(content[:max(0, len(content)-4)]) }
	}
	w.server = storetest.New(profile)
	w.final = w.server.Bucket("final")
	w.staging = w.final
	if w.plan.twoBuckets && w.plan.promotion {
		w.staging = w.server.Bucket("staging")
	}
	w.final.Changed = w.changed
	w.log(nil, "plan: %+v", w.plan)

	w.faulty.Store(true)
	for n := range w.plan.replicas {
		w.replicas = append(w.replicas, w.newProcess(n, 0))
	}
	for n := range w.plan.replicas {
		go w.keepAlive(n, d.split())
	}
	var all sync.WaitGroup
	for n := range w.plan.uploads {
		one := d.split()
		all.Go(func() { w.browse(n, one) })
	}
	time.Sleep(chaos)
	w.faulty.Store(false)
	if d.in100(50) {
		w.kill()
	}
	all.Wait()
	time.Sleep(11 * time.Minute) // all that was late has come
	w.kill()
	w.settle()
	return w
}

// keepAlive starts a replica again when it has died, and lets it reconcile.
func (w *world) keepAlive(n int, d dice) {
	number := n
	start := func() *process {
		dies := 0
		if d.in100(w.plan.deaths) {
			dies = 1 + d.n(30)
		}
		w.mutex.Lock()
		defer w.mutex.Unlock()
		number += len(w.replicas)
		w.replicas[n] = w.newProcess(number, dies)
		return w.replicas[n]
	}
	p := start()
	for w.faulty.Load() {
		time.Sleep(d.between(20*time.Second, 5*time.Minute))
		if p.dead.Load() {
			p = start()
			continue
		}
		if w.plan.promotion && d.in100(60) {
			w.reconcile(p)
		}
	}
}

func (w *world) kill() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, p := range w.replicas {
		p.dead.Store(true)
	}
}

// replica is one of those that there are.
func (w *world) replica(d *dice) *process {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.replicas[d.n(len(w.replicas))]
}

func (w *world) reconcile(p *process) error {
	w.log(p, "reconciles")
	err := p.engine.Reconcile(context.Background(), completion.Reconciliation{
		MinAge: time.Minute,
		Tell: func(done completion.Done, key string, err error) {
			w.log(p, "reconciler: %s %s: %v", done, key, err)
			if done == completion.Removed || done == completion.Aborted {
				w.told(key, fmt.Sprintf("%s: %v", done, err))
			}
		},
	})
	w.log(p, "has reconciled: %v", err)
	return err
}

// settles is the number of the first process that has no part in the chaos.
const settles = 1_000_000

// settle lets what is left come to its end, without any more faults.
func (w *world) settle() {
	if !w.plan.promotion {
		w.completeAll(w.newProcess(settles, 0))
		w.check()
		return
	}
	n := settles
	quietly := func() {
		n++
		if err := w.reconcile(w.newProcess(n, 0)); err != nil {
			w.fail("a quiet reconciliation fails: %v", err)
		}
	}
	quietly()
	w.checkComplete()
	time.Sleep(ticketLife) // all tickets have ended
	quietly()
	w.check()
	time.Sleep(26 * time.Hour) // no completion goes on any more
	quietly()
	w.checkBegun(w.staging, "")
	w.checkBegun(w.final, "")
	time.Sleep(32 * 24 * time.Hour) // nobody has a ticket any more
	quietly()
	w.checkNothingLeft()
}

// completeAll completes all uploads as the application would that has kept tickets.
func (w *world) completeAll(p *process) {
	for _, u := range w.all() {
		c, err := open(u.token)
		if err != nil {
			continue
		}
		_, err = p.engine.Complete(context.Background(), c, completion.Request{Trigger: completion.Application, Wait: time.Hour})
		w.log(p, "completes %s: %v", u.name(), err)
		if err != nil {
			w.noted(c, err.Error())
		}
	}
}

// draw is the chance of one call of a process: the same in every run, whatever else
// happens at the time. Calls that are the same in all have the same.
func (w *world) draw(p *process, op, key string) dice {
	return dice(mix(w.seed) ^ mix(hash(op, key)+p.n) ^ mix(uint64(time.Since(w.start))))
}

// delay is how long a call takes.
func (w *world) delay(d *dice) time.Duration {
	if !w.faulty.Load() || !d.in100(w.plan.slow) {
		return d.between(time.Millisecond, 40*time.Millisecond)
	}
	if d.in100(80) {
		return d.between(time.Millisecond, 14*time.Second)
	}
	return d.between(time.Millisecond, 8*time.Minute)
}

// zombie notes that a call may act when nobody expects it any more.
func (w *world) zombie(op, key string, k kind) {
	if !k.writes {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.zombies[key] = true
	w.zombies[op+" "+key] = true
}

func (w *world) log(p *process, format string, args ...any) {
	if !w.tracing {
		return
	}
	who := ""
	if p != nil {
		who = fmt.Sprintf("process %d: ", p.n)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%12.6f %s%s", time.Since(w.start).Seconds(), who, fmt.Sprintf(format, args...)))
}

// tickets

// seal makes a ticket, which in this world needs no secret.
func seal(c *claim.Claim) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.Expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(c.Append(b))
}

func open(token string) (*claim.Claim, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 8 {
		return nil, completion.ErrTicketInvalid
	}
	c, err := claim.Parse(raw[8:])
	if err != nil {
		return nil, completion.ErrTicketInvalid
	}
	c.Expires = time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)
	return c, nil
}

// lock is a lock of which there is one for all replicas. Its holder may lose it.
type lock struct {
	ends time.Time
	n    int
}

var errLock = errors.New("no lock")

func (p *process) lock(ctx context.Context, name string) (context.Context, func(), error) {
	const lease = 30 * time.Second
	w := p.w
	d := w.draw(p, "Lock", name)
	if w.faulty.Load() && d.in100(w.plan.faults/2) {
		time.Sleep(d.between(time.Millisecond, time.Second))
		return nil, nil, errLock
	}
	for {
		time.Sleep(d.between(time.Millisecond, 100*time.Millisecond))
		if p.dead.Load() || ctx.Err() != nil {
			return nil, nil, errLock
		}
		w.mutex.Lock()
		l := w.locks[name]
		if l == nil {
			l = &lock{}
			w.locks[name] = l
		}
		if time.Now().Before(l.ends) {
			w.mutex.Unlock()
			continue
		}
		l.n++
		turn := l.n
		l.ends = time.Now().Add(lease)
		w.mutex.Unlock()
		held, cancel := context.WithCancel(ctx)
		release := func() {
			cancel()
			w.mutex.Lock()
			defer w.mutex.Unlock()
			if l.n == turn {
				l.ends = time.Time{}
			}
		}
		if w.faulty.Load() && d.in100(w.plan.faults/2) {
			time.AfterFunc(d.between(time.Millisecond, time.Second), release)
		}
		// Whoever does not renew it any more loses it.
		expire := time.AfterFunc(lease-time.Second, cancel)
		return held, func() {
			expire.Stop()
			if !p.dead.Load() {
				release()
			}
		}, nil
	}
}
