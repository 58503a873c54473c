package foreign_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

func put(c *s3.Client, bucket, key string) error {
	_, err := c.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte("content"))})
	return err
}

func get(t *testing.T, c *s3.Client, bucket, key string) (string, error) {
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(content), nil
}

func TestAPutOnlyUserMayPutUnderItsPrefixAndNothingElse(t *testing.T) {
	s := foreign.Start(t)
	creds, err := s.PutOnlyUser(context.Background(), "staging/")
	require.NoError(t, err)
	user := s.ClientFor(creds)
	require.NoError(t, put(user, s.Bucket, "staging/a"))

	_, err = get(t, user, s.Bucket, "staging/a")
	require.ErrorContains(t, err, "AccessDenied")
	_, err = user.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: aws.String("staging/a")})
	require.ErrorContains(t, err, "AccessDenied")
	_, err = user.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	require.ErrorContains(t, err, "AccessDenied")
	require.ErrorContains(t, put(user, s.Bucket, "final/a"), "AccessDenied")
}

func TestTheRootAccountReadsWhatUsersWrote(t *testing.T) {
	s := foreign.Start(t)
	creds, err := s.PutOnlyUser(context.Background(), "")
	require.NoError(t, err)
	require.NoError(t, put(s.ClientFor(creds), s.Bucket, "a"))
	content, err := get(t, s.Client(), s.Bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "content", content)
}

func TestAServiceUserReadsAndDeletesWhatOthersWrote(t *testing.T) {
	s := foreign.Start(t)
	signer, err := s.PutOnlyUser(context.Background(), "")
	require.NoError(t, err)
	require.NoError(t, s.AddUser(context.Background(), "SERVICE", "service-secret",
		s3test.Permission{Action: "s3:GetObject", Keys: "*"},
		s3test.Permission{Action: "s3:DeleteObject", Keys: "*"},
		s3test.Permission{Action: "s3:ListBucket"}))
	service := s.ClientFor(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "SERVICE", SecretAccessKey: "service-secret"}, nil
	}))
	require.NoError(t, put(s.ClientFor(signer), s.Bucket, "a"))

	content, err := get(t, service, s.Bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "content", content)
	_, err = service.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: aws.String("a")})
	require.NoError(t, err)
	_, err = get(t, service, s.Bucket, "a")
	require.ErrorContains(t, err, "NoSuchKey")
}

func TestTestsHaveBucketsOfTheirOwn(t *testing.T) {
	one, two := foreign.Start(t), foreign.Start(t)
	require.NoError(t, put(one.Client(), one.Bucket, "a"))
	_, err := get(t, two.Client(), two.Bucket, "a")
	require.ErrorContains(t, err, "NoSuchKey")
}
