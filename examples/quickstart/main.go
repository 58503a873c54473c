// Command quickstart serves a page from which people upload straight into an S3
// bucket: one that it brings along, or a real one.
//
//	go -C examples run ./quickstart
//
// See -h for the flags.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/client"
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
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}

// serve runs the page and the API until the context ends.
func serve(ctx context.Context, opts *options, stdout, stderr io.Writer) error {
	ln, err := command.Listen(opts.addr)
	if err != nil {
		return err
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

	logger := zerolog.New(zerolog.SyncWriter(stderr)).Level(zerolog.InfoLevel).With().Timestamp().Logger()
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
		Handler:           command.LocalHosts(opts.addr, mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute, // a completion may take 20 s before it is answered
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return command.Serve(ctx, ln, server, stdout, uploads)
}
