package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/bench/internal/fixture"
)

const issueRequest = `{"filename":"photo.png","type":"image/png","size":1000}`

// BenchmarkIssue is a request for a grant from its decoding to the answer: origin,
// authorizer, rules for size and type, a key of a template, a signed form, a
// ticket, and a log line.
func BenchmarkIssue(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		h := issuing(b)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(issueRequest))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
		var grant struct {
			Ticket string `json:"ticket"`
		}
		require.NoError(b, json.Unmarshal(w.Body.Bytes(), &grant))
		fixture.MeasureHandler(b, h, "/uploads/sign", json.RawMessage(issueRequest), http.StatusCreated)
		b.ReportMetric(float64(len(grant.Ticket)), "token-B")
	})
	b.Run("aws-sdk-go-v2", func(b *testing.B) {
		fixture.MeasureHandler(b, newPeer(), "/uploads/sign", json.RawMessage(issueRequest), http.StatusCreated)
	})
}

// BenchmarkIssueParallel is BenchmarkIssue/postern on as many cores as -cpu says.
func BenchmarkIssueParallel(b *testing.B) {
	h := issuing(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		serve := fixture.Repeat(h, "/uploads/sign", []byte(issueRequest))
		for pb.Next() {
			if err := serve(http.StatusCreated); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// issuing is a handler as the README has it.
func issuing(b *testing.B) http.Handler {
	h, err := postern.New(
		postern.Bucket{Name: bucket, Region: region, Credentials: fixture.Credentials()},
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "acme"
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, maxSize),
		postern.WithContentTypes("image/*", "application/pdf"),
		postern.WithTicketKeys(make([]byte, 32)),
		postern.WithLogger(zerolog.New(io.Discard)),
	)
	require.NoError(b, err)
	return h
}
