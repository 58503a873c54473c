package s3test_test

import (
	"net/http"
	"testing"

	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/require"
)

func TestPreflightIsAnswered(t *testing.T) {
	tests := []struct {
		name    string
		options []s3test.Option
		origin  string
		allowed bool
	}{
		{"any origin by default", nil, "https://app.example", true},
		{"a named origin", []s3test.Option{s3test.WithCORSOrigins("https://app.example")}, "https://app.example", true},
		{"another origin", []s3test.Option{s3test.WithCORSOrigins("https://app.example")}, "https://evil.example", false},
		{"no origin", []s3test.Option{s3test.WithCORSOrigins()}, "https://app.example", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			srv := s3test.Start(t, tc.options...)
			require.NoError(t, srv.CreateBucket(t.Context(), "another"))
			for path, method := range map[string]string{
				"/" + srv.Bucket + "/":      http.MethodPost,
				"/" + srv.Bucket + "/k":     http.MethodPut,
				"/another/a/b?partNumber=1": http.MethodPut,
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, srv.Endpoint+path, nil)
				require.NoError(t, err)
				req.Header.Set("Origin", tc.origin)
				req.Header.Set("Access-Control-Request-Method", method)
				req.Header.Set("Access-Control-Request-Headers", "content-type,x-amz-meta-id")
				resp, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				if !tc.allowed {
					require.Equal(t, http.StatusForbidden, resp.StatusCode)
					require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
					continue
				}
				require.Equal(t, http.StatusOK, resp.StatusCode)
				require.Contains(t, []string{"*", tc.origin}, resp.Header.Get("Access-Control-Allow-Origin"))
				require.Contains(t, resp.Header.Get("Access-Control-Allow-Methods"), method)
				require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), "x-amz-meta-id")
				exposed := resp.Header.Get("Access-Control-Expose-Headers")
				require.Contains(t, exposed, "ETag")
				require.Contains(t, exposed, "Location")
				require.NotEmpty(t, resp.Header.Get("Access-Control-Max-Age"))
			}
		})
	}
}
