package postern_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// noon is when all tests take place.
var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

const (
	accessKeyID  = "AKIAIOSFODNN7EXAMPLE"
	secretKey    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	sessionToken = "FwoGZXIvYXdzEXAMPLETOKEN=="

	photo = `{"filename":"photo.png","type":"image/png","size":1000}`
)

// provides returns a provider of fixed credentials, or of an error.
func provides(c aws.Credentials, err error) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, err })
}

var credentials = provides(aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey}, nil)

var bucket = postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: credentials}

// asAda is an authorizer that lets everyone in as one user of one tenant.
func asAda(_ *http.Request, u *postern.Upload) error {
	u.Subject, u.Tenant = "ada", "acme"
	return nil
}

// as is an authorizer that lets everyone in as one user.
func as(subject, tenant string) func(*http.Request, *postern.Upload) error {
	return func(_ *http.Request, u *postern.Upload) error {
		u.Subject, u.Tenant = subject, tenant
		return nil
	}
}

func refusing(err error) func(*http.Request, *postern.Upload) error {
	return func(*http.Request, *postern.Upload) error { return err }
}

// newHandler returns a Handler that lets Ada in, at noon.
func newHandler(t testing.TB, opts ...postern.HandlerOption) *postern.Handler {
	t.Helper()
	return newHandlerFor(t, bucket, opts...)
}

func newHandlerFor(t testing.TB, b postern.Bucket, opts ...postern.HandlerOption) *postern.Handler {
	t.Helper()
	h, err := postern.New(b, unless[postern.HandlerOption](opts, postern.WithAuthorizer(asAda), postern.WithClock(atNoon), postern.WithTicketKeys(ticketKey))...)
	require.NoError(t, err)
	return h
}

func newIssuer(t testing.TB, opts ...postern.Option) *postern.Issuer {
	t.Helper()
	i, err := postern.NewIssuer(bucket, unless(opts, postern.WithClock(atNoon), postern.WithTicketKeys(ticketKey))...)
	require.NoError(t, err)
	return i
}

// unless returns the options with those of the defaults that are not among them.
func unless[T postern.HandlerOption](opts []T, defaults ...T) []T {
	given := map[string]bool{}
	for _, opt := range opts {
		given[postern.NameOf(opt)] = true
	}
	all := slices.Clone(opts)
	for _, opt := range defaults {
		if !given[postern.NameOf(opt)] {
			all = append(all, opt)
		}
	}
	return all
}

func newRequest(body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "http://app.example.com/uploads/sign", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	return r
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// send posts a body to /uploads/sign.
func send(h http.Handler, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newRequest(body, change...))
	return w
}

var ticketKey = bytes.Repeat([]byte{7}, 32)

// grant is what a browser sees of a grant.
type grant struct {
	Mode      string            `json:"mode"`
	Key       string            `json:"key"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	Location  string            `json:"location"`
	Expires   string            `json:"expires"`
	ExpiresIn int               `json:"expires_in"`
	Complete  bool              `json:"complete"`
	Ticket    string            `json:"ticket"`
}

// id is that of a form's grant, which its object has as metadata.
func (g grant) id(t testing.TB) string {
	t.Helper()
	require.Len(t, g.Fields["x-amz-meta-postern-id"], 32)
	return g.Fields["x-amz-meta-postern-id"]
}

func granted(t testing.TB, w *httptest.ResponseRecorder) grant {
	t.Helper()
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	var g grant
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&g))
	return g
}

// problem is what a browser sees of a refusal.
type problem struct {
	Title        string   `json:"title"`
	Status       int      `json:"status"`
	Code         string   `json:"code"`
	Detail       string   `json:"detail"`
	MinSize      int64    `json:"min_size"`
	MaxSize      int64    `json:"max_size"`
	AllowedTypes []string `json:"allowed_types"`
	Used         *int64   `json:"used"`
	Limit        *int64   `json:"limit"`
	Ended        bool     `json:"ended"`
}

// refused reads a refusal, which always has the same form.
func refused(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var p problem
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&p))
	require.Equal(t, w.Code, p.Status)
	require.Equal(t, http.StatusText(w.Code), p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

// policy is a POST policy as S3 reads it.
type policy struct {
	Expiration string `json:"expiration"`
	Conditions []any  `json:"conditions"`
}

func policyOf(t testing.TB, encoded string) policy {
	t.Helper()
	document, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	var p policy
	require.NoError(t, json.Unmarshal(document, &p))
	return p
}

// exact returns the exact conditions of a policy by field.
func (p policy) exact(t testing.TB) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, c := range p.Conditions {
		if m, ok := c.(map[string]any); ok {
			require.Len(t, m, 1)
			for name, value := range m {
				require.NotContains(t, fields, name)
				fields[name] = value.(string)
			}
		}
	}
	return fields
}

// sizeRange returns the content-length-range of a policy.
func (p policy) sizeRange(t testing.TB) (min, max int64) {
	t.Helper()
	for _, c := range p.Conditions {
		if l, ok := c.([]any); ok {
			require.Equal(t, "content-length-range", l[0])
			return int64(l[1].(float64)), int64(l[2].(float64))
		}
	}
	require.Fail(t, "the policy does not bound the size")
	return 0, 0
}

// fieldsOf returns the fields of a grant by name.
func fieldsOf(g *postern.Grant) map[string]string {
	fields := map[string]string{}
	for _, f := range g.Fields {
		fields[f.Name] = f.Value
	}
	return fields
}
