package s3_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// result is what became of one file of a batch.
type result struct {
	Index      int
	Grant      *grant
	Receipt    *receipt
	Pending    bool
	RetryAfter int `json:"retry_after"`
	Problem    *struct {
		Status     int
		Code       string
		RetryAfter int `json:"retry_after"`
	}
}

func (r result) code() string {
	if r.Problem == nil {
		return ""
	}
	return r.Problem.Code
}

// callBatch asks about several files at once. The results are in the order of the files.
func callBatch(t testing.TB, h http.Handler, action, member string, list any, header ...string) []result {
	a := call(t, h, action, map[string]any{member: list}, header...)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	require.True(t, json.Valid(a.Body))
	var got struct{ Results []result }
	a.into(t, &got)
	ordered := make([]result, len(got.Results))
	for _, r := range got.Results {
		ordered[r.Index] = r
	}
	return ordered
}

func signBatch(t testing.TB, h http.Handler, files ...map[string]any) (grants []grant) {
	for _, r := range callBatch(t, h, "sign", "files", files) {
		require.NotNil(t, r.Grant, r.code())
		grants = append(grants, *r.Grant)
	}
	return grants
}

func ticketsOf(grants ...grant) (all []map[string]any) {
	for _, g := range grants {
		all = append(all, ticketOf(g))
	}
	return all
}

func TestHundredFilesTakeTwoRequests(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	var files []map[string]any
	contents := make([][]byte, 100)
	for n := range contents {
		contents[n] = fmt.Appendf(nil, "file %d", n)
		files = append(files, fileOf(contents[n]))
	}
	grants := signBatch(t, s, files...)
	var wg sync.WaitGroup
	for n := range grants {
		wg.Go(func() { upload(t, s, grants[n], contents[n]) })
		if n%10 == 9 {
			wg.Wait()
		}
	}
	keys := map[string]bool{}
	for n, r := range callBatch(t, s, "complete", "uploads", ticketsOf(grants...)) {
		require.NotNil(t, r.Receipt, "%d %s", n, r.code())
		s.isRight(t, *r.Receipt, contents[n])
		keys[r.Receipt.Key] = true
	}
	require.Len(t, keys, 100)
	require.Equal(t, 100, s.got.count())
}

// Forms, PUTs and parts, with the lists that each has.
func TestBatchOfEveryMode(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	large := big(12 << 20)
	for _, mode := range []postern.Mode{postern.ModePost, postern.ModePut} {
		s := newSite(t, srv, true, postern.WithMode(mode), postern.WithSizeLimit(0, 1<<30), postern.WithMultipartThreshold(6<<20))
		grants := signBatch(t, s, fileOf(content), fileOf(large), fileOf(nil))
		require.Equal(t, []string{string(mode), "multipart", string(mode)}, []string{grants[0].Mode, grants[1].Mode, grants[2].Mode})
		upload(t, s, grants[0], content)
		upload(t, s, grants[2], nil)
		second := ticketOf(grants[1])
		second["parts"] = partsOf(t, s, grants[1], large)
		wrong := ticketOf(grants[1])
		wrong["parts"] = []map[string]any{{"number": 1, "etag": `"0"`}, {"number": 2, "etag": `"0"`}}
		refused := callBatch(t, s, "complete", "uploads", []any{wrong})
		require.Equal(t, "parts_invalid", refused[0].code())
		results := callBatch(t, s, "complete", "uploads", []any{ticketOf(grants[0]), second, ticketOf(grants[2])})
		for n, c := range [][]byte{content, large, nil} {
			require.NotNil(t, results[n].Receipt, results[n].code())
			s.isRight(t, *results[n].Receipt, c)
		}
	}
}

func TestOneOfABatchThatIsRefusedDoesNotHurtTheOthers(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	grants := signBatch(t, s, fileOf(content), fileOf(content), fileOf(content))
	eves := callBatch(t, s, "sign", "files", []any{fileOf(content)}, "X-Principal", "eve/globex")[0].Grant
	upload(t, s, grants[0], content)
	upload(t, s, grants[2], content)
	upload(t, s, *eves, content)
	results := callBatch(t, s, "complete", "uploads", append(ticketsOf(grants[0], grants[1], *eves, grants[2]), map[string]any{"ticket": "x"}))
	require.NotNil(t, results[0].Receipt)
	require.Equal(t, "object_missing", results[1].code())
	require.Equal(t, "ticket_foreign", results[2].code())
	require.NotNil(t, results[3].Receipt)
	require.Equal(t, "ticket_invalid", results[4].code())
	require.Equal(t, 2, s.got.count())
	// Nothing has happened to the other's upload.
	theirs := callBatch(t, s, "complete", "uploads", ticketsOf(*eves), "X-Principal", "eve/globex")
	require.Equal(t, "eve", theirs[0].Receipt.Subject)
}

func TestSameTicketTwiceInABatchIsOneUpload(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	results := callBatch(t, s, "complete", "uploads", ticketsOf(g, g, g, g))
	for _, r := range results {
		require.NotNil(t, r.Receipt, r.code())
		r.Receipt.same(t, *results[0].Receipt)
	}
	require.Equal(t, 1, s.proxy.count("UploadPartCopy final"))
}

func TestHookThatFailsForOneOfABatchIsTriedAgain(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	second := ask(t, s, fileOf(content))
	var once sync.Once
	s.got.before = func() { once.Do(func() { panic("boom") }) }
	upload(t, s, second, content)
	results := callBatch(t, s, "complete", "uploads", ticketsOf(g, second))
	failed := 0
	for _, r := range results {
		if r.Receipt == nil {
			failed++
			require.Equal(t, "completion_failed", r.code())
			require.Equal(t, 5, r.Problem.RetryAfter)
		}
	}
	require.Equal(t, 1, failed)
	for _, r := range callBatch(t, s, "complete", "uploads", ticketsOf(g, second)) {
		require.NotNil(t, r.Receipt, r.code())
	}
}

// The others are answered, and do not wait for what takes long.
func TestCompletionOfABatchThatTakesLongIsPending(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	second := ask(t, s, fileOf(content))
	upload(t, s, second, content)
	gate, reached := make(chan struct{}), make(chan struct{}, 1)
	var hooks atomic.Int32
	s.got.before = func() {
		if hooks.Add(1) == 1 {
			reached <- struct{}{}
			<-gate
		}
	}
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	var wg sync.WaitGroup
	wg.Go(func() { call(t, s, "complete", ticketOf(g)) })
	<-reached
	results := callBatch(t, s, "complete", "uploads", ticketsOf(g, second))
	require.True(t, results[0].Pending, "%+v", results[0])
	require.Equal(t, 2, results[0].RetryAfter)
	require.NotNil(t, results[1].Receipt, results[1].code())
	release()
	wg.Wait()
	s.isRight(t, *callBatch(t, s, "complete", "uploads", ticketsOf(g))[0].Receipt, content)
}

func TestBrokenS3RefusesTheFilesThatNeedIt(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6<<20))
	s.proxy.on("CreateMultipartUpload staging", func(x *exchange) { x.say(503, "SlowDown") })
	results := callBatch(t, s, "sign", "files", []any{fileOf(content), map[string]any{"filename": "b", "size": 7 << 20}, fileOf(content)})
	require.Equal(t, []string{"", "storage_unavailable", ""}, []string{results[0].code(), results[1].code(), results[2].code()})
	require.Positive(t, results[1].Problem.RetryAfter)
}

func TestRulesTellOfPartsAndCompletion(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, postern.WithSizeLimit(1, 1<<30), postern.WithContentTypes("text/plain"))
	a := serve(t, s, "GET", "/uploads/rules", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.JSONEq(t, `{"types":["text/plain"],"min_size":1,"max_size":1073741824,"max_files":100,
		"modes":["post","multipart"],"multipart_above":104857600,"complete":true,"origin":"`+srv.Endpoint+`"}`, string(a.Body))
	require.Equal(t, http.StatusNotModified, serve(t, s, "GET", "/uploads/rules", nil, "If-None-Match", a.Header.Get("ETag")).Status)
}

func TestRefusalsOfTheBucketReachTheLog(t *testing.T) {
	srv := foreign.Embedded(t)
	for code, c := range map[string]struct {
		status int
		spoil  func(g *grant, body *[]byte)
	}{
		"EntityTooLarge":        {http.StatusBadRequest, func(_ *grant, body *[]byte) { *body = append(*body, "!"...) }},
		"SignatureDoesNotMatch": {http.StatusForbidden, func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("x-amz-signature", strings.Repeat("0", 64)) }},
		"AccessDenied":          {http.StatusForbidden, func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("key", "elsewhere") }},
		"NoSuchBucket":          {http.StatusNotFound, func(g *grant, _ *[]byte) { g.URL = srv.Endpoint + "/missing/" }},
	} {
		t.Run(code, func(t *testing.T) {
			var log lines
			s := newSite(t, srv, true, postern.WithLogger(zerolog.New(&log)))
			g := ask(t, s, fileOf(content))
			spoiled, body := g, slices.Clone(content)
			c.spoil(&spoiled, &body)
			refusal := upload(t, s, spoiled, body)
			require.Equal(t, code, refusal.Code, "%s", refusal.Body)
			a := call(t, s, "report", map[string]any{
				"ticket": g.Ticket, "stage": "upload", "status": refusal.Status, "code": refusal.Code, "detail": refusal.Body[:min(len(refusal.Body), 2000)],
			})
			require.Equal(t, http.StatusNoContent, a.Status, "%s", a.Body)
			var line struct {
				Level, Outcome, Subject, Key string
				Status                       int    `json:"reported_status"`
				Code                         string `json:"reported_code"`
			}
			all := strings.Split(strings.TrimSpace(log.String()), "\n")
			require.NoError(t, json.Unmarshal([]byte(all[len(all)-1]), &line))
			require.Equal(t, []any{"warn", "reported", c.status, code}, []any{line.Level, line.Outcome, line.Status, line.Code}, all)
			require.NotEmpty(t, line.Subject, all)
			require.Equal(t, g.Key, line.Key, all)
			require.NotContains(t, log.String(), g.Fields.get("x-amz-signature"))
			require.NotContains(t, log.String(), g.Ticket)
		})
	}
}
