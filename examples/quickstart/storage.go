package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/internal/command"
	"github.com/postern-go/postern/s3test"
)

// storage is the bucket behind the page.
type storage struct {
	bucket postern.Bucket
	probe  bool // it may not be there
	close  func() error
}

func openStorage(ctx context.Context, opts *options, kept *folder) (*storage, error) {
	if opts.bucket == "" {
		return openEmbedded(ctx, opts, kept)
	}
	return openBucket(ctx, opts)
}

// openEmbedded starts the S3 server that comes along. The secret of its root
// account lasts as long as the program.
func openEmbedded(ctx context.Context, opts *options, kept *folder) (*storage, error) {
	s3, err := command.StartS3(kept.path("s3"), opts.s3Addr, s3test.WithCredentials("QUICKSTART", rand.Text()))
	if err != nil {
		return nil, err
	}
	signer, err := embeddedSigner(ctx, s3, kept)
	if err != nil {
		return nil, errors.Join(err, s3.Close())
	}
	return &storage{
		bucket: postern.Bucket{
			Name:               s3.Bucket,
			Region:             s3.Region,
			Endpoint:           s3.Endpoint,
			PathStyle:          true,
			Provider:           postern.VersityGW,
			Credentials:        signer,
			ServiceCredentials: s3.Credentials(),
		},
		close: s3.Close,
	}, nil
}

// embeddedSigner returns the account that may only write uploads, and makes it at
// the first time.
func embeddedSigner(ctx context.Context, s3 *s3test.Server, kept *folder) (aws.CredentialsProvider, error) {
	if kept.SignerID == "" {
		made, err := s3.PutOnlyUser(ctx, staging)
		if err != nil {
			return nil, err
		}
		c, err := made.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		kept.SignerID, kept.SignerSecret = c.AccessKeyID, c.SecretAccessKey
		if err := kept.save(); err != nil {
			return nil, err
		}
	}
	return credentials.NewStaticCredentialsProvider(kept.SignerID, kept.SignerSecret, ""), nil
}

// openBucket uses a bucket that is there already.
func openBucket(ctx context.Context, opts *options) (*storage, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, errors.New("the AWS configuration cannot be read: " + err.Error())
	}
	bucket := postern.Bucket{
		Name:        opts.bucket,
		Region:      cfg.Region,
		Endpoint:    opts.endpoint,
		Provider:    postern.Provider(opts.provider),
		PathStyle:   opts.pathStyle,
		Credentials: cfg.Credentials,
	}
	if opts.region != "" {
		bucket.Region = opts.region
	}
	if bucket.Region == "" && bucket.Endpoint == "" {
		return nil, errors.New("-bucket needs its -region (or AWS_REGION), or the -endpoint of another S3 server")
	}
	if signing, err := signingCredentials(); err != nil {
		return nil, err
	} else if signing != nil {
		bucket.Credentials, bucket.ServiceCredentials = signing, cfg.Credentials
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, errors.New("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
	}
	return &storage{bucket: bucket, probe: true, close: func() error { return nil }}, nil
}

// signingCredentials returns those that only sign uploads, or nil.
func signingCredentials() (aws.CredentialsProvider, error) {
	id, secret := os.Getenv("POSTERN_SIGNING_ACCESS_KEY_ID"), os.Getenv("POSTERN_SIGNING_SECRET_ACCESS_KEY")
	switch {
	case id == "" && secret == "":
		return nil, nil
	case id == "" || secret == "":
		return nil, errors.New("POSTERN_SIGNING_ACCESS_KEY_ID and POSTERN_SIGNING_SECRET_ACCESS_KEY go together")
	}
	return credentials.NewStaticCredentialsProvider(id, secret, os.Getenv("POSTERN_SIGNING_SESSION_TOKEN")), nil
}

// ready finds out whether a bucket that others run can be used.
func (s *storage) ready(ctx context.Context, issuer *postern.Issuer) error {
	if !s.probe {
		return nil
	}
	address, err := issuer.PresignGet(ctx, probeKey, time.Minute)
	if err != nil {
		return err
	}
	return probe(ctx, address)
}
