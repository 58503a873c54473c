// Command component serves a form with the <postern-upload> element, one tag in the
// page and one handler in the server, and an S3 server that comes along.
//
//	go -C examples run ./component
//
// The page /themes has the element in all its variants. See -h for the flags.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/internal/command"
	"github.com/postern-go/postern/s3test"
)

var (
	addr   = flag.String("addr", "127.0.0.1:8080", "`address` of the page and the API")
	s3Addr = flag.String("s3-addr", "127.0.0.1:9000", "`address` of the S3 server")
	dir    = flag.String("dir", "", "`folder` of that server's data (default: a temporary one)")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "component:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context) (err error) {
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	s3, err := s3test.New(*dir, *s3Addr, s3test.WithCredentials("COMPONENT", rand.Text()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s3.Close()) }()

	handler, uploads, err := newSite(postern.Bucket{
		Name:        s3.Bucket,
		Region:      s3.Region,
		Endpoint:    s3.Endpoint,
		PathStyle:   true,
		Provider:    postern.VersityGW,
		Credentials: s3.Credentials(),
	}, zerolog.New(zerolog.SyncWriter(os.Stderr)).Level(zerolog.InfoLevel).With().Timestamp().Logger())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: command.LocalHosts(*addr, handler), ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(patience), uploads.Shutdown(patience)) // requests, and then what goes on without one
	})
	fmt.Printf("Open http://%s\n", ln.Addr())
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped // when what was asked is answered, and what was begun is done
}
