package postern_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestCheckNamesTheCauseOfACredentialsFailure(t *testing.T) {
	b := bucket
	b.Endpoint = "http://127.0.0.1:1" // nobody is there
	b.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("the metadata service is asleep")
	})
	i, err := postern.NewIssuer(b)
	require.NoError(t, err)
	err = i.Check(t.Context(), "")
	require.ErrorIs(t, err, postern.ErrCredentialsUnavailable)
	require.ErrorContains(t, err, "the metadata service is asleep")
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := bucket
	b.Endpoint = "http://127.0.0.1:1"
	b.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		<-ctx.Done()
		return aws.Credentials{}, ctx.Err()
	})
	i, err := postern.NewIssuer(b)
	require.NoError(t, err)
	require.ErrorIs(t, i.Check(ctx, ""), context.Canceled)
}
