package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"
	"github.com/tus/tusd/v2/pkg/filelocker"
	"github.com/tus/tusd/v2/pkg/filestore"
	tusd "github.com/tus/tusd/v2/pkg/handler"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/s3test"
)

// serve is one server, until it is told to end.
func serve(ctx context.Context, name string, args []string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	length := fs.Int("length", 1000, "how many bytes the constant answer has")
	dir := fs.String("dir", "", "where the S3 server and tusd keep their data")
	endpoint := fs.String("endpoint", "", "the S3 server that Postern uses")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch name {
	case "postern":
		h, err := uploads(*endpoint)
		return listen(ctx, h, err)
	case "bare":
		return listen(ctx, constant(*length), nil)
	case "tusd":
		h, err := throughTheServer(*dir)
		return listen(ctx, h, err)
	case "s3":
		srv, err := s3test.New(*dir, "127.0.0.1:0", s3test.WithBucket(fixture.Bucket), s3test.WithRegion(fixture.Region),
			s3test.WithCredentials(fixture.AccessKeyID, fixture.SecretKey))
		if err != nil {
			return err
		}
		fmt.Println(listening + srv.Endpoint)
		<-ctx.Done()
		return srv.Close()
	}
	return fmt.Errorf("no server %q", name)
}

// listen serves on a free port.
func listen(ctx context.Context, h http.Handler, err error) error {
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listening + "http://" + ln.Addr().String())
	server := &http.Server{Handler: h}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// uploads is the quickstart's handler, its log included, which goes to /dev/null
// here. With the endpoint of an S3 server it takes large files too.
func uploads(endpoint string) (http.Handler, error) {
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	bucket := postern.Bucket{
		Name:        fixture.Bucket,
		Region:      fixture.Region,
		Credentials: credentials.NewStaticCredentialsProvider(fixture.AccessKeyID, fixture.SecretKey, ""),
	}
	maxSize := int64(10 << 20)
	if endpoint != "" {
		bucket.Endpoint, bucket.Provider, bucket.PathStyle = endpoint, postern.VersityGW, true
		bucket.Credentials = aws.NewCredentialsCache(bucket.Credentials)
		maxSize = 5 << 30
	}
	tenants := map[string]string{"Bearer acme-demo": "acme", "Bearer globex-demo": "globex"}
	h, err := postern.New(bucket,
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			tenant, ok := tenants[r.Header.Get("Authorization")]
			if !ok {
				return postern.ErrUnauthenticated
			}
			u.Subject, u.Tenant = "demo@"+tenant, tenant
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, maxSize),
		postern.WithContentTypes("image/*", "application/pdf", "text/plain", "video/*"),
		postern.WithTicketKeys(make([]byte, 32)),
		postern.WithLogger(zerolog.New(zerolog.SyncWriter(log)).With().Timestamp().Logger()),
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", h)
	return mux, nil
}

// constant answers with a body that was made before.
func constant(length int) http.Handler {
	body := bytes.Repeat([]byte("x"), length)
	mux := http.NewServeMux()
	mux.HandleFunc("/uploads/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})
	return mux
}

// throughTheServer is tusd as a library, as its example has it, with the store
// that costs least: files on the server's own disk.
func throughTheServer(dir string) (http.Handler, error) {
	composer := tusd.NewStoreComposer()
	filestore.New(dir).UseIn(composer)
	filelocker.New(dir).UseIn(composer)
	h, err := tusd.NewHandler(tusd.Config{BasePath: "/files/", StoreComposer: composer})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", h))
	return mux, nil
}
