package events_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
)

const secret = "a secret of the webhook"

func newHandler(t *testing.T, c events.Completer, opts ...events.HandlerOption) *events.Handler {
	t.Helper()
	h, err := events.NewHandler(c, secret, opts...)
	require.NoError(t, err)
	return h
}

// request is a delivery with the secret.
func request(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	return r
}

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestWebhookCompletesWhatItIsTold(t *testing.T) {
	for _, body := range []string{amazon, minio, versitygw, eventBridge, sns(amazon)} {
		c := &recorder{}
		res := serve(newHandler(t, c), request(body))
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.Equal(t, []string{key}, c.keys())
	}
}

func TestWebhookAcknowledgesWhatIsNotItsOwn(t *testing.T) {
	for _, body := range []string{removed, test, strings.ReplaceAll(amazon, `"uploads"`, `"elsewhere"`)} {
		c := &recorder{}
		require.Equal(t, http.StatusNoContent, serve(newHandler(t, c), request(body)).StatusCode)
		require.Empty(t, c.keys())
	}
	require.Equal(t, http.StatusNoContent, serve(newHandler(t, failing(postern.ErrTicketInvalid)), request(amazon)).StatusCode)
}

func TestWebhookAsksForWhatPassesByAgain(t *testing.T) {
	for err, after := range map[error]string{
		postern.ErrStorageDenied:                                 "5",
		postern.ErrBusy.WithRetryAfter(1500 * time.Millisecond):  "2",
		postern.ErrObjectChanged.WithRetryAfter(time.Nanosecond): "1",
	} {
		res := serve(newHandler(t, failing(err)), request(amazon))
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Equal(t, after, res.Header.Get("Retry-After"))
	}
}

func TestSecretMayStandWhereItsSenderCanPutIt(t *testing.T) {
	for name, set := range map[string]func(r *http.Request){
		"bearer":           func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) },
		"bearer, any case": func(r *http.Request) { r.Header.Set("Authorization", "bearer "+secret) },
		"basic":            func(r *http.Request) { r.SetBasicAuth("anybody", secret) },
		"header":           func(r *http.Request) { r.Header.Set("X-Api-Key", secret) },
		"query":            func(r *http.Request) { r.URL.RawQuery = "token=a+secret+of+the+webhook" },
		"the second":       func(r *http.Request) { r.Header.Set("Authorization", "Bearer another secret of it") },
	} {
		c := &recorder{}
		r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(amazon))
		set(r)
		require.Equal(t, http.StatusNoContent, serve(newHandler(t, c, events.WithSecret("another secret of it")), r).StatusCode, name)
		require.Len(t, c.keys(), 1, name)
	}
}

func TestNothingIsDoneWithoutTheSecret(t *testing.T) {
	for name, set := range map[string]func(r *http.Request){
		"none":             func(*http.Request) {},
		"empty":            func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"wrong":            func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret+"x") },
		"a beginning":      func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret[:16]) },
		"no scheme":        func(r *http.Request) { r.Header.Set("Authorization", secret) },
		"as the user":      func(r *http.Request) { r.SetBasicAuth(secret, "") },
		"the usual header": func(r *http.Request) { r.Header.Set("X-Api-Key", secret) }, // another is set
		"two tokens":       func(r *http.Request) { r.URL.RawQuery = "token=x&token=a+secret+of+the+webhook" },
		"by a form": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("token=a+secret+of+the+webhook"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		},
	} {
		c, seen := &recorder{}, &reports{}
		r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(amazon))
		set(r)
		res := serve(newHandler(t, c, events.WithHeader("X-Events-Key"), events.WithObserver(seen.observe)), r)
		require.Equal(t, http.StatusUnauthorized, res.StatusCode, name)
		require.Contains(t, res.Header.Get("WWW-Authenticate"), "Basic", name)
		require.Empty(t, c.keys(), name)
		require.Empty(t, seen.all, name)
	}
}

func TestHeaderOfTheSecretCanBeNamed(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(amazon))
	r.Header.Set("X-Events-Key", secret)
	require.Equal(t, http.StatusNoContent, serve(newHandler(t, &recorder{}, events.WithHeader("X-Events-Key")), r).StatusCode)
}

func TestWebhookRefusesWhatIsNoDelivery(t *testing.T) {
	h := newHandler(t, &recorder{})
	get := request("")
	get.Method = http.MethodGet
	res := serve(h, get)
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	require.Equal(t, http.MethodPost, res.Header.Get("Allow"))
	require.Equal(t, http.StatusBadRequest, serve(h, request("hello")).StatusCode)
	require.Equal(t, http.StatusRequestEntityTooLarge, serve(h, request(strings.Repeat(" ", events.MaxBody+1))).StatusCode)
	require.Equal(t, http.StatusBadRequest, serve(h, request(strings.Repeat(" ", events.MaxBody))).StatusCode)
}

// versitygw keeps no connection whose answer has a body, since it never closes one.
func TestNoAnswerHasABody(t *testing.T) {
	h := newHandler(t, failing(postern.ErrBusy))
	anonymous := request(amazon)
	anonymous.Header.Del("Authorization")
	for _, r := range []*http.Request{request(amazon), request(removed), request("x"), anonymous} {
		body, err := io.ReadAll(serve(h, r).Body)
		require.NoError(t, err)
		require.Empty(t, body)
	}
}

func TestMistakesOfTheWebhookAreToldAtOnce(t *testing.T) {
	_, err := events.NewHandler(nil, "fifteen bytes..", events.WithHeader("X Key"), events.WithConcurrency(0),
		events.WithTimeout(0), events.WithSecret("short"), events.WithObserver(nil), events.WithClient(nil))
	for _, want := range []string{"Completer", "secret: a secret has 16 bytes or more, not 15", "WithHeader", "WithConcurrency",
		"WithTimeout", "WithSecret", "WithObserver", "WithClient"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "fifteen")
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)

	_, err = events.NewHandler(&recorder{}, "sixteen bytes...")
	require.NoError(t, err)
}

func TestWorkAtOnceIsBounded(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	c := &recorder{answer: func(context.Context, string) error {
		begun <- struct{}{}
		<-end
		return nil
	}}
	h := newHandler(t, c, events.WithConcurrency(2))
	answers := make(chan int)
	for range 2 {
		go func() { answers <- serve(h, request(amazon)).StatusCode }()
		<-begun
	}
	res := serve(h, request(amazon))
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	require.Len(t, c.keys(), 2)
	close(end)
	require.Equal(t, []int{204, 204}, []int{<-answers, <-answers})

	go func() { <-begun }()
	require.Equal(t, http.StatusNoContent, serve(h, request(amazon)).StatusCode)
}

func TestSenderThatHangsUpEndsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &recorder{answer: func(ctx context.Context, _ string) error {
		cancel()
		return ctx.Err()
	}}
	require.Equal(t, http.StatusNoContent, serve(newHandler(t, c), request(amazon).WithContext(ctx)).StatusCode)
}

func TestMessageThatTakesTooLongIsToComeAgain(t *testing.T) {
	c := &recorder{answer: func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	res := serve(newHandler(t, c, events.WithTimeout(time.Millisecond)), request(amazon))
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
}

func TestNoReportHasTheSecret(t *testing.T) {
	seen := &reports{}
	h := newHandler(t, &recorder{}, events.WithObserver(seen.observe))
	for _, body := range []string{amazon, "x" + secret, confirmation("https://x/?token=" + secret)} {
		serve(h, request(body))
	}
	require.Len(t, seen.all, 3)
	for _, r := range seen.all {
		if r.Err != nil {
			require.NotContains(t, r.Err.Error(), secret)
		}
	}
}
