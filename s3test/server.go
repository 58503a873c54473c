package s3test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// startTimeout bounds the setting up of the first bucket.
const startTimeout = 30 * time.Second

// Server is a running S3 server. Its fields are not to be changed; its methods
// may be called from several goroutines at once.
type Server struct {
	Endpoint        string // base URL without a final slash, such as http://127.0.0.1:41234
	Region          string // the region that signatures must be made for
	Bucket          string // the bucket made at start
	AccessKeyID     string // of the root account, which may do everything
	SecretAccessKey string

	cfg       *config
	gateway   *gateway
	transport *http.Transport
	tempDir   string

	policy sync.Mutex // held while a bucket policy is read and written back
	close  func() error
}

// Start runs a server for the length of a test, on a free port of 127.0.0.1
// and with its data in a temporary folder. It ends the test if it cannot.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := New("", "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// New runs a server until Close.
//
// Data is kept in dir, which is made if need be, and a later server on dir
// finds its buckets, objects and users again. If the process is killed in the
// middle of requests for objects, the next server finds of each request all or
// nothing. A copy of dir must keep the files' times. Only one server at a time
// may use dir. If dir is empty, data goes to a temporary folder that Close removes.
//
// The server listens on addr, a "host:port". Without a host it is reached from
// this machine only; with port 0 it takes a free one, see Endpoint. An empty
// addr is ":0". New returns once requests are answered. Its error wraps the
// cause, such as [syscall.EADDRINUSE] for a port that is taken.
func New(dir, addr string, opts ...Option) (*Server, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	ln, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("s3test: %w", err)
	}
	s, err := start(dir, cfg, ln)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("s3test: %w", err), closed(ln))
	}
	return s, nil
}

func start(dir string, cfg *config, ln net.Listener) (_ *Server, err error) {
	s := &Server{
		Endpoint:        endpoint(ln.Addr()),
		Region:          cfg.region,
		Bucket:          cfg.bucket,
		AccessKeyID:     cfg.accessKeyID,
		SecretAccessKey: cfg.secretAccessKey,
		cfg:             cfg,
		transport:       &http.Transport{MaxIdleConnsPerHost: 16},
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "s3test-"); err != nil {
			return nil, err
		}
		s.tempDir = dir
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s.close = sync.OnceValue(s.stop)
	if s.gateway, err = newGateway(dir, cfg, ln); err != nil {
		return nil, errors.Join(err, s.removeTemp())
	}
	if err = s.gateway.serve(); err != nil {
		s.gateway.backend.Shutdown()
		return nil, errors.Join(err, s.gateway.events.Close(), s.removeTemp())
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err = s.prepareBucket(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close stops the server and cuts what connections are left, requests in
// flight included. When it returns, the port is free and a temporary folder is
// gone. Later calls do nothing and return the same error.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	s.transport.CloseIdleConnections()
	err := errors.Join(s.gateway.close(), s.removeTemp())
	if err != nil {
		return fmt.Errorf("s3test: close: %w", err)
	}
	return nil
}

func (s *Server) removeTemp() error {
	if s.tempDir == "" {
		return nil
	}
	return os.RemoveAll(s.tempDir)
}

// Credentials gives the root account's credentials.
func (s *Server) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, "")
}

// Client gives a client that acts as the root account.
func (s *Server) Client() *s3.Client { return s.ClientFor(s.Credentials()) }

// ClientFor gives a client that acts as the account with these credentials.
// Its idle connections end with the server.
func (s *Server) ClientFor(creds aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  creds,
		UsePathStyle: true,
		HTTPClient:   &http.Client{Transport: s.transport},
	})
}

// CreateBucket makes another bucket, with the CORS rules that the server was
// set up with. The error is S3's, such as [types.BucketAlreadyOwnedByYou].
func (s *Server) CreateBucket(ctx context.Context, name string) error {
	if _, err := s.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("s3test: create bucket %q: %w", name, err)
	}
	return s.allowOrigins(ctx, name)
}

// prepareBucket leaves a bucket from an earlier run as it is, but for what the
// options ask.
func (s *Server) prepareBucket(ctx context.Context) error {
	err := s.CreateBucket(ctx, s.Bucket)
	var exists *types.BucketAlreadyOwnedByYou
	if !errors.As(err, &exists) {
		return err
	}
	if !s.cfg.originsSet {
		return nil
	}
	return s.allowOrigins(ctx, s.Bucket)
}

func (s *Server) allowOrigins(ctx context.Context, bucket string) error {
	var err error
	if len(s.cfg.origins) == 0 {
		_, err = s.Client().DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &bucket})
	} else {
		_, err = s.Client().PutBucketCors(ctx, &s3.PutBucketCorsInput{
			Bucket:            &bucket,
			CORSConfiguration: &types.CORSConfiguration{CORSRules: rules(s.cfg.origins)},
		})
	}
	if err != nil {
		return fmt.Errorf("s3test: CORS of bucket %q: %w", bucket, err)
	}
	return nil
}

// listen keeps an address without a host to this machine: the root credentials
// may be the public ones.
func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = ":0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

func closed(ln net.Listener) error {
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// endpoint is where the server is found from this machine.
func endpoint(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}
