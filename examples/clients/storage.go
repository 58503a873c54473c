package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// storage is the S3 server that comes along, and its bucket.
type storage struct {
	*s3test.Server
	bucket postern.Bucket
}

// openStorage starts the server. Its secret lasts as long as the program.
func openStorage(opts *options) (*storage, error) {
	if err := checkDir(opts.dir); err != nil {
		return nil, err
	}
	srv, err := s3test.New(opts.dir, opts.s3Addr, s3test.WithCredentials("CLIENTS", rand.Text()))
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
	return &storage{srv, postern.Bucket{
		Name:        srv.Bucket,
		Region:      srv.Region,
		Endpoint:    srv.Endpoint,
		PathStyle:   true,
		Credentials: srv.Credentials(),
		Provider:    postern.VersityGW,
	}}, nil
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
