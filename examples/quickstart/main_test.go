package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

// without takes credentials and AWS settings of the machine out of the test.
func without(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "POSTERN_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

// fails runs the program, which must end with one line on standard error.
func fails(t *testing.T, args ...string) (line string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Equal(t, 1, run(ctx, args, &stdout, &stderr))
	require.Empty(t, stdout.String(), "it is not ready")
	line, rest, ended := strings.Cut(stderr.String(), "\n")
	require.True(t, ended)
	require.Empty(t, rest, "one line")
	return line
}

func listening(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

func TestMistakesInTheFlagsAreSaidInOneLine(t *testing.T) {
	without(t)
	busy := listening(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	const free = "127.0.0.1:0"

	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"the page's port is busy", []string{"-addr", busy},
			"quickstart: " + busy + " is in use: choose another address with -addr"},
		{"the S3 server's port is busy", []string{"-addr", free, "-s3-addr", busy, "-dir", t.TempDir()},
			"quickstart: " + busy + " is in use: choose another address with -s3-addr"},
		{"an address makes no sense", []string{"-addr", "127.0.0.1:http:80"},
			"quickstart: cannot listen on 127.0.0.1:http:80 (-addr): address 127.0.0.1:http:80: too many colons in address"},
		{"the S3 server's address makes no sense", []string{"-addr", free, "-s3-addr", "9000", "-dir", t.TempDir()},
			"quickstart: cannot listen on 9000 (-s3-addr): address 9000: missing port in address"},
		{"the folder is missing", []string{"-addr", free, "-s3-addr", free, "-dir", file + ".d"},
			"quickstart: the folder " + file + ".d does not exist: make it, or choose another with -dir"},
		{"the folder is a file", []string{"-addr", free, "-s3-addr", free, "-dir", file},
			"quickstart: " + file + " is not a folder: choose one with -dir"},
		{"an endpoint without a bucket", []string{"-endpoint", "https://s3.example.com"},
			"quickstart: -endpoint needs -bucket, the name of the bucket to use"},
		{"path style without a bucket", []string{"-path-style"},
			"quickstart: -path-style needs -bucket, the name of the bucket to use"},
		{"a region without a bucket", []string{"-region", "eu-central-1"},
			"quickstart: -region needs -bucket, the name of the bucket to use"},
		{"an endpoint that is no web address", []string{"-bucket", "b", "-endpoint", "s3.example.com:9000"},
			"quickstart: -endpoint must be an http or https URL such as https://s3.example.com:9000"},
		{"an endpoint of another scheme", []string{"-bucket", "b", "-endpoint", "ftp://s3.example.com"},
			"quickstart: -endpoint must be an http or https URL such as https://s3.example.com:9000"},
		{"shared credentials without a bucket", []string{"-allow-shared-credentials"},
			"quickstart: -allow-shared-credentials needs -bucket, the name of the bucket to use"},
		{"a bucket without region and endpoint", []string{"-addr", free, "-dir", t.TempDir(), "-bucket", "uploads"},
			"quickstart: -bucket needs its -region (or AWS_REGION), or the -endpoint of another S3 server"},
		{"no credentials", []string{"-addr", free, "-dir", t.TempDir(), "-bucket", "uploads", "-region", "eu-central-1"},
			"quickstart: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"},
		{"an unknown flag", []string{"-port", "80"},
			"quickstart: flag provided but not defined: -port (see -h)"},
		{"an argument", []string{"demo"},
			`quickstart: unexpected argument "demo" (see -h)`},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, fails(t, c.args...)) })
	}
}

func TestARealBucketIsTriedBeforeThePageIsReady(t *testing.T) {
	without(t)
	srv := s3test.Start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", srv.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", srv.SecretAccessKey)
	website := httptest.NewServer(http.NotFoundHandler())
	defer website.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := ln.Addr().String()
	require.NoError(t, ln.Close())

	args := func(endpoint, bucket, region string) []string {
		return []string{"-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-endpoint", endpoint, "-bucket", bucket, "-region", region,
			"-path-style", "-allow-shared-credentials"}
	}
	t.Run("nobody listens", func(t *testing.T) {
		line := fails(t, args("http://"+closed, "uploads", "us-east-1")...)
		require.Contains(t, line, "quickstart: http://"+closed+" cannot be reached: ")
		require.NotContains(t, line, "Signature")
	})
	t.Run("the host does not exist", func(t *testing.T) {
		line := fails(t, args("http://s3.invalid", "uploads", "us-east-1")...)
		require.Contains(t, line, "quickstart: http://s3.invalid cannot be reached: ")
	})
	t.Run("it is no S3 server", func(t *testing.T) {
		line := fails(t, args(website.URL, "uploads", "us-east-1")...)
		require.Equal(t, "quickstart: "+website.URL+" does not answer as an S3 server does (404 Not Found)", line)
	})
	t.Run("the bucket does not exist", func(t *testing.T) {
		require.Contains(t, fails(t, args(srv.Endpoint, "nowhere", srv.Region)...), "NoSuchBucket")
	})
	t.Run("the credentials are wrong", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		require.Contains(t, fails(t, args(srv.Endpoint, srv.Bucket, srv.Region)...), "SignatureDoesNotMatch")
	})
	t.Run("half of the signing credentials is missing", func(t *testing.T) {
		t.Setenv("POSTERN_SIGNING_ACCESS_KEY_ID", "SIGNER")
		require.Equal(t, "quickstart: POSTERN_SIGNING_ACCESS_KEY_ID and POSTERN_SIGNING_SECRET_ACCESS_KEY go together",
			fails(t, args(srv.Endpoint, srv.Bucket, srv.Region)...))
	})
	t.Run("the same credentials would do everything", func(t *testing.T) {
		alone := args(srv.Endpoint, srv.Bucket, srv.Region)
		require.Equal(t, "quickstart: this S3 server may let browsers do more with an upload than was signed: "+
			"set POSTERN_SIGNING_ACCESS_KEY_ID and POSTERN_SIGNING_SECRET_ACCESS_KEY to credentials that may only put objects under staging/, "+
			"or, for development, give -allow-shared-credentials", fails(t, alone[:len(alone)-1]...))

		signer, err := srv.PutOnlyUser(t.Context(), staging)
		require.NoError(t, err)
		c, err := signer.Retrieve(t.Context())
		require.NoError(t, err)
		t.Setenv("POSTERN_SIGNING_ACCESS_KEY_ID", c.AccessKeyID)
		t.Setenv("POSTERN_SIGNING_SECRET_ACCESS_KEY", c.SecretAccessKey)
		_, stop := start(t, alone[:len(alone)-1]...)
		stop()
	})
	t.Run("all is well", func(t *testing.T) {
		url, stop := start(t, args(srv.Endpoint, srv.Bucket, srv.Region)...)
		require.Contains(t, get(t, url+"/", "").Header.Get("Content-Security-Policy"), "connect-src 'self' "+srv.Endpoint+";")
		stop()
	})
}

func TestItServesUntilItIsInterrupted(t *testing.T) {
	without(t)
	dir := t.TempDir()
	url, stop := start(t, "-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", dir)

	for path, status := range map[string]int{
		"/":                  200,
		"/web/app.js":        200,
		"/web/":              404,
		"/nothing":           404,
		"/uploads/nothing":   404,
		"/uploads/sign":      405,
		"/client/postern.js": 200,
		"/client/app.js":     404,
		"/files":             200,
		"/files/":            404,
	} {
		require.Equal(t, status, get(t, url+path, "Bearer acme-demo").StatusCode, path)
	}
	for _, authorization := range []string{"", "Bearer ", "Bearer acme", "acme-demo", "Basic acme-demo"} {
		require.Equal(t, 401, get(t, url+"/files", authorization).StatusCode, authorization)
	}
	stop()

	_, stop = start(t, "-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", dir)
	stop()
}

func TestHelpIsNoMistake(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	for _, name := range []string{"-addr", "-s3-addr", "-dir", "-endpoint", "-bucket", "-region", "-path-style", "-put", "-allow-shared-credentials"} {
		require.Contains(t, stdout.String(), "  "+name)
	}
}

// start runs the program until stop, which checks that it ends well.
func start(t *testing.T, args ...string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, w := io.Pipe()
	stderr := &bytes.Buffer{}
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, args, w, stderr)
		_ = w.Close()
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		require.Zero(t, <-status, stderr)
	})
	t.Cleanup(stop)
	line := make([]byte, 256)
	n, err := stdout.Read(line)
	if err != nil {
		cancel()
		require.FailNow(t, "it did not start", "%d %s", <-status, stderr)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "Open ")
	require.True(t, ok, "the address is all it prints")
	return url, stop
}

func get(t *testing.T, url, authorization string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // which follows no redirect
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response
}
