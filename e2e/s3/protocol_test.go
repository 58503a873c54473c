package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

var ticketKey = bytes.Repeat([]byte{7}, 32)

// principal is who the test's authorizer finds: changeable by a header.
func principal(r *http.Request, u *postern.Upload) error {
	u.Subject, u.Tenant = "ada", "acme"
	if s, t, ok := strings.Cut(r.Header.Get("X-Principal"), "/"); ok {
		u.Subject, u.Tenant = s, t
	}
	return nil
}

// twoIdentities describes the bucket as production has it: grants are signed by
// a key that may only put under the prefix.
func twoIdentities(t testing.TB, srv *foreign.Server, prefix string) postern.Bucket {
	id, secret := "PUTONLY"+rand.Text(), rand.Text()
	require.NoError(t, srv.AddUser(context.Background(), id, secret,
		s3test.Permission{Action: "s3:PutObject", Keys: prefix + "*"},
		s3test.Permission{Action: "s3:PutObjectTagging", Keys: prefix + "*"}))
	putOnly := credentials.NewStaticCredentialsProvider(id, secret, "")
	return postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Provider: postern.VersityGW,
		Credentials: putOnly, ServiceCredentials: srv.Credentials(),
	}
}

// newReplica is one of several handlers that know the same tickets.
func newReplica(t testing.TB, bucket postern.Bucket, opts ...postern.HandlerOption) *postern.Handler {
	return mustNew(t, bucket, append([]postern.HandlerOption{
		postern.WithAuthorizer(principal),
		postern.WithTicketKeys(ticketKey),
	}, opts...)...)
}

// answer is what the handler says.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a answer) into(t testing.TB, v any) {
	require.NoError(t, json.Unmarshal(a.Body, v), "%d %s", a.Status, a.Body)
}

func (a answer) code(t testing.TB) string {
	var p struct{ Code string }
	a.into(t, &p)
	return p.Code
}

func call(t testing.TB, h http.Handler, action string, request any, header ...string) answer {
	return serve(t, h, "POST", "/uploads/"+action, request, header...)
}

// serve has a handler answer a request, with a body of JSON if it has one.
func serve(t testing.TB, h http.Handler, method, target string, request any, header ...string) answer {
	var body io.Reader
	if request != nil {
		b, err := json.Marshal(request)
		require.NoError(t, err)
		body = bytes.NewReader(b)
	}
	r := httptest.NewRequest(method, target, body)
	if request != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

type receipt struct {
	ID, Key, Filename, Type, ETag, Location, Subject, Tenant, SHA256 string
	Size                                                             int64
	Metadata                                                         map[string]string
	Replayed, Duplicate                                              bool
}

// same compares what two completions must agree on.
func (r receipt) same(t testing.TB, other receipt) {
	r.Replayed, other.Replayed = false, false
	require.Equal(t, r, other)
}

func complete(t testing.TB, h http.Handler, ticket string) receipt {
	a := call(t, h, "complete", map[string]any{"ticket": ticket})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var r receipt
	a.into(t, &r)
	return r
}

// upload does what a grant says with content.
func upload(t testing.TB, h http.Handler, g grant, content []byte) s3Answer {
	switch g.Mode {
	case "post":
		return postForm(t, g.URL, g.Fields, content)
	case "put":
		return putFile(t, g, content)
	default:
		var last s3Answer
		for n := 1; n <= g.Parts; n++ {
			last = putPart(t, h, g, n, content)
			require.Equal(t, http.StatusOK, last.Status, last.Body)
		}
		return last
	}
}

func putFile(t testing.TB, g grant, content []byte) s3Answer {
	header := http.Header{}
	for _, f := range g.Headers {
		header.Set(f.Name, f.Value)
	}
	return do(t, g.Method, g.URL, bytes.NewReader(content), header)
}

func partURL(t testing.TB, h http.Handler, g grant, n int) string {
	a := call(t, h, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{n}})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var parts struct{ URLs map[string]string }
	a.into(t, &parts)
	return parts.URLs[fmt.Sprint(n)]
}

func putPart(t testing.TB, h http.Handler, g grant, n int, content []byte) s3Answer {
	first := int64(n-1) * g.PartSize
	return do(t, "PUT", partURL(t, h, g, n), bytes.NewReader(content[first:min(first+g.PartSize, int64(len(content)))]), nil)
}

// receipts gathers what OnComplete is given.
type receipts struct {
	before func() // runs first, if it is set
	mutex  sync.Mutex
	all    []postern.Receipt
	fail   error
}

func (r *receipts) hook(_ context.Context, got *postern.Receipt) error {
	if r.before != nil {
		r.before()
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, *got)
	return r.fail
}

func (r *receipts) seen() []postern.Receipt {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.all)
}

func (r *receipts) count() int { return len(r.seen()) }

// unfinished counts the multipart uploads that the bucket holds.
func unfinished(t testing.TB, srv *foreign.Server) int {
	out, err := srv.Client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	return len(out.Uploads)
}
