// Package events_test holds uploads that no browser completes: the server tells that
// they have arrived.
package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/events"
	"github.com/postern-go/postern/s3test"
	"github.com/postern-go/postern/ticket"
)

// site is an application whose browsers leave after the last byte.
type site struct {
	*postern.Handler
	s3       *foreign.Server
	webhook  http.Handler
	receipts chan *postern.Receipt
	reports  chan events.Report
	// broken has the application's hook fail.
	broken atomic.Bool
}

// newSite runs the application at the embedded server.
func newSite(t *testing.T, mode postern.Mode, options ...s3test.Option) *site {
	t.Helper()
	return newSiteAt(t, mode, foreign.Embedded(t, options...), postern.VersityGW)
}

// newSiteWithWebhook runs the application at the server that the environment names,
// which has it know of changes.
func newSiteWithWebhook(t *testing.T, mode postern.Mode) *site {
	t.Helper()
	var hook atomic.Pointer[http.Handler]
	srv := foreign.StartWithEvents(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := hook.Load(); h != nil {
			(*h).ServeHTTP(w, r)
		} // the server's test event comes before the application
	}))
	s := newSiteAt(t, mode, srv, postern.Provider(srv.Name))
	hook.Store(&s.webhook)
	return s
}

func newSiteAt(t *testing.T, mode postern.Mode, srv *foreign.Server, provider postern.Provider) *site {
	t.Helper()
	s := &site{s3: srv, receipts: make(chan *postern.Receipt, 100), reports: make(chan events.Report, 1000)}
	signing, err := s.s3.PutOnlyUser(t.Context(), "staging/")
	require.NoError(t, err)
	s.Handler, err = postern.New(
		postern.Bucket{
			Name: s.s3.Bucket, Region: s.s3.Region, Endpoint: s.s3.Endpoint, Provider: provider,
			Credentials: signing, ServiceCredentials: s.s3.Credentials(),
		},
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "ada"
			return nil
		}),
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(ticket.RandomKey()),
		postern.WithMode(mode),
		postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
			if s.broken.Load() {
				return errors.New("the database is away")
			}
			s.receipts <- r
			return nil
		}),
	)
	require.NoError(t, err)
	h, err := events.NewHandler(s.Issuer(), foreign.WebhookSecret, events.WithObserver(s.observe))
	require.NoError(t, err)
	s.webhook = h
	return s
}

func (s *site) observe(_ context.Context, r events.Report) { s.reports <- r }

// await waits for a report of an outcome.
func (s *site) await(outcome events.Outcome) events.Report {
	for r := range s.reports {
		if r.Outcome == outcome {
			return r
		}
	}
	return events.Report{}
}

// upload does what a browser does before it leaves. It returns the key that it has
// written to.
func (s *site) upload(t *testing.T, content string) (staging string) {
	t.Helper()
	request, err := json.Marshal(map[string]any{"filename": "notes.txt", "type": "text/plain", "size": len(content)})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/uploads/sign", bytes.NewReader(request))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	var grant struct {
		Method, URL     string
		Fields, Headers map[string]string
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &grant))

	body, header := bytes.NewBufferString(content), http.Header{}
	for name, value := range grant.Headers {
		header.Set(name, value)
	}
	if grant.Method == http.MethodPost {
		body = &bytes.Buffer{}
		form := multipart.NewWriter(body)
		for name, value := range grant.Fields {
			require.NoError(t, form.WriteField(name, value))
		}
		file, err := form.CreateFormFile("file", "notes.txt")
		require.NoError(t, err)
		_, err = io.WriteString(file, content)
		require.NoError(t, err)
		require.NoError(t, form.Close())
		header.Set("Content-Type", form.FormDataContentType())
		staging = grant.Fields["key"]
	}
	put, err := http.NewRequest(grant.Method, grant.URL, body)
	require.NoError(t, err)
	put.Header = header
	res, err := http.DefaultClient.Do(put)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Less(t, res.StatusCode, 300, "%s", answer)
	if staging == "" {
		staging = put.URL.Path[len("/"+s.s3.Bucket+"/"):]
	}
	return staging
}

// keys lists what the bucket holds under a prefix.
func (s *site) keys(t *testing.T, prefix string) (all []string) {
	t.Helper()
	out, err := s.s3.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &s.s3.Bucket, Prefix: &prefix})
	require.NoError(t, err)
	for _, o := range out.Contents {
		all = append(all, aws.ToString(o.Key))
	}
	return all
}

// requireComplete compares an object with what was uploaded.
func (s *site) requireComplete(t *testing.T, r *postern.Receipt, content string) {
	t.Helper()
	out, err := s.s3.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.s3.Bucket, Key: &r.Key})
	require.NoError(t, err)
	defer out.Body.Close()
	stored, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, content, string(stored))
	require.Equal(t, "ada", r.Subject)
}

// deliver sends an event to the webhook, as anybody does who knows its secret.
func (s *site) deliver(body string) int {
	r := httptest.NewRequest(http.MethodPost, "/events", bytes.NewBufferString(body))
	r.Header.Set("Authorization", "Bearer "+foreign.WebhookSecret)
	w := httptest.NewRecorder()
	s.webhook.ServeHTTP(w, r)
	return w.Code
}
