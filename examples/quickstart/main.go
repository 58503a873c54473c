// Command quickstart serves a page from which people upload straight into an S3
// bucket: one that it brings along, or a real one.
//
//	go -C examples run ./quickstart
//
// See -h for the flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseFlags(args, stdout)
	if err == nil && !opts.help {
		err = serve(ctx, opts, stdout, stderr)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}

// serve runs the page and the API until the context ends.
func serve(ctx context.Context, opts *options, stdout, stderr io.Writer) error {
	ln, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return listenError("-addr", opts.addr, err)
	}
	defer ln.Close()

	kept, err := openFolder(opts.dir)
	if err != nil {
		return err
	}
	finished, err := openRecords(kept.path("uploads.db"))
	if err != nil {
		return err
	}
	defer finished.close()
	s3, err := openStorage(ctx, opts, kept)
	if err != nil {
		return err
	}
	defer s3.close()

	logger := zerolog.New(zerolog.SyncWriter(stderr)).With().Timestamp().Logger()
	uploads, err := newUploads(opts, s3.bucket, kept.TicketKey, finished, logger)
	if err != nil {
		return err
	}
	if err := s3.ready(ctx, uploads.Issuer()); err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("/uploads/", uploads)
	mux.Handle("GET /files", listFiles(finished, uploads.Issuer()))
	mux.Handle("GET /client/", client.Handler())
	mux.Handle("/", page(uploads.Issuer().Origin()))

	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // a completion may take 20 s before it is answered
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	fmt.Fprintf(stdout, "Open http://%s\n", reachable(ln.Addr()))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(patience) != nil {
		return server.Close()
	}
	return nil
}

// reachable names an address as a browser on this machine finds it.
func reachable(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// listenError says in one line why an address can't be listened on.
func listenError(flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: choose another address with %s", addr, flag)
	}
	var (
		op      *net.OpError
		address *net.AddrError
	)
	switch {
	case errors.As(err, &address):
		err = address
	case errors.As(err, &op):
		err = op.Err
	}
	return fmt.Errorf("cannot listen on %s (%s): %w", addr, flag, err)
}
