package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProgramServesUntilItIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	serve := HTTP(func(uploads http.Handler) http.Handler { return RequireUser(uploads) })
	go func() {
		ended <- run(ctx, "127.0.0.1:0", func(ln net.Listener, uploads http.Handler) error {
			addr <- ln.Addr().String()
			return serve(ln, uploads)
		})
	}()
	response, err := http.Get("http://" + <-addr + "/sign")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusUnauthorized, response.StatusCode, "%s", body)
	interrupt()
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	require.ErrorContains(t, run(t.Context(), ln.Addr().String(), nil), "address already in use")
}
