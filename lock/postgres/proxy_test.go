package pglock_test

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a network between a client and a server, for faults that neither makes.
type proxy struct {
	listener net.Listener
	to       string
	flow     sync.RWMutex // locked: nothing arrives, and no connection breaks

	mutex sync.Mutex
	conns []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: ln, to: to}
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// freeze lets nothing through until the test ends.
func (p *proxy) freeze(t *testing.T) {
	p.flow.Lock()
	t.Cleanup(p.flow.Unlock) // before close, which comes later
}

func (p *proxy) accept() {
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
		go p.pump(client, server)
		go p.pump(server, client)
	}
}

func (p *proxy) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
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

func (p *proxy) close() {
	p.listener.Close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}
