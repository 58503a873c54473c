package postern_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
)

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// benchmarkHandler is the usual configuration, with a logger.
func benchmarkHandler(t testing.TB, opts ...postern.HandlerOption) http.Handler {
	return newHandler(t, append(opts,
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, 10<<20),
		postern.WithContentTypes("image/*", "application/pdf"),
		postern.WithLogger(zerolog.New(io.Discard)))...)
}

// repeatable returns a function that sends the same request again and again.
func repeatable(t testing.TB, h http.Handler) func() {
	body := strings.NewReader(photo)
	r := httptest.NewRequest("POST", "/uploads/sign", io.NopCloser(body))
	r.Header.Set("Content-Type", "application/json")
	w := &discard{header: http.Header{}}
	return func() {
		body.Reset(photo)
		if h.ServeHTTP(w, r); w.status != 201 {
			t.Fatal(w.status)
		}
	}
}

func TestSignRequestAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, repeatable(t, benchmarkHandler(t))), 22.0)
}

// A quota in memory costs a request little more.
func TestCountedSignRequestAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, repeatable(t, countedHandler(t))), 36.0)
}

// countedHandler is the usual one with a quota of the tenant and the subject.
func countedHandler(t testing.TB) http.Handler {
	return benchmarkHandler(t, postern.WithPromotion("staging/"), bounding(quota.NewMemory(nil), postern.Quota{
		Tenant: quota.Bytes(1 << 50).Files(1 << 40), Subject: quota.Uploads(1 << 40).PerMinute(1 << 30),
	}))
}

// Of a stranger's batch one file is decoded, however many there are.
func TestStrangersBatchAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	h := newHandler(t, postern.WithAuthorizer(refusing(postern.ErrUnauthenticated)))
	long := file("a.png", 5)
	long = long[:len(long)-1] + `,"metadata":{` + strings.TrimSuffix(strings.Repeat(`"a":"b",`, 500), ",") + `}}`
	cost := func(n int) float64 {
		return testing.AllocsPerRun(50, func() { send(h, batchOf(append([]string{photo}, slices.Repeat([]string{long}, n-1)...)...)) })
	}
	require.Less(t, cost(100), cost(1)+50) // for the body, and where each file stands
}

func TestIssueAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	i := newIssuer(t, postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")))
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		_, err := i.Issue(t.Context(), &postern.Upload{
			Subject: "ada", Tenant: "acme", Filename: "photo.png", Type: "image/png", Size: 1000,
		})
		if err != nil {
			t.Fatal(err)
		}
	}), 9.0)
}

func BenchmarkSignRequest(b *testing.B) {
	request := repeatable(b, benchmarkHandler(b))
	b.ReportAllocs()
	for b.Loop() {
		request()
	}
}

// BenchmarkSignRequestWithoutQuota is beside BenchmarkSignRequestWithQuota: both promote.
func BenchmarkSignRequestWithoutQuota(b *testing.B) {
	request := repeatable(b, benchmarkHandler(b, postern.WithPromotion("staging/")))
	b.ReportAllocs()
	for b.Loop() {
		request()
	}
}

func BenchmarkSignRequestWithQuota(b *testing.B) {
	request := repeatable(b, countedHandler(b))
	b.ReportAllocs()
	for b.Loop() {
		request()
	}
}
