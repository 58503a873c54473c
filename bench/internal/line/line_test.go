package line_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/bench/internal/line"
)

const (
	rtt  = 80 * time.Millisecond
	rate = 1_000_000 // bytes per second
)

// open opens a connection over a line. The time is that of a synctest bubble, which
// passes only while all wait.
func open(t *testing.T, l *line.Line) (near, far net.Conn) {
	t.Helper()
	near, up := net.Pipe()
	down, far := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Join(up, down)
	}()
	t.Cleanup(func() {
		_, _ = near.Close(), far.Close()
		<-ended
	})
	return near, far
}

// passes returns how long a number of bytes takes from one end to the other.
func passes(t *testing.T, from, to net.Conn, n int) time.Duration {
	t.Helper()
	start := time.Now()
	go func() { _, _ = from.Write(make([]byte, n)) }()
	_, err := io.ReadFull(to, make([]byte, n))
	require.NoError(t, err)
	return time.Since(start)
}

// about compares times in the bubble: a byte takes a microsecond.
func about(t *testing.T, want, got time.Duration) {
	t.Helper()
	require.InDelta(t, want.Seconds(), got.Seconds(), 1e-4)
}

func TestAConnectionCostsARoundTripAndEachWayHalfOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := open(t, line.New(rtt, rate))
		about(t, rtt+rtt/2, passes(t, near, far, 1))
		about(t, rtt/2, passes(t, far, near, 1))
		about(t, rtt/2, passes(t, near, far, 1))
	})
}

func TestBytesTakeAsLongAsTheRateSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := open(t, line.New(rtt, rate))
		passes(t, near, far, 1)
		about(t, rtt/2+2*time.Second, passes(t, near, far, 2*rate))
		about(t, rtt/2+3*time.Second, passes(t, far, near, 3*rate))
	})
}

func TestAllConnectionsShareTheRateOfADirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := line.New(rtt, rate)
		took := make(chan time.Duration)
		for range 4 {
			near, far := open(t, l)
			go func() {
				passes(t, near, far, 1)
				took <- passes(t, near, far, rate)
			}()
		}
		near, far := open(t, l)
		go func() {
			passes(t, near, far, 1)
			took <- passes(t, far, near, 4*rate) // the other direction is free
		}()
		for range 5 {
			require.InDelta(t, 4+rtt.Seconds()/2, (<-took).Seconds(), 0.1, "none is far before the others")
		}
	})
}

func TestTheEndOfAConnectionArrivesAfterWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := open(t, line.New(rtt, rate))
		start := time.Now()
		go func() {
			_, _ = near.Write(make([]byte, rate))
			_ = near.Close()
		}()
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		require.Len(t, got, rate)
		about(t, rtt+rtt/2+time.Second, time.Since(start))
	})
}

func TestAServerIsReachedOverTheLine(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(srv.Close)
	ln, err := line.New(time.Millisecond, 100e6).Listen(srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ln.Close()) })
	body := bytes.Repeat([]byte("abcdefg"), 100_000)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for range 3 {
		w, err := client.Post("http://"+ln.Addr().String(), "text/plain", bytes.NewReader(body))
		require.NoError(t, err)
		got, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		require.True(t, bytes.Equal(body, got))
	}
}
