package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/examples/routers/internal/demo"
	"github.com/postern-go/postern/examples/routers/internal/routertest"
)

func TestRouter(t *testing.T) { routertest.Run(t, serve) }

// mounted serves the app with a handler in the place of Postern, and returns a
// function that posts to it.
func mounted(t *testing.T, h http.HandlerFunc) func(body io.Reader) *http.Response {
	t.Helper()
	url := routertest.Start(t, serve, h)
	return func(body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/uploads/sign", body)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer alice-demo")
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
}

func TestAHandlerThatFlushesIsStreamed(t *testing.T) {
	seen := make(chan struct{})
	post := mounted(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-seen
		_, _ = io.WriteString(w, " second")
	})
	body := post(nil).Body
	first := make([]byte, len("first"))
	_, err := io.ReadFull(body, first)
	require.NoError(t, err)
	close(seen)
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "first second", string(first)+string(rest))
}

func TestAHandlerThatDoesNotFlushIsBuffered(t *testing.T) {
	post := mounted(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 8 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	require.EqualValues(t, 8<<20, post(nil).ContentLength, "fiber had the whole answer before it sent any")
}

func TestABodyAboveTheLimitOfFiberIsItsOwnRefusal(t *testing.T) {
	url := routertest.Start(t, serve, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was asked") }))
	body, sender := io.Pipe() // fiber hangs up on who still sends
	defer sender.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/uploads/sign", body)
	require.NoError(t, err)
	r.ContentLength = 4<<20 + 1
	r.Header.Set("Authorization", "Bearer alice-demo")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
	require.NotEqual(t, "application/problem+json", response.Header.Get("Content-Type"))
}

func TestAHandlerCanHangUp(t *testing.T) {
	url := routertest.Start(t, serve, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	for range 2 { // the app survives
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/uploads/sign", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer alice-demo")
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestAnAnswerThatIsBrokenOffIsSeenToBe(t *testing.T) {
	require.ErrorIs(t, routertest.BreakOff(t, serve), io.ErrUnexpectedEOF)
}

func TestAHandlerCanHijackAndSetDeadlines(t *testing.T) {
	post := mounted(t, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		assert.NoError(t, control.SetReadDeadline(time.Now().Add(time.Hour)))
		assert.NoError(t, control.SetWriteDeadline(time.Now().Add(time.Hour)))
		conn, stream, err := control.Hijack()
		if !assert.NoError(t, err) {
			return
		}
		_, _ = stream.WriteString("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
		_ = stream.Flush()
		_ = conn.Close()
	})
	require.Equal(t, http.StatusTeapot, post(nil).StatusCode)
}

func TestAHandlerIsNotToldThatTheBrowserHasHungUp(t *testing.T) {
	asked, hungUp, heard := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	url := routertest.Start(t, serve, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-hungUp
		select {
		case <-r.Context().Done():
			heard <- r.Context().Err()
		case <-time.After(100 * time.Millisecond):
			heard <- nil
		}
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/uploads/sign", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer alice-demo")
	go func() {
		<-asked
		hangUp()
	}()
	_, err = http.DefaultClient.Do(r)
	require.ErrorIs(t, err, context.Canceled)
	close(hungUp)
	require.NoError(t, <-heard)
}

func TestTheContextOutlivesTheRequest(t *testing.T) {
	contexts := make(chan context.Context, 1)
	post := mounted(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case contexts <- r.Context():
		default:
		}
	})
	post(nil)
	kept := <-contexts
	for range 10 {
		post(strings.NewReader("another request, which takes the memory of the first"))
		require.Equal(t, "alice", demo.UserFrom(kept))
	}
	require.NoError(t, kept.Err())
}
