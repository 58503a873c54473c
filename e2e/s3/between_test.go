package s3_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// traffic notes what passes a front end.
type traffic struct {
	next http.Handler

	mutex    sync.Mutex
	requests []*http.Request
}

func (f *traffic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	f.requests = append(f.requests, r.Clone(context.Background()))
	f.mutex.Unlock()
	f.next.ServeHTTP(w, r)
}

// seen are the requests that have passed.
func (f *traffic) seen() []*http.Request {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.requests)
}

// carried asserts that the handler's calls have passed, in every mode.
func (f *traffic) carried(t testing.TB) {
	all := map[string]bool{}
	for _, r := range f.seen() {
		all[operation(r)] = true
	}
	for _, call := range []string{
		"HeadObject", "GetObject", "DeleteObject", "CreateMultipartUpload", "ListParts", "UploadPartCopy",
		"CompleteMultipartUpload", "AbortMultipartUpload",
	} {
		require.Contains(t, all, call)
	}
}

// frontEnd passes requests on to S3, for the host that was asked for, after it has
// changed their headers, and answers after it has changed them.
func frontEnd(srv *foreign.Server, change func(http.Header), answer func(*http.Response) error) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(srv.Endpoint, "http://")
			if change != nil {
				change(r.Out.Header)
			}
		},
		ModifyResponse: answer,
		Transport:      direct,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
}

// behind is a site without a handler whose S3 is found at a front end, by the browser
// too.
func behind(t testing.TB, srv *foreign.Server, front http.Handler) (*site, *traffic) {
	f := &traffic{next: front}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	n := sites.Add(1)
	s := &site{srv: srv, got: &receipts{}, staging: fmt.Sprintf("staging-%d/", n), final: fmt.Sprintf("final-%d/", n)}
	s.bucket = identitiesOf(t, srv)
	s.bucket.Endpoint = server.URL
	return s, f
}

// earns takes an upload from its grant to its receipt.
func (s *site) earns(t testing.TB, h http.Handler, mode string, request map[string]any, content []byte) {
	g := ask(t, h, request)
	require.Equal(t, mode, g.Mode)
	sent := upload(t, h, g, content)
	require.Less(t, sent.Status, 300, sent.Body)
	if mode == "multipart" {
		a := call(t, h, "list", ticketOf(g))
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		var list struct{ Parts []struct{ Number int } }
		a.into(t, &list)
		require.Len(t, list.Parts, g.Parts)
	}
	s.isRight(t, complete(t, h, g.Ticket), content)
}

// leavesNothing gives an upload in parts up.
func leavesNothing(t testing.TB, h http.Handler, content []byte) {
	g := ask(t, h, fileOf(content))
	require.Equal(t, http.StatusOK, putPart(t, h, g, 1, content).Status)
	a := call(t, h, "abort", ticketOf(g))
	require.Equal(t, http.StatusNoContent, a.Status, "%s", a.Body)
	require.Equal(t, "upload_gone", call(t, h, "list", ticketOf(g)).code(t))
}

// worksInEveryMode uploads by a form, a PUT and in parts, and gives one up.
func (s *site) worksInEveryMode(t testing.TB) {
	large := big(6<<20 + 1)
	h := newReplica(t, s.bucket, s.options(append([]postern.HandlerOption{postern.WithSniffing(),
		postern.WithAttributes(postern.Attributes{
			CacheControl: "max-age=60", Metadata: map[string]string{"origin": "web site"}, Tags: map[string]string{"by": "a b+c"}}),
	}, inParts...)...)...)
	s.earns(t, h, "post", picture(), pngFile())
	s.earns(t, h, "post", withSum(fileOf(content), content), content)
	s.earns(t, h, "post", fileOf(nil), nil)
	s.earns(t, h, "multipart", fileOf(large), large)
	put := newReplica(t, s.bucket, s.options(postern.WithMode(postern.ModePut))...)
	s.earns(t, put, "put", picture(), pngFile())
	leavesNothing(t, h, large)
	require.Empty(t, s.left(t))
	require.Zero(t, s.unfinished(t))
}

// What a front end does to headers that S3 need not trust is no reason to refuse a
// call.
func TestBetweenUsAndS3HeadersMayBeRewritten(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(http.Header){
		"as Google's front end does": func(h http.Header) {
			h.Set("Accept-Encoding", "gzip, gzip(gfe)")
			h.Set("X-Cloud-Trace-Context", "105445aa7843bc8bf206b12000100000/1;o=1")
			h.Set("X-Forwarded-For", "203.0.113.7, 198.51.100.17")
			h.Set("X-Forwarded-Proto", "https")
			h.Set("Via", "1.1 google")
		},
		"another user agent": func(h http.Header) { h.Set("User-Agent", "Mozilla/5.0 (compatible; proxy)") },
		"no user agent":      func(h http.Header) { h["User-Agent"] = nil },
		"no encodings":       func(h http.Header) { h.Del("Accept-Encoding") },
		"without what the SDK says about itself": func(h http.Header) {
			h.Del("Amz-Sdk-Invocation-Id")
			h.Del("Amz-Sdk-Request")
		},
		"with where it came from": func(h http.Header) {
			h.Set("Forwarded", `for=203.0.113.7;proto=https;by="[2001:db8::17]"`)
			h.Set("X-Real-Ip", "203.0.113.7")
			h.Set("X-Request-Id", "7f1c")
			h.Set("Pragma", "no-cache")
			h.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			h["Via"] = []string{"1.1 inner", "1.0 outer (squid)"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			s, passed := behind(t, srv, frontEnd(srv, change, nil))
			s.worksInEveryMode(t)
			passed.carried(t)
		})
	}
}

// What is signed is what S3 demands, and what would change what a call does.
func TestBetweenUsAndS3NoOtherHeadersAreSigned(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s, passed := behind(t, srv, frontEnd(srv, nil, nil))
	s.worksInEveryMode(t)
	allowed := []string{
		"host", "content-length", "content-type", "if-match", "if-none-match", "range",
		"cache-control", "content-disposition", // S3 stores them
	}
	signed := 0
	for _, r := range passed.seen() {
		_, list, ok := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
		if !ok {
			continue // of the browser
		}
		signed++
		list, _, _ = strings.Cut(list, ",")
		for _, name := range strings.Split(list, ";") {
			require.True(t, slices.Contains(allowed, name) || strings.HasPrefix(name, "x-amz-"), "%s: %s", operation(r), list)
		}
	}
	require.NotZero(t, signed)
}

// oldFashioned sends a request as HTTP once allowed and Go does not: backwards, with
// names in capitals, white space around values, and a folded line.
type oldFashioned struct{}

func (oldFashioned) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	lines := []string{"HOST:" + r.Host, fmt.Sprintf("CONTENT-LENGTH:   %d", len(body)), "CONNECTION: close"}
	for name, values := range r.Header {
		if name == "Content-Length" {
			continue
		}
		for _, value := range values {
			if name == "Authorization" {
				value = strings.ReplaceAll(value, ", ", ",\r\n\t ")
			}
			lines = append(lines, strings.ToUpper(name)+":\t "+value+"  ")
		}
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s\r\n\r\n%s", r.Method, r.URL.RequestURI(), strings.Join(lines, "\r\n"), body)
	if err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, err
	}
	return res, replaceBody(res, func(body []byte) []byte { return body })
}

// replaceBody reads the body of an answer, and has another one sent with its length.
func replaceBody(res *http.Response, by func([]byte) []byte) error {
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Request.Method == http.MethodHead || res.StatusCode == http.StatusNoContent {
		res.Body = http.NoBody
		return err
	}
	body = by(body)
	res.Body, res.ContentLength, res.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	res.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

func TestBetweenUsAndS3HeadersMayBeWrittenOtherwise(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	front := frontEnd(srv, nil, nil)
	front.Transport = oldFashioned{}
	s, passed := behind(t, srv, front)
	s.worksInEveryMode(t)
	passed.carried(t)
}

func TestBetweenUsAndS3BodiesMayBeBuffered(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Response) error{
		"whole": func(res *http.Response) error { return replaceBody(res, func(body []byte) []byte { return body }) },
		"and sent on in chunks": func(res *http.Response) error {
			if res.Request.Method != http.MethodHead { // there it is the object's size
				res.ContentLength = -1
				res.Header.Del("Content-Length")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			front := frontEnd(srv, nil, answer)
			front.FlushInterval = -1
			s, passed := behind(t, srv, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
				front.ServeHTTP(w, r)
			}))
			s.worksInEveryMode(t)
			passed.carried(t)
		})
	}
}

// slow are the calls in which S3 moves bytes before it knows the outcome. Amazon then
// begins a 200, sends white space, and the document when it is there ("S3 API:
// CompleteMultipartUpload, UploadPartCopy").
var slow = []string{"CompleteMultipartUpload", "UploadPartCopy"}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

// keepAlive puts white space where S3 waits.
func keepAlive(body []byte, afterDeclaration bool) []byte {
	document := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte(declaration)))
	space := strings.Repeat(" ", 3) + strings.Repeat("\n", 40)
	if afterDeclaration {
		return []byte(declaration + "\n" + space + string(document))
	}
	return []byte(space + declaration + "\n" + string(document))
}

func TestBetweenUsAndS3AnswersMayBeChanged(t *testing.T) {
	t.Parallel()
	spaced := func(after bool) func(*http.Response) error {
		return func(res *http.Response) error {
			if !slices.Contains(slow, operation(res.Request)) || res.StatusCode != http.StatusOK {
				return nil
			}
			return replaceBody(res, func(body []byte) []byte { return keepAlive(body, after) })
		}
	}
	for name, answer := range map[string]func(*http.Response) error{
		"with white space before the document":           spaced(false),
		"with white space in the middle of the document": spaced(true),
		"with more headers": func(res *http.Response) error {
			res.Header.Set("Server", "cloud front end")
			res.Header.Set("Via", "1.1 varnish, 2 edge")
			res.Header.Set("X-Cache", "MISS")
			res.Header.Set("Age", "0")
			res.Header.Set("Alt-Svc", `h3=":443"; ma=2592000`)
			res.Header.Set("Strict-Transport-Security", "max-age=31536000")
			res.Header.Add("Set-Cookie", "AWSALB=1; Path=/")
			res.Header.Add("Set-Cookie", "cf=2; Path=/")
			res.Header.Set("X-Amz-Cf-Id", "abc==")
			return nil
		},
		"compressed, if that was asked for": func(res *http.Response) error {
			if !strings.Contains(res.Request.Header.Get("Accept-Encoding"), "gzip") {
				return nil
			}
			return replaceBody(res, func(body []byte) []byte {
				var small bytes.Buffer
				z := gzip.NewWriter(&small)
				_, _ = z.Write(body)
				_ = z.Close()
				res.Header.Set("Content-Encoding", "gzip")
				return small.Bytes()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			s, passed := behind(t, srv, frontEnd(srv, nil, answer))
			s.worksInEveryMode(t)
			passed.carried(t)
		})
	}
}

// lowerCase writes the names of an answer's headers as some proxies do.
type lowerCase struct{ http.ResponseWriter }

func (w lowerCase) WriteHeader(status int) {
	for name, values := range w.Header() {
		if name != "Content-Length" && name != "Date" && name != "Content-Type" { // Go looks for these
			delete(w.Header(), name)
			w.Header()[strings.ToLower(name)] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func TestBetweenUsAndS3NamesOfAnswersMayBeInLowerCase(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	front := frontEnd(srv, nil, nil)
	s, passed := behind(t, srv, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		front.ServeHTTP(lowerCase{w}, r)
	}))
	s.worksInEveryMode(t)
	passed.carried(t)
}

// Where S3 has begun a 200 before it failed, the error is in the document.
func TestBetweenUsAndS3AnErrorAfterWhiteSpaceIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, call := range slow {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			var first sync.Once
			front := frontEnd(srv, nil, nil)
			s, _ := behind(t, srv, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fails := false
				if operation(r) == call {
					first.Do(func() { fails = true })
				}
				if !fails {
					front.ServeHTTP(w, r)
					return
				}
				_, _ = w.Write(keepAlive([]byte("<Error><Code>InternalError</Code><Message>Try again.</Message></Error>"), true))
			}))
			s.worksInEveryMode(t)
		})
	}
}

// secure is a front end that speaks TLS, and HTTP/2 to whoever can. trust is what a
// process must have in its environment to trust it.
func secure(t testing.TB, h http.Handler) (server *httptest.Server, trust string) {
	server = httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, block, 0o600))
	return server, "SSL_CERT_FILE=" + file
}

// elsewhere is a site's handler in another process, which finds S3 at an endpoint by
// what is in its environment. The browser finds it directly.
func (s *site) elsewhere(t testing.TB, endpoint string, environment ...string) http.Handler {
	c := s.victimConfig(t)
	c.Bucket.Endpoint, c.Bucket.PublicEndpoint, c.Bucket.PathStyle = endpoint, s.srv.Endpoint, true
	s.proxy.with(func(x *exchange) { x.w.WriteHeader(http.StatusNoContent) }) // the hook
	there, err := url.Parse(startVictim(t, c, environment...).url)
	require.NoError(t, err)
	return httputil.NewSingleHostReverseProxy(there)
}

// worksElsewhere uploads by a form, a PUT and in parts at processes of their own, and
// gives one up.
func worksElsewhere(t testing.TB, srv *foreign.Server, endpoint string, environment ...string) {
	large := big(6<<20 + 1)
	s := newSite(t, srv, true)
	h := s.elsewhere(t, endpoint, environment...)
	s.earns(t, h, "post", picture(), pngFile())
	s.earns(t, h, "multipart", fileOf(large), large)
	leavesNothing(t, h, large)
	require.Empty(t, s.left(t))
	require.Zero(t, s.unfinished(t))
	s = newSite(t, srv, false)
	s.earns(t, s.elsewhere(t, endpoint, environment...), "put", picture(), pngFile())
}

func TestBetweenUsAndS3HTTP2MayBeSpoken(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	passed := &traffic{next: frontEnd(srv, nil, nil)}
	front, trust := secure(t, passed)
	worksElsewhere(t, srv, front.URL, trust)
	passed.carried(t)
	for _, r := range passed.seen() {
		require.Equal(t, 2, r.ProtoMajor, operation(r))
	}
}

// Each call is reset once. Nobody can ask again for the rest of an object.
func TestBetweenUsAndS3HTTP2StreamsThatAreResetAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]func(next http.Handler, w http.ResponseWriter, r *http.Request){
		"before the answer": func(http.Handler, http.ResponseWriter, *http.Request) {},
		"in the middle of the answer": func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			whole := httptest.NewRecorder()
			next.ServeHTTP(whole, r)
			for name, values := range whole.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(whole.Code)
			_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			var mutex sync.Mutex
			met := map[string]bool{}
			next := frontEnd(srv, nil, nil)
			front, trust := secure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				call := operation(r)
				mutex.Lock()
				again := met[call]
				met[call] = true
				mutex.Unlock()
				if again || name != "before the answer" && (call == "GetObject" || slices.Contains(silent, call)) {
					next.ServeHTTP(w, r)
					return
				}
				reset(next, w, r)
				panic(http.ErrAbortHandler)
			}))
			large := big(6<<20 + 1)
			s := newSite(t, srv, true)
			h := s.elsewhere(t, front.URL, trust)
			s.earns(t, h, "multipart", fileOf(large), large)
			s.earns(t, h, "post", picture(), pngFile())
			require.Empty(t, s.left(t))
		})
	}
}

// proxied is what a process has in its environment to go through proxies, whatever
// this process has in its own.
func proxied(plain, tls string) []string {
	return []string{
		"HTTP_PROXY=" + plain, "http_proxy=", "HTTPS_PROXY=" + tls, "https_proxy=", "NO_PROXY=elsewhere.test", "no_proxy=",
	}
}

// Nobody but the proxy knows where s3.test is.
func TestBetweenUsAndS3HTTPProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	next := frontEnd(srv, nil, nil)
	passed := &traffic{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("ada:secret")) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		next.ServeHTTP(w, r)
	})}
	proxy := httptest.NewServer(passed)
	t.Cleanup(proxy.Close)
	worksElsewhere(t, srv, "http://s3.test", proxied(strings.Replace(proxy.URL, "//", "//ada:secret@", 1), "")...)
	passed.carried(t)
	for _, r := range passed.seen() {
		require.Equal(t, "s3.test", r.URL.Host, "a proxy is asked for whole addresses")
	}
}

// tunnels is a proxy that connects to one address, whatever the name.
type tunnels struct {
	to    string
	stuck int // how many tunnels lead nowhere at first

	mutex sync.Mutex
	asked []string
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	stuck := len(p.asked) <= p.stuck
	p.mutex.Unlock()
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	if stuck {
		_, _ = io.Copy(io.Discard, here)
		return
	}
	go func() {
		_, _ = io.Copy(there, here)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

func TestBetweenUsAndS3HTTPSProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	passed := &traffic{next: frontEnd(srv, nil, nil)}
	front, trust := secure(t, passed)
	p := &tunnels{to: front.Listener.Addr().String()}
	proxy := httptest.NewServer(p)
	t.Cleanup(proxy.Close)
	worksElsewhere(t, srv, "https://example.com", append(proxied("", proxy.URL), trust)...)
	passed.carried(t)
	for _, r := range passed.seen() {
		require.Equal(t, 2, r.ProtoMajor, operation(r))
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	require.NotEmpty(t, p.asked)
	for _, asked := range p.asked {
		require.Equal(t, "CONNECT example.com:443", asked)
	}
}

// A proxy that takes a request and says nothing does not use up the whole call.
func TestBetweenUsAndS3AProxyThatHangsOnceIsAskedAgain(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	next := frontEnd(srv, nil, nil)
	var first sync.Once
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hangs := false
		first.Do(func() { hangs = true })
		if hangs {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	s := newSite(t, srv, true)
	s.earns(t, s.elsewhere(t, "http://s3.test", proxied(proxy.URL, "")...), "post", picture(), pngFile())
}

func TestBetweenUsAndS3AProxyWhoseTunnelHangsOnceIsAskedAgain(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	front, trust := secure(t, frontEnd(srv, nil, nil))
	proxy := httptest.NewServer(&tunnels{to: front.Listener.Addr().String(), stuck: 1})
	t.Cleanup(proxy.Close)
	s := newSite(t, srv, true)
	s.earns(t, s.elsewhere(t, "https://example.com", append(proxied("", proxy.URL), trust)...), "post", picture(), pngFile())
}
