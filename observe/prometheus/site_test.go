package promobserve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	promobserve "github.com/postern-go/postern/observe/prometheus"
	"github.com/postern-go/postern/s3test"
)

// site is a handler that is measured, at a real S3 server.
type site struct {
	*postern.Handler
	t        testing.TB
	registry *prometheus.Registry
	metrics  *promobserve.Metrics
	srv      *s3test.Server
	bucket   postern.Bucket
	hookFail atomic.Bool
	inHook   atomic.Pointer[func()]
}

func newSite(t testing.TB, opts ...promobserve.Option) *site {
	s := &site{t: t, registry: prometheus.NewPedanticRegistry(), srv: s3test.Start(t)}
	var err error
	s.metrics, err = promobserve.New(s.registry, opts...)
	require.NoError(t, err)
	signing, err := s.srv.PutOnlyUser(context.Background(), "")
	require.NoError(t, err)
	s.bucket = postern.Bucket{
		Name: s.srv.Bucket, Region: s.srv.Region, Endpoint: s.srv.Endpoint,
		Credentials: ending(signing), ServiceCredentials: s.srv.Credentials(),
	}
	s.Handler = s.handler(s.bucket)
	return s
}

// ending are credentials for an hour.
func ending(p aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := p.Retrieve(ctx)
		c.CanExpire, c.Expires = true, time.Now().Add(time.Hour)
		return c, err
	}))
}

var errHook = errors.New("the database is away")

// handler is one that is measured with the site's own.
func (s *site) handler(b postern.Bucket, opts ...postern.HandlerOption) *postern.Handler {
	h, err := postern.New(b, append([]postern.HandlerOption{
		postern.WithInstrument(s.metrics.Instrument()),
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			subject, tenant, ok := strings.Cut(r.Header.Get("X-User"), "@")
			if !ok {
				return postern.ErrUnauthenticated
			}
			u.Subject, u.Tenant = subject, tenant
			return nil
		}),
		postern.WithContentTypes("text/plain", "image/*"),
		postern.WithSizeLimit(1, 1<<20),
		postern.WithMode(postern.ModePut),
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(bytes.Repeat([]byte{7}, 32)),
		postern.WithSniffing(),
		postern.WithOnComplete(func(context.Context, *postern.Receipt) error {
			if look := s.inHook.Load(); look != nil {
				(*look)()
			}
			if s.hookFail.Load() {
				return errHook
			}
			return nil
		}),
	}, opts...)...)
	require.NoError(s.t, err)
	return h
}

// send posts JSON to an action, and returns the status and the answer.
func send(h http.Handler, user, action string, body map[string]any) (int, map[string]any) {
	encoded, _ := json.Marshal(body)
	r := httptest.NewRequest("POST", "/uploads/"+action, bytes.NewReader(encoded))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

// sign asks for a grant.
func (s *site) sign(user, name, contentType string, size int) (int, map[string]any) {
	return send(s, user, "sign", map[string]any{"filename": name, "type": contentType, "size": size})
}

// arrive signs and uploads a file, and returns its ticket.
func (s *site) arrive(user, contentType string, content []byte) map[string]any {
	status, g := s.sign(user, "a.bin", contentType, len(content))
	if !assert.Equal(s.t, http.StatusCreated, status, g) {
		return nil
	}
	r, err := http.NewRequest("PUT", g["url"].(string), bytes.NewReader(content))
	if !assert.NoError(s.t, err) {
		return nil
	}
	for name, value := range g["headers"].(map[string]any) {
		r.Header.Set(name, value.(string))
	}
	r.ContentLength = int64(len(content))
	res, err := http.DefaultClient.Do(r)
	if assert.NoError(s.t, err) {
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		assert.Equal(s.t, http.StatusOK, res.StatusCode, string(text))
	}
	return map[string]any{"ticket": g["ticket"]}
}

// upload does all that a browser does, and returns the status of the completion.
func (s *site) upload(user, contentType string, content []byte) int {
	status, _ := send(s, user, "complete", s.arrive(user, contentType, content))
	return status
}
