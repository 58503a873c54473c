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
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/examples/internal/command"
)

func main() { command.Main(run) }

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
	ln, err := command.Listen(opts.addr)
	if err != nil {
		return err
	}
	defer ln.Close()

	s3, err := openStorage(opts)
	if err != nil {
		return err
	}
	defer s3.Close()

	logger := zerolog.New(zerolog.SyncWriter(stderr)).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	handler, uploads, err := newSite(pages, s3, npm, logger)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           command.LocalHosts(opts.addr, handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return command.Serve(ctx, ln, server, stdout, uploads...)
}
