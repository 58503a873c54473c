// Command clients shows one page for each upload client: a form without
// JavaScript, fetch, Postern's own module, and those that people take from npm,
// unmodified. Each uploads straight into an S3 bucket that the program brings.
//
//	npm --prefix examples/clients ci --ignore-scripts
//	go -C examples run ./clients
//
// A page is a file of Go, and a folder in web, that have its name. See -h for the
// flags.
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
		fmt.Fprintln(stderr, "clients:", err)
		return 1
	}
	return 0
}

// serve runs the pages and their API until the context ends.
func serve(ctx context.Context, opts *options, stdout, stderr io.Writer) error {
	npm, err := openModules(opts.nodeModules)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return listenError("-addr", opts.addr, err)
	}
	defer ln.Close()

	s3, err := openStorage(opts)
	if err != nil {
		return err
	}
	defer s3.Close()

	logger := zerolog.New(zerolog.SyncWriter(stderr)).With().Timestamp().Logger()
	handler, err := newSite(pages, s3, npm, logger)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      5 * time.Minute,
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
	return fmt.Errorf("cannot listen on %s (%s): %w", addr, flag, err)
}
