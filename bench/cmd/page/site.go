package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/bench/internal/line"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/companion"
	"github.com/postern-go/postern/s3test"
)

//go:embed web/page.html web/page.js
var web embed.FS

// page is the page, with the endpoint of its query in it.
var page = template.Must(template.ParseFS(web, "web/page.html"))

// subject is what uploads: a client, and how its uploads are granted.
type subject struct {
	name     string
	endpoint string
	uppy     bool
	receipts bool // of all its files; Uppy completes none but those in parts
	options  []postern.HandlerOption
}

// promoted writes under a prefix first, of which completion copies.
var promoted = postern.WithPromotion("staging/")

var subjects = []subject{
	{"Postern, promotion", "/promoted", false, true, []postern.HandlerOption{promoted}},
	{"Postern, no promotion", "/plain", false, true, nil},
	{"Uppy 6", "/uppy", true, false, nil},
	{"Uppy 6", "/uppy-parts", true, true, []postern.HandlerOption{promoted}},
}

// uploads makes the handler of a subject. It counts the receipts.
func (s subject) handler(bucket postern.Bucket, receipts *atomic.Int64) (http.Handler, error) {
	options := []postern.HandlerOption{
		postern.WithName(s.endpoint),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "somebody"
			return nil
		}),
		postern.WithSizeLimit(1, 1<<30),
		postern.WithContentTypes("image/*", "video/*"),
		postern.WithMultipartThreshold(10 * mib),
		postern.WithTicketKeys(make([]byte, 32)),
	}
	if s.receipts {
		options = append(options, postern.WithOnComplete(func(context.Context, *postern.Receipt) error {
			receipts.Add(1)
			return nil
		}))
	}
	h, err := postern.New(bucket, append(options, s.options...)...)
	if err != nil || !s.uppy {
		return h, err
	}
	return companion.New(h)
}

// site is the application and the bucket, both at the end of a line.
type site struct {
	url      string // of the page
	receipts atomic.Int64
	closers  []func() error
}

// openSite starts the servers, the bucket's data in a folder. What the application asks
// of the bucket itself does not take the line.
func openSite(c conditions, data string) (s *site, err error) {
	s = &site{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	srv, err := s3test.New(data, "")
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, srv.Close)
	l := line.New(c.rtt, c.rate)
	public, err := s.listen(l, srv.Endpoint[len("http://"):])
	if err != nil {
		return s, err
	}
	mux, err := s.mux(postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, PublicEndpoint: public, PathStyle: true,
		Provider: postern.VersityGW, Credentials: aws.NewCredentialsCache(srv.Credentials()),
	})
	if err != nil {
		return s, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	s.closers = append(s.closers, server.Close)
	go func() { _ = server.Serve(ln) }()
	s.url, err = s.listen(l, ln.Addr().String())
	return s, err
}

// listen puts the line before an address, and returns the URL of its other end.
func (s *site) listen(l *line.Line, address string) (string, error) {
	ln, err := l.Listen(address)
	if err != nil {
		return "", err
	}
	s.closers = append(s.closers, ln.Close)
	return "http://" + ln.Addr().String(), nil
}

func (s *site) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func (s *site) mux(bucket postern.Bucket) (http.Handler, error) {
	uppy, err := bundle()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.html", func(w http.ResponseWriter, r *http.Request) {
		_ = page.Execute(w, r.URL.Query())
	})
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web, "web/page.js")
	})
	mux.Handle("GET /client/", client.Handler())
	mux.HandleFunc("GET /uppy.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = io.Copy(w, bytes.NewReader(uppy))
	})
	for _, one := range subjects {
		h, err := one.handler(bucket, &s.receipts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		mux.Handle(one.endpoint+"/", h)
	}
	return mux, nil
}

// bundle makes one module of Uppy's packages, in the folder uppy.
func bundle() ([]byte, error) {
	cmd := exec.Command("npm", "run", "--silent", "build")
	cmd.Dir = "uppy"
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("uppy: %w (run scripts/npm bench/uppy)", err)
	}
	return out, nil
}
