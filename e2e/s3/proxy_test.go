package s3_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
)

// proxy stands between the handler and the S3 server, and does to a call what a
// test wants. The browser's own requests do not pass through it.
type proxy struct {
	URL     string
	staging string // the prefix by which calls are told apart
	target  string

	mutex  sync.Mutex
	handle func(x *exchange)
	calls  []string
	lost   int // uploads that were begun and whose id nobody learned
}

// exchange is one call on its way to S3.
type exchange struct {
	// call is the operation, and on what: "HeadObject staging",
	// "UploadPartCopy final".
	call string
	// n counts the calls of this proxy, from 1.
	n int

	proxy *proxy
	w     http.ResponseWriter
	r     *http.Request
	body  []byte
}

// newProxy starts a proxy for the length of a test. Keys under the staging prefix
// are "staging", all others "final".
func newProxy(t testing.TB, srv *foreign.Server, staging string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{
		URL: "http://" + listener.Addr().String(), staging: "/" + srv.Bucket + "/" + staging,
		target: strings.TrimPrefix(srv.Endpoint, "http://"), handle: (*exchange).pass,
	}
	server := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return p
}

// with makes the proxy do something else to calls from now on; nil lets them
// pass.
func (p *proxy) with(handle func(x *exchange)) {
	if handle == nil {
		handle = (*exchange).pass
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.handle = handle
}

// diesAt lets calls pass but the one of a number, as to a process that dies in it, and
// those after it. died tells whether it came to that.
func (p *proxy) diesAt(n int, acted bool) (died func() bool) {
	var calls atomic.Int32
	p.with(func(x *exchange) {
		switch call := int(calls.Add(1)); {
		case call < n:
			x.pass()
		case call == n && acted:
			x.lose()
		default:
			x.reset()
		}
	})
	return func() bool { return int(calls.Load()) >= n }
}

// on does something to the calls of one kind, and lets the others pass.
func (p *proxy) on(call string, handle func(x *exchange)) {
	p.with(func(x *exchange) {
		if x.call == call {
			handle(x)
		} else {
			x.pass()
		}
	})
}

// before runs something once before a call of one kind goes on to S3.
func (p *proxy) before(call string, run func()) {
	var once sync.Once
	p.on(call, func(x *exchange) {
		once.Do(run)
		x.pass()
	})
}

func (p *proxy) count(call string) (n int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, c := range p.calls {
		if c == call {
			n++
		}
	}
	return n
}

// total counts all calls.
func (p *proxy) total() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.calls)
}

func (p *proxy) lostUploads() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.lost
}

// ServeHTTP reads the whole request before anything happens to it, so that a
// client that goes away is noticed.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	place := " final"
	if strings.HasPrefix(r.URL.Path, p.staging) {
		place = " staging"
	}
	x := &exchange{proxy: p, call: operation(r) + place, w: w, r: r, body: body}
	p.mutex.Lock()
	p.calls = append(p.calls, x.call)
	x.n = len(p.calls)
	handle := p.handle
	p.mutex.Unlock()
	handle(x)
}

// operation is what S3 calls a request.
func operation(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case r.Method == "POST" && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == "POST" && query.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == "GET" && query.Has("uploads"):
		return "ListMultipartUploads"
	case r.Method == "GET" && query.Has("list-type"):
		return "ListObjectsV2"
	case r.Method == "GET" && query.Has("uploadId"):
		return "ListParts"
	case r.Method == "DELETE" && query.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == "PUT" && query.Has("uploadId") && r.Header.Get("X-Amz-Copy-Source") != "":
		return "UploadPartCopy"
	case r.Method == "POST":
		return "POST"
	}
	return map[string]string{"PUT": "PutObject", "HEAD": "HeadObject", "GET": "GetObject", "DELETE": "DeleteObject"}[r.Method]
}

// direct asks S3, without a pool: what is left there must not outlive the server.
var direct = &http.Transport{DisableCompression: true, DisableKeepAlives: true}

// act has S3 do what the call asks for, whether the client waits for it or not.
func (x *exchange) act() (*http.Response, []byte, error) {
	r := x.r.Clone(context.WithoutCancel(x.r.Context())) // Host included: it is signed
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", x.proxy.target, ""
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(x.body)), int64(len(x.body))
	if len(x.body) == 0 {
		r.Body = http.NoBody
	}
	res, err := direct.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// pass has S3 act, and tells what it says.
func (x *exchange) pass() {
	res, body, err := x.act()
	if x.r.Context().Err() != nil { // a slow machine: the client has given up
		x.countLost(res, err)
	}
	x.answer(res, body, err)
}

func (x *exchange) answer(res *http.Response, body []byte, err error) {
	if err != nil {
		x.reset()
		return
	}
	for name, values := range res.Header {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(res.StatusCode)
	_, _ = x.w.Write(body)
}

// lose has S3 act, and tells nobody.
func (x *exchange) lose() {
	_, _, _ = x.actInVain()
	x.reset()
}

// lie has S3 act, and says that it failed.
func (x *exchange) lie() {
	_, _, _ = x.actInVain()
	x.say(http.StatusInternalServerError, "InternalError")
}

// actInVain counts the uploads whose id nobody will learn.
func (x *exchange) actInVain() (*http.Response, []byte, error) {
	res, body, err := x.act()
	x.countLost(res, err)
	return res, body, err
}

func (x *exchange) countLost(res *http.Response, err error) {
	if err == nil && res.StatusCode == http.StatusOK && strings.HasPrefix(x.call, "CreateMultipartUpload") {
		x.proxy.mutex.Lock()
		x.proxy.lost++
		x.proxy.mutex.Unlock()
	}
}

// cut has S3 act, and breaks off in the middle of its answer.
func (x *exchange) cut() {
	res, body, err := x.actInVain()
	if err != nil || len(body) == 0 {
		x.reset()
		return
	}
	for name, values := range res.Header {
		x.w.Header()[name] = values
	}
	x.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	x.w.WriteHeader(res.StatusCode)
	_, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush()
	panic(http.ErrAbortHandler)
}

// say answers in S3's place.
func (x *exchange) say(status int, code string) {
	x.w.Header().Set("Content-Type", "application/xml")
	x.w.WriteHeader(status)
	document, _ := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: "a fault"})
	_, _ = x.w.Write(document)
}

// hang waits for the client to give up.
func (x *exchange) hang() { <-x.r.Context().Done() }

// reset breaks the connection off, by RST.
func (x *exchange) reset() {
	conn, _, err := x.w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
