// Package tap stands between a browser and an S3 server: it notes what passes, and
// can answer in the server's place.
package tap

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Request is what has passed.
type Request struct {
	Method, Path string
	// Part is the number of the part that was uploaded, or 0.
	Part int
	// Status is what the browser saw.
	Status int
	// Browser tells uploads of the browser from requests of a server.
	Browser bool
}

// Fault changes the answer to a request.
type Fault struct {
	// After lets S3 act on the request before.
	After bool
	// Status, Code and Message are answered in S3's place. There is a message without
	// one.
	Status  int
	Code    string
	Message string
}

// Tap is a proxy that is running.
type Tap struct {
	URL string

	server *httptest.Server
	mu     sync.Mutex
	passed []Request
	faults func(r *http.Request) *Fault
	held   func(r *http.Request) bool
	free   chan struct{} // of what is held; closed by Release
}

// Start puts a proxy before a server until the test ends.
func Start(t testing.TB, target string) *Tap {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	tap := &Tap{
		faults: func(*http.Request) *Fault { return nil },
		held:   func(*http.Request) bool { return false },
		free:   make(chan struct{}),
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
	}}
	// A request that the browser cut off is no matter for the log.
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	tap.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &recorder{ResponseWriter: w}
		defer tap.note(r, answer)
		// Browsers send all of a body before they read: an answer to less of it may be lost.
		body := r.Body
		defer func() { _, _ = io.Copy(io.Discard, body) }()
		r.Body = io.NopCloser(body)
		if !tap.wait(r) {
			return
		}
		fault := tap.fault(r)
		switch {
		case fault == nil:
			proxy.ServeHTTP(answer, r)
		case fault.After:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			fault.write(answer)
		default:
			fault.write(answer)
		}
	}))
	t.Cleanup(tap.server.Close)
	t.Cleanup(tap.Cut)
	tap.URL = tap.server.URL
	return tap
}

// Disturb asks a function what is wrong with each upload of the browser: nil is
// nothing. It is called by several goroutines.
func (t *Tap) Disturb(faults func(r *http.Request) *Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = faults
}

// Hold keeps uploads of the browser back, those for which held says so, until
// Release or until the browser gives them up, which Passed tells by the status 0.
func (t *Tap) Hold(held func(r *http.Request) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = held
}

// Release lets all go that is held, and holds nothing any more.
func (t *Tap) Release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = func(*http.Request) bool { return false }
	close(t.free)
	t.free = make(chan struct{})
}

// Cut ends all connections.
func (t *Tap) Cut() { t.server.CloseClientConnections() }

// wait reports whether a request may go on.
func (t *Tap) wait(r *http.Request) bool {
	t.mu.Lock()
	held, free := fromBrowser(r) && t.held(r), t.free
	t.mu.Unlock()
	if !held {
		return true
	}
	// The server notices that a connection has ended once the body is read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-free:
		return true
	case <-r.Context().Done():
		return false
	}
}

// Passed returns the requests so far that have been answered.
func (t *Tap) Passed() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Request(nil), t.passed...)
}

// Arrivals returns how often each part has arrived from the browser.
func (t *Tap) Arrivals() map[int]int {
	arrivals := map[int]int{}
	for _, r := range t.Passed() {
		if r.Browser && r.Part > 0 && r.Status == http.StatusOK {
			arrivals[r.Part]++
		}
	}
	return arrivals
}

// PartOf returns the number of the part that a request uploads, or 0.
func PartOf(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	return n
}

func (t *Tap) fault(r *http.Request) *Fault {
	if !fromBrowser(r) {
		return nil
	}
	t.mu.Lock()
	faults := t.faults
	t.mu.Unlock()
	return faults(r)
}

// fromBrowser tells what a page uploads from all else.
func fromBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" && r.Method != http.MethodOptions
}

func (t *Tap) note(r *http.Request, answer *recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passed = append(t.passed, Request{r.Method, r.URL.Path, PartOf(r), answer.status, fromBrowser(r)})
}

func (f *Fault) write(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.Status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", f.Code, cmp.Or(f.Message, "So the test wants."))
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
