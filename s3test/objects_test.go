package s3test_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCopyObjectKeepsDataAndMetadata(t *testing.T) {
	srv := s3test.Start(t)
	client, ctx := srv.Client(), t.Context()
	key := "staging/größe 100%+ ?&.txt"
	put1, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &srv.Bucket, Key: &key, Body: strings.NewReader("data"),
		ContentType: aws.String("text/plain"), Metadata: map[string]string{"id": "42"},
	})
	require.NoError(t, err)
	source := aws.String(srv.Bucket + "/" + escape(key))

	// A relative path would lead elsewhere from here.
	t.Chdir(t.TempDir())

	require.NoError(t, srv.CreateBucket(ctx, "final"))
	for _, bucket := range []string{srv.Bucket, "final"} {
		_, err := client.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: &bucket, Key: aws.String("done.txt"), CopySource: source, CopySourceIfMatch: put1.ETag,
		})
		require.NoError(t, err)
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("done.txt")})
		require.NoError(t, err)
		require.Equal(t, "text/plain", aws.ToString(head.ContentType))
		require.Equal(t, map[string]string{"id": "42"}, head.Metadata)
		require.Equal(t, put1.ETag, head.ETag)
	}

	refused := []struct {
		name   string
		code   int
		change func(*s3.CopyObjectInput)
	}{
		{"another ETag", http.StatusPreconditionFailed, func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = aws.String(`"other"`) }},
		{"no such key", http.StatusNotFound, func(in *s3.CopyObjectInput) { in.CopySource = aws.String(srv.Bucket + "/none") }},
		{"no such bucket", http.StatusNotFound, func(in *s3.CopyObjectInput) { in.CopySource = aws.String("missing/none") }},
		{"another owner", http.StatusForbidden, func(in *s3.CopyObjectInput) { in.ExpectedSourceBucketOwner = aws.String("someone") }},
		{"onto itself", http.StatusBadRequest, func(in *s3.CopyObjectInput) { in.Key = &key }},
	}
	for _, tc := range refused {
		t.Run(tc.name, func(t *testing.T) {
			in := &s3.CopyObjectInput{Bucket: &srv.Bucket, Key: aws.String("copy"), CopySource: source}
			tc.change(in)
			_, err := client.CopyObject(ctx, in)
			require.Equal(t, tc.code, status(t, err), "%v", err)
			require.NotContains(t, err.Error(), os.TempDir())
		})
	}

	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &srv.Bucket, Key: &key, CopySource: source,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"id": "43"},
	})
	require.NoError(t, err, "onto itself with other metadata")
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &srv.Bucket, Key: &key})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"id": "43"}, head.Metadata)
}

func TestMultipartCopyCompletesOnce(t *testing.T) {
	srv := s3test.Start(t)
	client, ctx := srv.Client(), t.Context()
	put(t, srv, "source", "0123456789")

	complete := func() error {
		up, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &srv.Bucket, Key: aws.String("frozen"), ContentType: aws.String("image/png"),
		})
		require.NoError(t, err)
		require.Equal(t, srv.Bucket, aws.ToString(up.Bucket))
		part, err := client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: &srv.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1),
			CopySource: aws.String(srv.Bucket + "/source"),
		})
		require.NoError(t, err)
		parts, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &srv.Bucket, Key: up.Key, UploadId: up.UploadId})
		require.NoError(t, err)
		require.Equal(t, srv.Bucket, aws.ToString(parts.Bucket))
		require.Len(t, parts.Parts, 1)
		out, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &srv.Bucket, Key: up.Key, UploadId: up.UploadId, IfNoneMatch: aws.String("*"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{
				{PartNumber: aws.Int32(1), ETag: part.CopyPartResult.ETag},
			}},
		})
		if err == nil {
			require.Equal(t, srv.Bucket, aws.ToString(out.Bucket))
			require.Equal(t, srv.Endpoint+"/"+srv.Bucket+"/frozen", aws.ToString(out.Location))
		}
		return err
	}
	require.NoError(t, complete())
	require.Equal(t, "0123456789", get(t, srv, "frozen"))
	require.Equal(t, http.StatusPreconditionFailed, status(t, complete()))

	open, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	require.Len(t, open.Uploads, 1)
	abort := &s3.AbortMultipartUploadInput{Bucket: &srv.Bucket, Key: open.Uploads[0].Key, UploadId: open.Uploads[0].UploadId}
	_, err = client.AbortMultipartUpload(ctx, abort)
	require.NoError(t, err)
	_, err = client.AbortMultipartUpload(ctx, abort)
	var gone *types.NoSuchUpload
	require.ErrorAs(t, err, &gone)
}

func TestObjectsAreDeleted(t *testing.T) {
	srv := s3test.Start(t)
	client, ctx := srv.Client(), t.Context()
	for _, key := range []string{"one", "dir/two", "dir/three"} {
		put(t, srv, key, key)
	}
	_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: aws.String("one")})
	require.NoError(t, err)
	_, err = client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &srv.Bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("dir/two")}, {Key: aws.String("dir/three")}},
	}})
	require.NoError(t, err)
	_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &srv.Bucket, Key: aws.String("one")})
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &srv.Bucket})
	require.NoError(t, err, "the bucket is empty")
}

func TestParallelWritesHaveOneWinnerAndDeletesAllSucceed(t *testing.T) {
	srv := s3test.Start(t)
	client, ctx, key := srv.Client(), t.Context(), "dir/contended"
	for range 10 {
		var created atomic.Int32
		var writes, deletes sync.WaitGroup
		for range 8 {
			writes.Go(func() {
				_, err := client.PutObject(ctx, &s3.PutObjectInput{
					Bucket: &srv.Bucket, Key: &key, Body: strings.NewReader("x"), IfNoneMatch: aws.String("*"),
				})
				if err == nil {
					created.Add(1)
				}
			})
		}
		writes.Wait()
		require.EqualValues(t, 1, created.Load())
		for range 8 {
			deletes.Go(func() {
				_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: &key})
				assert.NoError(t, err)
			})
		}
		deletes.Wait()
	}
}

func status(t *testing.T, err error) int {
	t.Helper()
	var resp *awshttp.ResponseError
	require.ErrorAs(t, err, &resp)
	return resp.HTTPStatusCode()
}

// escape escapes a key for use in a copy's source.
func escape(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = url.QueryEscape(s)
	}
	return strings.Join(segments, "/")
}

// TestAnAbortedUploadStaysAborted has a part on its way while its upload is aborted.
func TestAnAbortedUploadStaysAborted(t *testing.T) {
	srv := s3test.Start(t)
	client, ctx, key := srv.Client(), t.Context(), aws.String("film.mp4")
	begun, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &srv.Bucket, Key: key})
	require.NoError(t, err)
	part := &s3.UploadPartInput{Bucket: &srv.Bucket, Key: key, UploadId: begun.UploadId, PartNumber: aws.Int32(1), ContentLength: aws.Int64(8)}
	signed, err := s3.NewPresignClient(client).PresignUploadPart(ctx, part)
	require.NoError(t, err)
	body, rest := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, body)
	require.NoError(t, err)
	r.Header, r.ContentLength = signed.SignedHeader, 8
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	_, err = rest.Write([]byte("half"))
	require.NoError(t, err)
	time.Sleep(200 * time.Millisecond) // until the server has begun to store the part
	_, err = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &srv.Bucket, Key: key, UploadId: begun.UploadId})
	require.NoError(t, err)
	_, err = rest.Write([]byte("done"))
	require.NoError(t, err)
	<-ended // stored or not

	part.PartNumber, part.Body = aws.Int32(2), strings.NewReader("part two")
	_, err = client.UploadPart(ctx, part)
	require.Equal(t, http.StatusNotFound, status(t, err))
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &srv.Bucket, Key: key, UploadId: begun.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("x")}}},
	})
	require.Equal(t, http.StatusNotFound, status(t, err))
}

// Completions that fail give the upload back with all of its parts.
func TestCompletionsThatFailTogetherLeaveTheParts(t *testing.T) {
	srv := s3test.Start(t)
	ctx, client, bucket, key := t.Context(), srv.Client(), aws.String(s3test.DefaultBucket), aws.String("a")
	up, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	require.NoError(t, err)
	part, err := client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("p"),
	})
	require.NoError(t, err)
	complete := func(etag *string) error {
		_, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: etag}}},
		})
		return err
	}
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 25 {
				assert.Error(t, complete(aws.String(strings.Repeat("ab", 16))))
			}
		})
	}
	workers.Wait()
	require.NoError(t, complete(part.ETag))
}
