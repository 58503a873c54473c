package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
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
	leave(t, s, g, reached)
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

// lines is a log that is read while it is written.
type lines struct {
	mutex sync.Mutex
	buf   bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buf.String()
}

// It waits for a slot as long as a request does, 5 s.
func TestTooManyCompletionsAreRefusedAsBusy(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv, postern.WithMaxCompletions(1))
	second := ask(t, s, fileOf(content))
	upload(t, s, second, content)
	reached, release := s.held()
	var wg sync.WaitGroup
	wg.Go(func() { complete(t, s, g.Ticket) })
	<-reached
	comesBack(t, call(t, s, "complete", ticketOf(second)), 503, "busy")
	release()
	wg.Wait()
	s.isRight(t, complete(t, s, second.Ticket), content)
}

func TestCompletionWaitsForASlot(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv, postern.WithMaxCompletions(1))
	second := ask(t, s, fileOf(content))
	upload(t, s, second, content)
	reached, release := s.held()
	var wg sync.WaitGroup
	wg.Go(func() { complete(t, s, g.Ticket) })
	<-reached
	looked := make(chan struct{})
	s.proxy.on("HeadObject staging", func(x *exchange) { x.pass(); close(looked) })
	wg.Go(func() { s.isRight(t, complete(t, s, second.Ticket), content) })
	<-looked
	require.Zero(t, s.got.count())
	release()
	wg.Wait()
	require.Equal(t, 2, s.got.count())
}

// Tenant acme asks for more than there is, of a bucket that does not answer.
func TestTenantWhoseCopiesHangDelaysNobodyElse(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSiteOfKeys(t, srv, true, "{tenant}/{uuid}", postern.WithMaxCompletions(8))
	principals := []string{"ada/acme", "ben/acme", "eve/evil"}
	of := func(principal string) grant {
		var g grant
		a := call(t, s, "sign", fileOf(content), "X-Principal", principal)
		a.into(t, &g)
		require.Equal(t, http.StatusCreated, upload(t, s, g, content).Status)
		return g
	}
	var acme []grant
	for k := range 9 {
		acme = append(acme, of(principals[k%2]))
	}
	other := of(principals[2])
	reached, gate := make(chan struct{}, len(acme)), make(chan struct{})
	s.proxy.on("UploadPartCopy final", func(x *exchange) {
		if strings.Contains(x.r.URL.Path, "/acme/") {
			reached <- struct{}{}
			<-gate
		}
		x.pass()
	})
	var wg sync.WaitGroup
	for k, g := range acme {
		wg.Go(func() {
			a := call(t, s, "complete", ticketOf(g), "X-Principal", principals[k%2])
			require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		})
	}
	for range 7 {
		<-reached
	}
	a := call(t, s, "complete", ticketOf(other), "X-Principal", principals[2])
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	require.Equal(t, 1, s.got.count())
	require.Empty(t, reached, "one slot is not acme's")
	close(gate)
	wg.Wait()
	require.Equal(t, 1+len(acme), s.got.count())
}

func TestHookThatDoesNotEndCostsOneCompletion(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	var log lines
	s, g := uploaded(t, srv, postern.WithMaxCompletions(1), postern.WithHookTimeout(time.Second), postern.WithLogger(zerolog.New(&log)))
	_, release := s.held()
	comesBack(t, call(t, s, "complete", ticketOf(g)), 503, "completion_failed")
	release() // the one that was left, and the next
	s.isRight(t, complete(t, s, g.Ticket), content)
	require.Eventually(t, func() bool { return s.got.count() == 2 && strings.Contains(log.String(), "ended too late") },
		10*time.Second, 10*time.Millisecond)
}

func TestShutdownWaitsForCompletionsAndTakesNoMore(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv, postern.WithMaxCompletions(1))
	second := ask(t, s, fileOf(content))
	upload(t, s, second, content)
	reached, release := s.held()
	ctx, hangUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		body, err := json.Marshal(ticketOf(g))
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(ctx, "POST", "/uploads/complete", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(httptest.NewRecorder(), r)
	})
	<-reached
	hangUp()
	wg.Wait()
	looked := make(chan struct{})
	s.proxy.on("HeadObject staging", func(x *exchange) { x.pass(); close(looked) })
	wg.Go(func() { comesBack(t, call(t, s, "complete", ticketOf(second)), 503, "shutting_down") })
	<-looked // and waits for a slot

	issuer, err := s.Issuer().WithDialect(postern.Native())
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var unfinished *postern.UnfinishedError
	require.ErrorAs(t, issuer.Shutdown(gone), &unfinished)
	require.ErrorIs(t, unfinished, context.Canceled)
	require.Len(t, unfinished.IDs, 1)
	wg.Wait()
	comesBack(t, call(t, s, "complete", ticketOf(second)), 503, "shutting_down")
	require.Equal(t, http.StatusCreated, call(t, s, "sign", fileOf(content)).Status, "grants are signed")

	for range 3 {
		wg.Go(func() { require.NoError(t, s.Shutdown(t.Context())) })
	}
	require.Zero(t, s.got.count())
	release()
	wg.Wait()
	require.Equal(t, unfinished.IDs[0], s.got.seen()[0].ID)
	require.NoError(t, s.Shutdown(gone), "all is done")
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
