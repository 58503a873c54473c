package chaos_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy leads connections to backends in turn, and cuts them. It knows nothing of what
// they carry.
type proxy struct {
	listener net.Listener

	mutex    sync.Mutex
	backends []string
	next     int
	open     map[net.Conn]bool
	chance   *rand.Rand // nil: the network is calm
	cuts     int
}

// One connection of so many is cut after some bytes.
const (
	cutOneOf = 25
	cutAfter = 64 << 10
)

func newProxy(t testing.TB, chance *rand.Rand, backends ...string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, backends: backends, chance: chance, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
	})
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go p.lead(c)
		}
	}()
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// set moves a backend.
func (p *proxy) set(n int, addr string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.backends[n] = addr
}

// calm ends the faults.
func (p *proxy) calm() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.chance = nil
}

// cut cuts all connections.
func (p *proxy) cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cuts += len(p.open)
	for c := range p.open {
		_ = c.Close()
	}
}

// dial finds a backend that is there, as load balancers do.
func (p *proxy) dial() net.Conn {
	p.mutex.Lock()
	backends, first := append([]string(nil), p.backends...), p.next
	p.next++
	p.mutex.Unlock()
	for n := range backends {
		addr := backends[(first+n)%len(backends)]
		if addr == "" { // it is down
			continue
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			return c
		}
	}
	return nil
}

// limits are how many bytes may pass in each direction; -1 is all.
func (p *proxy) limits() (up, down int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	up, down = -1, -1
	if p.chance == nil || p.chance.IntN(cutOneOf) > 0 {
		return up, down
	}
	p.cuts++
	if p.chance.IntN(2) == 0 {
		return p.chance.Int64N(cutAfter), down
	}
	return up, p.chance.Int64N(1 << 10) // answers are short
}

func (p *proxy) keep(c net.Conn, is bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if is {
		p.open[c] = true
	} else {
		delete(p.open, c)
	}
}

func (p *proxy) lead(front net.Conn) {
	defer front.Close()
	back := p.dial()
	if back == nil {
		return
	}
	defer back.Close()
	p.keep(front, true)
	defer p.keep(front, false)
	up, down := p.limits()
	var wg sync.WaitGroup
	pass := func(to, from net.Conn, limit int64) {
		if limit < 0 {
			if _, err := io.Copy(to, from); err == nil {
				_ = to.(*net.TCPConn).CloseWrite()
				return
			}
		} else if n, _ := io.CopyN(to, from, limit); n < limit {
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
		_ = front.Close()
		_ = back.Close()
	}
	wg.Go(func() { pass(back, front, up) })
	wg.Go(func() { pass(front, back, down) })
	wg.Wait()
}
