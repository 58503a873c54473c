// Package command is what the larger examples share around Postern: flags, folders,
// addresses, and an end that keeps what is on its way.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// Main runs a program until it ends, or Ctrl-C ends its context.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) (status int)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Parse parses flags. It reports whether help was asked for, which it then has
// written. The error has one line.
func Parse(flags *flag.FlagSet, args []string, usage string, help io.Writer) (asked bool, err error) {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usage)
		flags.SetOutput(help)
		flags.PrintDefaults()
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%w (see -h)", err)
	case flags.NArg() > 0:
		return false, fmt.Errorf("unexpected argument %q (see -h)", flags.Arg(0))
	}
	return false, nil
}

// CheckDir takes a folder that was asked for with -dir as it is: a typing error
// should not make a new, empty one. Only the default is made.
func CheckDir(dir, byDefault string) error {
	if dir == byDefault {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("-dir: %w", err)
		}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: make it, or choose another with -dir", dir)
	case err != nil:
		return fmt.Errorf("-dir: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder: choose one with -dir", dir)
	}
	return nil
}

// Listen listens on the address that -addr gave.
func Listen(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, listenError("-addr", addr, err)
	}
	return ln, nil
}

// StartS3 starts the S3 server that comes along, on the address that -s3-addr gave.
func StartS3(dir, addr string, options ...s3test.Option) (*s3test.Server, error) {
	s3, err := s3test.New(dir, addr, options...)
	var (
		listen  *net.OpError
		address *net.AddrError
	)
	if errors.As(err, &listen) && listen.Op == "listen" || errors.As(err, &address) {
		return nil, listenError("-s3-addr", addr, err)
	}
	return s3, err
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

// Serve serves until the context ends, and then for a few seconds more what is on its
// way: requests first, and then the completions of uploads that go on without one. It
// prints the address to open.
func Serve(ctx context.Context, ln net.Listener, server *http.Server, stdout io.Writer, uploads ...*postern.Handler) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	fmt.Fprintf(stdout, "Open http://%s\n", reachable(ln.Addr()))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	err := patiently(ctx, server.Shutdown)
	if err != nil {
		err = server.Close()
	}
	for _, h := range uploads {
		if err := patiently(ctx, h.Shutdown); err != nil {
			fmt.Fprintln(stdout, err)
		}
	}
	return err
}

// patiently gives an end a few seconds.
func patiently(ctx context.Context, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return end(ctx)
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
