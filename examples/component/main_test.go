package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsAskedIsAnsweredBeforeTheEnd(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	*addr, *s3Addr = ln.Addr().String(), "127.0.0.1:0"
	require.NoError(t, ln.Close())
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()

	var conn net.Conn
	require.Eventually(t, func() bool {
		conn, err = net.Dial("tcp", *addr)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	defer conn.Close()
	answer := bufio.NewReader(conn)
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n")
	line, err := answer.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue", "it is being answered")
	_, err = answer.ReadString('\n')
	require.NoError(t, err)

	interrupt()
	require.Eventually(t, func() bool {
		another, err := net.Dial("tcp", *addr)
		if err == nil {
			_ = another.Close()
		}
		return err != nil
	}, 10*time.Second, 10*time.Millisecond)
	select {
	case err := <-ended:
		require.FailNow(t, "it ended", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_, _ = fmt.Fprint(conn, "title=x")
	response, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, response.StatusCode)
	require.NoError(t, <-ended)
}
