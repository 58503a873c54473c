package postern_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/justinas/alice"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// lines reads a log, of which every line must be one JSON object, but for what is
// meant for debugging.
func lines(t *testing.T, log *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		if fields["level"] != "debug" {
			all = append(all, fields)
		}
	}
	return all
}

func TestGrantIsOneLineInTheLog(t *testing.T) {
	var log bytes.Buffer
	g := granted(t, send(newHandler(t, postern.WithLogger(zerolog.New(&log))), photo))
	all := lines(t, &log)
	require.Len(t, all, 1)
	require.Contains(t, all[0], "duration")
	delete(all[0], "duration")
	require.Equal(t, map[string]any{
		"level": "info", "message": "upload", "action": "sign", "outcome": "granted", "status": 201.0,
		"tenant": "acme", "subject": "ada", "id": g.id(t), "key": g.Key, "size": 1000.0, "type": "image/png", "mode": "post",
	}, all[0])
}

func TestRefusalIsOneLineInTheLog(t *testing.T) {
	var log bytes.Buffer
	send(newHandler(t, postern.WithLogger(zerolog.New(&log))), sized(11<<20))
	all := lines(t, &log)
	require.Len(t, all, 1)
	delete(all[0], "duration")
	require.Equal(t, map[string]any{
		"level": "warn", "message": "upload", "action": "sign", "outcome": "refused", "status": 413.0, "code": "size_too_large",
		"tenant": "acme", "subject": "ada", "size": float64(11 << 20), "type": "image/png",
		"error": "size_too_large: The file is larger than 10.5 MB.",
	}, all[0])
}

func TestFailureIsOneLineInTheLogWithItsCause(t *testing.T) {
	var log bytes.Buffer
	send(newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithAuthorizer(refusing(errors.New("the database is down")))), photo)
	all := lines(t, &log)
	require.Len(t, all, 1)
	require.Equal(t, "error", all[0]["level"])
	require.Equal(t, "failed", all[0]["outcome"])
	require.Equal(t, "internal", all[0]["code"])
	require.Equal(t, "the database is down", all[0]["error"])
	require.NotContains(t, all[0], "stack")
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	for name, opt := range map[string]postern.HandlerOption{
		"an authorizer": postern.WithAuthorizer(func(*http.Request, *postern.Upload) error { panic("at the disco") }),
		"an observer":   postern.WithObserver(func(context.Context, postern.Decision) { panic("at the disco") }),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			send(newHandler(t, postern.WithLogger(zerolog.New(&log)), opt), photo)
			all := lines(t, &log)
			last := all[len(all)-1]
			require.Equal(t, "error", last["level"])
			require.Equal(t, "panic: at the disco", last["error"])
			require.Contains(t, last["stack"], "logging_test.go")
		})
	}
}

func TestEveryRequestIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)))
	for code, change := range map[string]func(*http.Request){
		"not_found":              at("/uploads/"),
		"method_not_allowed":     func(r *http.Request) { r.Method = "GET" },
		"cross_origin":           withHeader("Sec-Fetch-Site", "cross-site"),
		"unsupported_media_type": withHeader("Content-Type", "text/plain"),
	} {
		log.Reset()
		send(h, photo, change)
		all := lines(t, &log)
		require.Len(t, all, 1)
		require.Equal(t, code, all[0]["code"])
	}
}

func TestLoggerOfTheRequestTakesPrecedence(t *testing.T) {
	var own, request bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&own)))
	chain := alice.New(
		hlog.NewHandler(zerolog.New(&request).With().Str("service", "shop").Logger()),
		hlog.MethodHandler("method"),
	).Then(h)
	granted(t, send(chain, photo))
	require.Empty(t, lines(t, &own))
	all := lines(t, &request)
	require.Len(t, all, 1)
	require.Equal(t, "shop", all[0]["service"])
	require.Equal(t, "POST", all[0]["method"])
}

func TestChainLogsWithTheLoggerOfTheRequest(t *testing.T) {
	var log bytes.Buffer
	issuer := newIssuer(t)
	chain := alice.New(hlog.NewHandler(zerolog.New(&log)), postern.Decode(issuer), postern.Authorize(asAda)).
		Then(postern.SignHandler(issuer))
	granted(t, send(chain, photo))
	require.Equal(t, "granted", lines(t, &log)[0]["outcome"])
}

func TestHooksFindTheLoggerInTheRequest(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		hlog.FromRequest(r).Info().Msg("hello")
		return asAda(r, u)
	}))
	granted(t, send(h, photo))
	require.Equal(t, "hello", lines(t, &log)[0]["message"])
}

func TestFieldsOfOneRequestStayInItsLine(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	h := newHandler(t,
		postern.WithLogger(zerolog.New(zerolog.SyncWriter(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(p)
		}))).With().Str("service", "shop").Logger()),
		postern.WithMiddleware(hlog.CustomHeaderHandler("request", "X-Request-Id")))
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { send(h, sized(int64(i+1)), withHeader("X-Request-Id", fmt.Sprint(i+1))) })
	}
	all.Wait()
	for _, line := range lines(t, &log) {
		require.Equal(t, fmt.Sprint(line["size"]), line["request"])
		require.Equal(t, "shop", line["service"])
	}
}

func TestHooksOfOneRequestFindOneLogger(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		var all sync.WaitGroup
		found := make([]*zerolog.Logger, 8)
		for i := range found {
			all.Go(func() { found[i] = zerolog.Ctx(r.Context()) })
		}
		all.Wait()
		for _, l := range found {
			require.Same(t, found[0], l)
		}
		found[0].UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Str("plan", "gold") })
		return asAda(r, u)
	}))
	for range 2 {
		granted(t, send(h, photo))
	}
	for _, line := range lines(t, &log) {
		require.Equal(t, "gold", line["plan"])
	}
	require.Equal(t, 2, strings.Count(log.String(), "gold"), "what one request adds is not in the next one's line")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestNothingIsLoggedWithoutALogger(t *testing.T) {
	granted(t, send(newHandler(t), photo))
}

func TestNoSecretIsLoggedOrObserved(t *testing.T) {
	var log bytes.Buffer
	var seen []postern.Decision
	answer := func(accessKeyID string) *httptest.ResponseRecorder {
		b := bucket
		b.Credentials = provides(aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: sessionToken}, nil)
		h := newHandlerFor(t, b,
			postern.WithLogger(zerolog.New(&log).Level(zerolog.TraceLevel)),
			postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
		return send(h, photo, withHeader("Authorization", "Bearer hunter2"))
	}
	g := granted(t, answer(accessKeyID))
	require.Equal(t, sessionToken, g.Fields["x-amz-security-token"])
	require.Equal(t, 503, answer("un\nusable").Code)

	require.Len(t, seen, 2)
	for _, secret := range []string{secretKey, sessionToken, g.Fields["policy"], g.Fields["x-amz-signature"], "hunter2"} {
		require.NotContains(t, log.String(), secret)
		require.NotContains(t, fmt.Sprintf("%+v", seen), secret)
	}
}

func TestValuesOfAClientForgeNoLine(t *testing.T) {
	forged := "x\"}\n{\"level\":\"info\",\"outcome\":\"granted\"}\r\n\x1b[31m\u2028"
	var log bytes.Buffer
	h := newHandler(t,
		postern.WithLogger(zerolog.New(&log)),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{subject}/{slug}", postern.EncodePrincipals())),
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = r.Header.Get("X-User"), forged
			return nil
		}))
	body, err := json.Marshal(map[string]any{"filename": forged, "type": "image/png", "size": 5, "metadata": map[string]string{forged: forged}})
	require.NoError(t, err)
	granted(t, send(h, string(body), withHeader("X-User", forged)))
	body, err = json.Marshal(map[string]any{"filename": forged, "type": forged, "size": 5})
	require.NoError(t, err)
	refused(t, send(h, string(body), withHeader("X-User", forged)))
	send(h, `{"filename":1`+forged, withHeader("X-User", forged))

	require.Equal(t, 4, strings.Count(log.String(), "\n"), "one is of New")
	all := lines(t, &log)
	require.Len(t, all, 3)
	require.Equal(t, forged, all[0]["tenant"])
	require.NotContains(t, log.String(), "\x1b")
}

func TestLongValuesAreCutInTheLog(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		u.Subject, u.Tenant = strings.Repeat("s", 100_000), strings.Repeat("日", 100_000)
		return nil
	}))
	send(h, photo)
	require.Less(t, log.Len(), 4096)
	line := lines(t, &log)[0]
	require.Equal(t, strings.Repeat("日", 85)+"\ufffd…", line["tenant"])
}
