package postern_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/justinas/alice"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// rules are what a page sees of them.
type rules struct {
	Types          []string `json:"types"`
	MinSize        int64    `json:"min_size"`
	MaxSize        int64    `json:"max_size"`
	MaxFiles       int      `json:"max_files"`
	Modes          []string `json:"modes"`
	MultipartAbove int64    `json:"multipart_above"`
	Complete       bool     `json:"complete"`
	Origin         string   `json:"origin"`
}

const home = "https://acme-uploads.s3.eu-central-1.amazonaws.com"

// get asks for the rules.
func get(h http.Handler, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://app.example.com/uploads/rules", nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func rulesOf(t testing.TB, w *httptest.ResponseRecorder) (got rules) {
	t.Helper()
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&got))
	return got
}

func TestRulesAreThoseOfTheChain(t *testing.T) {
	usual := rules{[]string{"*/*"}, 1, 10 << 20, 100, []string{"post"}, 100 << 20, false, home}
	narrow := func(fn func(u *postern.Upload)) postern.HandlerOption {
		return postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			fn(u)
			return asAda(nil, u)
		})
	}
	for name, tc := range map[string]struct {
		opts []postern.HandlerOption
		want func(r *rules)
	}{
		"the defaults": {nil, func(*rules) {}},
		"the limits": {[]postern.HandlerOption{postern.WithSizeLimit(5, 500), postern.WithContentTypes("image/*", "application/pdf")}, func(r *rules) {
			r.Types, r.MinSize, r.MaxSize = []string{"image/*", "application/pdf"}, 5, 500
		}},
		"limits by user": {[]postern.HandlerOption{postern.WithSizeLimitFunc(func(_ *http.Request, u *postern.Upload) (int64, int64) {
			return 7, int64(len(u.Subject)) * 1000
		})}, func(r *rules) { r.MinSize, r.MaxSize = 7, 3000 }},
		"an authorizer that narrows": {[]postern.HandlerOption{postern.WithContentTypes("image/*"), narrow(func(u *postern.Upload) {
			u.LimitSize(0, 999)
			u.AllowContentTypes("image/png", "text/plain", "image/svg+xml")
		})}, func(r *rules) { r.Types, r.MaxSize = []string{"image/png"}, 999 }},
		"rules that narrow": {[]postern.HandlerOption{postern.WithContentTypes("image/*", "text/csv", "image/svg+xml"),
			postern.WithMiddleware(postern.AllowContentTypes("*/*", "image/svg+xml"), postern.LimitSize(100, 1<<40), postern.AllowContentTypes("image/svg+xml", "image/*"))},
			func(r *rules) { r.Types, r.MinSize = []string{"image/*", "image/svg+xml"}, 100 }},
		"an authorizer that allows nothing": {[]postern.HandlerOption{narrow(func(u *postern.Upload) { u.LimitSize(0, 0); u.AllowContentTypes() })},
			func(r *rules) { r.Types, r.MaxSize = []string{}, 0 }},
		"parts": {[]postern.HandlerOption{postern.WithSizeLimit(1, 1<<40), postern.WithMultipartThreshold(5 << 20)}, func(r *rules) {
			r.MaxSize, r.Modes, r.MultipartAbove = 1<<40, []string{"post", "multipart"}, 5<<20
		}},
		"parts alone": {[]postern.HandlerOption{postern.WithSizeLimit(200<<20, 1<<40)}, func(r *rules) {
			r.MinSize, r.MaxSize, r.Modes = 200<<20, 1<<40, []string{"multipart"}
		}},
		"a plan that needs parts": {[]postern.HandlerOption{postern.WithMode(postern.ModePut), postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) {
			return 1, 1 << 30
		})}, func(r *rules) { r.MaxSize, r.Modes = 1<<30, []string{"put", "multipart"} }},
		"strangers": {[]postern.HandlerOption{postern.AllowAnonymous(), postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) {
			return 1, 1 << 40
		})}, func(r *rules) { r.MaxSize = 5 << 30 }},
		"completion": {[]postern.HandlerOption{postern.WithPromotion("staging/")}, func(r *rules) { r.Complete = true }},
		"receipts":   {[]postern.HandlerOption{onComplete()}, func(r *rules) { r.Complete, r.Modes = true, []string{"put"} }},
		"few files":  {[]postern.HandlerOption{postern.WithBatchLimit(7)}, func(r *rules) { r.MaxFiles = 7 }},
		"a dialect":  {[]postern.HandlerOption{postern.WithDialect(other{postern.Native()})}, func(r *rules) { r.MaxFiles = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			want := usual
			tc.want(&want)
			require.Equal(t, want, rulesOf(t, get(newHandler(t, tc.opts...))))
		})
	}
}

// What the rules say and what the chain does is the same.
func TestRulesSayWhatTheChainAccepts(t *testing.T) {
	h := newHandler(t, postern.WithSizeLimit(100, 500), postern.WithContentTypes("image/*", "text/csv"),
		postern.WithMiddleware(postern.LimitSize(1, 300), postern.AllowContentTypes("image/png", "text/*")))
	got := rulesOf(t, get(h))
	require.Equal(t, []string{"text/csv", "image/png"}, got.Types)
	for _, contentType := range []string{"image/png", "image/gif", "text/csv", "text/plain"} {
		for _, size := range []int64{got.MinSize - 1, got.MinSize, got.MaxSize, got.MaxSize + 1} {
			w := send(h, fmt.Sprintf(`{"filename":"a","type":%q,"size":%d}`, contentType, size))
			accepted := (contentType == "image/png" || contentType == "text/csv") && size >= got.MinSize && size <= got.MaxSize
			require.Equal(t, accepted, w.Code == 201, "%s %d", contentType, size)
		}
	}
}

func TestRulesThatTheBrowserHasAreNotSentAgain(t *testing.T) {
	max := int64(1000)
	h := newHandler(t, postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) { return 1, max }))
	etag := get(h).Header().Get("ETag")
	require.Regexp(t, `^"[A-Za-z0-9_-]{24}"$`, etag)
	for _, sent := range []string{etag, `W/` + etag, `"x", ` + etag, "*"} {
		w := get(h, withHeader("If-None-Match", sent))
		require.Equal(t, 304, w.Code, sent)
		require.Empty(t, w.Body.String())
		require.Equal(t, etag, w.Header().Get("ETag"))
		require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Header().Get("Content-Type"))
	}
	for _, sent := range []string{`"x"`, strings.Trim(etag, `"`), ""} {
		rulesOf(t, get(h, withHeader("If-None-Match", sent)))
	}
	max = 2000
	require.EqualValues(t, 2000, rulesOf(t, get(h, withHeader("If-None-Match", etag))).MaxSize)
}

func TestRulesAreRefusedAsGrantsAre(t *testing.T) {
	require.Equal(t, "cross_origin", refused(t, get(newHandler(t), withHeader("Sec-Fetch-Site", "cross-site"))).Code)
	require.Equal(t, "unauthenticated", refused(t, get(newHandler(t, postern.WithAuthorizer(refusing(postern.ErrUnauthenticated))))).Code)
	require.Equal(t, "subject_missing", refused(t, get(newHandler(t, postern.WithAuthorizer(refusing(nil))))).Code)
	wrong := func(_ *http.Request, u *postern.Upload) error { u.AllowContentTypes("nonsense"); return asAda(nil, u) }
	require.Equal(t, "internal", refused(t, get(newHandler(t, postern.WithAuthorizer(wrong)))).Code)
	for _, method := range []string{"POST", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		w := get(newHandler(t), func(r *http.Request) { r.Method = method })
		require.Equal(t, "method_not_allowed", refused(t, w).Code)
		require.Equal(t, "GET", w.Header().Get("Allow"))
	}
}

func TestRulesAreADecision(t *testing.T) {
	var seen []postern.Decision
	h := newHandler(t, postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
	get(h)
	require.Len(t, seen, 1)
	require.Equal(t, postern.ActionRules, seen[0].Action)
	require.Equal(t, postern.OutcomeGranted, seen[0].Outcome)
	require.Equal(t, "ada", seen[0].Subject)
}

// A chain tells its rules if it is complete, and never grants by the question.
func TestChainTellsItsRulesIfAndOnlyIfItIsComplete(t *testing.T) {
	issuer := newIssuer(t)
	middleware := middlewareOf(issuer)
	middleware["Decode"] = postern.AskRules(issuer)
	complete := 0
	allChains(t, middleware, postern.RulesHandler(issuer), func(order []string, chain http.Handler) {
		w := get(chain)
		if !signs(order) {
			require.Contains(t, []string{"chain_incomplete", "method_not_allowed"}, refused(t, w).Code, order)
			return
		}
		complete++
		want := rules{[]string{"*/*"}, 1, 10 << 20, 100, []string{"post"}, 100 << 20, false, home}
		if contains(order, "LimitSize") {
			want.MinSize, want.MaxSize = 10, 1<<20
		}
		if contains(order, "AllowContentTypes") {
			want.Types = []string{"image/*"}
		}
		require.Equal(t, want, rulesOf(t, w), order)
	})
	require.Positive(t, complete)
	allChains(t, middleware, postern.SignHandler(issuer), func(order []string, chain http.Handler) {
		require.Contains(t, []string{"chain_incomplete", "method_not_allowed"}, refused(t, get(chain)).Code, order)
	})
}

func TestQuestionForTheRulesIsNoUploadToGrant(t *testing.T) {
	issuer := newIssuer(t)
	var err error
	chain := alice.New(postern.AskRules(issuer), postern.Authorize(asAda)).ThenFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err = issuer.Issue(r.Context(), postern.UploadFrom(r.Context()))
	})
	get(chain)
	require.ErrorIs(t, err, postern.ErrChainIncomplete)
}

// report sends what the bucket has refused.
func report(h *postern.Handler, ticket, members string) *httptest.ResponseRecorder {
	return send(h.Route(postern.ActionReport), fmt.Sprintf(`{"ticket":%q%s}`, ticket, members))
}

func TestWhatTheBucketRefusedIsLogged(t *testing.T) {
	var log bytes.Buffer
	var seen []postern.Decision
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)),
		postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
	g := granted(t, send(h, photo))
	log.Reset()
	w := report(h, g.Ticket, `,"stage":"upload","status":403,"code":"SignatureDoesNotMatch","detail":"The request signature does not match.","request_id":"17A3B2"`)
	require.Equal(t, 204, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Len(t, seen, 2)
	d := seen[1]
	require.Equal(t, postern.ActionReport, d.Action)
	require.Equal(t, postern.OutcomeReported, d.Outcome)
	require.Equal(t, []string{"ada", "acme", g.Key, g.id(t), ""}, []string{d.Subject, d.Tenant, d.Key, d.ID, d.Code})
	why := h.Explain(*d.Report)
	require.NotEmpty(t, why.Cause)
	require.Equal(t, &postern.Report{
		Stage: "upload", Status: 403, Code: "SignatureDoesNotMatch", Detail: "The request signature does not match.", RequestID: "17A3B2",
		Cause: why.Cause, Advice: why.Advice,
	}, d.Report)
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.Equal(t, "warn", line["level"])
	require.Equal(t, "reported", line["outcome"])
	require.Equal(t, "SignatureDoesNotMatch", line["reported_code"])
	require.Equal(t, why.Cause, line["cause"])
	require.EqualValues(t, 403, line["reported_status"])
	require.NotContains(t, log.String(), g.Ticket)
}

func TestReportIsShortPrintableAndHoldsNoSecret(t *testing.T) {
	var got *postern.Report
	h := newHandler(t, postern.WithObserver(func(_ context.Context, d postern.Decision) { got = d.Report }))
	g := granted(t, send(h, photo))
	text, err := json.Marshal(map[string]any{
		"ticket": g.Ticket, "status": 99999, "stage": "up\nload\u202e\u0000", "code": strings.Repeat("é", 100),
		"detail": "policy " + g.Fields["policy"][:400] + " signature=" + g.Fields["x-amz-signature"] + " " + g.Ticket +
			" AuthorizationQueryParametersError\r\n" + strings.Repeat("long ", 200),
		"request_id": "\x1b[31mred",
	})
	require.NoError(t, err)
	require.Equal(t, 204, send(h.Route(postern.ActionReport), string(text)).Code)
	require.Equal(t, "up load", got.Stage)
	require.Zero(t, got.Status)
	require.Equal(t, strings.Repeat("é", 32), got.Code)
	require.Equal(t, "[31mred", got.RequestID)
	require.True(t, strings.HasPrefix(got.Detail, "policy … signature=… … AuthorizationQueryParametersError  long"), got.Detail)
	require.LessOrEqual(t, len(got.Detail), 512)
}

func TestReportNeedsATicketOfOnesOwn(t *testing.T) {
	seen := 0
	h := newHandler(t, postern.WithObserver(func(_ context.Context, d postern.Decision) {
		if d.Report != nil {
			seen++
		}
	}))
	require.Equal(t, "ticket_invalid", refused(t, report(h, "x", `,"stage":"upload"`)).Code)
	require.Equal(t, "ticket_foreign", refused(t, report(h, ticketsOf(t, "bob", "globex", 1)[0], `,"stage":"upload"`)).Code)
	own := ticketsOf(t, "ada", "acme", 1)[0]
	require.Equal(t, "malformed_request", refused(t, report(h, own, `,"stage":7`)).Code)
	require.Equal(t, "malformed_request", refused(t, report(h, own, `,"status":"x"`)).Code)
	require.Equal(t, "body_too_large", refused(t, report(h, own, `,"detail":"`+strings.Repeat("x", 4<<10)+`"`)).Code)
	require.Equal(t, "body_too_large", refused(t, report(h, strings.Repeat("x", 12<<10), "")).Code)
	w := send(h.Route(postern.ActionReport), `{}`, withHeader("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, "cross_origin", refused(t, w).Code)
	require.Zero(t, seen)
}

func TestReportsDoNotFloodTheLog(t *testing.T) {
	now := noon
	var seen []postern.Decision
	h := newHandler(t, postern.WithClock(func() time.Time { return now }), postern.WithObserver(func(_ context.Context, d postern.Decision) {
		if d.Report != nil {
			seen = append(seen, d)
		}
	}))
	tickets := ticketsOf(t, "ada", "acme", 60)
	for range 10 {
		require.Equal(t, 204, report(h, tickets[0], "").Code)
	}
	require.Len(t, seen, 3, "of one upload")
	for _, ticket := range tickets {
		require.Equal(t, 204, report(h, ticket, "").Code)
	}
	require.Len(t, seen, 20, "at once")
	require.Equal(t, 8, seen[3].Report.Dropped)
	now = now.Add(time.Second)
	seen = nil
	for _, ticket := range tickets[30:] {
		report(h, ticket, "")
	}
	require.Len(t, seen, 2, "in a second")
	require.Equal(t, 42, seen[0].Report.Dropped)
	require.Zero(t, seen[1].Report.Dropped)
}

func TestReportsCanBeTurnedOff(t *testing.T) {
	h := newHandler(t, postern.WithoutReports())
	own := ticketsOf(t, "ada", "acme", 1)[0]
	w := report(h, own, "")
	require.Equal(t, "not_found", refused(t, w).Code)
	require.Equal(t, 404, w.Code)
}
