package main

import (
	"flag"
	"io"
	"path/filepath"

	"github.com/postern-go/postern/examples/internal/command"
)

const (
	defaultDir     = "data"
	defaultModules = "clients/node_modules"
)

// options is what the flags say.
type options struct {
	help bool

	addr, s3Addr, dir string

	nodeModules string
}

const usage = `Usage: clients [flags]

Serves a page for each upload client, with an S3 server of its own.

`

// parseFlags returns an error of one line.
func parseFlags(args []string, help io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("clients", flag.ContinueOnError)
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` of the pages and the API")
	fs.StringVar(&o.s3Addr, "s3-addr", "127.0.0.1:9000", "`address` of the S3 server")
	fs.StringVar(&o.dir, "dir", defaultDir, "`folder` of that server's data, made only if it is the default")
	fs.StringVar(&o.nodeModules, "node-modules", filepath.FromSlash(defaultModules), "`folder` with the packages of package.json, as npm made it")

	var err error
	if o.help, err = command.Parse(fs, args, usage, help); err != nil {
		return nil, err
	}
	return o, nil
}
