// Package frameworks_test installs the npm package into fresh projects of React, Vue and
// Svelte, of the newest and of the oldest versions, checks, builds and renders them, and
// uploads by their pages in a real browser.
package frameworks_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// tarball is what would be published.
var tarball string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "postern-npm-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	if err := pack(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func pack(folder string) error {
	for _, name := range slices.Concat(frameworks, oldest) {
		script := exec.Command("../../scripts/npm", "e2e/frameworks/testdata/"+name)
		script.Stdout, script.Stderr = os.Stderr, os.Stderr
		if err := script.Run(); err != nil {
			return fmt.Errorf("scripts/npm: %w", err)
		}
	}
	command := exec.Command("npm", "pack", "--silent", "--pack-destination", folder)
	command.Dir = "../../client"
	command.Stderr = os.Stderr
	name, err := command.Output()
	if err != nil {
		return fmt.Errorf("npm pack: %w", err)
	}
	tarball = filepath.Join(folder, strings.TrimSpace(string(name)))
	return nil
}

// project is a fresh one, in a folder of the test.
type project struct {
	t      testing.TB
	folder string
}

// begin copies a project of testdata, and installs the package.
func begin(t testing.TB, name string) project {
	t.Helper()
	p := project{t, filepath.Join(t.TempDir(), name)}
	p.do(".", "cp", "-a", filepath.Join("testdata", name), p.folder)
	p.do(p.folder, "npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", tarball)
	return p
}

// do runs a command, and returns what it prints.
func (p project) do(folder, name string, args ...string) string {
	p.t.Helper()
	command := exec.Command(name, args...)
	command.Dir = folder
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	require.NoError(p.t, err, "%s %q:\n%s%s", name, args, out, said.String())
	return string(out)
}

// script runs a script of package.json.
func (p project) script(name string) {
	p.t.Helper()
	p.do(p.folder, "npm", "run", "--silent", name)
}

// rendered is what a server makes of the page, under Node.js.
func (p project) rendered() string {
	p.t.Helper()
	p.script("server")
	return strings.TrimSpace(p.do(p.folder, "node", "server/server.js"))
}

// site serves a project that was built, and the server's side of its uploads.
type site struct {
	URL string
	t   testing.TB
	s3  *s3test.Server

	mu       sync.Mutex
	receipts []postern.Receipt
}

const partSize = 5 << 20

// serve serves its page with a strict security policy: its own files, and what is
// rendered in the place of its comment.
func (p project) serve(html string) *site {
	p.t.Helper()
	page, err := os.ReadFile(filepath.Join(p.folder, "dist", "index.html"))
	require.NoError(p.t, err)
	require.Contains(p.t, string(page), "<!--app-->")
	content := strings.Replace(string(page), "<!--app-->", html, 1)

	s := &site{t: p.t, s3: s3test.Start(p.t)}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", s.handler())
	mux.Handle("GET /assets/", http.FileServer(http.Dir(filepath.Join(p.folder, "dist"))))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; connect-src 'self' "+s.s3.Endpoint)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, content)
	})
	server := httptest.NewServer(mux)
	p.t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *site) handler(options ...postern.HandlerOption) *postern.Handler {
	s.t.Helper()
	h, err := postern.New(
		postern.Bucket{
			Name: s.s3.Bucket, Region: s.s3.Region, Endpoint: s.s3.Endpoint, PathStyle: true,
			Credentials: s.s3.Credentials(), Provider: postern.VersityGW,
		},
		append([]postern.HandlerOption{
			postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
				if u.Subject = r.Header.Get("X-User"); u.Subject == "" {
					return postern.ErrUnauthenticated
				}
				return nil
			}),
			postern.WithContentTypes("text/plain"),
			postern.WithSizeLimit(1, 20<<20),
			postern.WithMultipartThreshold(partSize),
			postern.WithPartSize(partSize),
			postern.WithPromotion("staging/"),
			postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.receipts = append(s.receipts, *r)
				return nil
			}),
		}, options...)...,
	)
	require.NoError(s.t, err)
	return h
}

// names are those of the files that the application was told of.
func (s *site) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.receipts {
		names = append(names, r.Filename)
	}
	slices.Sort(names)
	return names
}

// last is what the application was told last.
func (s *site) last() postern.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(s.t, s.receipts)
	return s.receipts[len(s.receipts)-1]
}

// content reads an object.
func (s *site) content(key string) []byte {
	s.t.Helper()
	got, err := s.s3.Client().GetObject(context.Background(), &s3.GetObjectInput{Bucket: &s.s3.Bucket, Key: &key})
	require.NoError(s.t, err)
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	require.NoError(s.t, err)
	return content
}

// begun counts the uploads in parts that the bucket keeps.
func (s *site) begun() int {
	s.t.Helper()
	list, err := s.s3.Client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &s.s3.Bucket})
	require.NoError(s.t, err)
	return len(list.Uploads)
}
