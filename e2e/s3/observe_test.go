package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// journal keeps what a site logs, and what its observers see, of completing.
type journal struct {
	ended chan postern.Decision // the completions, once they are logged

	mutex     sync.Mutex
	log       bytes.Buffer
	decisions []postern.Decision
}

func newJournal() *journal { return &journal{ended: make(chan postern.Decision, 16)} }

func (j *journal) Write(p []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.log.Write(p)
}

func (j *journal) observe(_ context.Context, d postern.Decision) {
	if d.Action != postern.ActionComplete {
		return
	}
	j.mutex.Lock()
	j.decisions = append(j.decisions, d)
	j.mutex.Unlock()
	if d.Trigger != "" {
		j.ended <- d
	}
}

// seen returns the decisions about requests, or about completions.
func (j *journal) seen(completions bool) []postern.Decision {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(j.decisions), func(d postern.Decision) bool { return (d.Trigger != "") != completions })
}

// lines returns those of one message about completing.
func (j *journal) lines(t testing.TB, message string) (all []map[string]any) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for line := range strings.Lines(j.log.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		if fields["message"] == message && fields["action"] == "complete" {
			all = append(all, fields)
		}
	}
	return all
}

// leave begins a completion, and hangs up once that has got somewhere.
func leave(t testing.TB, h http.Handler, g grant, reached <-chan struct{}) {
	ctx, hangUp := context.WithCancel(t.Context())
	body, err := json.Marshal(ticketOf(g))
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, "POST", "/uploads/complete", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-reached
	hangUp()
	<-done
}

// held is a hook that waits.
func (s *site) held() (reached chan struct{}, release func()) {
	reached, gate := make(chan struct{}, 16), make(chan struct{})
	s.got.before = func() {
		reached <- struct{}{}
		<-gate
	}
	return reached, sync.OnceFunc(func() { close(gate) })
}

func TestCompletionIsOneLineBesideThatOfItsRequest(t *testing.T) {
	srv := foreign.Embedded(t)
	j := newJournal()
	s, g := uploaded(t, srv, postern.WithLogger(zerolog.New(j)), postern.WithObserver(j.observe))
	r := complete(t, s, g.Ticket)

	completions, requests := j.lines(t, "completion"), j.lines(t, "upload")
	require.Len(t, completions, 1)
	require.Len(t, requests, 1)
	common := map[string]any{
		"level": "info", "action": "complete", "tenant": "acme", "subject": "ada", "id": r.ID, "key": r.Key,
		"size": float64(len(content)), "type": r.Type, "mode": "post",
	}
	for line, own := range map[*map[string]any]map[string]any{
		&completions[0]: {"message": "completion", "outcome": "completed", "trigger": "browser"},
		&requests[0]:    {"message": "upload", "outcome": "granted", "status": 200.0},
	} {
		require.Contains(t, *line, "duration")
		delete(*line, "duration")
		for name, value := range common {
			own[name] = value
		}
		require.Equal(t, own, *line)
	}

	d := j.seen(true)
	require.Len(t, d, 1)
	require.Positive(t, d[0].Duration)
	d[0].Duration = 0
	require.Equal(t, postern.Decision{
		Action: postern.ActionComplete, Outcome: postern.OutcomeCompleted, Trigger: postern.TriggerBrowser,
		Subject: "ada", Tenant: "acme", ID: r.ID, Bucket: srv.Bucket, Key: r.Key, Size: int64(len(content)), Type: r.Type,
		Mode: postern.ModePost, Received: int64(len(content)),
	}, d[0])
	require.Len(t, j.seen(false), 1)
}

func TestCompletionOfWhatHasNotArrivedIsNoCompletion(t *testing.T) {
	srv := foreign.Embedded(t)
	j := newJournal()
	s := newSite(t, srv, true, postern.WithLogger(zerolog.New(j)))
	comesBack(t, call(t, s, "complete", ticketOf(ask(t, s, fileOf(content)))), 404, "object_missing")
	require.Empty(t, j.lines(t, "completion"))
	require.Len(t, j.lines(t, "upload"), 1)
}

// Whoever has gone: the browser was told that the completion goes on, and how it ends
// is in the log nevertheless.
func TestWhatFailsBehindABrowserThatHasLeftIsLoggedAndObserved(t *testing.T) {
	srv := foreign.Embedded(t)
	for name, tc := range map[string]struct {
		hook func() error
		code string
		says string
	}{
		"a hook that fails":                {func() error { return errors.New("the database is down") }, "completion_failed", "the database is down"},
		"a hook that gives up in the end":  {func() error { return context.DeadlineExceeded }, "completion_failed", "deadline"},
		"a hook that panics":               {func() error { panic("at the disco") }, "completion_failed", "panic: at the disco"},
		"a hook that ends no connection":   {func() error { panic(http.ErrAbortHandler) }, "completion_failed", "abort Handler"},
		"a hook with a problem of its own": {func() error { return postern.NewProblem(422, "no_cats", "No cats.") }, "completion_failed", "no_cats"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			s, g := uploaded(t, srv, postern.WithObserver(j.observe))
			h := hlog.NewHandler(zerolog.New(j).With().Str("service", "shop").Logger())(s)
			reached, gate := make(chan struct{}), make(chan struct{})
			s.got.before = func() {
				close(reached)
				<-gate
				s.got.fail = tc.hook()
			}
			leave(t, h, g, reached)
			pending := j.lines(t, "upload")
			require.Len(t, pending, 1)
			require.Equal(t, "pending", pending[0]["outcome"])
			require.Equal(t, "info", pending[0]["level"])
			require.Equal(t, 202.0, pending[0]["status"])
			require.Equal(t, postern.OutcomePending, j.seen(false)[0].Outcome)
			require.Empty(t, j.lines(t, "completion"), "it has not ended")

			close(gate)
			d := <-j.ended
			require.Equal(t, postern.OutcomeFailed, d.Outcome)
			require.Equal(t, postern.TriggerBrowser, d.Trigger)
			require.ErrorIs(t, d.Err, postern.ErrCompletionFailed)
			require.Equal(t, s.stagingKey(t), s.staging+d.ID)
			all := j.lines(t, "completion")
			require.Len(t, all, 1)
			require.Len(t, j.lines(t, "upload"), 1)
			require.Equal(t, "error", all[0]["level"])
			require.Equal(t, "failed", all[0]["outcome"])
			require.Equal(t, tc.code, all[0]["code"])
			require.Equal(t, "shop", all[0]["service"], "the logger is the request's")
			require.Contains(t, all[0]["error"], tc.says)
			if strings.Contains(name, "panics") {
				require.Contains(t, all[0]["stack"], "observe_test.go")
			}
		})
	}
}

func TestWhatS3RefusesBehindABrowserThatHasLeftIsLogged(t *testing.T) {
	srv := foreign.Embedded(t)
	for code, tc := range map[string]struct {
		status int
		says   string
	}{"AccessDenied": {403, "storage_denied"}, "SlowDown": {503, "storage_unavailable"}, "InvalidRequest": {400, "internal"}} {
		t.Run(code, func(t *testing.T) {
			j := newJournal()
			s, g := uploaded(t, srv, postern.WithObserver(j.observe), postern.WithLogger(zerolog.New(j)))
			reached, gate := make(chan struct{}), make(chan struct{})
			var once sync.Once
			s.proxy.on("UploadPartCopy final", func(x *exchange) {
				once.Do(func() { close(reached) })
				<-gate
				x.say(tc.status, code)
			})
			leave(t, s, g, reached)
			close(gate)
			d := <-j.ended
			require.Equal(t, postern.OutcomeFailed, d.Outcome)
			all := j.lines(t, "completion")
			require.Len(t, all, 1)
			require.Equal(t, tc.says, all[0]["code"])
			require.Equal(t, d.Err.Error(), all[0]["error"])
			require.Contains(t, all[0]["error"], code)
			require.Zero(t, s.got.count())
		})
	}
}

func TestRefusalByVerificationIsAWarning(t *testing.T) {
	srv := foreign.Embedded(t)
	j := newJournal()
	s := newSite(t, srv, true, postern.WithSniffing(), postern.WithLogger(zerolog.New(j)), postern.WithObserver(j.observe))
	g := ask(t, s, picture())
	upload(t, s, g, htmlFile(len(pngFile())))
	require.Equal(t, "content_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
	for _, message := range []string{"completion", "upload"} {
		all := j.lines(t, message)
		require.Len(t, all, 1)
		require.Equal(t, "warn", all[0]["level"])
		require.Equal(t, "refused", all[0]["outcome"])
		require.Equal(t, "content_mismatch", all[0]["code"])
	}
}

func TestManyWhoWaitForOneCompletionAreLinesOfTheirOwn(t *testing.T) {
	srv := foreign.Embedded(t)
	j := newJournal()
	s, g := uploaded(t, srv, postern.WithLogger(zerolog.New(j)), postern.WithObserver(j.observe))
	reached, release := s.held()
	leave(t, s, g, reached)
	gone := make(chan struct{})
	close(gone)
	leave(t, s, g, gone)
	release()
	<-j.ended
	require.Len(t, j.lines(t, "completion"), 1)
	require.Len(t, j.lines(t, "upload"), 2)
	for _, line := range j.lines(t, "upload") {
		require.Equal(t, "pending", line["outcome"])
	}
	require.Equal(t, 1, s.got.count())
}

func TestObserverThatPanicsAtTheEndOfACompletionCostsNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	for name, value := range map[string]any{"a panic": "at the disco", "an abort, where no connection is": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			s, g := uploaded(t, srv,
				postern.WithObserver(j.observe),
				postern.WithObserver(func(_ context.Context, d postern.Decision) {
					if d.Trigger != "" {
						panic(value)
					}
				}))
			s.isRight(t, complete(t, s, g.Ticket), content)
			require.Len(t, j.seen(true), 1)
			s.isRight(t, complete(t, s, g.Ticket), content)
			require.Len(t, j.seen(true), 2)
		})
	}
}

// What the request's middleware adds to its logger while a completion goes on is not the
// completion's, and the other way round.
func TestCompletionHasALoggerOfItsOwn(t *testing.T) {
	srv := foreign.Embedded(t)
	j := newJournal()
	hooked := make(chan struct{})
	s := newSite(t, srv, true, postern.WithObserver(j.observe))
	gate := make(chan struct{})
	h := newReplica(t, s.bucket, postern.WithPromotion(s.staging), postern.WithObserver(j.observe),
		postern.WithKeyPolicy(postern.KeyTemplate(s.final+"{uuid}")),
		postern.WithOnComplete(func(ctx context.Context, _ *postern.Receipt) error {
			close(hooked)
			for range 100 {
				zerolog.Ctx(ctx).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Str("row", "r-1") })
			}
			<-gate
			return nil
		}))
	g := ask(t, h, fileOf(content))
	upload(t, h, g, content)
	chain := hlog.NewHandler(zerolog.New(j).With().Str("service", "shop").Logger())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() {
			<-hooked
			for range 100 {
				hlog.FromRequest(r).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Str("left", "early") })
			}
			close(gate)
		}()
		h.ServeHTTP(w, r)
	}))
	require.Equal(t, http.StatusOK, call(t, chain, "complete", ticketOf(g)).Status)
	line := j.lines(t, "completion")[0]
	require.Equal(t, "shop", line["service"])
	require.Equal(t, "r-1", line["row"])
	require.NotContains(t, line, "left")
	line = j.lines(t, "upload")[0]
	require.Equal(t, "early", line["left"])
	require.NotContains(t, line, "row")
}
