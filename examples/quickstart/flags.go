package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"

	"github.com/postern-go/postern/examples/internal/command"
)

const defaultDir = "data"

// options is what the flags say.
type options struct {
	help bool
	addr string
	dir  string
	put  bool

	// The S3 server that comes along.
	s3Addr string

	// A real bucket.
	endpoint, bucket, region, provider string
	pathStyle, shared                  bool
}

const usage = `Usage: quickstart [flags]

Serves a page from which people upload straight into an S3 bucket. Without -bucket
it brings its own S3 server.

With -bucket the credentials come from the standard AWS environment. They check,
copy, read and delete what was uploaded. POSTERN_SIGNING_ACCESS_KEY_ID,
POSTERN_SIGNING_SECRET_ACCESS_KEY and POSTERN_SIGNING_SESSION_TOKEN sign the
uploads, for which s3:PutObject under staging/ suffices. The bucket's CORS rules
must allow POST and PUT with any header from the page's origin, and lifecycle rules
should expire what is left under staging/ and abort incomplete multipart uploads.

`

// parseFlags returns an error of one line.
func parseFlags(args []string, help io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` of the page and the API")
	fs.StringVar(&o.dir, "dir", defaultDir, "`folder` of what the program keeps, made only if it is the default")
	fs.BoolVar(&o.put, "put", false, "upload by PUT instead of by forms")
	fs.StringVar(&o.s3Addr, "s3-addr", "127.0.0.1:9000", "`address` of the S3 server that comes along")
	fs.StringVar(&o.bucket, "bucket", "", "`name` of a real bucket to use instead")
	fs.StringVar(&o.region, "region", "", "the bucket's `region` (default: as the AWS environment says)")
	fs.StringVar(&o.endpoint, "endpoint", "", "`URL` of the bucket's S3 server (default: Amazon's)")
	fs.StringVar(&o.provider, "provider", "", "what the server is, such as minio (default: as the endpoint's host tells)")
	fs.BoolVar(&o.pathStyle, "path-style", false, "put the bucket's name into the path, not the host name")
	fs.BoolVar(&o.shared, "allow-shared-credentials", false,
		"sign uploads with the AWS credentials even where a browser may then do more than upload; for development")

	var err error
	if o.help, err = command.Parse(fs, args, usage, help); err != nil || o.help {
		return o, err
	}
	return o, o.check()
}

func (o *options) check() error {
	if o.bucket == "" {
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"-endpoint", o.endpoint != ""},
			{"-region", o.region != ""},
			{"-provider", o.provider != ""},
			{"-path-style", o.pathStyle},
			{"-allow-shared-credentials", o.shared},
		} {
			if f.set {
				return fmt.Errorf("%s needs -bucket, the name of the bucket to use", f.name)
			}
		}
	}
	if o.endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return fmt.Errorf("-endpoint must be an http or https URL such as https://s3.example.com:9000")
	}
	return nil
}
