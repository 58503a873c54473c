package postern_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/justinas/alice"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// result is what a browser sees of one file of a batch.
type result struct {
	Index   int             `json:"index"`
	Grant   *grant          `json:"grant"`
	Receipt json.RawMessage `json:"receipt"`
	Problem *struct {
		problem
		RetryAfter int `json:"retry_after"`
	} `json:"problem"`
	Pending    bool `json:"pending"`
	RetryAfter int  `json:"retry_after"`
}

// code is that of the file's problem, or "".
func (r result) code() string {
	if r.Problem == nil {
		return ""
	}
	return r.Problem.Code
}

func batchOf(files ...string) string { return `{"files":[` + strings.Join(files, ",") + `]}` }

// file is what is declared of one of a given size.
func file(name string, size int) string {
	return fmt.Sprintf(`{"filename":%q,"type":"image/png","size":%d}`, name, size)
}

func files(n int) (all []string) {
	for k := range n {
		all = append(all, file(fmt.Sprintf("%d.png", k), 1000+k))
	}
	return all
}

// resultsOf reads an answer that has a result for each file.
func resultsOf(t testing.TB, w *httptest.ResponseRecorder, n int) []result {
	t.Helper()
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	lines := strings.Split(w.Body.String(), "\n")
	require.Len(t, lines, n+2, "each result is a line")
	var answer struct {
		Results []result `json:"results"`
	}
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&answer), lines)
	require.Len(t, answer.Results, n)
	byIndex := make([]result, n)
	for _, r := range answer.Results {
		require.Zero(t, byIndex[r.Index], "one result of each file")
		require.Equal(t, 1, count(r.Grant != nil, r.Receipt != nil, r.Problem != nil, r.Pending), "%+v", r)
		byIndex[r.Index] = r
	}
	return byIndex
}

func count(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

func TestBatchGrantsEachFileByItself(t *testing.T) {
	w := send(newHandler(t), batchOf(files(100)...))
	require.True(t, w.Flushed)
	keys := map[string]bool{}
	for k, r := range resultsOf(t, w, 100) {
		require.NotNil(t, r.Grant, r.code())
		keys[r.Grant.Key] = true
		min, max := policyOf(t, r.Grant.Fields["policy"]).sizeRange(t)
		require.Equal(t, []int64{1000 + int64(k), 1000 + int64(k)}, []int64{min, max})
		require.Contains(t, r.Grant.Fields["Content-Disposition"], fmt.Sprintf(`"%d.png"`, k))
	}
	require.Len(t, keys, 100)
}

func TestGrantsOfABatchComeInOrder(t *testing.T) {
	var answer struct{ Results []result }
	require.NoError(t, json.Unmarshal(send(newHandler(t), batchOf(files(30)...)).Body.Bytes(), &answer))
	for k, r := range answer.Results {
		require.Equal(t, k, r.Index)
	}
}

func TestRefusedFileStandsBesideGrantedOnes(t *testing.T) {
	h := newHandler(t, postern.WithSizeLimit(1, 2000), postern.WithContentTypes("image/*"))
	results := resultsOf(t, send(h, batchOf(
		file("a.png", 1000), file("b.png", 2001), `{"filename":"c.html","type":"text/html","size":5}`, `7`, `{"filename":"d.png"}`,
		`{"size":"x","filename":"e.png"}`, `null`, `["f"]`, file("g.png", 2000),
	)), 9)
	var codes []string
	for _, r := range results {
		codes = append(codes, r.code())
	}
	require.Equal(t, []string{
		"", "size_too_large", "type_not_allowed", "malformed_request", "size_required", "size_invalid", "malformed_request", "malformed_request", "",
	}, codes)
	require.EqualValues(t, 2000, results[1].Problem.MaxSize)
	require.Equal(t, 413, results[1].Problem.Status)
	require.Equal(t, []string{"image/*"}, results[2].Problem.AllowedTypes)
}

func TestOneFileMayComeAsABatch(t *testing.T) {
	require.NotNil(t, resultsOf(t, send(newHandler(t), batchOf(photo)), 1)[0].Grant)
}

func TestBatchIsRefusedAsAWhole(t *testing.T) {
	h := newHandler(t, postern.WithAuthorizer(func(*http.Request, *postern.Upload) error {
		t.Error("nobody is asked about a batch that is refused")
		return nil
	}))
	for name, tc := range map[string]struct{ body, code string }{
		"101 files":                  {batchOf(files(101)...), "too_many_files"},
		"no files":                   {batchOf(), "malformed_request"},
		"something else than a list": {`{"files":{"0":` + photo + `}}`, "malformed_request"},
		"a list that breaks off":     {`{"files":[` + photo, "malformed_request"},
		"something behind it":        {batchOf(photo) + "x", "malformed_request"},
		"a body that is too large":   {batchOf(photo) + strings.Repeat(" ", 512<<10), "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.code, refused(t, send(h, tc.body)).Code)
		})
	}
	w := send(h, batchOf(photo), withHeader("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, "cross_origin", refused(t, w).Code)
	require.Equal(t, "unsupported_media_type", refused(t, send(h, batchOf(photo), withHeader("Content-Type", "text/plain"))).Code)
}

func TestEachFileOfABatchHasTheBodyLimit(t *testing.T) {
	long := file("a.png", 5)
	long = long[:len(long)-1] + `,"metadata":{"a":"` + strings.Repeat("x", 16<<10) + `"}}`
	results := resultsOf(t, send(newHandler(t), batchOf(long, photo)), 2)
	require.Equal(t, "body_too_large", results[0].code())
	require.NotNil(t, results[1].Grant)
	require.Equal(t, "body_too_large", refused(t, send(newHandler(t), long)).Code)
}

// The body of a batch may be longer than that of one file, and yet has a bound.
func TestBodyOfABatchGrowsWithItsFiles(t *testing.T) {
	described := func(n, each int) string {
		all := make([]string, n)
		for k := range all {
			all[k] = fmt.Sprintf(`{"filename":"a.png","type":"image/png","size":5,"metadata":{"a":%q}}`, strings.Repeat("x", each))
		}
		return batchOf(all...)
	}
	require.Len(t, resultsOf(t, send(newHandler(t), described(100, 5000)), 100), 100)
	require.Equal(t, "body_too_large", refused(t, send(newHandler(t), described(100, 5300))).Code, "512 KiB")
	large := newHandler(t, postern.WithBodyLimit(64<<10))
	resultsOf(t, send(large, described(16, 60<<10)), 16)
	require.Equal(t, "body_too_large", refused(t, send(large, described(18, 60<<10))).Code, "1 MiB, however many files")
	two := newHandler(t, postern.WithBatchLimit(2))
	require.Equal(t, "body_too_large", refused(t, send(two, described(3, 14000))).Code, "as many files as are allowed")
}

// Whoever comes too late is not lost: its client asks again.
func TestFilesOfABatchWhoseTurnComesTooLateAskAgain(t *testing.T) {
	slow := postern.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(8 * time.Second) // in a bubble, where nobody waits
			next.ServeHTTP(w, r)
		})
	})
	synctest.Test(t, func(t *testing.T) {
		results := resultsOf(t, send(newHandler(t, slow), batchOf(files(5)...)), 5)
		for k, r := range results {
			if k < 3 {
				require.NotNil(t, r.Grant, k)
				continue
			}
			require.Equal(t, "busy", r.code())
			require.Positive(t, r.Problem.RetryAfter)
		}
	})
	tickets := uploadsOf(ticketsOf(t, "ada", "acme", 60)...)
	synctest.Test(t, func(t *testing.T) {
		for k, r := range resultsOf(t, send(newHandler(t, slow).Route(postern.ActionComplete), tickets), 60) {
			require.Equal(t, k >= 48, r.Pending, k)
			require.Equal(t, k >= 48, r.RetryAfter > 0, k)
		}
	})
}

func TestBatchLimitCanBeSet(t *testing.T) {
	h := newHandler(t, postern.WithBatchLimit(2))
	resultsOf(t, send(h, batchOf(files(2)...)), 2)
	p := refused(t, send(h, batchOf(files(3)...)))
	require.Equal(t, "too_many_files", p.Code)
	require.Contains(t, p.Detail, "2 files")
	granted(t, send(newHandler(t, postern.WithBatchLimit(1)), photo))
}

func TestChainSeesTheBatch(t *testing.T) {
	var seen []postern.Batch
	h := newHandler(t, postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		seen = append(seen, u.Batch())
		return asAda(nil, u)
	}))
	send(h, photo)
	send(h, batchOf(file("a", 10), `{"filename":"b","size":-5}`, file("c", 7), `"x"`, `{"size":1e9,"filename":"d"}`, `{"size":"1"}`))
	require.Equal(t, []postern.Batch{
		{Index: 0, Files: 1, Size: 1000}, {Index: 0, Files: 6, Size: 17}, {Index: 2, Files: 6, Size: 17},
	}, seen[:3])
	seen = nil
	send(h, batchOf(`{"filename":"a","size":9223372036854775807}`, `{"filename":"b","size":9223372036854775807}`))
	require.EqualValues(t, 1<<63-1, seen[0].Size, "a sum does not overflow")
}

func TestRuleCanLimitTheSumOfABatch(t *testing.T) {
	quota := postern.Rule(func(_ *http.Request, u *postern.Upload) error {
		if u.Batch().Size > 2500 {
			return postern.NewProblem(403, "quota_exceeded", "There is no room.")
		}
		return nil
	})
	h := newHandler(t, postern.WithMiddleware(quota))
	require.NotNil(t, resultsOf(t, send(h, batchOf(files(2)...)), 2)[1].Grant)
	for _, r := range resultsOf(t, send(h, batchOf(files(3)...)), 3) {
		require.Equal(t, "quota_exceeded", r.code())
	}
}

// Whoever is nobody costs one question, and gets one answer.
func TestStrangersBatchIsRefusedAsAWhole(t *testing.T) {
	for name, h := range map[string]func(asked *int) http.Handler{
		"by the authorizer": func(asked *int) http.Handler {
			return newHandler(t, postern.WithAuthorizer(func(*http.Request, *postern.Upload) error {
				*asked++
				return postern.ErrUnauthenticated
			}))
		},
		"by other middleware": func(asked *int) http.Handler {
			issuer := newIssuer(t)
			return alice.New(postern.Decode(issuer), func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					*asked++
					postern.ErrUnauthenticated.SetHeader(w.Header())
					w.WriteHeader(401)
					body, _ := postern.ErrUnauthenticated.MarshalJSON()
					_, _ = w.Write(body)
				})
			}, postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			w := send(h(&asked), batchOf(append([]string{`{"filename":"no size"}`}, files(50)...)...))
			require.Equal(t, "unauthenticated", refused(t, w).Code)
			require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			require.Equal(t, 1, asked)
		})
	}
}

func TestSessionThatEndsAmongTheFilesCostsTheRest(t *testing.T) {
	asked := 0
	h := newHandler(t, postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		if asked++; asked > 2 {
			return postern.ErrUnauthenticated
		}
		return asAda(nil, u)
	}))
	results := resultsOf(t, send(h, batchOf(files(4)...)), 4)
	require.NotNil(t, results[1].Grant)
	require.Equal(t, "unauthenticated", results[2].code())
	require.Equal(t, "unauthenticated", results[3].code())
}

// only runs what answers for the file of one index, and passes the others on.
func only(index int, answer func(w http.ResponseWriter, r *http.Request, next http.Handler)) postern.HandlerOption {
	return postern.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if postern.UploadFrom(r.Context()).Batch().Index == index {
				answer(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
}

// Whatever middleware writes for one file is no word about another, and no grant.
func TestWhatOtherMiddlewareAnswersIsAProblemOfThatFile(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, next http.Handler)
		status int
		code   string
		detail string
		retry  int
	}{
		"a refusal in plain text": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, `Slow "down".`, http.StatusTooManyRequests)
		}, 429, "unexpected", `Slow "down".`, 7},
		"a refusal in HTML": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(403)
			_, _ = w.Write([]byte("<h1>No</h1>"))
		}, 403, "unexpected", "", 0},
		"a problem of its own": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			postern.Refuse(w, r, postern.NewProblem(402, "pay", "Pay.").WithRetryAfter(1500*time.Millisecond))
		}, 402, "pay", "Pay.", 2},
		"a problem document on many lines": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
			w.WriteHeader(429)
			_, _ = w.Write([]byte("{\n \"status\":429,\n \"code\":\"own\",\"title\":\"T\",\"detail\":\"D\"\n}\n"))
		}, 429, "own", "D", 0},
		"a problem document that is none": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(429)
			_, _ = w.Write([]byte(`{"status":429,"code":"own"}],"results":[{"index":0,"grant":{}}`))
		}, 429, "unexpected", "", 0},
		"a problem document of another status": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(429)
			_, _ = w.Write([]byte(`{"status":200,"code":"own","detail":"D"}`))
		}, 429, "unexpected", "", 0},
		"nothing": {func(http.ResponseWriter, *http.Request, http.Handler) {}, 500, "unexpected", "", 0},
		"a redirect": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		}, 500, "unexpected", "", 0},
		"a grant of its own": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			_, _ = w.Write([]byte(`{"mode":"post"}`))
		}, 500, "unexpected", "", 0},
		"something behind the grant": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			_, _ = w.Write([]byte(`,"grant":{}`))
		}, 500, "unexpected", "", 0},
		"a status before the grant": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.WriteHeader(202)
			next.ServeHTTP(w, r)
		}, 500, "unexpected", "", 0},
		"two grants": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			next.ServeHTTP(w, r)
		}, 500, "unexpected", "", 0},
		"a compressed grant": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("Content-Encoding", "gzip")
			next.ServeHTTP(w, r)
		}, 500, "unexpected", "", 0},
		"without an end": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(403)
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, 403, "unexpected", "", 0},
		"a panic":             {func(http.ResponseWriter, *http.Request, http.Handler) { panic("boom") }, 500, "internal", "", 0},
		"a panic with a word": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(201); panic("boom") }, 500, "internal", "", 0},
		"the end of its goroutine": {func(http.ResponseWriter, *http.Request, http.Handler) {
			runtime.Goexit()
		}, 500, "internal", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for index := range 3 {
				results := resultsOf(t, send(newHandler(t, only(index, tc.answer)), batchOf(files(3)...)), 3)
				for k, r := range results {
					if k != index {
						require.NotNil(t, r.Grant)
						continue
					}
					require.Equal(t, tc.code, r.code())
					require.Equal(t, tc.status, r.Problem.Status)
					require.NotEmpty(t, r.Problem.Detail)
					if tc.detail != "" {
						require.Equal(t, tc.detail, r.Problem.Detail)
					}
					require.Equal(t, tc.retry, r.Problem.RetryAfter)
				}
			}
		})
	}
}

func TestAuthorizerThatPanicsCostsOneFileOfABatch(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		if u.Filename == "1.png" {
			panic("boom")
		}
		return asAda(nil, u)
	}))
	results := resultsOf(t, send(h, batchOf(files(3)...)), 3)
	require.Equal(t, []string{"", "internal", ""}, []string{results[0].code(), results[1].code(), results[2].code()})
	require.Contains(t, log.String(), "panic: boom")
}

func TestBatchIsBrokenOffWhereMiddlewareBreaksOff(t *testing.T) {
	for index := range 2 {
		h := newHandler(t, only(index, func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }))
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { send(h, batchOf(files(3)...)) })
	}
}

func TestFilesOfABatchShareNothingThatMiddlewareChanges(t *testing.T) {
	var uploads, contexts sync.Map
	h := newHandler(t, postern.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			require.Empty(t, w.Header().Get("X-Of-This-File"))
			require.Empty(t, r.Header.Get("X-Of-This-File"))
			require.Equal(t, "outer", w.Header().Get("X-Outer"))
			require.Empty(t, r.Header.Get("Accept-Encoding"))
			w.Header().Set("X-Of-This-File", "1")
			r.Header.Set("X-Of-This-File", "1")
			rest, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Empty(t, rest)
			uploads.Store(postern.UploadFrom(r.Context()), true)
			contexts.Store(r.Context(), true)
			next.ServeHTTP(w, r)
		})
	}))
	w := httptest.NewRecorder()
	w.Header().Set("X-Outer", "outer")
	h.ServeHTTP(w, newRequest(batchOf(files(3)...), withHeader("Accept-Encoding", "gzip")))
	for _, r := range resultsOf(t, w, 3) {
		require.NotNil(t, r.Grant, "%+v", r.Problem)
	}
	require.Empty(t, w.Header().Get("X-Of-This-File"))
	for _, m := range []*sync.Map{&uploads, &contexts} {
		n := 0
		m.Range(func(any, any) bool { n++; return true })
		require.Equal(t, 3, n)
	}
}

func TestEachFileOfABatchIsDecidedAndLogged(t *testing.T) {
	var log bytes.Buffer
	var seen []postern.Decision
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithSizeLimit(1, 1001),
		postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = append(seen, d) }))
	send(h, batchOf(files(3)...))
	require.Len(t, seen, 3)
	require.Equal(t, 3, strings.Count(log.String(), `"message":"upload"`))
	ids := map[string]bool{}
	for k, d := range seen {
		require.EqualValues(t, 1000+k, d.Size)
		require.Equal(t, []string{"", "", "size_too_large"}[k], d.Code)
		ids[d.ID] = true
	}
	require.Len(t, ids, 3)
}

// What middleware adds to the logger for one file stands in its line alone.
func TestLoggerOfAFileIsItsOwn(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, postern.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			zerolog.Ctx(r.Context()).UpdateContext(func(c zerolog.Context) zerolog.Context {
				return c.Int("own", postern.UploadFrom(r.Context()).Batch().Index)
			})
			next.ServeHTTP(w, r)
		})
	}))
	logger := zerolog.New(&log)
	send(h, batchOf(files(2)...), func(r *http.Request) { *r = *r.WithContext(logger.WithContext(r.Context())) })
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[1], `"own":1`)
	require.NotContains(t, lines[1], `"own":0`)
}

// The first result is there while the second file is still judged.
func TestResultsAreStreamed(t *testing.T) {
	first := make(chan struct{})
	h := newHandler(t, only(1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		<-first
		next.ServeHTTP(w, r)
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	res, err := http.Post(server.URL+"/sign", "application/json", strings.NewReader(batchOf(files(2)...)))
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "no", res.Header.Get("X-Accel-Buffering"))
	lines := bufio.NewReader(res.Body)
	read := func() string {
		line, err := lines.ReadString('\n')
		if !errors.Is(err, io.EOF) {
			require.NoError(t, err)
		}
		return line
	}
	require.Equal(t, "{\"results\":[\n", read())
	var got result
	require.NoError(t, json.Unmarshal([]byte(read()), &got))
	require.Equal(t, 0, got.Index)
	close(first)
	require.True(t, strings.HasPrefix(read(), `,{"index":1,"grant":{`))
	require.Equal(t, "]}", read())
}

func TestNobodyIsAskedOnceTheBrowserIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	h := newHandler(t, postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		if asked++; asked == 3 {
			cancel()
		}
		return asAda(nil, u)
	}))
	send(h, batchOf(files(50)...), func(r *http.Request) { *r = *r.WithContext(ctx) })
	require.Equal(t, 3, asked)
}

func TestNoChainGrantsAFileOfABatchUnlessItIsComplete(t *testing.T) {
	body := batchOf(declaring(t, "ada", "acme", 1000, "image/png"), declaring(t, "ada", "acme", 5, "image/png"),
		declaring(t, "ada", "acme", 1000, "application/pdf"), declaring(t, "ada", "acme", 1001, "image/gif"))
	complete := 0
	allSigning(t, func(order []string, chain http.Handler) {
		w := send(chain, body)
		if len(order) == 0 || order[0] != "Decode" { // it is no batch to anybody
			require.Contains(t, []string{"chain_incomplete", "ticket_invalid"}, refused(t, w).Code, order)
			return
		}
		for k, r := range resultsOf(t, w, 4) {
			allowed := k == 0 || k == 3 || k == 1 && !contains(order, "LimitSize") || k == 2 && !contains(order, "AllowContentTypes")
			switch {
			case signs(order) && allowed:
				complete++
				require.NotNil(t, r.Grant, order)
				require.True(t, strings.HasPrefix(r.Grant.Key, "acme/"), order)
			case allowed:
				require.Equal(t, "chain_incomplete", r.code(), order)
			case signs(order):
				require.Contains(t, []string{"size_too_small", "type_not_allowed"}, r.code(), order)
			default:
				require.Contains(t, []string{"size_too_small", "type_not_allowed", "chain_incomplete"}, r.code(), order)
			}
		}
	})
	require.Positive(t, complete)
}

// ticketsOf are those of new grants.
func ticketsOf(t testing.TB, subject, tenant string, n int) (all []string) {
	t.Helper()
	issuer := newIssuer(t)
	for range n {
		g, err := issuer.Issue(t.Context(), &postern.Upload{Subject: subject, Tenant: tenant, Filename: "a.png", Type: "image/png", Size: 1000})
		require.NoError(t, err)
		all = append(all, g.Ticket)
	}
	return all
}

func uploadsOf(tickets ...string) string {
	var all []string
	for _, ticket := range tickets {
		all = append(all, fmt.Sprintf(`{"ticket":%q}`, ticket))
	}
	return `{"uploads":[` + strings.Join(all, ",") + `]}`
}

func TestBatchOfTicketsOpensNoneOfSomeoneElse(t *testing.T) {
	var mutex sync.Mutex
	beyond := map[string]bool{} // whose uploads other middleware has seen
	issuer := newIssuer(t)
	chain := alice.New(postern.OpenTicket(issuer, postern.ActionComplete), postern.Authorize(asAda), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mutex.Lock()
			beyond[postern.UploadFrom(r.Context()).Subject] = true
			mutex.Unlock()
			require.Equal(t, postern.Batch{Files: 4, Size: postern.UnknownSize, Index: postern.UploadFrom(r.Context()).Batch().Index},
				postern.UploadFrom(r.Context()).Batch())
			next.ServeHTTP(w, r)
		})
	}).Then(postern.CompleteHandler(issuer))
	own, bobs := ticketsOf(t, "ada", "acme", 1)[0], ticketsOf(t, "bob", "globex", 1)[0]
	results := resultsOf(t, send(chain, uploadsOf(bobs, own, "x", own)), 4)
	var codes []string
	for _, r := range results {
		codes = append(codes, r.code())
	}
	// Without receipts the end refuses: no chain has gone further.
	require.Equal(t, []string{"ticket_foreign", "replayable", "ticket_invalid", "replayable"}, codes)
	require.Equal(t, map[string]bool{"ada": true}, beyond)
}

func TestBatchOfTicketsIsRefusedAsAWhole(t *testing.T) {
	h := newHandler(t).Route(postern.ActionComplete)
	tickets := ticketsOf(t, "ada", "acme", 101)
	require.Equal(t, "too_many_files", refused(t, send(h, uploadsOf(tickets...))).Code)
	require.Equal(t, "malformed_request", refused(t, send(h, uploadsOf())).Code)
	resultsOf(t, send(h, uploadsOf(tickets[:100]...)), 100)
	// The other actions know no batch.
	for _, action := range []postern.Action{postern.ActionParts, postern.ActionList, postern.ActionAbort, postern.ActionReport} {
		require.Equal(t, "ticket_invalid", refused(t, send(newHandler(t).Route(action), uploadsOf(tickets[0]))).Code)
	}
}

func TestNoMoreThanSixteenFilesAreCompletedAtOnce(t *testing.T) {
	var now, most atomic.Int32
	var once sync.Once
	all := make(chan struct{})
	h := newHandler(t, postern.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			if n == 16 {
				once.Do(func() { close(all) })
			}
			<-all
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			next.ServeHTTP(w, r)
		})
	})).Route(postern.ActionComplete)
	resultsOf(t, send(h, uploadsOf(ticketsOf(t, "ada", "acme", 60)...)), 60)
	require.EqualValues(t, 16, most.Load())
}

func TestChainOfTicketsServesABatchIfAndOnlyIfItIsComplete(t *testing.T) {
	issuer := newIssuer(t)
	middleware := middlewareOf(issuer)
	middleware["OpenTicket"] = postern.OpenTicket(issuer, postern.ActionComplete)
	body := uploadsOf(ticketsOf(t, "ada", "acme", 1)[0], ticketsOf(t, "bob", "globex", 1)[0])
	allChains(t, middleware, postern.CompleteHandler(issuer), func(order []string, chain http.Handler) {
		w := send(chain, body)
		if len(order) == 0 || order[0] != "OpenTicket" {
			require.Contains(t, []string{"chain_incomplete", "filename_required"}, refused(t, w).Code, order)
			return
		}
		results := resultsOf(t, w, 2)
		if lists(order) {
			require.Equal(t, "replayable", results[0].code(), order) // the answer of the end
			require.Equal(t, "ticket_foreign", results[1].code(), order)
			return
		}
		require.Equal(t, "chain_incomplete", results[0].code(), order)
		require.Contains(t, []string{"ticket_foreign", "chain_incomplete"}, results[1].code(), order)
	})
}

// other is a dialect that only looks like the native one.
type other struct{ postern.TicketDialect }

func TestOtherDialectsKnowNoBatch(t *testing.T) {
	h := newHandler(t, postern.WithDialect(other{postern.Native()}))
	require.Equal(t, "filename_required", refused(t, send(h, batchOf(photo))).Code)
	require.Equal(t, "ticket_invalid", refused(t, send(h.Route(postern.ActionComplete), uploadsOf("x"))).Code)
	granted(t, send(h, photo))
}
