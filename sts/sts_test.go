package sts_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/sts"
)

var caller = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
})

func TestNewFindsMistakes(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/uploads"
	for name, tc := range map[string]struct {
		config sts.Config
		text   string
	}{
		"no region":       {sts.Config{RoleARN: role, Credentials: caller}, "region"},
		"no credentials":  {sts.Config{Region: "eu-central-1", RoleARN: role}, "credentials"},
		"no role":         {sts.Config{Region: "eu-central-1", Credentials: caller}, "role"},
		"no address":      {sts.Config{Region: "eu-central-1", Credentials: caller, Endpoint: "localhost:9000"}, "endpoint"},
		"a password":      {sts.Config{Region: "eu-central-1", Credentials: caller, Endpoint: "https://a:b@localhost"}, "endpoint"},
		"another service": {sts.Config{Region: "eu-central-1", Credentials: caller, Endpoint: "ftp://localhost"}, "endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sts.New(tc.config)
			require.ErrorContains(t, err, tc.text)
			require.NotContains(t, err.Error(), "a:b")
		})
	}
}

func TestProvidersWithoutTheServiceAreNamed(t *testing.T) {
	p, err := sts.New(sts.Config{Region: "us-east-1", Endpoint: "http://127.0.0.1:9000", Credentials: caller})
	require.NoError(t, err)
	require.NoError(t, p.CheckProvider(postern.AmazonS3))
	require.NoError(t, p.CheckProvider(postern.MinIO))
	require.NoError(t, p.CheckProvider(postern.Generic))
	require.ErrorIs(t, p.CheckProvider(postern.BackblazeB2), sts.ErrUnsupported)
}
