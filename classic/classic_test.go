package classic_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/classic"
)

var bucket = postern.Bucket{
	Name: "acme-uploads", Region: "eu-central-1",
	Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
	}),
}

func asAda(_ *http.Request, u *postern.Upload) error {
	u.Subject, u.Tenant = "ada", "acme"
	return nil
}

func newHandler(t testing.TB, opts ...postern.HandlerOption) http.Handler {
	t.Helper()
	h, err := postern.New(bucket, append([]postern.HandlerOption{postern.WithAuthorizer(asAda)}, opts...)...)
	require.NoError(t, err)
	c, err := classic.New(h)
	require.NoError(t, err)
	return c
}

func get(h http.Handler, query string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://app.example.com/s3_credentials?"+query, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

type answer struct {
	EndpointURL string            `json:"endpoint_url"`
	Params      map[string]string `json:"params"`
}

func answered(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var a answer
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&a))
	return a
}

func (a answer) policy(t testing.TB) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(a.Params["policy"])
	require.NoError(t, err)
	return string(text)
}

func refused(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body.String())
	var p struct{ Code string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	return p.Code
}

func TestAnswerIsAnEndpointAndTheFieldsOfAForm(t *testing.T) {
	a := answered(t, get(newHandler(t, postern.WithSizeLimit(5, 5000)), "filename=photo.png&content_type=image%2Fpng"))
	require.Equal(t, "https://acme-uploads.s3.eu-central-1.amazonaws.com/", a.EndpointURL)
	require.Equal(t, "image/png", a.Params["Content-Type"])
	require.Equal(t, "201", a.Params["success_action_status"])
	require.Regexp(t, `^acme/[^/]+\.png$`, a.Params["key"])
	require.NotEmpty(t, a.Params["x-amz-signature"])
	require.Contains(t, a.policy(t), `["content-length-range",5,5000]`)
}

func TestTypeMayBeLeftOut(t *testing.T) {
	require.Equal(t, "application/octet-stream", answered(t, get(newHandler(t), "filename=data")).Params["Content-Type"])
}

func TestSizeMakesTheGrantExact(t *testing.T) {
	a := answered(t, get(newHandler(t), "filename=a.png&content_type=image/png&size=1234"))
	require.Contains(t, a.policy(t), `["content-length-range",1234,1234]`)
}

func TestUploadStaysAFormWhateverItsSize(t *testing.T) {
	h := newHandler(t, postern.WithSizeLimit(1, 1<<30), postern.WithMode(postern.ModePut))
	answered(t, get(h, "filename=a.png&content_type=image/png&size=524288000"))
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		query  string
		header []string
		code   string
	}{
		"no name":                        {"content_type=image/png", nil, "filename_required"},
		"no query":                       {"", nil, "filename_required"},
		"a type that a browser executes": {"filename=a.svg&content_type=image/svg%2Bxml", nil, "type_not_allowed"},
		"a size that is no number":       {"filename=a&size=big", nil, "size_invalid"},
		"a size that is empty":           {"filename=a&size=", nil, "size_invalid"},
		"a size above the limit":         {"filename=a&size=99999999999", nil, "size_too_large"},
		"a query that does not parse":    {"filename=%zz", nil, "malformed_request"},
		"a query that is too long":       {"filename=" + strings.Repeat("a", 17<<10), nil, "body_too_large"},
		"a page of another site":         {"filename=a.png", []string{"Sec-Fetch-Site", "cross-site"}, "cross_origin"},
		"a page of a sibling":            {"filename=a.png", []string{"Sec-Fetch-Site", "same-site"}, "cross_origin"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.code, refused(t, get(newHandler(t), tc.query, tc.header...)))
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD"} {
		w := httptest.NewRecorder()
		newHandler(t).ServeHTTP(w, httptest.NewRequest(method, "/s3_credentials?filename=a.png", nil))
		require.Equal(t, 405, w.Code)
		require.Equal(t, "GET", w.Header().Get("Allow"))
		require.Equal(t, "method_not_allowed", refused(t, w))
	}
}

func TestNewRefusesHandlersThatComplete(t *testing.T) {
	for name, option := range map[string]postern.HandlerOption{
		"receipts":  postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }),
		"promotion": postern.WithPromotion("staging/"),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := postern.New(bucket, postern.WithAuthorizer(asAda), option)
			require.NoError(t, err)
			_, err = classic.New(h)
			var config *postern.ConfigError
			require.ErrorAs(t, err, &config)
			require.Equal(t, "classic.New", config.Option)
		})
	}
	_, err := classic.New(nil)
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
}

func TestChainWhoseUploadsMustBeCompletedAnswersNoGrant(t *testing.T) {
	issuer, err := postern.NewIssuer(bucket, postern.WithPromotion("staging/"), postern.WithDialect(classic.Dialect()))
	require.NoError(t, err)
	chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
	w := get(chain, "filename=a.png&content_type=image/png")
	require.Equal(t, "completion_required", refused(t, w))
	require.NotContains(t, w.Body.String(), "policy")
}
