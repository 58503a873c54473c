// Postern looks after the bucket of a handler: it examines it, prints and applies what
// it needs, explains why an upload was refused, opens tickets, and tidies up.
//
//	go run github.com/postern-go/postern/cmd/postern@latest help
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/postern-go/postern/cmd/postern/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := cli.Run(ctx, os.Args[1:], cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(status)
}
