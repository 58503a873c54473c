package s3_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// page answers as a portal or a front end would in S3's place.
func (x *exchange) page(status int) {
	x.w.Header().Set("Content-Type", "text/html")
	x.w.WriteHeader(status)
	_, _ = x.w.Write([]byte("<html><body>Sign in</body></html>"))
}

func TestPageInS3sPlaceIsAFault(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, status := range []int{200, 404} {
		for _, call := range []string{"HeadObject final", "HeadObject staging", "CreateMultipartUpload final", "UploadPartCopy final", "CompleteMultipartUpload final"} {
			s, g := uploaded(t, srv)
			s.proxy.on(call, func(x *exchange) { x.page(status) })
			comesBack(t, completes(t, s, g), 503, "storage_unavailable")
			s.proxy.with(nil)
			s.isRight(t, complete(t, s, g.Ticket), content)
		}
	}
}

func completes(t testing.TB, h http.Handler, g grant) answer {
	return call(t, h, "complete", ticketOf(g))
}

func TestExpiredTokenOfAHeadIsAFault(t *testing.T) {
	s, g := uploaded(t, foreign.Embedded(t))
	s.proxy.on("HeadObject final", func(x *exchange) { x.w.WriteHeader(http.StatusBadRequest) })
	comesBack(t, completes(t, s, g), 503, "storage_unavailable")
}

func TestRetryAfterOfS3GoesThrough(t *testing.T) {
	s, g := uploaded(t, foreign.Embedded(t))
	s.proxy.on("UploadPartCopy final", func(x *exchange) {
		x.w.Header().Set("Retry-After", "17")
		x.say(http.StatusServiceUnavailable, "SlowDown")
	})
	a := completes(t, s, g)
	comesBack(t, a, 503, "storage_unavailable")
	require.Equal(t, "17", a.Header.Get("Retry-After"))
}

func TestLogSaysWhatS3Says(t *testing.T) {
	var seen error
	s, g := uploaded(t, foreign.Embedded(t), postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = d.Err }))
	s.proxy.on("UploadPartCopy final", func(x *exchange) {
		x.w.Header().Set("X-Amz-Request-Id", "0A49CE4060975EAC")
		x.say(http.StatusForbidden, "AccessDenied")
	})
	a := completes(t, s, g)
	comesBack(t, a, 500, "storage_denied")
	require.NotContains(t, string(a.Body), "0A49CE4060975EAC")
	require.ErrorContains(t, seen, "UploadPartCopy: access denied (AccessDenied: a fault, HTTP 403, request 0A49CE4060975EAC)")
}

// A bucket that was deleted, or never was, is a mistake of the server's, whose log
// names it; to the browser its file has not got lost.
func TestMissingBucketIsNoMissingObject(t *testing.T) {
	for _, promotion := range []bool{true, false} {
		srv := foreign.Embedded(t)
		bucket := bucketOf(t, srv)
		bucket.Name, bucket.ServiceCredentials, bucket.Provider = "gone", srv.Credentials(), postern.VersityGW
		require.NoError(t, srv.CreateBucket(t.Context(), bucket.Name))
		var seen error
		opts := append(inParts, postern.WithOnComplete((&receipts{}).hook), postern.WithMode(postern.ModePut),
			postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = d.Err }))
		if promotion {
			opts = append(opts, postern.WithPromotion("staging/"))
		}
		h := newReplica(t, bucket, opts...)
		small, parts := ask(t, h, fileOf(content)), ask(t, h, fileOf(big(6<<20)))
		comesBack(t, completes(t, h, small), 404, "object_missing")

		require.Equal(t, http.StatusNoContent, call(t, h, "abort", ticketOf(parts)).Status)
		_, err := srv.Client().DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket.Name})
		require.NoError(t, err)
		for _, tc := range []struct {
			action  string
			request any
		}{
			{"complete", ticketOf(small)}, {"complete", ticketOf(parts)}, {"list", ticketOf(parts)}, {"abort", ticketOf(parts)},
			{"sign", fileOf(big(6 << 20))},
		} {
			a := call(t, h, tc.action, tc.request)
			comesBack(t, a, 500, "bucket_missing")
			require.NotContains(t, string(a.Body), "gone")
			require.ErrorContains(t, seen, `no such bucket "gone"`)
		}
	}
}
