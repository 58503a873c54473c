// Package routertest tries a router that has Postern mounted: over HTTP, and with a
// real S3 server behind it.
package routertest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/examples/routers/internal/demo"
	"github.com/postern-go/postern/s3test"
)

// prefixes are where every program mounts the Handler. A space in the second one
// sees that no router touches what stands before the action.
var prefixes = []string{"/api/uploads/", "/api/albums/summer%202026/photos/"}

// site is a router that is served, and the bucket behind it.
type site struct {
	url string
	s3  *s3test.Server
}

// RunHTTP is Run for a router of net/http. It also tries whether a handler can break
// off its answer.
func RunHTTP(t *testing.T, newRouter func(uploads http.Handler) http.Handler) {
	Run(t, demo.HTTP(newRouter))
	t.Run("an answer that is broken off does not look complete", func(t *testing.T) {
		require.ErrorIs(t, BreakOff(t, demo.HTTP(newRouter)), io.ErrUnexpectedEOF)
	})
}

// BreakOff mounts a handler that gives up in the middle of an answer, and returns
// what the client made of it.
func BreakOff(t *testing.T, serve demo.Serve) error {
	t.Helper()
	url := Start(t, serve, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+prefixes[0]+"sign", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer alice-demo")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.ReadAll(response.Body)
	return err
}

// Run tries what the programs promise.
func Run(t *testing.T, serve demo.Serve) {
	s := start(t, serve)
	for _, prefix := range prefixes {
		t.Run(prefix, func(t *testing.T) {
			t.Run("a file is uploaded", func(t *testing.T) { s.testUpload(t, prefix) })
			t.Run("the user of the group's middleware is the subject", func(t *testing.T) { s.testSubject(t, prefix) })
			t.Run("an upload in parts is begun and given up", func(t *testing.T) { s.testParts(t, prefix) })
			t.Run("the group's middleware refuses strangers", func(t *testing.T) { s.testStranger(t, prefix) })
			t.Run("another action is not found", func(t *testing.T) { s.testUnknownAction(t, prefix) })
			t.Run("what is accepted is told", func(t *testing.T) { s.testRules(t, prefix) })
			t.Run("another method is not allowed", func(t *testing.T) { s.testMethod(t, prefix) })
		})
	}
	t.Run("the page answers everywhere else", s.testPage)
}

func start(t *testing.T, serve demo.Serve) *site {
	t.Helper()
	srv := s3test.Start(t)
	signer, err := srv.PutOnlyUser(t.Context(), demo.Staging)
	require.NoError(t, err)
	uploads, err := demo.New(srv, signer)
	require.NoError(t, err)
	return &site{url: Start(t, serve, uploads), s3: srv}
}

// Start serves a router for the length of the test, and returns its URL.
func Start(t *testing.T, serve demo.Serve, uploads http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = serve(ln, uploads)
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections() // the server waits for new ones
		_ = ln.Close()
		<-ended
	})
	return "http://" + ln.Addr().String()
}

func (s *site) testUpload(t *testing.T, prefix string) {
	file := make([]byte, 3<<20)
	_, _ = rand.Read(file)
	g := s.sign(t, prefix, "alice", len(file))
	require.Equal(t, "post", g.Mode)
	stored := postForm(t, g, file)
	require.Equal(t, http.StatusCreated, stored.status, "%.500s", stored.body)

	var receipt struct{ Key, Subject string }
	s.post(t, prefix+"complete", "alice", ticket{g.Ticket}).decode(t, http.StatusOK, &receipt)
	require.Equal(t, g.Key, receipt.Key)
	require.Equal(t, "alice", receipt.Subject)

	object, err := s.s3.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.s3.Bucket, Key: &receipt.Key})
	require.NoError(t, err)
	defer object.Body.Close()
	kept, err := io.ReadAll(object.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(file, kept), "the bucket has other bytes")
	require.Equal(t, "image/png", *object.ContentType)
}

func (s *site) testSubject(t *testing.T, prefix string) {
	for _, user := range []string{"alice", "bob"} {
		require.Regexp(t, "^"+user+"/[^/]+$", s.sign(t, prefix, user, 5).Key)
	}
	alices := ticket{s.sign(t, prefix, "alice", 5).Ticket}
	s.post(t, prefix+"complete", "bob", alices).problem(t, http.StatusForbidden, "ticket_foreign")
}

func (s *site) testParts(t *testing.T, prefix string) {
	g := s.sign(t, prefix, "alice", 1<<30)
	require.Equal(t, "multipart", g.Mode)
	numbers := make([]int32, g.Parts)
	for i := range numbers {
		numbers[i] = int32(i + 1)
	}
	asked := s.post(t, prefix+"parts", "alice", map[string]any{"ticket": g.Ticket, "numbers": numbers})
	require.Greater(t, len(asked.body), 32<<10, "an answer in several writes")
	var parts struct{ URLs map[string]string }
	asked.decode(t, http.StatusOK, &parts)
	require.Len(t, parts.URLs, len(numbers))
	require.Contains(t, parts.URLs[strconv.Itoa(len(numbers))], "partNumber="+strconv.Itoa(len(numbers)))

	var list struct{ Parts []any }
	s.post(t, prefix+"list", "alice", ticket{g.Ticket}).decode(t, http.StatusOK, &list)
	require.Empty(t, list.Parts)
	require.Equal(t, http.StatusNoContent, s.post(t, prefix+"abort", "alice", ticket{g.Ticket}).status)
}

func (s *site) testStranger(t *testing.T, prefix string) {
	for _, user := range []string{"", "mallory"} {
		s.post(t, prefix+"sign", user, photo(5)).problem(t, http.StatusUnauthorized, "unauthenticated")
	}
	// Postern itself reads a request before it asks who made it.
	s.post(t, prefix+"sign", "", nil).problem(t, http.StatusUnauthorized, "unauthenticated")
}

func (s *site) testUnknownAction(t *testing.T, prefix string) {
	for _, action := range []string{"nothing", "sign/nothing", ""} {
		s.post(t, prefix+action, "alice", photo(5)).problem(t, http.StatusNotFound, "not_found")
	}
}

// testRules asks as browsers do, which keep the answer with its ETag.
func (s *site) testRules(t *testing.T, prefix string) {
	s.send(t, http.MethodGet, prefix+"rules", "", nil).problem(t, http.StatusUnauthorized, "unauthenticated")
	told := s.send(t, http.MethodGet, prefix+"rules", "alice", nil)
	require.Equal(t, http.StatusOK, told.status, "%.500s", told.body)
	var rules struct {
		Types   []string
		MaxSize int64 `json:"max_size"`
	}
	require.NoError(t, json.Unmarshal(told.body, &rules))
	require.NotEmpty(t, rules.Types)
	require.Equal(t, int64(1<<30), rules.MaxSize)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+prefix+"rules", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer alice-demo")
	r.Header.Set("If-None-Match", told.header.Get("ETag"))
	again := do(t, r)
	require.Equal(t, http.StatusNotModified, again.status)
	require.Empty(t, again.body)
}

func (s *site) testMethod(t *testing.T, prefix string) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
		a := s.send(t, method, prefix+"sign", "alice", nil)
		require.Equal(t, http.StatusMethodNotAllowed, a.status, method)
		require.Contains(t, a.header.Get("Allow"), http.MethodPost, method)
	}
}

func (s *site) testPage(t *testing.T) {
	for _, path := range []string{"/", "/about", "/uploads/sign", "/a/b/c/"} {
		a := s.send(t, http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, a.status, path)
		require.Contains(t, string(a.body), "<h1>Postern behind a router</h1>", path)
	}
}
