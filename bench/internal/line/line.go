// Package line is a line between a browser and servers, in user space: what goes over
// it is delayed, and shares one rate in each direction.
//
// It models what an uploader can do something about: round trips, and bytes. Nothing is
// lost, a connection has no slow start, and headers of TCP and IP cost nothing.
package line

import (
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// piece is how many bytes of a connection go at once, before it is the turn of
	// another one.
	piece = 16 << 10
	// queue is how much the line has taken that has not left, at most and beside one
	// piece of each connection: so that it is not idle when the machine is late.
	queue = 5 * time.Millisecond
	// window is how many bytes of a connection the system keeps before the line, about.
	window = 64 << 10
	// underWay is how many pieces of a connection may be on their way.
	underWay = 1 << 10
)

// Line carries connections. Its methods may be called from several goroutines at once.
type Line struct {
	rtt      time.Duration
	up, down direction
}

// New returns a line with a round trip, and a rate in bytes per second that is that of
// all connections together, once up and once down.
func New(rtt time.Duration, rate float64) *Line {
	return &Line{rtt: rtt, up: direction{delay: rtt / 2, rate: rate}, down: direction{delay: rtt / 2, rate: rate}}
}

// Listen returns a listener on a free port of 127.0.0.1. Whoever connects to it is led
// to an address over the line, until the listener is closed and they hang up.
func (l *Line) Listen(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go l.lead(near, address)
		}
	}()
	return ln, nil
}

func (l *Line) lead(near net.Conn, address string) {
	if c, ok := near.(*net.TCPConn); ok {
		_ = c.SetReadBuffer(window) // progress that a browser sees must be that of the line
	}
	far, err := net.Dial("tcp", address)
	if err != nil {
		_ = near.Close()
		return
	}
	l.Join(near, far)
}

// Join carries what the two ends of a connection say to each other, and returns when
// both have ended. The near one is up the line. To open the connection takes a round
// trip: what the near end says is on the line after that.
func (l *Line) Join(near, far net.Conn) {
	opened := time.Now().Add(l.rtt)
	var both sync.WaitGroup
	both.Go(func() {
		time.Sleep(time.Until(opened))
		l.up.carry(near, far)
	})
	both.Go(func() { l.down.carry(far, near) })
	both.Wait()
	_ = near.Close()
	_ = far.Close()
}

// direction carries the bytes of all connections one way.
type direction struct {
	delay time.Duration
	rate  float64 // bytes per second

	mu   sync.Mutex
	free time.Time // when all that it has taken has left
}

// take takes bytes after all others, and returns when they will have left.
func (d *direction) take(bytes int) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.free.Before(now) {
		d.free = now
	}
	d.free = d.free.Add(time.Duration(float64(bytes) / d.rate * float64(time.Second)))
	return d.free
}

// carried is a piece, and when it arrives.
type carried struct {
	bytes []byte
	at    time.Time
}

// carry carries what one end says to the other, its end included.
func (d *direction) carry(from, to net.Conn) {
	pieces := make(chan carried, underWay)
	go func() {
		defer close(pieces)
		buffer := make([]byte, piece)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				left := d.take(n)
				pieces <- carried{append([]byte(nil), buffer[:n]...), left.Add(d.delay)}
				time.Sleep(time.Until(left.Add(-queue)))
			}
			if err != nil {
				pieces <- carried{nil, d.take(0).Add(d.delay)} // the end is delayed, too
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if len(p.bytes) == 0 {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			_ = from.Close() // nobody listens
		}
	}
	hangUp(to)
}

// hangUp tells an end that nothing more comes.
func hangUp(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = c.Close()
}
