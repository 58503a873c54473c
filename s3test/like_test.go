package s3test_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

// code is S3's code of an error, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func TestConditionsOfAProvider(t *testing.T) {
	type provider string
	for name, want := range map[provider]struct{ put, complete, remove string }{
		"amazon-s3":           {"PreconditionFailed", "PreconditionFailed", "PreconditionFailed"},
		"minio":               {"PreconditionFailed", "PreconditionFailed", ""},
		"digitalocean-spaces": {"PreconditionFailed", "", ""},
		"garage":              {"", "", ""},
		"backblaze-b2":        {"NotImplemented", "NotImplemented", ""},
	} {
		t.Run(string(name), func(t *testing.T) {
			srv := s3test.Start(t, s3test.Like(name))
			client, ctx := srv.Client(), context.Background()
			put := func(key string, condition *string) error {
				_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &srv.Bucket, Key: &key, Body: strings.NewReader("x"), IfNoneMatch: condition})
				return err
			}
			require.NoError(t, put("a", nil))
			require.Equal(t, want.put, code(put("a", aws.String("*"))))

			begun, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &srv.Bucket, Key: aws.String("a")})
			require.NoError(t, err)
			part, err := client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &srv.Bucket, Key: aws.String("a"), UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("y")})
			require.NoError(t, err)
			_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
				Bucket: &srv.Bucket, Key: aws.String("a"), UploadId: begun.UploadId, IfNoneMatch: aws.String("*"),
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}}})
			require.Equal(t, want.complete, code(err))

			_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: aws.String("a"), IfMatch: aws.String(`"other"`)})
			require.Equal(t, want.remove, code(err))
		})
	}
}

func TestProviderThatIsNotKnownIsAnError(t *testing.T) {
	_, err := s3test.New("", "", s3test.Like("acme"))
	require.ErrorContains(t, err, `no provider "acme" is known`)
}
