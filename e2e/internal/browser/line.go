package browser

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// line is the connection to the network of a browser that cannot slow itself down: a
// SOCKS proxy (RFC 1928), which leaves HTTP as it is.
type line struct {
	listener net.Listener

	mu      sync.Mutex
	rate    float64              // bytes a second that go up to a server; 0 is no limit
	free    map[string]time.Time // by server
	changed chan struct{}
	cut     bool
	open    map[net.Conn]bool
}

// The system may hold few bytes, so that a browser doesn't take for sent what waits. It
// holds several segments, which are large where nothing leaves the machine.
const (
	lineBuffer  = 8 << 10
	lineSegment = 1400
)

func startLine(t testing.TB) *line {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, lineBuffer),
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, lineSegment))
		})
		return errors.Join(err, failed)
	}}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{listener: listener, free: map[string]time.Time{}, changed: make(chan struct{}), open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		l.setCut(true)
	})
	return l
}

// address is host and port.
func (l *line) address() string { return l.listener.Addr().String() }

// setRate takes effect at once.
func (l *line) setRate(bytesPerSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = bytesPerSecond
	clear(l.free)
	close(l.changed)
	l.changed = make(chan struct{})
}

// setCut ends all connections and allows no further ones, or ends that.
func (l *line) setCut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for conn := range l.open {
			_ = conn.Close()
		}
	}
}

// keep reports whether a connection may be, until forget.
func (l *line) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	l.open[conn] = true
	return true
}

func (l *line) forget(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

func (l *line) serve(browser net.Conn) {
	defer browser.Close()
	if !l.keep(browser) {
		return
	}
	defer l.forget(browser)
	server, err := greet(browser)
	if err != nil {
		return
	}
	defer server.Close()
	if !l.keep(server) {
		return
	}
	defer l.forget(server)
	go func() {
		_, _ = io.Copy(browser, server)
		_ = browser.(*net.TCPConn).CloseWrite()
	}()
	chunk := make([]byte, 16<<10)
	for {
		n, err := browser.Read(chunk)
		if n > 0 {
			l.pass(server.RemoteAddr().String(), n)
			// A server that takes no more may have answered: the browser is left to
			// read that, and to close.
			_, _ = server.Write(chunk[:n])
		}
		if err != nil {
			return
		}
	}
}

// pass waits until a number of bytes may go up to a server.
func (l *line) pass(server string, n int) {
	l.mu.Lock()
	if l.rate == 0 {
		l.mu.Unlock()
		return
	}
	free := l.free[server]
	if now := time.Now(); free.Before(now) {
		free = now
	}
	free = free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	l.free[server] = free
	until, changed := time.Until(free), l.changed
	l.mu.Unlock()
	select {
	case <-time.After(until):
	case <-changed:
	}
}

// greet does what SOCKS 5 wants, and connects to the server that is asked for.
func greet(browser net.Conn) (net.Conn, error) {
	var b [256]byte
	read := func(n int) []byte {
		if _, err := io.ReadFull(browser, b[:n]); err != nil {
			return make([]byte, n)
		}
		return b[:n]
	}
	head := read(2)
	if head[0] != 5 {
		return nil, errors.New("not SOCKS 5")
	}
	read(int(head[1]))
	if _, err := browser.Write([]byte{5, 0}); err != nil {
		return nil, err
	}
	var host string
	switch head = read(4); head[3] {
	case 1:
		host = net.IP(read(net.IPv4len)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(net.IPv6len)).String()
	default:
		return nil, errors.New("unknown kind of address")
	}
	port := binary.BigEndian.Uint16(read(2))
	server, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	answer := []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	if err != nil {
		answer[1] = 5 // connection refused
	}
	if _, err := browser.Write(answer); err != nil || server == nil {
		return nil, errors.Join(err, errors.New("no connection"))
	}
	_ = server.(*net.TCPConn).SetWriteBuffer(lineBuffer)
	return server, nil
}
