package foreign_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

func TestParts(t *testing.T) {
	crc := func(s string) string {
		sum := crc64.Checksum([]byte(s), crc64.MakeTable(0x9a6c9329ac4bc9b5))
		return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
	}
	first := strings.Repeat("a", 5<<20)
	check(t, []fact{{
		name: "a SHA-256 of other bytes, signed",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			return s.send(t, u.part(1, content).sign("x-amz-checksum-sha256", sha256Of("other"))).String() + ", " + u.left(t)
		},
		want: results{versitygw: "400 BadDigest, 0 parts", minio: "400 XAmzContentChecksumMismatch, 0 parts", ceph: "200, 1 parts"},
	}, {
		name: "a longer part than was signed",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			return s.send(t, u.part(1, content+"!").sign("content-length", "12")).String() + ", " + u.left(t)
		},
		want: everywhere("403 SignatureDoesNotMatch, 0 parts"),
	}, {
		name: "x-amz-copy-source that nobody signed, by a signer who may only put",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, "secret", "secret")
			u := s.begin(t, key, "")
			return s.send(t, u.part(1, "").add("x-amz-copy-source", "/"+s.Bucket+"/secret")).String() + ", " + u.left(t)
		},
		want: results{versitygw: "403 AccessDenied, 0 parts", seaweedfs: "403 SignatureDoesNotMatch, 0 parts"},
	}, {
		name: "a part without a checksum, into an upload with SHA-256",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "SHA256")
			return s.send(t, u.part(1, content)).String() + ", " + u.left(t)
		},
		want: results{versitygw: "400 InvalidRequest, 0 parts", minio: "400 InvalidArgument, 0 parts", ceph: "200, 1 parts", seaweedfs: "200, 1 parts"},
	}, {
		name: "ListParts tells the SHA-256 of a part, of an upload with SHA-256",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "SHA256")
			require.Equal(t, http.StatusOK, s.send(t, u.part(1, content).sign("x-amz-checksum-sha256", sha256Of(content))).status)
			out, err := s.root.ListParts(ctx, &s3.ListPartsInput{Bucket: &s.Bucket, Key: &key, UploadId: &u.id})
			require.NoError(t, err)
			return fmt.Sprint(aws.ToString(out.Parts[0].ChecksumSHA256) == sha256Of(content))
		},
		want: results{versitygw: "true", ceph: "false", seaweedfs: "false"},
	}, {
		name: "Complete without checksums, of an upload with SHA-256",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "SHA256")
			a := s.send(t, u.part(1, content).sign("x-amz-checksum-sha256", sha256Of(content)))
			require.Equal(t, http.StatusOK, a.status)
			part := types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String(a.header.Get("ETag"))}
			return u.complete(nil, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "400 InvalidRequest, nothing", minio: "400 InvalidPart, nothing", ceph: "200, " + content},
	}, {
		name: "Complete with checksums, of an upload with SHA-256",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "SHA256")
			a := s.send(t, u.part(1, content).sign("x-amz-checksum-sha256", sha256Of(content)))
			require.Equal(t, http.StatusOK, a.status)
			part := types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String(a.header.Get("ETag")), ChecksumSHA256: aws.String(sha256Of(content))}
			return u.complete(nil, part) + ", " + s.stored(t, key)
		},
		want: everywhere("200, " + content),
	}, {
		name: "HEAD tells the CRC64NVME of an upload that has no checksums",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			one, two := u.send(t, 1, first), u.send(t, 2, content)
			require.Equal(t, "200", u.complete(nil, one, two))
			return fmt.Sprint(aws.ToString(s.head(t, key).ChecksumCRC64NVME) == crc(first+content))
		},
		want: results{versitygw: "true", minio: "false", ceph: "false", seaweedfs: "false"},
	}, {
		name: "a wrong CRC64NVME at Complete, of an upload that has no checksums",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			return u.complete(func(in *s3.CompleteMultipartUploadInput) { in.ChecksumCRC64NVME = aws.String(crc("other")) }, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "200, " + content, minio: "400 XAmzContentChecksumMismatch, nothing"},
	}, {
		name: "the right CRC64NVME at Complete, of an upload that has no checksums",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "")
			part := u.send(t, 1, content)
			return u.complete(func(in *s3.CompleteMultipartUploadInput) { in.ChecksumCRC64NVME = aws.String(crc(content)) }, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "200, " + content, minio: "400 XAmzContentChecksumMismatch, nothing"},
	}, {
		name: "a wrong CRC64NVME at Complete, of an upload that has it in its parts",
		try: func(t *testing.T, s *site, key string) string {
			u := s.begin(t, key, "CRC64NVME")
			a := s.send(t, u.part(1, content).sign("x-amz-checksum-crc64nvme", crc(content)))
			require.Equal(t, http.StatusOK, a.status)
			part := types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String(a.header.Get("ETag")), ChecksumCRC64NVME: aws.String(crc(content))}
			return u.complete(func(in *s3.CompleteMultipartUploadInput) { in.ChecksumCRC64NVME = aws.String(crc("other")) }, part) + ", " + s.stored(t, key)
		},
		want: results{versitygw: "400 BadDigest, nothing", minio: "400 XAmzContentChecksumMismatch, nothing", ceph: "200, " + content},
	}, {
		name: "attributes of the beginning are stored",
		try: func(t *testing.T, s *site, key string) string {
			out, err := s.root.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
				Bucket: &s.Bucket, Key: &key, ContentType: aws.String("image/png"), ContentDisposition: aws.String("attachment"),
				CacheControl: aws.String("no-store"), Metadata: map[string]string{"id": "7"}, Tagging: aws.String("a=b"),
			})
			require.NoError(t, err)
			u := upload{s, key, aws.ToString(out.UploadId)}
			require.Equal(t, "200", u.complete(nil, u.send(t, 1, content)))
			o := s.head(t, key)
			tags, err := s.root.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.Bucket, Key: &key})
			require.NoError(t, err)
			return fmt.Sprintf("%s, %s, %s, %s, %d tags, HEAD says %d", aws.ToString(o.ContentType), aws.ToString(o.ContentDisposition),
				aws.ToString(o.CacheControl), o.Metadata["id"], len(tags.TagSet), aws.ToInt32(o.TagCount))
		},
		want: results{
			versitygw: "image/png, attachment, no-store, 7, 1 tags, HEAD says 1",
			ceph:      "image/png, attachment, no-store, 7, 0 tags, HEAD says 0",
		},
	}, {
		name: "ListMultipartUploads by a prefix that is no key",
		try: func(t *testing.T, s *site, key string) string {
			s.begin(t, key+"/a", "")
			s.begin(t, key+"/b", "")
			out, err := s.root.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.Bucket, Prefix: aws.String(key + "/")})
			require.NoError(t, err)
			return fmt.Sprint(len(out.Uploads), " of 2")
		},
		want: results{versitygw: "2 of 2", minio: "0 of 2"},
	}})
}
