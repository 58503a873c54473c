package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// storage is the bucket behind the page.
type storage struct {
	bucket postern.Bucket  // its credentials sign the uploads
	reader *postern.Issuer // has the credentials that read objects back
	origin string          // where the browser finds it, for the page's policy
	close  func() error
}

func openStorage(ctx context.Context, opts *options) (*storage, error) {
	if opts.bucket == "" {
		return openEmbedded(ctx, opts)
	}
	return openBucket(ctx, opts)
}

// openEmbedded starts the S3 server that comes along. Its secret lasts as long
// as the program.
func openEmbedded(ctx context.Context, opts *options) (*storage, error) {
	if err := checkDir(opts.dir); err != nil {
		return nil, err
	}
	s3, err := s3test.New(opts.dir, opts.s3Addr, s3test.WithCredentials("QUICKSTART", rand.Text()))
	var (
		listen  *net.OpError
		address *net.AddrError
	)
	switch {
	case errors.As(err, &listen) && listen.Op == "listen", errors.As(err, &address):
		return nil, listenError("-s3-addr", opts.s3Addr, err)
	case err != nil:
		return nil, err
	}
	s, err := newStorage(ctx, postern.Bucket{
		Name:        s3.Bucket,
		Region:      s3.Region,
		Endpoint:    s3.Endpoint,
		PathStyle:   true,
		Credentials: s3.Credentials(),
	}, s3.Credentials())
	if err != nil {
		return nil, errors.Join(err, s3.Close())
	}
	s.close = s3.Close
	return s, nil
}

// checkDir takes a folder that was asked for as it is: a typing error should not
// make a new, empty one.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && dir == defaultDir:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: make it, or choose another with -dir", dir)
	case err != nil:
		return fmt.Errorf("-dir: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder: choose one with -dir", dir)
	}
	return nil
}

// openBucket uses a bucket that is there already.
func openBucket(ctx context.Context, opts *options) (*storage, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	bucket := postern.Bucket{
		Name:        opts.bucket,
		Region:      cfg.Region,
		Endpoint:    opts.endpoint,
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
		bucket.Credentials = signing
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, errors.New("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
	}
	s, err := newStorage(ctx, bucket, cfg.Credentials)
	if err != nil {
		return nil, err
	}
	return s, probe(ctx, s.reader)
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

func newStorage(ctx context.Context, bucket postern.Bucket, reading aws.CredentialsProvider) (*storage, error) {
	readable := bucket
	readable.Credentials = reading
	reader, err := postern.NewIssuer(readable)
	if err != nil {
		return nil, err
	}
	address, err := reader.PresignGet(ctx, probeKey, time.Minute)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return &storage{
		bucket: bucket,
		reader: reader,
		origin: u.Scheme + "://" + u.Host,
		close:  func() error { return nil },
	}, nil
}
