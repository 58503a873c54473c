package postern_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
	"github.com/postern-go/postern/sts"
)

func newSTS(t *testing.T) *sts.Provider {
	p, err := sts.New(sts.Config{Region: "eu-central-1", RoleARN: "arn:aws:iam::123456789012:role/uploads", Credentials: credentials})
	require.NoError(t, err)
	return p
}

// forSessions are the options that sessions need.
func forSessions(p postern.SessionProvider) []postern.HandlerOption {
	return []postern.HandlerOption{
		postern.WithAuthorizer(asAda), postern.WithPromotion("staging/"), postern.WithTicketKeys(ticketKey),
		postern.WithQuota(quota.NewMemory(nil), func(*http.Request, *postern.Upload) postern.Quota { return postern.Quota{} }),
		postern.WithSessions(p, postern.SessionLimits{}),
	}
}

func TestSessionsNeedWhatCompletesAndBoundsThem(t *testing.T) {
	_, err := postern.New(bucket, forSessions(newSTS(t))...)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		without int // of forSessions; -1 for none
		with    postern.HandlerOption
		text    string
	}{
		"no promotion":   {1, nil, "WithPromotion only"},
		"no ticket keys": {2, nil, "WithTicketKeys only"},
		"no quota":       {3, nil, "the store of WithQuota"},
		"a wildcard":     {1, postern.WithPromotion("st*ging/"), "mean another thing"},
		"a checksum":     {-1, postern.WithKeyPolicy(postern.KeyTemplate("{sha256}")), "have no checksum"},
		"no provider":    {4, postern.WithSessions(nil, postern.SessionLimits{}), "is nil"},
		"a short life":   {4, postern.WithSessions(newSTS(t), postern.SessionLimits{Lifetime: time.Minute}), "from 15m0s to 12h0m0s"},
		"a long life":    {4, postern.WithSessions(newSTS(t), postern.SessionLimits{Lifetime: 13 * time.Hour}), "from 15m0s to 12h0m0s"},
		"no files":       {4, postern.WithSessions(newSTS(t), postern.SessionLimits{Files: -1}), "1 to 100000 files"},
		"no bytes":       {4, postern.WithSessions(newSTS(t), postern.SessionLimits{Bytes: -1}), "at least a byte"},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []postern.HandlerOption
			for k, opt := range forSessions(newSTS(t)) {
				if k != tc.without {
					opts = append(opts, opt)
				}
			}
			if tc.with != nil {
				opts = append(opts, tc.with)
			}
			_, err := postern.New(bucket, opts...)
			var config *postern.ConfigError
			require.ErrorAs(t, err, &config)
			require.Equal(t, "WithSessions", config.Option)
			require.ErrorContains(t, err, tc.text)
		})
	}
}

func TestAProviderWithoutTheServiceHasNoSessions(t *testing.T) {
	b := bucket
	b.Endpoint, b.Region = "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com", ""
	b.ServiceCredentials = provides(aws.Credentials{AccessKeyID: "service", SecretAccessKey: secretKey}, nil)
	_, err := postern.New(b, forSessions(newSTS(t))...)
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
	require.Equal(t, "WithSessions", config.Option)
	require.ErrorIs(t, err, sts.ErrUnsupported)
}

func TestOtherBucketsWithoutTheServiceStillHaveGrants(t *testing.T) {
	other := postern.Bucket{
		Name: "other", Endpoint: "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com", Credentials: credentials,
		ServiceCredentials: aws.AnonymousCredentials{},
	}
	h, err := postern.New(bucket, append(forSessions(newSTS(t)), postern.WithMode(postern.ModePut),
		postern.WithBuckets(postern.BucketsFunc(func(context.Context, *postern.Upload) (postern.Bucket, error) { return other, nil })))...)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, send(h, photo).Code)
	r := newRequest(`{}`)
	r.URL.Path = "/uploads/session"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, w.Body.String(), "bucket_invalid")
}

// unasked is a provider that nobody may ask.
type unasked struct{ *testing.T }

func (u unasked) Session(context.Context, postern.SessionRequest) (aws.Credentials, error) {
	u.Error("it was asked")
	return aws.Credentials{}, errors.New("asked")
}

func TestSessionIsRefusedBeforeTheServiceIsAsked(t *testing.T) {
	ask := func(h http.Handler, method, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://app.example.com/uploads/session", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, http.StatusNotFound, ask(newHandler(t), "POST", `{}`).Code)

	opts := forSessions(unasked{t})
	h, err := postern.New(bucket, opts...)
	require.NoError(t, err)
	require.Equal(t, http.StatusMethodNotAllowed, ask(h, "GET", "").Code)
	require.Equal(t, http.StatusBadRequest, ask(h, "POST", `[]`).Code)
	require.Equal(t, http.StatusBadRequest, ask(h, "POST", `{"files":1001}`).Code)
	require.Equal(t, http.StatusRequestEntityTooLarge, ask(h, "POST", `{"bytes":10737418241}`).Code)
	require.Equal(t, http.StatusRequestEntityTooLarge, ask(h, "POST", `{"x":"`+strings.Repeat("x", 17<<10)+`"}`).Code)

	opts[0] = postern.WithAuthorizer(refusing(postern.ErrForbidden))
	h, err = postern.New(bucket, opts...)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, ask(h, "POST", `{}`).Code)
}
