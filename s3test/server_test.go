package s3test_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/require"
)

func TestStartServesTheBucket(t *testing.T) {
	begun := time.Now()
	srv := s3test.Start(t)
	t.Logf("started in %v", time.Since(begun))

	put(t, srv, "a/b.txt", "hello")
	require.Equal(t, "hello", get(t, srv, "a/b.txt"))

	list, err := srv.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	require.Equal(t, srv.Bucket, aws.ToString(list.Name))
	require.Len(t, list.Contents, 1)
	require.Equal(t, "a/b.txt", aws.ToString(list.Contents[0].Key))
}

func TestOptionsSetTheServerUp(t *testing.T) {
	srv := s3test.Start(t,
		s3test.WithRegion("eu-central-1"),
		s3test.WithBucket("acme-uploads"),
		s3test.WithCredentials("AKIDEXAMPLE", "a-secret"))
	require.Equal(t, "eu-central-1", srv.Region)
	require.Equal(t, "acme-uploads", srv.Bucket)
	put(t, srv, "k", "v")

	_, err := srv.Client().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &srv.Bucket},
		func(o *s3.Options) { o.Region = "us-east-1" })
	require.Error(t, err, "the region is part of the signature")

	_, err = s3test.New("", "", s3test.WithBucket(""), s3test.WithRegion(""))
	require.ErrorContains(t, err, "empty bucket")
	require.ErrorContains(t, err, "empty region")
}

func TestBucketsAreListedAndMissingOnesNamed(t *testing.T) {
	srv := s3test.Start(t)
	require.NoError(t, srv.CreateBucket(t.Context(), "another"))
	var owned *types.BucketAlreadyOwnedByYou
	require.ErrorAs(t, srv.CreateBucket(t.Context(), "another"), &owned)

	out, err := srv.Client().ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	var names []string
	for _, b := range out.Buckets {
		names = append(names, aws.ToString(b.Name))
	}
	require.Equal(t, []string{"another", srv.Bucket}, names)

	for _, missing := range []string{"missing", "..", "a%2Fb"} {
		resp, err := http.Get(srv.Endpoint + "/" + missing + "/key")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, err)
		require.GreaterOrEqual(t, resp.StatusCode, 400)
		require.NotContains(t, string(body), os.TempDir(), "answers must not name folders")
	}
}

func TestDataSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	ctx := t.Context()

	first, err := s3test.New(dir, "", s3test.WithCORSOrigins("https://one.example"))
	require.NoError(t, err)
	put(t, first, "kept", "data")
	require.NoError(t, first.AddUser(ctx, "reader", "reader-secret", s3test.Permission{Action: "s3:GetObject", Keys: "*"}))
	require.NoError(t, first.Close())

	second, err := s3test.New(dir, "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	require.Equal(t, "data", get(t, second, "kept"))
	require.Equal(t, []string{"https://one.example"}, origins(t, second), "a kept bucket keeps its rules")

	reader := second.ClientFor(static("reader", "reader-secret"))
	_, err = reader.GetObject(ctx, &s3.GetObjectInput{Bucket: &second.Bucket, Key: aws.String("kept")})
	require.NoError(t, err)
	require.NoError(t, second.Close())

	third, err := s3test.New(dir, "", s3test.WithCORSOrigins("https://two.example"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, third.Close()) })
	require.Equal(t, []string{"https://two.example"}, origins(t, third), "unless they are asked for")
}

func TestNewSaysWhyItCannotStart(t *testing.T) {
	srv := s3test.Start(t)
	addr := strings.TrimPrefix(srv.Endpoint, "http://")
	_, err := s3test.New("", addr)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	var netErr *net.OpError
	require.ErrorAs(t, err, &netErr)
	require.NotContains(t, err.Error(), "\n")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = s3test.New(filepath.Join(file, "data"), "")
	require.ErrorContains(t, err, "s3test: data folder: ")
	require.NotContains(t, err.Error(), "\n")

	_, err = s3test.New("", "", s3test.WithBucket("No_Bucket"))
	require.ErrorContains(t, err, `create bucket "No_Bucket"`)
}

func TestServersShareAProcess(t *testing.T) {
	before, err := os.Getwd()
	require.NoError(t, err)
	one, two := s3test.Start(t), s3test.Start(t)
	after, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, before, after, "the working directory is the program's own")

	var wg sync.WaitGroup
	for _, srv := range []*s3test.Server{one, two} {
		for _, key := range []string{"a", "b", "deep/c", "deep/d"} {
			wg.Go(func() {
				for range 5 {
					put(t, srv, key, srv.Endpoint+key)
				}
			})
		}
	}
	wg.Wait()
	require.Equal(t, one.Endpoint+"deep/c", get(t, one, "deep/c"))
	require.Equal(t, two.Endpoint+"deep/c", get(t, two, "deep/c"))
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	// What libraries start once for the process is not counted.
	warm, err := s3test.New("", "")
	require.NoError(t, err)
	require.NoError(t, warm.Close())
	goroutines := runtime.NumGoroutine()

	srv, err := s3test.New("", "127.0.0.1:0")
	require.NoError(t, err)
	addr := strings.TrimPrefix(srv.Endpoint, "http://")
	put(t, srv, "k", "v")

	silent, err := net.Dial("tcp", addr) // as a browser's preconnect
	require.NoError(t, err)
	defer silent.Close()
	half, err := net.Dial("tcp", addr) // a request that never ends
	require.NoError(t, err)
	defer half.Close()
	_, err = io.WriteString(half, "PUT /uploads/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
	require.NoError(t, err)

	begun := time.Now()
	require.NoError(t, srv.Close())
	t.Logf("closed in %v", time.Since(begun))
	require.NoError(t, srv.Close(), "a second Close does nothing")

	_, err = silent.Read(make([]byte, 1))
	require.Error(t, err)
	again, err := s3test.New("", addr)
	require.NoError(t, err, "the port is free")
	require.NoError(t, again.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines },
		5*time.Second, 20*time.Millisecond)
}

func put(t *testing.T, srv *s3test.Server, key, body string) {
	t.Helper()
	_, err := srv.Client().PutObject(context.WithoutCancel(t.Context()), &s3.PutObjectInput{
		Bucket: &srv.Bucket, Key: &key, Body: strings.NewReader(body),
	})
	require.NoError(t, err)
}

func get(t *testing.T, srv *s3test.Server, key string) string {
	t.Helper()
	out, err := srv.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &srv.Bucket, Key: &key})
	require.NoError(t, err)
	defer out.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(out.Body)
	require.NoError(t, err)
	return body.String()
}

func origins(t *testing.T, srv *s3test.Server) []string {
	t.Helper()
	out, err := srv.Client().GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	require.Len(t, out.CORSRules, 1)
	return out.CORSRules[0].AllowedOrigins
}

// Browsers send all of a body before they read.
func TestARefusalReachesWhoeverIsStillSending(t *testing.T) {
	srv := s3test.Start(t)
	address := strings.TrimPrefix(srv.Endpoint, "http://")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	body := bytes.Repeat([]byte("x"), 1<<20)
	const times = 64
	_, err = fmt.Fprintf(conn, "PUT /%s/large.txt HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", srv.Bucket, address, times*len(body))
	require.NoError(t, err)
	for range times {
		_, err := conn.Write(body)
		require.NoError(t, err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
}
