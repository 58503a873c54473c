// Package restarts_test restarts the replicas of a server one after another, as a
// deployment does, while browsers upload and vanish.
package restarts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
	"github.com/postern-go/postern/ticket"
)

func TestMain(m *testing.M) {
	if os.Getenv(variable) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	uploads  = 800
	restarts = 21
	replicas = 3
	browsers = 16
)

// leaving is when a browser goes.
type leaving int

const (
	afterReceipt leaving = iota
	afterLastByte
	afterAsking
)

// upload is one of a browser that goes some time.
type upload struct {
	leaves leaving
	delay  time.Duration // of afterAsking
	key    string
}

func TestRollingRestartsLoseNothingThatHasBegun(t *testing.T) {
	s := newSite(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 21))
	all := make([]*upload, uploads)
	work := make(chan *upload)
	var wg sync.WaitGroup
	for range browsers {
		wg.Go(func() {
			defer func() { // also if it fails
				for range work {
				}
			}()
			for u := range work {
				s.upload(t, u)
			}
		})
	}
	restarted := make(chan struct{}, 1)
	restarted <- struct{}{}
	for n := range all {
		all[n] = &upload{}
		switch random.IntN(4) {
		case 0:
			all[n].leaves = afterLastByte
		case 1:
			all[n].leaves, all[n].delay = afterAsking, time.Duration(random.IntN(200))*time.Millisecond
		}
		if k := n * (restarts + 1) / uploads; k > 0 && n == (k*uploads+restarts)/(restarts+1) {
			<-restarted // the one before
			wg.Go(func() {
				defer func() { restarted <- struct{}{} }()
				s.restart(t, k%replicas)
			})
		}
		work <- all[n]
	}
	close(work)
	wg.Wait()
	if len(reconciling) > 0 {
		require.Eventually(t, func() bool { return len(s.known(t)) == uploads }, 2*time.Minute, 100*time.Millisecond)
	}
	for _, r := range s.fleet {
		r.stop(t)
	}
	require.Equal(t, restarts, s.restarts)

	known, begun := s.known(t), s.begun()
	gone, unknown := 0, 0
	for _, u := range all {
		if u.leaves == afterAsking && begun[u.key] {
			gone++
		}
		switch {
		case known[u.key]:
		case u.leaves == afterReceipt:
			require.Fail(t, "a receipt that the application has not", u.key)
		case begun[u.key]:
			require.Fail(t, "a completion was begun, and the application knows nothing", u.key)
		default:
			unknown++
		}
	}
	t.Logf("%d browsers left when their completion had begun; %d uploads are unknown", gone, unknown)
	require.NotZero(t, gone)
	if len(reconciling) > 0 {
		require.Zero(t, unknown)
	}
}

// site is an S3 server, the replicas before it, and a proxy before them.
type site struct {
	config config
	url    string
	s3     *tap.Tap

	mutex    sync.Mutex
	fleet    [replicas]*replica
	next     int
	restarts int
}

func newSite(t *testing.T) *site {
	srv := s3test.Start(t)
	putOnly, err := srv.PutOnlyUser(t.Context(), staging)
	require.NoError(t, err)
	s := &site{s3: tap.Start(t, srv.Endpoint)}
	s.config = config{
		Bucket: postern.Bucket{
			Name: srv.Bucket, Region: srv.Region, Endpoint: s.s3.URL, PublicEndpoint: srv.Endpoint, Provider: postern.VersityGW,
		},
		Tickets: ticket.RandomKey(),
		Journal: filepath.Join(t.TempDir(), "journal"),
	}
	require.NoError(t, os.WriteFile(s.config.Journal, nil, 0o600))
	s.config.Signing, err = putOnly.Retrieve(t.Context())
	require.NoError(t, err)
	s.config.Service, err = srv.Credentials().Retrieve(t.Context())
	require.NoError(t, err)
	for k := range s.fleet {
		s.fleet[k] = start(t, &s.config)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme = "http" },
		Transport:    s,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(proxy.Close)
	s.url = proxy.URL
	return s
}

// direct opens a connection for each request, so that none is cut off by the end of a
// replica that has not begun to read it.
var direct = &http.Transport{DisableKeepAlives: true}

// RoundTrip asks one replica after the other until one answers.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s.mutex.Lock()
		s.next++
		addr := s.fleet[s.next%replicas].addr
		s.mutex.Unlock()
		again := r.Clone(r.Context())
		again.URL.Host = addr
		again.Body = io.NopCloser(bytes.NewReader(body))
		res, err := direct.RoundTrip(again)
		if err == nil || try == 2*replicas || r.Context().Err() != nil {
			return res, err
		}
	}
}

// restart ends a replica, and puts another one in its place.
func (s *site) restart(t *testing.T, k int) {
	s.mutex.Lock()
	old := s.fleet[k]
	s.mutex.Unlock()
	old.stop(t)
	r := start(t, &s.config)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.fleet[k] = r
	s.restarts++
}

// known are the keys of which the application has receipts.
func (s *site) known(t *testing.T) map[string]bool {
	journal, err := os.ReadFile(s.config.Journal)
	require.NoError(t, err)
	keys := map[string]bool{}
	for line := range strings.Lines(string(journal)) {
		keys[strings.TrimSpace(line)] = true
	}
	return keys
}

// begun are the keys to which a copy was begun.
func (s *site) begun() map[string]bool {
	keys := map[string]bool{}
	for _, r := range s.s3.Passed() {
		if key, ok := strings.CutPrefix(r.Path, "/"+s.config.Bucket.Name+"/"); ok && r.Method == "POST" && strings.HasPrefix(key, "files/") {
			keys[key] = true
		}
	}
	return keys
}

// upload is what a browser does.
func (s *site) upload(t *testing.T, u *upload) {
	content := []byte(fmt.Sprint("the content of ", rand.Uint64()))
	var g struct {
		Key, URL, Ticket string
		Fields           map[string]string
	}
	name := "quick.bin"
	if u.leaves == afterAsking {
		name = slow
	}
	s.ask(t, "sign", map[string]any{"filename": name, "size": len(content)}, &g)
	u.key = g.Key
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range g.Fields {
		require.NoError(t, form.WriteField(name, value))
	}
	w, err := form.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = w.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	res, err := http.Post(g.URL, form.FormDataContentType(), &body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusCreated, res.StatusCode)

	ask := map[string]any{"ticket": g.Ticket}
	switch u.leaves {
	case afterReceipt:
		var r struct{ Key string }
		s.ask(t, "complete", ask, &r)
		require.Equal(t, u.key, r.Key)
	case afterAsking:
		ctx, cancel := context.WithTimeout(t.Context(), u.delay)
		defer cancel()
		if _, _, err := s.post(ctx, "complete", ask); err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
}

// ask asks until it gets what it wants, as the browser module does.
func (s *site) ask(t *testing.T, action string, request, answer any) {
	for try := 1; ; try++ {
		status, body, err := s.post(t.Context(), action, request)
		require.NoError(t, err)
		switch status {
		case http.StatusOK, http.StatusCreated:
			require.NoError(t, json.Unmarshal(body, answer))
			return
		case http.StatusAccepted, http.StatusBadGateway, http.StatusServiceUnavailable:
		default:
			require.Failf(t, "refused", "%d %s", status, body)
		}
		require.Less(t, try, 100, "%d %s", status, body)
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *site) post(ctx context.Context, action string, request any) (status int, body []byte, err error) {
	encoded, err := json.Marshal(request)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/"+action, bytes.NewReader(encoded))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, errors.Join(err, res.Body.Close())
}
