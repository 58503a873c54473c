package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

// mistake is one that newcomers make, and what the page of its name makes of it.
type mistake struct {
	name   string // the first cell of its row
	s3     []s3test.Option
	change func(t *testing.T, s *site)
	opts   []postern.HandlerOption
	policy string // of the page
	prefix string // of staging, if it is another than the signing identity's
}

func mistakes() []mistake {
	after := func(d time.Duration) postern.HandlerOption {
		return postern.WithClock(func() time.Time { return time.Now().Add(d) })
	}
	return []mistake{
		{name: "The bucket is missing", change: func(_ *testing.T, s *site) { s.bucket.Name = "nowhere" }},
		{name: "The region is wrong", change: func(_ *testing.T, s *site) { s.bucket.Region = "eu-west-1" }},
		{name: "The signing secret is wrong", change: func(_ *testing.T, s *site) {
			s.bucket.Credentials = credentials.NewStaticCredentialsProvider(s.signer.AccessKeyID, "another-secret", "")
		}},
		{name: "The signing access key is not known", change: func(_ *testing.T, s *site) {
			s.bucket.Credentials = credentials.NewStaticCredentialsProvider("NOBODY", "another-secret", "")
		}},
		{name: "The service secret is wrong", change: func(_ *testing.T, s *site) {
			s.bucket.ServiceCredentials = credentials.NewStaticCredentialsProvider(s.AccessKeyID, "another-secret", "")
		}},
		{name: "There are no credentials", change: func(_ *testing.T, s *site) {
			s.bucket.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, errors.New("no EC2 IMDS role found")
			})
		}},
		{name: "The signing identity may not put", prefix: "incoming/"},
		{name: "The clock is 20 minutes behind", opts: []postern.HandlerOption{after(-20 * time.Minute)}},
		{name: "The bucket has no CORS rule", s3: []s3test.Option{s3test.WithCORSOrigins()}},
		{name: "The CORS rule has another origin", s3: []s3test.Option{s3test.WithCORSOrigins("https://www.example.com")}},
		{name: "The page's policy forbids it", policy: "connect-src 'self'"},
		{name: "A proxy rewrites the host", change: func(t *testing.T, s *site) {
			target, err := url.Parse(s.Endpoint)
			require.NoError(t, err)
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
			t.Cleanup(proxy.Close)
			s.bucket.PublicEndpoint = proxy.URL
		}},
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// row is a row of docs/troubleshooting.md.
type row struct{ person, log, doctor string }

// rows are those of the table, by their first cell.
func rows(t testing.TB) map[string]row {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	all := map[string]row{}
	for _, m := range regexp.MustCompile(`(?m)^\| \*\*(.+?)\*\* \| (.*?) \| (.*?) \| (.*?) \|`).FindAllStringSubmatch(string(page), -1) {
		all[m[1]] = row{m[2], m[3], m[4]}
	}
	return all
}

var code = regexp.MustCompile("`([^`]+)`")

// words are those in a cell that are to be found.
func words(cell string) (all []string) {
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// Each mistake shows on the page, in the log and to the doctor as the table says.
func TestMistakesOfNewcomers(t *testing.T) {
	documented := rows(t)
	all := mistakes()
	require.Len(t, documented, len(all), "a row for something else")
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			want, ok := documented[m.name]
			require.True(t, ok, "docs/troubleshooting.md has no row of it")
			s := newSite(t, foreign.Embedded(t, m.s3...))
			if m.change != nil {
				m.change(t, s)
			}
			log := &lockedBuffer{}
			if m.prefix == "" {
				m.prefix = "staging/"
			}
			h, address := s.serve(t, log, m.policy, append(m.opts, postern.WithPromotion(m.prefix))...)

			person := s.upload(t, address)
			require.Contains(t, want.person, person)
			for _, word := range words(want.log) {
				require.Eventually(t, func() bool { return strings.Contains(log.String(), word) }, 10*time.Second, 10*time.Millisecond, "%q\n%s", word, log)
			}
			seen := ""
			for _, f := range h.Issuer().Examine(t.Context(), address) {
				if f.Result == postern.CheckFailed {
					seen += fmt.Sprintf("%s %s | %s | %s\n", f.Check, f.Seen, f.Advice, f.Document)
				}
			}
			if strings.HasPrefix(want.doctor, "nothing") {
				require.Empty(t, seen)
			} else {
				for _, word := range words(want.doctor) {
					require.Contains(t, seen, word)
				}
			}
			for _, secret := range []string{"another-secret", s.signer.SecretAccessKey, s.SecretAccessKey} {
				require.NotContains(t, log.String()+seen, secret)
			}
		})
	}
}

// serve mounts a handler beside a page with the element.
func (s *site) serve(t testing.TB, log *lockedBuffer, policy string, opts ...postern.HandlerOption) (*postern.Handler, string) {
	opts = append([]postern.HandlerOption{
		postern.WithMode(postern.ModePut), postern.WithTicketKeys(make([]byte, 32)), postern.WithLogger(zerolog.New(log)),
		postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error { u.Subject = "ada"; return nil }),
	}, opts...)
	h, err := postern.New(s.bucket, opts...)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/uploads/", h)
	mux.Handle("/client/", client.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><html lang=en><title>Test</title><script type=module src=/client/postern-upload.js></script><postern-upload></postern-upload>")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return h, server.URL
}

// upload picks a file in a browser, and returns what the person is told.
func (s *site) upload(t testing.TB, address string) string {
	page := browser.Open(t, address)
	page.AllowErrors()
	page.Wait(`customElements.get("postern-upload")`)
	browser.Eval[bool](page, `Math.random = () => 0.01, true`)
	e := &element.Element{Page: page, Selector: "postern-upload"}
	e.Pick(fixture.Text(t, "a.txt", 10))
	return e.Failure("a.txt")
}

// A handler without mistakes is well, says the doctor.
func TestDoctorFindsNothingWhereNothingIsWrong(t *testing.T) {
	s := newSite(t, foreign.Start(t))
	r := run(t, s.env(), "", "doctor")
	require.Equal(t, 0, r.status, r.out+r.errors)
	require.Contains(t, r.out, "0 failed")
	require.NotContains(t, r.out, "FAILED")
	list := s.keys(t)
	require.Empty(t, list, "nothing is left")
}
