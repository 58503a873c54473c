package postern_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/justinas/alice"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// byHand is the shortest chain of an issuer.
func byHand(issuer *postern.Issuer, middleware ...alice.Constructor) http.Handler {
	return alice.New(postern.Decode(issuer), postern.Authorize(asAda)).Append(middleware...).Then(postern.SignHandler(issuer))
}

func TestClockOfTheIssuerHoldsInItsChains(t *testing.T) {
	then := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	issuer := newIssuer(t, postern.WithClock(func() time.Time { return then }), postern.WithKeyPolicy(postern.KeyTemplate("{date}/{uuid}")))
	g := granted(t, send(byHand(issuer), photo))
	require.Equal(t, "2031-05-06T07:13:09Z", g.Expires)
	require.True(t, strings.HasPrefix(g.Key, "2031-05-06/"), g.Key)
}

func TestRandomnessOfTheIssuerHoldsInItsChains(t *testing.T) {
	issuer := newIssuer(t, postern.WithRandom(zeros{}))
	g := granted(t, send(byHand(issuer), photo))
	require.Equal(t, strings.Repeat("0", 32), g.Fields["x-amz-meta-postern-id"])
	require.Contains(t, g.Key, "-7000-8000-000000000000")
}

func TestDialectOfTheIssuerHoldsInItsChains(t *testing.T) {
	var seen []postern.Decision
	issuer := newIssuer(t, postern.WithDialect(textDialect{}),
		postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
	w := send(byHand(issuer), photo, withHeader("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, 403, w.Code)
	require.Equal(t, postern.ErrCrossOrigin.Detail()+"\n", w.Body.String(), "a cross-origin refusal speaks the dialect")
	require.Len(t, seen, 1, "and is observed")
	require.Equal(t, "cross_origin", seen[0].Code)
	require.Equal(t, postern.ActionSign, seen[0].Action)
}

func TestLoggerOfTheIssuerHoldsInItsChains(t *testing.T) {
	var log bytes.Buffer
	issuer, err := postern.NewIssuer(bucket, postern.WithLogger(zerolog.New(&log)), postern.WithSizeLimit(1, 5<<30))
	require.NoError(t, err)
	granted(t, send(byHand(issuer), photo))
	all := lines(t, &log)
	require.Len(t, all, 2)
	require.Contains(t, all[0]["message"], "WithTicketKeys")
	require.Equal(t, "granted", all[1]["outcome"])
}

func TestIssuersOfTwoDialectsShareTheirTickets(t *testing.T) {
	issuer := newIssuer(t)
	text, err := issuer.WithDialect(textDialect{})
	require.NoError(t, err)
	g := granted(t, send(byHand(issuer), photo))
	list := alice.New(postern.OpenTicket(text, postern.ActionList), postern.Authorize(asAda)).Then(postern.ListHandler(text))
	w := send(list, `{"ticket":`+strconv.Quote(g.Ticket)+`}`)
	require.Equal(t, postern.ErrNotMultipart.Detail()+"\n", w.Body.String())
}

func TestMiddlewareAfterAuthorizeSeesNoTicketOfSomeoneElse(t *testing.T) {
	own := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			require.Fail(t, "middleware ran with the ticket of someone else")
			next.ServeHTTP(w, r)
		})
	}
	h := newHandler(t, postern.WithMiddleware(own))
	body := `{"ticket":` + strconv.Quote(ticketOf(t, "bob", "globex")) + `}`
	require.Equal(t, "ticket_foreign", refused(t, send(h, body, at("/uploads/list"))).Code)
}

func TestHeadersOfOneAnswerAreItsOwn(t *testing.T) {
	h := newHandler(t)
	edited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		for _, values := range w.Header() {
			values[0] += ", private"
		}
	})
	for range 3 {
		send(edited, photo)
	}
	for _, body := range []string{photo, `{}`} {
		w := send(h, body)
		require.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
		require.Equal(t, []string{"nosniff"}, w.Header()["X-Content-Type-Options"])
		require.NotContains(t, w.Header().Get("Content-Type"), "private")
	}
}

// The race detector sees an option that keeps what it was given.
func TestWhatOptionsAreGivenIsCopied(t *testing.T) {
	tags, metadata := map[string]string{"paid": "yes"}, map[string]string{"by": "server"}
	names, types, origins := []string{"album"}, []string{"image/*"}, []string{"https://a.example"}
	key := bytes.Clone(ticketKey)
	pass := func(next http.Handler) http.Handler { return next }
	middleware := []func(http.Handler) http.Handler{pass}
	h := newHandler(t,
		postern.WithAttributes(postern.Attributes{Tags: tags, Metadata: metadata}),
		postern.WithClientMetadata(names...), postern.WithContentTypes(types...), postern.WithTrustedOrigins(origins...),
		postern.WithTicketKeys(key), postern.WithMiddleware(middleware...))
	const body = `{"filename":"photo.png","type":"image/png","size":1000,"metadata":{"album":"sea","role":"admin"}}`
	before := granted(t, send(h, body))

	var editing sync.WaitGroup
	editing.Go(func() {
		tags["paid"], metadata["role"], metadata["by"] = "no", "admin", "\n"
		names[0], types[0], origins[0], middleware[0] = "role", "*/*", "https://evil.example", nil
		clear(key)
	})
	after := granted(t, send(h, body))
	editing.Wait()
	again := granted(t, send(h, body))
	for _, g := range []grant{after, again} {
		require.Equal(t, before.Fields["tagging"], g.Fields["tagging"])
		for _, name := range []string{"by", "album", "role"} {
			require.Equal(t, before.Fields["x-amz-meta-"+name], g.Fields["x-amz-meta-"+name], name)
		}
	}
	require.Equal(t, "type_not_allowed", refused(t, send(h, `{"filename":"a.pdf","type":"application/pdf","size":5}`)).Code)
	require.Equal(t, "not_multipart", refused(t, send(h, `{"ticket":`+strconv.Quote(again.Ticket)+`}`, at("/uploads/list"))).Code)
}

func TestProblemsDoNotChange(t *testing.T) {
	patterns := []string{"image/*"}
	p := postern.NewProblem(415, "odd_type", "No.").WithAllowedTypes(patterns...)
	patterns[0] = "*/*"
	p.AllowedTypes()[0] = "text/html"
	require.Equal(t, []string{"image/*"}, p.AllowedTypes())

	_ = postern.ErrForbidden.WithDetail("secret of tenant A").WithLimits(1, 2).WithRetryAfter(time.Second)
	require.Equal(t, "You may not upload this file here.", postern.ErrForbidden.Detail())
	require.Zero(t, postern.ErrForbidden.MaxSize())

	for _, field := range reflect.VisibleFields(reflect.TypeFor[postern.Problem]()) {
		require.False(t, field.IsExported(), field.Name)
	}
}

func TestProblemIsItsDocument(t *testing.T) {
	document, err := postern.NewProblem(413, "quota_exceeded", "There is no room.").WithLimits(1, 2).MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, `{"title":"Request Entity Too Large","status":413,"code":"quota_exceeded","detail":"There is no room.","min_size":1,"max_size":2}`, string(document))

	document, err = postern.ErrTicketExpired.MarshalJSON()
	require.NoError(t, err)
	require.Contains(t, string(document), `"ended":true`)
}

// The variable and the code of a problem are one word: ErrSizeTooLarge and
// size_too_large.
func TestProblemsAreNamedByTheirCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	require.NoError(t, err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Err") {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			code, err := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.Equal(t, snake(strings.TrimPrefix(spec.Names[0].Name, "Err")), code)
			found++
			return false
		})
		return false
	})
	require.Greater(t, found, 40)
}

func snake(name string) string {
	var b strings.Builder
	for k, r := range name {
		if unicode.IsUpper(r) && k > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func TestRequestWithoutABodyIsMalformed(t *testing.T) {
	for _, h := range []http.Handler{newHandler(t), byHand(newIssuer(t))} {
		r := newRequest("")
		r.Body = nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, "malformed_request", refused(t, w).Code)
	}
}
