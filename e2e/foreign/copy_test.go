package foreign_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestCopyAndDelete(t *testing.T) {
	const otherETag = `"0123456789abcdef0123456789abcdef"`
	copied := func(change func(in *s3.CopyObjectInput)) func(t *testing.T, s *site, key string) string {
		return func(t *testing.T, s *site, key string) string {
			s.put(t, key+"-source", "source")
			s.put(t, key, "already there")
			in := &s3.CopyObjectInput{Bucket: &s.Bucket, Key: &key, CopySource: aws.String(s.Bucket + "/" + key + "-source")}
			change(in)
			_, err := s.root.CopyObject(ctx, in)
			return said(err) + ", " + s.stored(t, key)
		}
	}
	deleted := func(etag string) func(t *testing.T, s *site, key string) string {
		return func(t *testing.T, s *site, key string) string {
			own := s.put(t, key, content)
			if etag == "" {
				etag = own
			}
			_, err := s.root.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &key, IfMatch: &etag})
			return said(err) + ", " + s.stored(t, key)
		}
	}
	check(t, []fact{{
		name: "CopyObject of a source with another ETag",
		try:  copied(func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = aws.String(otherETag) }),
		want: results{versitygw: "412 PreconditionFailed, already there", ceph: "200, source", ceph18: "412 PreconditionFailed, already there"},
	}, {
		name: "CopyObject onto something, If-None-Match",
		try:  copied(func(in *s3.CopyObjectInput) { in.IfNoneMatch = aws.String("*") }),
		want: results{versitygw: "200, source", seaweedfs: "412 PreconditionFailed, already there"},
	}, {
		name: "UploadPartCopy of a source with another ETag",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key+"-source", "source")
			begun := s.begin(t, key, "")
			_, err := s.root.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket: &s.Bucket, Key: &key, UploadId: &begun.id, PartNumber: aws.Int32(1),
				CopySource: aws.String(s.Bucket + "/" + key + "-source"), CopySourceIfMatch: aws.String(otherETag),
			})
			return said(err) + ", " + begun.left(t)
		},
		want: results{versitygw: "412 PreconditionFailed, 0 parts", ceph: "200, 1 parts"},
	}, {
		name: "UploadPartCopy into an upload with a checksum algorithm",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key+"-source", "source")
			begun := s.begin(t, key, "SHA256")
			_, err := s.root.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket: &s.Bucket, Key: &key, UploadId: &begun.id, PartNumber: aws.Int32(1),
				CopySource: aws.String(s.Bucket + "/" + key + "-source"),
			})
			return said(err) + ", " + begun.left(t)
		},
		want: results{versitygw: "200, 1 parts", minio: "400 InvalidArgument, 0 parts"},
	}, {
		name: "DeleteObject of another ETag",
		try:  deleted(otherETag),
		want: results{versitygw: "412 PreconditionFailed, " + content, minio: "200, nothing", ceph: "200, nothing"},
	}, {
		name: "DeleteObject of this ETag",
		try:  deleted(""),
		want: everywhere("200, nothing"),
	}, {
		name: "DeleteObject of nothing",
		try: func(t *testing.T, s *site, key string) string {
			_, err := s.root.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &key})
			return said(err)
		},
		want: everywhere("200"),
	}})
}

func TestRights(t *testing.T) {
	head := func(client *s3.Client, s *site, key string) string {
		_, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key})
		return said(err)
	}
	check(t, []fact{{
		name: "HEAD of nothing, by a signer who may only put",
		try: func(t *testing.T, s *site, key string) string {
			return s.send(t, request{by: s.signer, method: "HEAD", key: key}).String()
		},
		want: everywhere("403"),
	}, {
		name: "HEAD of nothing, with s3:GetObject alone",
		try: func(t *testing.T, s *site, key string) string {
			return head(s.user(t, false, "s3:GetObject"), s, key)
		},
		want: results{versitygw: "404 NotFound", ceph: "403 Forbidden"},
	}, {
		name: "HEAD of nothing, with s3:GetObject and s3:ListBucket",
		try: func(t *testing.T, s *site, key string) string {
			return head(s.user(t, true, "s3:GetObject"), s, key)
		},
		want: everywhere("404 NotFound"),
	}, {
		name: "the signer begins an upload in parts",
		try: func(t *testing.T, s *site, key string) string {
			_, err := s.signing().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.Bucket, Key: &key})
			return said(err)
		},
		want: everywhere("200"),
	}, {
		name: "the signer aborts an upload",
		try: func(t *testing.T, s *site, key string) string {
			begun := s.begin(t, key, "")
			_, err := s.signing().AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: &key, UploadId: &begun.id})
			return said(err) + ", " + begun.left(t)
		},
		want: results{versitygw: "403 AccessDenied, 0 parts", seaweedfs: "200, nothing"},
	}, {
		name: "GET of the first bytes of an empty object",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key, "")
			_, err := s.root.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key, Range: aws.String("bytes=0-3071")})
			return said(err)
		},
		want: everywhere("416 InvalidRange"),
	}})
}

func (s *site) signing() *s3.Client {
	return s.ClientFor(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return s.signer, nil }))
}
