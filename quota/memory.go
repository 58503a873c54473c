package quota

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of one process: it knows nothing of other replicas,
// and begins anew with each start. Let the application tell it by [Memory.Adjust] what its
// database knows of files that are stored.
//
// It keeps some 300 bytes for each account in use and for each upload of the last days.
type Memory struct {
	now func() time.Time

	mutex    sync.Mutex
	accounts map[string]*account
	uploads  map[string]*upload
	ends     byEnd
}

var _ Store = (*Memory)(nil)

// NewMemory returns a store in which nothing is used. now tells the time; nil is
// [time.Now].
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, accounts: map[string]*account{}, uploads: map[string]*upload{}}
}

// account is what one uses.
type account struct {
	bytes, files      int64 // stored
	reserved, uploads int64
	full              time.Time // when its rate has recovered
}

func (a *account) usage(now time.Time) Usage {
	if a == nil {
		return Usage{}
	}
	return Usage{Bytes: a.bytes, Files: a.files, Reserved: a.reserved, Uploads: a.uploads, Full: max(0, a.full.Sub(now))}
}

type state int

const (
	reserved state = iota
	settled
	cancelled
	released
)

// upload is what is known of one, until it ends.
type upload struct {
	id       string
	state    state
	bytes    int64
	accounts []string
	end      time.Time
	index    int // in the heap
}

// Reserve is that of [Store].
func (m *Memory) Reserve(ctx context.Context, r Reservation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	if m.uploads[r.ID] != nil {
		return nil
	}
	for k := range r.Accounts {
		if err := r.Accounts[k].Check(m.accounts[r.Accounts[k].Name].usage(now), r.Bytes); err != nil {
			return err
		}
	}
	names := make([]string, len(r.Accounts))
	for k := range r.Accounts {
		a := m.account(r.Accounts[k].Name)
		names[k] = r.Accounts[k].Name
		a.reserved += r.Bytes
		a.uploads++
		if n, ok := r.Accounts[k].Limits.Of(KindPerMinute); ok && n > 0 {
			if a.full.Before(now) {
				a.full = now
			}
			a.full = a.full.Add(Every(n))
		}
	}
	m.remember(r.ID, reserved, r.Bytes, names, now.Add(r.For))
	return nil
}

// Settle is that of [Store].
func (m *Memory) Settle(ctx context.Context, u Upload, keep time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	switch known := m.uploads[u.ID]; {
	case known == nil:
	case known.state == cancelled:
		return ErrCancelled
	case known.state == settled:
		m.prolong(known, now.Add(keep))
		return nil
	default:
		m.forget(known)
	}
	for _, name := range u.Accounts {
		a := m.account(name)
		a.bytes += u.Bytes
		a.files++
	}
	m.remember(u.ID, settled, u.Bytes, slices.Clone(u.Accounts), now.Add(keep))
	return nil
}

// Cancel is that of [Store].
func (m *Memory) Cancel(ctx context.Context, u Upload, keep time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	known := m.uploads[u.ID]
	if known != nil && known.state != reserved {
		return nil
	}
	if known != nil {
		m.forget(known)
	}
	m.remember(u.ID, cancelled, 0, slices.Clone(u.Accounts), now.Add(keep))
	return nil
}

// Release is that of [Store].
func (m *Memory) Release(ctx context.Context, u Upload) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	bytes := u.Bytes
	if known := m.uploads[u.ID]; known != nil {
		if known.state != settled {
			return nil
		}
		bytes = known.bytes
		m.forget(known)
	}
	for _, name := range u.Accounts {
		m.account(name).add(-bytes, -1)
	}
	m.remember(u.ID, released, 0, slices.Clone(u.Accounts), now.Add(Remembered))
	return nil
}

// Adjust is that of [Store].
func (m *Memory) Adjust(ctx context.Context, name string, bytes, files int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	m.account(name).add(bytes, files)
	m.tidy(name, now)
	return nil
}

// Usage is that of [Store].
func (m *Memory) Usage(ctx context.Context, names ...string) ([]Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := m.lock()
	defer m.mutex.Unlock()
	all := make([]Usage, len(names))
	for k, name := range names {
		all[k] = m.accounts[name].usage(now)
	}
	return all, nil
}

// lock ends what has come to its end.
func (m *Memory) lock() (now time.Time) {
	m.mutex.Lock()
	now = m.now()
	for len(m.ends) > 0 && !m.ends[0].end.After(now) {
		u := m.ends[0]
		m.forget(u)
		for _, name := range u.accounts {
			m.tidy(name, now)
		}
	}
	return now
}

func (m *Memory) account(name string) *account {
	a := m.accounts[name]
	if a == nil {
		a = new(account)
		m.accounts[name] = a
	}
	return a
}

func (a *account) add(bytes, files int64) {
	a.bytes, a.files = max(0, a.bytes+bytes), max(0, a.files+files)
}

// tidy forgets an account that uses nothing.
func (m *Memory) tidy(name string, now time.Time) {
	if a := m.accounts[name]; a != nil && a.usage(now) == (Usage{}) {
		delete(m.accounts, name)
	}
}

func (m *Memory) remember(id string, s state, bytes int64, accounts []string, end time.Time) {
	u := &upload{id: id, state: s, bytes: bytes, accounts: accounts, end: end}
	m.uploads[id] = u
	heap.Push(&m.ends, u)
}

// prolong remembers an upload until end, if that is later.
func (m *Memory) prolong(u *upload, end time.Time) {
	if end.After(u.end) {
		u.end = end
		heap.Fix(&m.ends, u.index)
	}
}

// forget takes an upload out, with what was reserved for it.
func (m *Memory) forget(u *upload) {
	heap.Remove(&m.ends, u.index)
	delete(m.uploads, u.id)
	if u.state != reserved {
		return
	}
	for _, name := range u.accounts {
		a := m.account(name)
		a.reserved -= u.bytes
		a.uploads--
	}
}

// byEnd is a heap, of which the first ends first.
type byEnd []*upload

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].end.Before(h[j].end) }
func (h byEnd) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *byEnd) Push(x any) {
	u := x.(*upload)
	u.index = len(*h)
	*h = append(*h, u)
}

// Pop is for container/heap.
func (h *byEnd) Pop() any {
	last := len(*h) - 1
	u := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return u
}
