// Package parts has the benchmark that needs an S3 server in its process, apart
// from the others, whose process it would weigh down.
package parts

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/s3test"
)

// BenchmarkParts10k answers one request for the URLs of 10,000 parts.
func BenchmarkParts10k(b *testing.B) {
	numbers := make([]int, 10_000)
	for i := range numbers {
		numbers[i] = i + 1
	}

	b.Run("postern", func(b *testing.B) {
		h, ticket := multipartUpload(b)
		fixture.MeasureHandler(b, h, "/uploads/parts", map[string]any{"ticket": ticket, "numbers": numbers}, http.StatusOK)
	})

	b.Run("aws-sdk-go-v2", func(b *testing.B) {
		presigner := fixture.Presigner()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var q struct {
				Numbers []int32 `json:"numbers"`
			}
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 128<<10)).Decode(&q); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			urls := make(map[int32]string, len(q.Numbers))
			for _, number := range q.Numbers {
				url, err := fixture.PresignPart(b, presigner, number)
				if err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				urls[number] = url
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"urls": urls})
		})
		fixture.MeasureHandler(b, h, "/uploads/parts", map[string]any{"numbers": numbers}, http.StatusOK)
	})
}

func TestPartsAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	const parts = 1000
	numbers := make([]int, parts)
	for i := range numbers {
		numbers[i] = i + 1
	}
	h, ticket := multipartUpload(t)
	body, err := json.Marshal(map[string]any{"ticket": ticket, "numbers": numbers})
	require.NoError(t, err)
	serve := fixture.Repeat(h, "/uploads/parts", body)
	allocs := testing.AllocsPerRun(10, func() { require.NoError(t, serve(http.StatusOK)) })
	require.LessOrEqual(t, allocs, parts+100.0, "one for each part, and those of a request")
}

// multipartUpload returns a handler and the ticket of an upload of 10,000 parts,
// which a real S3 server has begun.
func multipartUpload(b testing.TB) (h http.Handler, ticket string) {
	const size = 10_000 * fixture.PartSize
	srv := s3test.Start(b)
	h, err := postern.New(
		postern.Bucket{
			Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Provider: postern.VersityGW,
			Credentials: aws.NewCredentialsCache(srv.Credentials()),
		},
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "acme"
			return nil
		}),
		postern.WithSizeLimit(1, size),
		postern.WithPartSize(fixture.PartSize),
		postern.WithTicketKeys(make([]byte, 32)),
	)
	require.NoError(b, err)
	r := httptest.NewRequest("POST", "/uploads/sign",
		strings.NewReader(`{"filename":"film.mp4","type":"video/mp4","size":`+strconv.Itoa(size)+`}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var grant struct {
		Parts  int    `json:"parts"`
		Ticket string `json:"ticket"`
	}
	require.NoError(b, json.Unmarshal(w.Body.Bytes(), &grant), w.Body)
	require.Equal(b, 10_000, grant.Parts, w.Body)
	return h, grant.Ticket
}
