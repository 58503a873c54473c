package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// answering is a bucket whose server gives every call one answer.
func answering(t *testing.T, status int, body string, header ...string) *store.Store {
	return behind(t, func(w http.ResponseWriter, _ *http.Request) {
		for k := 0; k < len(header); k += 2 {
			w.Header()[header[k]] = []string{header[k+1]}
		}
		if _, ok := w.Header()["Content-Type"]; !ok {
			w.Header()["Content-Type"] = nil // what nothing guesses
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func behind(t *testing.T, h http.HandlerFunc) *store.Store {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return store.New(store.Config{
		Bucket: "uploads", Region: "us-east-1", Endpoint: srv.URL, PathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	})
}

// calls are all that the package makes.
var calls = map[string]func(ctx context.Context, s *store.Store) error{
	"Head":        func(ctx context.Context, s *store.Store) error { _, err := s.Head(ctx, "k"); return err },
	"Delete":      func(ctx context.Context, s *store.Store) error { return s.Delete(ctx, "k", "") },
	"Put":         func(ctx context.Context, s *store.Store) error { return s.Put(ctx, "k", []byte("x")) },
	"PutIfAbsent": func(ctx context.Context, s *store.Store) error { return s.PutIfAbsent(ctx, "k", nil) },
	"PutEmpty": func(ctx context.Context, s *store.Store) error {
		return s.PutEmpty(ctx, "k", object.Header{}, store.Condition{})
	},
	"Read": func(ctx context.Context, s *store.Store) error { _, err := s.Read(ctx, "k", 9); return err },
	"Get":  func(ctx context.Context, s *store.Store) error { _, err := s.Get(ctx, "k", `"e"`, 0); return err },
	"GetRange": func(ctx context.Context, s *store.Store) error {
		_, err := s.GetRange(ctx, "k", `"e"`, 0, 3)
		return err
	},
	"Tags": func(ctx context.Context, s *store.Store) error { _, err := s.Tags(ctx, "k"); return err },
	"List": func(ctx context.Context, s *store.Store) error { _, _, err := s.List(ctx, "", ""); return err },
	"Uploads": func(ctx context.Context, s *store.Store) error {
		_, _, err := s.Uploads(ctx, "", store.Marker{})
		return err
	},
	"Copy": func(ctx context.Context, s *store.Store) error {
		return s.Copy(ctx, "from", "k", `"e"`, "to", object.Header{})
	},
	"CreateMultipart": func(ctx context.Context, s *store.Store) error {
		_, err := s.CreateMultipart(ctx, "k", object.Header{}, false)
		return err
	},
	"Parts": func(ctx context.Context, s *store.Store) error { _, err := s.Parts(ctx, "k", "id"); return err },
	"Abort": func(ctx context.Context, s *store.Store) error { return s.Abort(ctx, "k", "id") },
	"CopyPart": func(ctx context.Context, s *store.Store) error {
		_, err := s.CopyPart(ctx, "from", "k", `"e"`, "to", "id", 1, 0, 9)
		return err
	},
	"CompleteMultipart": func(ctx context.Context, s *store.Store) error {
		return s.CompleteMultipart(ctx, "k", "id", []store.Part{{Number: 1, ETag: `"e"`}}, store.CompleteOptions{})
	},
}

func TestAnswerThatIsNotS3sIsNoAnswer(t *testing.T) {
	const page = "<!DOCTYPE html><html><head><title>Sign in</title><body><p>Sign in<br></html>"
	for name, s := range map[string]*store.Store{
		"a page":                    answering(t, 200, page, "Content-Type", "text/html; charset=utf-8"),
		"a page with an ETag":       answering(t, 200, page, "Content-Type", "text/html", "Etag", `"5f"`),
		"a page of no type":         answering(t, 200, page),
		"a page that is XML":        answering(t, 200, "<html><body>Sign in</body></html>", "Content-Type", "application/xhtml+xml"),
		"nothing":                   answering(t, 200, ""),
		"text":                      answering(t, 200, "OK", "Content-Type", "text/plain"),
		"JSON":                      answering(t, 200, `{"status":"ok"}`, "Content-Type", "application/json"),
		"XML of another root":       answering(t, 200, "<?xml version=\"1.0\"?><feed><title>x</title></feed>", "Content-Type", "application/xml"),
		"a redirect to a page":      answering(t, 302, "", "Location", "http://portal.test/"),
		"a redirect with a page":    answering(t, 301, page, "Content-Type", "text/html", "Location", "http://portal.test/"),
		"a front end's 404":         answering(t, 404, "404 page not found", "Content-Type", "text/plain; charset=utf-8"),
		"a front end's page of 404": answering(t, 404, page, "Content-Type", "text/html"),
		"a gateway's page of 502":   answering(t, 502, page, "Content-Type", "text/html"),
	} {
		for call, f := range calls {
			t.Run(call+" answered with "+name, func(t *testing.T) {
				t.Parallel()
				err := f(t.Context(), s)
				require.ErrorIs(t, err, store.ErrUnavailable, "%v", err)
				require.NotContains(t, err.Error(), "Sign in")
			})
		}
	}
}

func TestRedirectIsFollowedToNoPage(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/portal" {
			http.Redirect(w, r, "/portal", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", "text/html")
	})
	for call, f := range calls {
		require.ErrorIs(t, f(t.Context(), s), store.ErrUnavailable, call)
	}
}

// S3 sends one redirect that is about the configuration, and says so.
func TestWrongRegionIsNoFault(t *testing.T) {
	for _, body := range []string{"", "<Error><Code>PermanentRedirect</Code><Message>Use another endpoint.</Message></Error>"} {
		s := answering(t, 301, body, "X-Amz-Bucket-Region", "eu-west-1", "Content-Type", "application/xml")
		_, err := s.Head(t.Context(), "k")
		require.ErrorIs(t, err, store.ErrUnexpected)
	}
}

func TestTextThatIsStoredIsNoPage(t *testing.T) {
	s := answering(t, 200, "<html>", "Content-Type", "text/html", "Etag", `"e"`, "X-Amz-Meta-Postern-Id", "1")
	_, err := s.Head(t.Context(), "k")
	require.NoError(t, err)
	content, err := s.Read(t.Context(), "k", 100)
	require.NoError(t, err)
	require.Equal(t, "<html>", string(content))
}

func TestRangeThatIsIgnoredIsNotRead(t *testing.T) {
	s := answering(t, 200, "0123456789", "Etag", `"e"`)
	_, err := s.GetRange(t.Context(), "k", `"e"`, 4, 3)
	require.ErrorIs(t, err, store.ErrUnexpected)
}

func TestListingThatBeginsAgainIsAnError(t *testing.T) {
	s := answering(t, 200, `<ListBucketResult><Name>uploads</Name><IsTruncated>true</IsTruncated>
		<Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`, "Content-Type", "application/xml")
	_, more, err := s.List(t.Context(), "", "")
	require.NoError(t, err)
	require.True(t, more)
	_, _, err = s.List(t.Context(), "", "b")
	require.ErrorIs(t, err, store.ErrUnexpected)
}

func TestEncodedKeysAreDecoded(t *testing.T) {
	s := answering(t, 200, `<ListBucketResult><Name>uploads</Name><EncodingType>url</EncodingType>
		<Contents><Key>a+b%2Bc%20d/%01</Key></Contents></ListBucketResult>`, "Content-Type", "application/xml")
	page, _, err := s.List(t.Context(), "", "")
	require.NoError(t, err)
	require.Equal(t, "a b+c d/\x01", page[0].Key)
}

// What S3 answers to a HEAD whose token has expired has neither body nor code.
func TestBadRequestToHeadPasses(t *testing.T) {
	_, err := answering(t, 400, "").Head(t.Context(), "k")
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = answering(t, 400, "").Read(t.Context(), "k", 9)
	require.ErrorIs(t, err, store.ErrUnexpected)
}

func TestMissingBucketIsToldFromAMissingObject(t *testing.T) {
	for status, want := range map[int]error{404: store.ErrNoBucket, 403: nil, 200: nil, 503: nil} {
		err := answering(t, status, "", "X-Amz-Request-Id", "1").CheckBucket(t.Context())
		require.ErrorIs(t, err, want)
		if want != nil {
			require.ErrorContains(t, err, `no such bucket "uploads"`)
		}
	}
}

func TestErrorSaysWhatS3Says(t *testing.T) {
	s := answering(t, 403, `<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::1:assumed-role/uploads/i-1 is not
		authorized to perform: s3:PutObject`+"\u202e"+`</Message><RequestId>R1</RequestId><HostId>H1</HostId></Error>`,
		"Content-Type", "application/xml", "X-Amz-Request-Id", "R1", "X-Amz-Id-2", "H1")
	err := s.Put(t.Context(), "k", nil)
	var e *store.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, e, store.ErrDenied)
	const message = "User: arn:aws:sts::1:assumed-role/uploads/i-1 is not authorized to perform: s3:PutObject"
	require.Equal(t, []any{"AccessDenied", message, "R1", "H1", 403}, []any{e.Code, e.Message, e.RequestID, e.HostID, e.Status})
	require.EqualError(t, err, "PutObject: access denied (AccessDenied: "+message+", HTTP 403, request R1, host H1)")
}

func TestErrorHoldsNoSignature(t *testing.T) {
	signature, token := strings.Repeat("0aF9", 16), strings.Repeat("Tok/+9", 40)
	s := answering(t, 403, fmt.Sprintf(`<Error><Code>SignatureDoesNotMatch</Code>
		<Message>The signature %s with %s does not match. %s</Message>
		<StringToSign>AWS4-HMAC-SHA256</StringToSign><SignatureProvided>%[1]s</SignatureProvided><CanonicalRequest>GET</CanonicalRequest></Error>`,
		signature, token, strings.Repeat("ü ", 300)), "Content-Type", "application/xml")
	err := s.Put(t.Context(), "k", nil)
	require.ErrorIs(t, err, store.ErrDenied)
	for _, secret := range []string{signature, token[:50], "AWS4-HMAC", "GET"} {
		require.NotContains(t, err.Error(), secret)
	}
	var e *store.Error
	require.ErrorAs(t, err, &e)
	require.LessOrEqual(t, len(e.Message), 256)
	require.True(t, strings.HasPrefix(e.Message, "The signature … with … does not match. ü"), e.Message)
}

func TestRetryAfterOfS3(t *testing.T) {
	for value, want := range map[string][2]time.Duration{
		"":      {0, 0},
		"soon":  {0, 0},
		"-1":    {0, 0},
		"7":     {7 * time.Second, 7 * time.Second},
		"86400": {5 * time.Minute, 5 * time.Minute},
		time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  {30 * time.Second, time.Minute},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):    {5 * time.Minute, 5 * time.Minute},
		time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): {0, 0},
	} {
		// No status that is tried again.
		_, err := answering(t, 400, "", "Retry-After", value).Head(t.Context(), "k")
		require.ErrorIs(t, err, store.ErrUnavailable)
		var e *store.Error
		require.True(t, errors.As(err, &e))
		require.GreaterOrEqual(t, e.RetryAfter, want[0], value)
		require.LessOrEqual(t, e.RetryAfter, want[1], value)
	}
}
