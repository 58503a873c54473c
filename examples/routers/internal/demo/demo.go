// Package demo is what the programs in this folder share: a bucket, users, a page,
// and the Handler that they mount.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// Serve serves a router with uploads mounted, until the listener is closed, and then for
// a moment what is on its way.
type Serve func(ln net.Listener, uploads http.Handler) error

// HTTP serves a router of net/http.
func HTTP(newRouter func(uploads http.Handler) http.Handler) Serve {
	return func(ln net.Listener, uploads http.Handler) error {
		server := &http.Server{
			Handler:           newRouter(uploads),
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       2 * time.Minute,
		}
		err := server.Serve(ln)
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		return errors.Join(err, server.Shutdown(ctx))
	}
}

// Patience is how long the end of a program waits for requests, and then for
// completions that go on without one.
const Patience = 5 * time.Second

// Main is the main function of a program: it serves until Ctrl-C.
func Main(serve Serve) {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` of the page and the API")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, serve); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// run serves with a bucket of its own, which goes away with the context.
func run(ctx context.Context, addr string, serve Serve) (err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	defer ln.Close()

	s3, err := s3test.New("", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s3.Close()) }()
	signer, err := s3.PutOnlyUser(ctx, Staging)
	if err != nil {
		return err
	}
	uploads, err := New(s3, signer)
	if err != nil {
		return err
	}
	fmt.Printf("Open http://%s\n", ln.Addr())
	err = serve(ln, uploads)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	return errors.Join(err, uploads.Shutdown(patience))
}

// Staging is where uploads wait for their completion.
const Staging = "staging/"

// New is the Handler that all programs mount. The signer may write below Staging,
// and nothing else. It tells users apart by what [WithUser] put into the context.
func New(s3 *s3test.Server, signer aws.CredentialsProvider) (*postern.Handler, error) {
	return postern.New(
		postern.Bucket{
			Name:               s3.Bucket,
			Region:             s3.Region,
			Endpoint:           s3.Endpoint,
			Credentials:        signer,
			ServiceCredentials: s3.Credentials(),
		},
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			user := UserFrom(r.Context())
			if user == "" {
				return postern.ErrUnauthenticated
			}
			u.Subject = user
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("{subject}/{uuid}{ext}")),
		postern.WithSizeLimit(1, 1<<30),
		postern.WithPromotion(Staging),
	)
}

//go:embed page.html
var page []byte

// Page is what the programs show at all other addresses: a page that uploads.
func Page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK) // gin has 404 in mind where it found no route
		_, _ = w.Write(page)
	})
}
