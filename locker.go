package postern

import (
	"context"
	"sync"
)

// Locker keeps two completions from writing to one key at the same time, where the
// server has no conditional writes. Replicas need one that they share: the modules
// lock/redis and lock/postgres, beside this one, are such.
type Locker interface {
	// Lock waits for the lock of a name, until ctx ends. held ends before anyone
	// else can have the lock: what is done under it stops then. unlock gives it back
	// and is called once.
	Lock(ctx context.Context, name string) (held context.Context, unlock func(), err error)
}

// processLocker is a lock for each name, in this process.
type processLocker struct {
	mutex sync.Mutex
	locks map[string]*processLock
}

type processLock struct {
	slot  chan struct{}
	users int // that hold it or wait for it
}

func (p *processLocker) Lock(ctx context.Context, name string) (context.Context, func(), error) {
	p.mutex.Lock()
	l := p.locks[name]
	if l == nil {
		l = &processLock{slot: make(chan struct{}, 1)}
		p.locks[name] = l
	}
	l.users++
	p.mutex.Unlock()
	select {
	case l.slot <- struct{}{}:
		return ctx, func() { <-l.slot; p.leave(name, l) }, nil
	case <-ctx.Done():
		p.leave(name, l)
		return nil, nil, ctx.Err()
	}
}

func (p *processLocker) leave(name string, l *processLock) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if l.users--; l.users == 0 {
		delete(p.locks, name)
	}
}
