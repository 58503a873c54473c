package locktest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy is a network between a client and a server, for faults that neither makes.
type Proxy struct {
	LoseNext atomic.Bool // the next answer is lost with its connection

	listener net.Listener
	to       string
	flow     sync.RWMutex // locked: nothing arrives, and no connection breaks

	mutex sync.Mutex
	conns []net.Conn
}

// NewProxy is a network to an address, until the test ends.
func NewProxy(t *testing.T, to string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: ln, to: to}
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Addr is where clients find the server.
func (p *Proxy) Addr() *net.TCPAddr { return p.listener.Addr().(*net.TCPAddr) }

// Freeze lets nothing through until the test ends.
func (p *Proxy) Freeze(t *testing.T) {
	p.flow.Lock()
	t.Cleanup(p.flow.Unlock) // before close, which comes later
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			client.Close()
			continue
		}
		p.mutex.Lock()
		p.conns = append(p.conns, client, server)
		p.mutex.Unlock()
		go p.pump(client, server, false)
		go p.pump(server, client, true)
	}
}

func (p *Proxy) pump(from, to net.Conn, answers bool) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || answers && p.LoseNext.CompareAndSwap(true, false) {
			return
		}
		p.flow.RLock()
		_, err = to.Write(buffer[:n])
		p.flow.RUnlock()
		if err != nil {
			return
		}
	}
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}
