package main

import (
	"crypto/rand"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/internal/command"
	"github.com/postern-go/postern/s3test"
)

// storage is the S3 server that comes along, and its bucket.
type storage struct {
	*s3test.Server
	bucket postern.Bucket
}

// openStorage starts the server. Its secret lasts as long as the program.
func openStorage(opts *options) (*storage, error) {
	if err := command.CheckDir(opts.dir, defaultDir); err != nil {
		return nil, err
	}
	srv, err := command.StartS3(opts.dir, opts.s3Addr, s3test.WithCredentials("CLIENTS", rand.Text()))
	if err != nil {
		return nil, err
	}
	return &storage{srv, postern.Bucket{
		Name:        srv.Bucket,
		Region:      srv.Region,
		Endpoint:    srv.Endpoint,
		PathStyle:   true,
		Credentials: srv.Credentials(),
		Provider:    postern.VersityGW,
	}}, nil
}
