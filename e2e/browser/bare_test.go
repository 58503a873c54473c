package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/s3test"
)

// TestUploadsAreCompletedWithoutPromotion uploads right under the final key, where
// what browsers add to a request by themselves would show.
func TestUploadsAreCompletedWithoutPromotion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode postern.Mode
		size int
	}{{postern.ModePut, 1000}, {postern.ModePut, 11 * mib}, {postern.ModePost, 1000}} {
		t.Run(fmt.Sprint(c.mode, c.size), func(t *testing.T) {
			srv := s3test.Start(t)
			var mu sync.Mutex
			var receipts []postern.Receipt
			uploads, err := postern.New(postern.Bucket{
				Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Provider: postern.VersityGW, Credentials: srv.Credentials(),
			},
				postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
					u.Subject = "me"
					return nil
				}),
				postern.WithMode(c.mode),
				postern.WithSizeLimit(1, 1<<30),
				postern.WithMultipartThreshold(10*mib),
				postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
					mu.Lock()
					defer mu.Unlock()
					receipts = append(receipts, *r)
					r.Data = map[string]string{"row": "of " + r.Filename}
					return nil
				}))
			require.NoError(t, err)
			mux := http.NewServeMux()
			mux.Handle("POST /uploads/", uploads)
			mux.Handle("GET /client/", client.Handler())
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte("<!doctype html><link rel=icon href=data:,>"))
			})
			site := httptest.NewServer(mux)
			defer site.Close()

			page := browser.Open(t, site.URL)
			got := run[map[string]any](page, fmt.Sprintf(`
				return upload(file("a.txt", %d), { endpoint: "/uploads", checksum: %t });`, c.size, c.mode == postern.ModePost)) // forms need one
			require.EqualValues(t, c.size, got["size"])
			require.Len(t, receipts, 1)
			require.Equal(t, receipts[0].ID, got["id"])
			require.Equal(t, map[string]any{"row": "of a.txt"}, got["data"])
		})
	}
}
