package s3test_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/assert"
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

// TestPagesCanReadEveryAnswer: without the headers a browser tells its page of a network
// that is gone, whatever S3 has said.
func TestPagesCanReadEveryAnswer(t *testing.T) {
	const page = "https://app.example"
	srv := s3test.Start(t, s3test.WithCORSOrigins(page))
	require.NoError(t, srv.CreateBucket(t.Context(), "closed"))
	_, err := srv.Client().DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: aws.String("closed")})
	require.NoError(t, err)
	signer, err := srv.PutOnlyUser(t.Context(), "staging/")
	require.NoError(t, err)
	user, err := signer.Retrieve(t.Context())
	require.NoError(t, err)
	upload, err := srv.Client().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &srv.Bucket, Key: aws.String("staging/k")})
	require.NoError(t, err)

	presigned := func(method, path string, at time.Time) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.Endpoint+path, strings.NewReader("data"))
		require.NoError(t, err)
		query := req.URL.Query()
		query.Set("X-Amz-Expires", "60")
		req.URL.RawQuery = query.Encode()
		signed, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
			PresignHTTP(t.Context(), user, req, "UNSIGNED-PAYLOAD", "s3", srv.Region, at)
		require.NoError(t, err)
		req.URL, err = req.URL.Parse(signed)
		require.NoError(t, err)
		return req
	}
	posted := func(bucket, body string, fields ...[2]string) *http.Request {
		contentType, content := form(t, srv.Region, bucket, user, 4, fields, []byte(body))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.Endpoint+"/"+bucket, content)
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		return req
	}
	plain := func(method, path, body string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.Endpoint+path, strings.NewReader(body))
		require.NoError(t, err)
		return req
	}
	with := func(req *http.Request, name, value string) *http.Request {
		req.Header.Set(name, value)
		return req
	}
	now, before := time.Now(), time.Now().Add(-time.Hour)
	key, part := "/"+srv.Bucket+"/staging/k", "/"+srv.Bucket+"/staging/k?partNumber=1&uploadId="+*upload.UploadId
	tests := []struct {
		name    string
		request *http.Request
		status  int
	}{
		{"a form", posted(srv.Bucket, "data", [2]string{"key", "staging/a"}), http.StatusNoContent},
		{"a form that is too large", posted(srv.Bucket, "data!", [2]string{"key", "staging/a"}), http.StatusBadRequest},
		{"a form for another key", posted(srv.Bucket, "data", [2]string{"key", "elsewhere"}), http.StatusForbidden},
		{"a form without its policy", with(plain(http.MethodPost, "/"+srv.Bucket, "--b\r\n\r\n--b--\r\n"), "Content-Type", "multipart/form-data; boundary=b"), http.StatusBadRequest},
		{"a form for no bucket", posted("missing", "data", [2]string{"key", "staging/a"}), http.StatusNotFound},
		{"no form", with(plain(http.MethodPost, "/"+srv.Bucket, "data"), "Content-Type", "text/plain"), http.StatusPreconditionFailed},
		{"a PUT", presigned(http.MethodPut, key, now), http.StatusOK},
		{"a PUT that has expired", presigned(http.MethodPut, key, before), http.StatusForbidden},
		{"a PUT with a header that nobody signed", with(presigned(http.MethodPut, key, now), "x-amz-acl", "public-read"), http.StatusForbidden},
		{"a PUT for another key", presigned(http.MethodPut, "/"+srv.Bucket+"/elsewhere", now), http.StatusForbidden},
		{"a PUT for no bucket", presigned(http.MethodPut, "/missing/staging/k", now), http.StatusNotFound},
		{"a PUT that nobody signed", plain(http.MethodPut, key, "data"), http.StatusForbidden},
		{"a PUT with a wrong sum", with(presigned(http.MethodPut, key, now), "Content-MD5", "x"), http.StatusBadRequest},
		{"a part", presigned(http.MethodPut, part, now), http.StatusOK},
		{"a part that has expired", presigned(http.MethodPut, part, before), http.StatusForbidden},
		{"a part of no upload", presigned(http.MethodPut, key+"?partNumber=1&uploadId=none", now), http.StatusNotFound},
		{"a part with a number that cannot be", presigned(http.MethodPut, key+"?partNumber=10001&uploadId="+*upload.UploadId, now), http.StatusBadRequest},
		{"a key that cannot be", presigned(http.MethodPut, key+strings.Repeat("k", 1100), now), http.StatusBadRequest},
		{"a bucket that cannot be", plain(http.MethodPut, "/A/k", "data"), http.StatusBadRequest},
		{"an object that is not there", plain(http.MethodGet, "/"+srv.Bucket+"/none", ""), http.StatusForbidden},
		{"a method for nothing", plain(http.MethodPost, "/", "data"), http.StatusMethodNotAllowed},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.request.Header.Set("Origin", page)
			resp, err := http.DefaultClient.Do(tc.request)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.status, resp.StatusCode, string(body))
			assert.Equal(t, page, resp.Header.Get("Access-Control-Allow-Origin"), string(body))
			assert.Contains(t, resp.Header.Get("Access-Control-Expose-Headers"), "ETag")
			assert.Contains(t, resp.Header.Get("Vary"), "Origin")
			assert.Len(t, resp.Header.Values("Access-Control-Allow-Origin"), 1)
		})
	}
}

func TestPagesOfOtherOriginsCanReadNothing(t *testing.T) {
	closed, open := s3test.Start(t, s3test.WithCORSOrigins()), s3test.Start(t, s3test.WithCORSOrigins("https://app.example"))
	require.NoError(t, open.CreateBucket(t.Context(), "closed"))
	_, err := open.Client().DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: aws.String("closed")})
	require.NoError(t, err)
	for address, origin := range map[string]string{
		closed.Endpoint + "/" + closed.Bucket + "/k": "https://app.example",
		closed.Endpoint + "/missing/k":               "https://app.example",
		open.Endpoint + "/" + open.Bucket + "/k":     "https://evil.example",
		open.Endpoint + "/missing/k":                 "https://evil.example",
		open.Endpoint + "/closed/k":                  "https://app.example",
	} {
		for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodOptions} {
			resp := fetch(t, method, address, origin)
			require.GreaterOrEqual(t, resp.StatusCode, 400, method+" "+address)
			require.Empty(t, resp.Header.Values("Access-Control-Allow-Origin"), method+" "+address)
		}
	}
}

func TestPagesLearnThatABucketDoesNotExist(t *testing.T) {
	srv := s3test.Start(t)
	require.Equal(t, http.StatusOK, fetch(t, http.MethodOptions, srv.Endpoint+"/missing/k", "https://app.example").StatusCode)
	resp := fetch(t, http.MethodPut, srv.Endpoint+"/missing/k", "https://app.example")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
}

// fetch sends what the page of an origin would, a preflight for a PUT if it is one.
func fetch(t *testing.T, method, address, origin string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	req.Header.Set("Origin", origin)
	if method == http.MethodOptions {
		req.Header.Set("Access-Control-Request-Method", http.MethodPut)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp
}

// TestPagesCanReadWhatIsSaidBeforeTheRequestIsRead has no origin to look at.
func TestPagesCanReadWhatIsSaidBeforeTheRequestIsRead(t *testing.T) {
	for origins, want := range map[string]string{"*": "*", "https://app.example": ""} {
		srv := s3test.Start(t, s3test.WithCORSOrigins(origins))
		for name, request := range map[string]string{
			"headers that are too large": "PUT /uploads/k HTTP/1.1\r\nHost: s3\r\nOrigin: https://app.example\r\nX-A: " + strings.Repeat("a", 9000) + "\r\n\r\n",
			"a length that is no number": "PUT /uploads/k HTTP/1.1\r\nHost: s3\r\nContent-Length: many\r\n\r\n",
			"what is not the protocol's": "hello\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.Endpoint, "http://"))
			require.NoError(t, err)
			_, err = io.WriteString(conn, request)
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err, name)
			require.NoError(t, conn.Close())
			require.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
			require.Equal(t, want, resp.Header.Get("Access-Control-Allow-Origin"), name)
		}
	}
}

func TestPagesCanReadThatTheServerIsIllOrHasTooMuchToDo(t *testing.T) {
	dir := t.TempDir()
	srv, err := s3test.New(dir, "", s3test.WithRequests(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	object := srv.Endpoint + "/" + srv.Bucket + "/k"

	content, rest := io.Pipe()
	signed, err := s3.NewPresignClient(srv.Client()).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &srv.Bucket, Key: aws.String("k")})
	require.NoError(t, err)
	slow, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, content)
	require.NoError(t, err)
	slow.ContentLength = 1 << 20
	stored := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(slow)
		if err == nil {
			err = resp.Body.Close()
		}
		stored <- err
	}()
	_, err = rest.Write(make([]byte, 1<<19))
	require.NoError(t, err)
	resp := fetch(t, http.MethodPut, object, "https://app.example")
	for resp.StatusCode != http.StatusServiceUnavailable { // until the slow one has begun
		resp = fetch(t, http.MethodPut, object, "https://app.example")
	}
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	_, err = rest.Write(make([]byte, 1<<19))
	require.NoError(t, err)
	require.NoError(t, rest.Close())
	require.NoError(t, <-stored)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "meta", srv.Bucket, "meta", "acl"), []byte("{"), 0o600))
	ill, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, nil)
	require.NoError(t, err)
	ill.Header.Set("Origin", "https://app.example")
	resp, err = http.DefaultClient.Do(ill)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
}
