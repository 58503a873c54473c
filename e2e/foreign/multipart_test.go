package foreign_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// upload is an upload in parts, which the root account began.
type upload struct {
	s       *site
	key, id string
}

func (s *site) begin(t testing.TB, key string, algorithm types.ChecksumAlgorithm) upload {
	out, err := s.root.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.Bucket, Key: &key, ChecksumAlgorithm: algorithm})
	require.NoError(t, err)
	return upload{s, key, aws.ToString(out.UploadId)}
}

// part is a presigned part by the signer.
func (u upload) part(n int, body string) request {
	r := u.s.presignedPut(u.key, body)
	r.query = url.Values{"uploadId": {u.id}, "partNumber": {fmt.Sprint(n)}}
	return r
}

// send stores a part.
func (u upload) send(t testing.TB, n int, body string) types.CompletedPart {
	a := u.s.send(t, u.part(n, body))
	require.Equal(t, http.StatusOK, a.status)
	return types.CompletedPart{PartNumber: aws.Int32(int32(n)), ETag: aws.String(a.header.Get("ETag"))}
}

// complete completes with some parts, and says what the server said.
func (u upload) complete(change func(in *s3.CompleteMultipartUploadInput), parts ...types.CompletedPart) string {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.s.Bucket, Key: &u.key, UploadId: &u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}
	if change != nil {
		change(in)
	}
	_, err := u.s.root.CompleteMultipartUpload(ctx, in)
	return said(err)
}

func (u upload) abort() string {
	_, err := u.s.root.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.s.Bucket, Key: &u.key, UploadId: &u.id})
	return said(err)
}

// left is what there is of an upload: its parts, or "nothing".
func (u upload) left(t testing.TB) string {
	parts, err := u.s.root.ListParts(ctx, &s3.ListPartsInput{Bucket: &u.s.Bucket, Key: &u.key, UploadId: &u.id})
	if err == nil {
		return fmt.Sprint(len(parts.Parts), " parts")
	}
	uploads, err := u.s.root.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &u.s.Bucket, Prefix: &u.key})
	require.NoError(t, err)
	for _, other := range uploads.Uploads {
		require.NotEqual(t, u.id, aws.ToString(other.UploadId), "an upload that has no list of parts is listed")
	}
	return "nothing"
}

func absent(in *s3.CompleteMultipartUploadInput) { in.IfNoneMatch = aws.String("*") }

func TestComplete(t *testing.T) {
	check(t, []fact{{
		name: "of an upload",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			return u.complete(nil, part) + ", " + s.stored(t, key) + ", left: " + u.left(t)
		},
		want: everywhere("200, " + content + ", left: nothing"),
	}, {
		name: "again",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			require.Equal(t, "200", u.complete(nil, part))
			return u.complete(nil, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "200, " + content, minio: "404 NoSuchUpload, " + content},
	}, {
		name: "again, If-None-Match",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			require.Equal(t, "200", u.complete(absent, part))
			return u.complete(absent, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "200, " + content, minio: "412 PreconditionFailed, " + content, seaweedfs: "412 PreconditionFailed, " + content},
	}, {
		name: "again, after the object was deleted",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			require.Equal(t, "200", u.complete(absent, part))
			_, err := s.root.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &key})
			require.NoError(t, err)
			return u.complete(absent, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "404 NoSuchUpload, nothing", ceph: "500 InternalError, nothing"},
	}, {
		name: "of an upload that was aborted",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			require.Equal(t, "200", u.abort())
			return u.complete(nil, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "404 NoSuchUpload, nothing", ceph: "500 InternalError, nothing"},
	}, {
		name: "onto something, If-None-Match",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key, "already there")
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			return u.complete(absent, part) + ", " + s.stored(t, key) + ", left: " + u.left(t)
		},
		want: results{
			versitygw: "412 PreconditionFailed, already there, left: 1 parts",
			ceph:      "200, " + content + ", left: nothing",
		},
	}, {
		name: "of 4 uploads at once, If-None-Match",
		try: func(t *testing.T, s *site, key string) string {
			answers := make([]string, 4)
			var all sync.WaitGroup
			for i := range answers {
				u := s.begin(t, key, "")
				part := u.send(t, 1, content)
				all.Go(func() { answers[i] = u.complete(absent, part) })
			}
			all.Wait()
			won := 0
			for _, a := range answers {
				if a == "200" {
					won++
				}
			}
			return fmt.Sprint(won, " completed")
		},
		want: results{versitygw: "1 completed", ceph: "4 completed"},
	}, {
		name: "with a wrong ETag",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			part.ETag = aws.String(`"0123456789abcdef0123456789abcdef"`)
			return u.complete(nil, part) + ", " + s.stored(t, key) + ", left: " + u.left(t)
		},
		want: everywhere("400 InvalidPart, nothing, left: 1 parts"),
	}, {
		name: "with the ETag of a part that was replaced",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, "the first")
			u.send(t, 1, "the second")
			return u.complete(nil, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "400 InvalidPart, nothing", seaweedfs: "200, the first"},
	}, {
		name: "with a first part below 5 MiB",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			one, two := u.send(t, 1, content), u.send(t, 2, content)
			return u.complete(nil, one, two) + ", " + s.stored(t, key) + ", left: " + u.left(t)
		},
		want: everywhere("400 EntityTooSmall, nothing, left: 2 parts"),
	}, {
		name: "with a wrong x-amz-mp-object-size",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			return u.complete(func(in *s3.CompleteMultipartUploadInput) { in.MpuObjectSize = aws.Int64(3) }, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "400 InvalidRequest, nothing", minio: "200, " + content, ceph: "200, " + content, seaweedfs: "200, " + content},
	}})
}

func TestAbort(t *testing.T) {
	check(t, []fact{{
		name: "of an upload with parts",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			u.send(t, 1, content)
			u.send(t, 2, content)
			return u.abort() + ", left: " + u.left(t)
		},
		want: everywhere("200, left: nothing"),
	}, {
		name: "of an upload without parts",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			return u.abort() + ", left: " + u.left(t)
		},
		want: everywhere("200, left: nothing"),
	}, {
		name: "again",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			require.Equal(t, "200", u.abort())
			return u.abort()
		},
		want: results{versitygw: "404 NoSuchUpload", minio: "200"},
	}, {
		name: "of an upload that was completed",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			require.Equal(t, "200", u.complete(nil, part))
			return u.abort() + ", " + s.stored(t, key)
		},
		want: results{versitygw: "404 NoSuchUpload, " + content, minio: "200, " + content},
	}, {
		name: "under another key",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			other := u
			other.key += "-other"
			return other.abort() + ", left: " + u.left(t)
		},
		want: results{versitygw: "404 NoSuchUpload, left: 0 parts", minio: "200, left: 0 parts"},
	}, {
		name: "while a part is on its way, and again when it is there",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			body, w := io.Pipe()
			r, err := http.NewRequest(http.MethodPut, s.url(t, u.part(1, "")), body)
			require.NoError(t, err)
			r.ContentLength = 1 << 20
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = roundTrip(r) // refused or stored, as it happens
			}()
			_, err = w.Write(make([]byte, 512<<10))
			require.NoError(t, err)
			u.abort()
			_, _ = w.Write(make([]byte, 512<<10))
			_ = w.Close()
			<-done
			u.abort()
			return u.left(t)
		},
		want: everywhere("nothing"),
	}, {
		name: "and then a part",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			require.Equal(t, "200", u.abort())
			return s.send(t, u.part(1, content)).String()
		},
		want: everywhere("404 NoSuchUpload"),
	}, {
		name: "and then ListParts",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			require.Equal(t, "200", u.abort())
			_, err := s.root.ListParts(ctx, &s3.ListPartsInput{Bucket: &s.Bucket, Key: &key, UploadId: &u.id})
			return said(err)
		},
		want: results{versitygw: "404 NoSuchUpload", ceph: "404 NoSuchKey"},
	}, {
		name: "and then ListParts by a user who may not list the bucket",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			require.Equal(t, "200", u.abort())
			_, err := s.user(t, false, "s3:ListMultipartUploadParts").ListParts(ctx,
				&s3.ListPartsInput{Bucket: &s.Bucket, Key: &key, UploadId: &u.id})
			return said(err)
		},
		want: results{versitygw: "404 NoSuchUpload", ceph: "403 AccessDenied"},
	}})
}
