package s3test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// linger is how long a connection that the gateway has closed reads on.
const linger = 30 * time.Second

// listener remembers the connections it accepted, so that Close can end them
// all: the gateway's own shutdown waits for clients that keep theirs open.
type listener struct {
	net.Listener

	mu     sync.Mutex
	closed bool
	open   map[*conn]struct{}
	served sync.WaitGroup
}

// conn is released when the gateway closes it, which it does last of all.
type conn struct {
	net.Conn
	released func()
}

func newListener(ln net.Listener) *listener {
	return &listener{Listener: ln, open: map[*conn]struct{}{}}
}

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	c := &conn{Conn: raw}
	c.released = sync.OnceFunc(func() {
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		l.served.Done()
	})
	l.open[c] = struct{}{}
	l.served.Add(1)
	return c, nil
}

// Read gives io.EOF for a connection that is gone, whichever side ended it: the
// gateway prints any other error to standard error.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) {
		err = io.EOF
	}
	return n, err
}

// Close reads on until the client has closed, too (RFC 9112 §9.6): the gateway answers
// what it refuses before it has read the body, and whoever is still sending would get a
// reset connection in the place of the answer.
func (c *conn) Close() error {
	defer c.released()
	if tcp, ok := c.Conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil && tcp.SetReadDeadline(time.Now().Add(linger)) == nil {
		_, _ = io.Copy(io.Discard, tcp)
	}
	return c.Conn.Close()
}

// shut stops listening, cuts every connection and waits until the gateway let
// go of them, or for the given time. It reports whether all are gone.
func (l *listener) shut(patience time.Duration) bool {
	_ = l.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		_ = c.Conn.Close()
	}
	l.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		l.served.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return true
	case <-time.After(patience):
		return false
	}
}
