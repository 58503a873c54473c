package s3test_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/require"
)

func TestPutOnlyUserWritesUnderItsPrefixAndNothingElse(t *testing.T) {
	srv := s3test.Start(t)
	ctx := t.Context()
	put(t, srv, "staging/theirs", "x")
	put(t, srv, "final/theirs", "x")
	creds, err := srv.PutOnlyUser(ctx, "staging/")
	require.NoError(t, err)
	_, err = srv.PutOnlyUser(ctx, "other/")
	require.NoError(t, err, "a second user leaves the first its permission")
	user := srv.ClientFor(creds)
	at := func(key string) (*string, *string) { return &srv.Bucket, &key }

	write := func(key string) error {
		in := &s3.PutObjectInput{Body: strings.NewReader("mine")}
		in.Bucket, in.Key = at(key)
		_, err := user.PutObject(ctx, in)
		return err
	}
	require.NoError(t, write("staging/mine"))
	require.Equal(t, "mine", get(t, srv, "staging/mine"))

	multipart := &s3.CreateMultipartUploadInput{}
	multipart.Bucket, multipart.Key = at("staging/large")
	up, err := user.CreateMultipartUpload(ctx, multipart)
	require.NoError(t, err)
	part, err := user.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &srv.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part"),
	})
	require.NoError(t, err)
	_, err = user.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &srv.Bucket, Key: up.Key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}},
	})
	require.NoError(t, err)

	refused := map[string]func() error{
		"put elsewhere":     func() error { return write("final/mine") },
		"put beside prefix": func() error { return write("staging-2/mine") },
		"put above prefix":  func() error { return write("staging/../final/mine") },
		"get under prefix": func() error {
			in := &s3.GetObjectInput{}
			in.Bucket, in.Key = at("staging/mine")
			_, err := user.GetObject(ctx, in)
			return err
		},
		"copy into prefix": func() error {
			in := &s3.CopyObjectInput{CopySource: aws.String(srv.Bucket + "/final/theirs")}
			in.Bucket, in.Key = at("staging/stolen")
			_, err := user.CopyObject(ctx, in)
			return err
		},
		"list": func() error {
			_, err := user.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
			return err
		},
		"delete": func() error {
			in := &s3.DeleteObjectInput{}
			in.Bucket, in.Key = at("staging/mine")
			_, err := user.DeleteObject(ctx, in)
			return err
		},
		"change the policy": func() error {
			_, err := user.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &srv.Bucket})
			return err
		},
	}
	for name, try := range refused {
		t.Run(name, func(t *testing.T) {
			err := try()
			var apiErr smithy.APIError
			require.ErrorAs(t, err, &apiErr)
			require.Equal(t, "AccessDenied", apiErr.ErrorCode())
			require.Equal(t, http.StatusForbidden, status(t, err))
		})
	}
}

func TestAddUserGivesWhatIsAskedFor(t *testing.T) {
	srv := s3test.Start(t)
	ctx := t.Context()
	put(t, srv, "public/k", "v")
	require.NoError(t, srv.AddUser(ctx, "lister", "secret-of-lister",
		s3test.Permission{Action: "s3:ListBucket"},
		s3test.Permission{Action: "s3:GetObject", Keys: "public/*"}))
	user := srv.ClientFor(static("lister", "secret-of-lister"))
	_, err := user.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	_, err = user.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: aws.String("public/k")})
	require.NoError(t, err)
	_, err = user.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: aws.String("private/k")})
	require.Equal(t, http.StatusForbidden, status(t, err))

	require.ErrorContains(t, srv.AddUser(ctx, "lister", "again"), "exists")
	require.Error(t, srv.AddUser(ctx, "wrong", "secret", s3test.Permission{Action: "s3:NoSuchAction", Keys: "*"}))
	require.NoError(t, srv.AddUser(ctx, "wrong", "secret"), "a refused user can be added again")
}

func static(id, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, secret, "")
}
