package postern_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// hooks are all places where code of others runs in a Handler.
func hooks(run func()) map[string]func(t *testing.T) http.Handler {
	with := func(opt postern.HandlerOption) func(t *testing.T) http.Handler {
		return func(t *testing.T) http.Handler { return newHandler(t, opt) }
	}
	return map[string]func(t *testing.T) http.Handler{
		"the authorizer": with(postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			run()
			return asAda(r, u)
		})),
		"the size limit": with(postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) {
			run()
			return 1, 10 << 20
		})),
		"a rule": with(postern.WithMiddleware(postern.Rule(func(*http.Request, *postern.Upload) error {
			run()
			return nil
		}))),
		"the key policy": with(postern.WithKeyPolicy(postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) {
			run()
			return "acme/key", nil
		}))),
		"the source of randomness": with(postern.WithRandom(readerFunc(func(p []byte) (int, error) {
			run()
			return len(p), nil
		}))),
		"the observer": with(postern.WithObserver(func(context.Context, postern.Decision) { run() })),
		"the credentials": func(t *testing.T) http.Handler {
			b := bucket
			b.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				run()
				return credentials.Retrieve(ctx)
			})
			return newHandlerFor(t, b)
		},
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPanicOfAHookCostsOneRequest(t *testing.T) {
	panics := true
	for name, build := range hooks(func() {
		if panics {
			panic("secret of the hook")
		}
	}) {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			panics = true
			w := send(h, photo)
			switch name {
			case "the observer": // has no say
				granted(t, w)
			case "the credentials":
				require.Equal(t, "credentials_unavailable", refused(t, w).Code)
			default:
				require.Equal(t, "internal", refused(t, w).Code)
				require.Equal(t, 500, w.Code)
			}
			require.NotContains(t, w.Body.String(), "secret")

			panics = false
			granted(t, send(h, photo))
		})
	}
}

func TestPanicWithAnOddValueIsCaughtToo(t *testing.T) {
	for _, value := range []any{nil, errors.New("x"), []int{1}, map[string]int{}, struct{ f func() }{}} {
		h := newHandler(t, postern.WithAuthorizer(func(*http.Request, *postern.Upload) error { panic(value) }))
		require.Equal(t, "internal", refused(t, send(h, photo)).Code)
	}
}

func TestAbortOfAHookGoesOnUp(t *testing.T) {
	for name, build := range hooks(func() { panic(http.ErrAbortHandler) }) {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			if name == "the credentials" { // they are read on another goroutine
				require.Equal(t, 503, send(h, photo).Code)
				return
			}
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { send(h, photo) })
		})
	}
}

func TestPanicOfOtherMiddlewareIsNotOurs(t *testing.T) {
	h := newHandler(t, postern.WithMiddleware(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("own") })
	}))
	require.PanicsWithValue(t, "own", func() { send(h, photo) })
}

func TestEveryObserverRunsThoughOneOfThemPanics(t *testing.T) {
	var seen []postern.Decision
	h := newHandler(t,
		postern.WithObserver(func(context.Context, postern.Decision) { panic("first") }),
		postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
	granted(t, send(h, photo))
	require.Len(t, seen, 1)
}

func TestFailingRandomnessIssuesNothing(t *testing.T) {
	for name, random := range map[string]io.Reader{
		"an error":     iotest.ErrReader(errors.New("no entropy")),
		"the end":      strings.NewReader(""),
		"an early end": strings.NewReader("0123"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "internal", refused(t, send(newHandler(t, postern.WithRandom(random)), photo)).Code)
		})
	}
}

func TestCredentialsThatCannotSignAnswer503(t *testing.T) {
	keys := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey}
	for name, tc := range map[string]struct {
		credentials func() aws.Credentials
		err         error
	}{
		"an error of the provider":   {func() aws.Credentials { return keys }, errors.New("IMDS is down")},
		"no keys":                    {func() aws.Credentials { return aws.Credentials{} }, nil},
		"no secret":                  {func() aws.Credentials { return aws.Credentials{AccessKeyID: accessKeyID} }, nil},
		"a line break within a key":  {func() aws.Credentials { c := keys; c.AccessKeyID = "AKIA\nEXAMPLE"; return c }, nil},
		"keys that expired long ago": {func() aws.Credentials { return expiring(keys, -time.Hour) }, nil},
		"keys that expire right now": {func() aws.Credentials { return expiring(keys, 999*time.Millisecond) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			b.Credentials = provides(tc.credentials(), tc.err)
			w := send(newHandlerFor(t, b), photo)
			require.Equal(t, "credentials_unavailable", refused(t, w).Code)
			require.Equal(t, 503, w.Code)
			require.Equal(t, "5", w.Header().Get("Retry-After"))
			require.NotContains(t, w.Body.String(), "IMDS")
		})
	}
}

func expiring(c aws.Credentials, in time.Duration) aws.Credentials {
	c.CanExpire, c.Expires = true, noon.Add(in)
	return c
}

func TestGrantNeverOutlivesTheCredentials(t *testing.T) {
	keys := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: sessionToken}
	for name, tc := range map[string]struct {
		in, want time.Duration
	}{
		"an hour left":          {time.Hour, 5 * time.Minute},
		"just enough left":      {5 * time.Minute, 5 * time.Minute},
		"a minute left":         {time.Minute, time.Minute},
		"a second left":         {time.Second, time.Second},
		"a fraction is cut off": {2500 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			b.Credentials = provides(expiring(keys, tc.in), nil)
			g := granted(t, send(newHandlerFor(t, b), photo))
			require.Equal(t, noon.Add(tc.want).Format(time.RFC3339), g.Expires)
			require.Equal(t, int(tc.want/time.Second), g.ExpiresIn)
			require.Equal(t, noon.Add(tc.want).Format("2006-01-02T15:04:05.000Z"), policyOf(t, g.Fields["policy"]).Expiration)
		})
	}
}

func TestProviderIsAskedOnceWhileItsCredentialsLive(t *testing.T) {
	asked := 0
	b := bucket
	b.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		asked++
		return credentials.Retrieve(ctx)
	})
	h := newHandlerFor(t, b)
	for range 3 {
		granted(t, send(h, photo))
	}
	require.Equal(t, 1, asked)
}

func TestCacheOfTheApplicationHasTheLastWord(t *testing.T) {
	var asked atomic.Int64
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: fmt.Sprint("AKIA", asked.Add(1)), SecretAccessKey: secretKey}, nil
	}))
	b := bucket
	b.Credentials = cache
	h := newHandlerFor(t, b)
	signer := func() string { return granted(t, send(h, photo)).Fields["x-amz-credential"] }
	require.Contains(t, signer(), "AKIA1/")
	cache.Invalidate() // the keys were rotated
	require.Eventually(t, func() bool { return strings.Contains(signer(), "AKIA2/") }, time.Minute, time.Millisecond)
	require.Equal(t, int64(2), asked.Load())
}

func TestWhiteSpaceAroundKeysIsNotOfThem(t *testing.T) {
	b := bucket
	b.Credentials = provides(aws.Credentials{AccessKeyID: accessKeyID + " ", SecretAccessKey: secretKey + "\n"}, nil)
	plain := granted(t, send(newHandler(t, postern.WithRandom(zeros{})), photo))
	require.Equal(t, plain.Fields, granted(t, send(newHandlerFor(t, b, postern.WithRandom(zeros{})), photo)).Fields)
}

func TestProviderMayNotTakeForever(t *testing.T) {
	b := bucket
	var deadline bool
	b.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		_, deadline = ctx.Deadline()
		return credentials.Retrieve(ctx)
	})
	granted(t, send(newHandlerFor(t, b), photo))
	require.True(t, deadline)
}

func TestCanceledRequestDoesNotWaitForCredentials(t *testing.T) {
	b := bucket
	release := make(chan struct{})
	defer close(release)
	b.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		<-release
		return credentials.Retrieve(ctx)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := send(newHandlerFor(t, b), photo, func(r *http.Request) { *r = *r.WithContext(ctx) })
	require.Equal(t, "credentials_unavailable", refused(t, w).Code)
}
