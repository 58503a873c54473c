package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// paused stops the copy of a freeze until it is released.
func (s *site) paused() (reached chan struct{}, release func()) {
	reached, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.proxy.on("UploadPartCopy final", func(x *exchange) {
		once.Do(func() { close(reached) })
		select {
		case <-gate:
			x.pass()
		case <-x.r.Context().Done():
		}
	})
	return reached, sync.OnceFunc(func() { close(gate) })
}

func TestCompletionGoesOnWhenTheBrowserHangsUp(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	reached, release := s.paused()
	ctx, hangUp := context.WithCancel(context.Background())
	body, err := json.Marshal(ticketOf(g))
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, "POST", "/uploads/complete", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-reached
	hangUp()
	<-done
	require.Zero(t, s.got.count())
	release()
	require.Eventually(t, func() bool { return s.got.count() == 1 }, 10*time.Second, 10*time.Millisecond)
	s.isRight(t, complete(t, s, g.Ticket), content)
	require.Equal(t, 1, s.proxy.count("UploadPartCopy final"))
}

func TestSecondCompletionJoinsTheFirst(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	reached, release := s.paused()
	var all [3]receipt
	var wg sync.WaitGroup
	wg.Go(func() { all[0] = complete(t, s, g.Ticket) })
	<-reached
	for n := range all[1:] {
		wg.Go(func() { all[n+1] = complete(t, s, g.Ticket) })
	}
	require.Equal(t, "ticket_foreign", call(t, s, "complete", ticketOf(g), "X-Principal", "eve/acme").code(t), "joining is no way around")
	time.AfterFunc(100*time.Millisecond, release) // by now they wait, if they do
	wg.Wait()
	require.Equal(t, all[0], all[1])
	require.Equal(t, all[0], all[2])
	require.LessOrEqual(t, s.got.count(), 3)
	require.Equal(t, 1, s.proxy.count("UploadPartCopy final"))
}

func TestHookThatPanicsCostsOneRequest(t *testing.T) {
	srv := foreign.Embedded(t)
	calls := 0
	s, g := uploaded(t, srv)
	s.got.before = func() {
		if calls++; calls == 1 {
			panic("the receipt's key is wrong: secret-role-name")
		}
	}
	a := call(t, s, "complete", ticketOf(g))
	comesBack(t, a, 503, "completion_failed")
	require.NotContains(t, string(a.Body), "secret-role-name")
	s.isRight(t, complete(t, s, g.Ticket), content)
}

func TestTooManyCompletionsAreRefusedAsBusy(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv, postern.WithMaxCompletions(1))
	second := ask(t, s, fileOf(content))
	upload(t, s, second, content)
	reached, release := s.paused()
	var wg sync.WaitGroup
	wg.Go(func() { complete(t, s, g.Ticket) })
	<-reached
	comesBack(t, call(t, s, "complete", ticketOf(second)), 503, "busy")
	release()
	wg.Wait()
	s.isRight(t, complete(t, s, second.Ticket), content)
}

// It waits as long as a request does, 20 s, beside the other tests. A hook that
// takes long stands for a copy, which the tests allow less time.
func TestCompletionThatTakesLongIsAnsweredWith202(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	gate := make(chan struct{})
	s, g := uploaded(t, srv)
	s.got.before = func() { <-gate }
	a := call(t, s, "complete", ticketOf(g))
	require.Equal(t, http.StatusAccepted, a.Status, "%s", a.Body)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	require.JSONEq(t, `{"state":"completing"}`, string(a.Body))
	time.AfterFunc(50*time.Millisecond, func() { close(gate) })
	first := complete(t, s, g.Ticket)
	s.isRight(t, first, content)
	require.False(t, first.Replayed, "it is the same completion that went on")
	require.Equal(t, 1, s.got.count())
}
