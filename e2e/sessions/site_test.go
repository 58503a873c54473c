// Package sessions_test holds what the credentials of a session may do, and what
// becomes of the files that tools write with them. At MinIO they come from its Security
// Token Service; the embedded server has none, and gives an account of its own.
package sessions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/quota"
	"github.com/postern-go/postern/s3test"
	"github.com/postern-go/postern/sts"
)

const (
	staging = "staging/"
	final   = "final/"
)

var (
	ticketKey = bytes.Repeat([]byte{7}, 32)
	// inHaste leaves nothing to its client.
	inHaste = postern.ReconcileOptions{MinAge: time.Nanosecond, CallsPerSecond: 10_000}
)

// site is an application that gives sessions.
type site struct {
	*postern.Handler
	srv      *foreign.Server
	bucket   postern.Bucket
	provider postern.SessionProvider
	caller   aws.Credentials // of the provider, where there is a service
	store    *quota.Memory
	options  []postern.HandlerOption

	mutex     sync.Mutex
	receipts  []postern.Receipt
	decisions []postern.Decision
	log       bytes.Buffer
	now       func() time.Time
	fail      func(*postern.Receipt) error // takes receipts, if it is set
}

func newSite(t *testing.T, limits postern.SessionLimits, opts ...postern.HandlerOption) *site {
	srv := foreign.Start(t)
	return newSiteAt(t, srv, postern.Provider(srv.Name), limits, opts...)
}

// newSiteAt is a site at a server that is like a provider's.
func newSiteAt(t *testing.T, srv *foreign.Server, p postern.Provider, limits postern.SessionLimits, opts ...postern.HandlerOption) *site {
	s := &site{srv: srv, store: quota.NewMemory(nil), now: time.Now}
	s.provider = s.newProvider(t)
	signer, err := srv.PutOnlyUser(t.Context(), staging)
	require.NoError(t, err)
	s.bucket = postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Provider: p,
		Credentials: signer, ServiceCredentials: srv.Credentials(),
	}
	s.options = append([]postern.HandlerOption{
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			if u.Subject = r.Header.Get("X-User"); u.Subject == "" {
				return postern.ErrUnauthenticated
			}
			u.Tenant = "acme"
			return nil
		}),
		postern.WithTicketKeys(ticketKey),
		postern.WithPromotion(staging),
		postern.WithKeyPolicy(postern.KeyTemplate(final + "{subject}/{path}/{uuid}{ext}")),
		postern.WithSniffing(),
		postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			if s.fail != nil {
				return s.fail(r)
			}
			s.receipts = append(s.receipts, *r)
			return nil
		}),
		postern.WithObserver(func(_ context.Context, d postern.Decision) {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.decisions = append(s.decisions, d)
		}),
		postern.WithLogger(zerolog.New(zerolog.SyncWriter(&s.log))),
		postern.WithQuota(s.store, func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{Subject: quota.Bytes(100 << 20).Uploads(3)}
		}),
		postern.WithClock(func() time.Time { return s.now() }),
	}, append(opts, postern.WithSessions(s.provider, limits))...)
	s.Handler = s.replica(t)
	return s
}

// replica is another handler for the same uploads.
func (s *site) replica(t *testing.T) *postern.Handler {
	h, err := postern.New(s.bucket, s.options...)
	require.NoError(t, err)
	return h
}

// newProvider gives what the server has.
func (s *site) newProvider(t *testing.T) postern.SessionProvider {
	if s.srv.Name != foreign.MinIO {
		return accounts{s.srv}
	}
	// The caller may do more than any session.
	id, secret := "CALLER"+rand.Text()[:14], rand.Text()
	require.NoError(t, s.srv.AddUser(t.Context(), id, secret,
		s3test.Permission{Action: "s3:*", Keys: "*"}, s3test.Permission{Action: "s3:*"}))
	s.caller = aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	p, err := sts.New(sts.Config{
		Region: s.srv.Region, Endpoint: s.srv.Endpoint, Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
	require.NoError(t, err)
	return p
}

// accounts gives accounts that may put objects under the prefix of a session.
type accounts struct{ srv *foreign.Server }

func (a accounts) Session(ctx context.Context, q postern.SessionRequest) (aws.Credentials, error) {
	account, err := a.srv.PutOnlyUser(ctx, q.Prefix)
	if err != nil {
		return aws.Credentials{}, err
	}
	c, err := account.Retrieve(ctx)
	c.CanExpire, c.Expires = true, time.Now().Add(q.Lifetime)
	return c, err
}

// session is what a client gets.
type session struct {
	ID              string   `json:"id"`
	AccessKeyID     string   `json:"access_key_id"`
	SecretAccessKey string   `json:"secret_access_key"`
	SessionToken    string   `json:"session_token"`
	Expires         string   `json:"expires"`
	ExpiresIn       int      `json:"expires_in"`
	Bucket          string   `json:"bucket"`
	Region          string   `json:"region"`
	Endpoint        string   `json:"endpoint"`
	PathStyle       bool     `json:"path_style"`
	URL             string   `json:"url"`
	Prefix          string   `json:"prefix"`
	MaxFiles        int64    `json:"max_files"`
	MaxBytes        int64    `json:"max_bytes"`
	MinSize         int64    `json:"min_size"`
	MaxSize         int64    `json:"max_size"`
	Types           []string `json:"types"`
}

// ask asks for a session.
func (s *site) ask(user, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://app.example.com/uploads/session", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User", user)
	for k := 0; k+1 < len(header); k += 2 {
		r.Header.Set(header[k], header[k+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// session begins one.
func (s *site) session(t *testing.T, user, body string) session {
	w := s.ask(user, body)
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	var got session
	require.NoError(t, d.Decode(&got))
	return got
}

// client is the SDK's, with a session's credentials.
func (q session) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &q.Endpoint, Region: q.Region, UsePathStyle: q.PathStyle,
		Credentials: credentials.NewStaticCredentialsProvider(q.AccessKeyID, q.SecretAccessKey, q.SessionToken),
	})
}

// put writes a file of a session.
func (q session) put(t *testing.T, name, contentType string, content []byte) string {
	key := q.Prefix + name
	_, err := q.client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &q.Bucket, Key: &key, ContentType: &contentType, Body: bytes.NewReader(content),
	})
	require.NoError(t, err)
	return key
}

func (s *site) reconcile(t *testing.T) postern.ReconcileReport {
	report, err := s.Issuer().Reconcile(t.Context(), inHaste)
	require.NoError(t, err)
	return report
}

// got returns the receipts so far.
func (s *site) got() []postern.Receipt {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]postern.Receipt(nil), s.receipts...)
}

// refused returns the decisions that refused files.
func (s *site) refused() (all []postern.Decision) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range s.decisions {
		if d.Outcome == postern.OutcomeRefused {
			all = append(all, d)
		}
	}
	return all
}

// keys are those of the bucket that begin with a prefix.
func (s *site) keys(t *testing.T, prefix string) (all []string) {
	pages := s3.NewListObjectsV2Paginator(s.srv.Client(), &s3.ListObjectsV2Input{Bucket: &s.srv.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, o := range page.Contents {
			all = append(all, *o.Key)
		}
	}
	return all
}

// content is what the bucket has at a key.
func (s *site) content(t *testing.T, key string) []byte {
	out, err := s.srv.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.srv.Bucket, Key: &key})
	require.NoError(t, err)
	defer out.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(out.Body)
	require.NoError(t, err)
	return b.Bytes()
}

// picture is a PNG that no other is.
func picture(t testing.TB, n int) []byte {
	var b bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	copy(img.Pix, fmt.Sprintf("%08d", n))
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}
