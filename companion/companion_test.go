package companion_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/companion"
)

var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

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
	return newHandlerFor(t, asAda, opts...)
}

func newHandlerFor(t testing.TB, authorizer func(*http.Request, *postern.Upload) error, opts ...postern.HandlerOption) http.Handler {
	t.Helper()
	h, err := postern.New(bucket, append([]postern.HandlerOption{
		postern.WithAuthorizer(authorizer),
		postern.WithClock(func() time.Time { return noon }),
	}, opts...)...)
	require.NoError(t, err)
	c, err := companion.New(h)
	require.NoError(t, err)
	return c
}

func send(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://app.example.com"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// refused reads a refusal, and returns its code.
func refused(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	var p struct {
		Title, Code, Detail, Message string
		Status                       int
		MinSize                      int64    `json:"min_size"`
		MaxSize                      int64    `json:"max_size"`
		AllowedTypes                 []string `json:"allowed_types"`
	}
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&p))
	require.Equal(t, w.Code, p.Status)
	require.Equal(t, http.StatusText(w.Code), p.Title)
	require.NotEmpty(t, p.Message)
	require.Equal(t, p.Detail, p.Message)
	return p.Code
}

const params = "/uppy/s3/params?filename=photo.png&type=image%2Fpng"

// form is what Uppy reads of a single upload.
type form struct {
	Method, URL string
	Fields      map[string]string
	Expires     int
}

func formOf(t testing.TB, w *httptest.ResponseRecorder) form {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var f form
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&f))
	return f
}

// sizes returns the range of sizes that a form admits.
func (f form) sizes(t testing.TB) [2]float64 {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(f.Fields["policy"])
	require.NoError(t, err)
	var policy struct{ Conditions []any }
	require.NoError(t, json.Unmarshal(text, &policy))
	for _, c := range policy.Conditions {
		if list, ok := c.([]any); ok && list[0] == "content-length-range" {
			return [2]float64{list[1].(float64), list[2].(float64)}
		}
	}
	t.Fatal("the policy bounds no size")
	return [2]float64{}
}

func TestSingleUploadIsAFormBoundedByTheLimits(t *testing.T) {
	f := formOf(t, send(newHandler(t, postern.WithSizeLimit(10, 2000)), "GET", params, ""))
	require.Equal(t, "POST", f.Method)
	require.Equal(t, "https://acme-uploads.s3.eu-central-1.amazonaws.com/", f.URL)
	require.Equal(t, 300, f.Expires)
	require.Equal(t, "image/png", f.Fields["Content-Type"])
	require.Regexp(t, `^acme/[^/]+\.png$`, f.Fields["key"])
	require.Equal(t, "201", f.Fields["success_action_status"])
	require.Equal(t, [2]float64{10, 2000}, f.sizes(t))
}

func TestSizeInTheMetadataMakesTheFormExact(t *testing.T) {
	f := formOf(t, send(newHandler(t), "GET", params+"&metadata[size]=1234", ""))
	require.Equal(t, [2]float64{1234, 1234}, f.sizes(t))
}

func TestSingleUploadStaysAFormAboveTheThresholdAndBesideWithMode(t *testing.T) {
	h := newHandler(t, postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(5<<20), postern.WithMode(postern.ModePut))
	require.Equal(t, "POST", formOf(t, send(h, "GET", params+"&metadata[size]=104857600", "")).Method)
}

func TestMetadataReachesTheRulesAndTheObject(t *testing.T) {
	var seen map[string]string
	h := newHandlerFor(t, func(r *http.Request, u *postern.Upload) error {
		seen = u.Metadata
		return asAda(r, u)
	}, postern.WithClientMetadata("album"))
	f := formOf(t, send(h, "GET", params+"&metadata%5Balbum%5D=Sea+%26+sky&metadata[name]=photo.png&metadata[]=x&metadatax=y&metadata[a]b=c", ""))
	require.Equal(t, map[string]string{"album": "Sea & sky", "name": "photo.png", "": "x"}, seen)
	require.Equal(t, "Sea & sky", f.Fields["x-amz-meta-album"])
	require.NotContains(t, f.Fields, "x-amz-meta-name")
}

func TestSingleUploadIsRefusedBeforeAnythingIsSignedWhereItMustBeCompleted(t *testing.T) {
	signed := bucket
	signed.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		t.Error("something is signed")
		return aws.Credentials{}, errors.New("no")
	})
	for name, option := range map[string]postern.HandlerOption{
		"receipts":  postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }),
		"promotion": postern.WithPromotion("staging/"),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := postern.New(signed, postern.WithAuthorizer(asAda), option)
			require.NoError(t, err)
			c, err := companion.New(h)
			require.NoError(t, err)
			w := send(c, "GET", params, "")
			require.Equal(t, 400, w.Code)
			require.Equal(t, "completion_required", refused(t, w))
		})
	}
}

func TestRefusals(t *testing.T) {
	entries := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "&metadata[k%d]=v", i)
		}
		return b.String()
	}
	create := func(metadata string) string {
		return `{"filename":"photo.png","type":"image/png","metadata":` + metadata + `}`
	}
	const multipart = "/uppy/s3/multipart"
	for name, tc := range map[string]struct {
		method, target, body string
		status               int
		code                 string
	}{
		"no name":                              {"GET", "/uppy/s3/params?type=image/png", "", 400, "filename_required"},
		"a type that a browser executes":       {"GET", "/uppy/s3/params?filename=a.html&type=text/html", "", 415, "type_not_allowed"},
		"a type that is none":                  {"GET", "/uppy/s3/params?filename=a&type=image", "", 400, "type_invalid"},
		"a query that does not parse":          {"GET", params + "&metadata[x]=%zz", "", 400, "malformed_request"},
		"a query that is too long":             {"GET", params + "&metadata[x]=" + strings.Repeat("v", 17<<10), "", 413, "body_too_large"},
		"metadata of too many entries":         {"GET", params + entries(65), "", 400, "metadata_invalid"},
		"metadata of too many bytes":           {"GET", params + "&metadata[x]=" + strings.Repeat("v", 9<<10), "", 400, "metadata_invalid"},
		"a size that is no number":             {"GET", params + "&metadata[size]=XL", "", 400, "size_invalid"},
		"a size below zero":                    {"GET", params + "&metadata[size]=-1", "", 400, "size_invalid"},
		"a size above the limit":               {"GET", params + "&metadata[size]=104857600", "", 413, "size_too_large"},
		"a size above all numbers":             {"POST", multipart, create(`{"size":9223372036854775808}`), 400, "size_invalid"},
		"multipart without a size":             {"POST", multipart, create(`{}`), 400, "size_required"},
		"multipart with a size of null":        {"POST", multipart, create(`{"size":null}`), 400, "size_required"},
		"multipart without metadata":           {"POST", multipart, `{"filename":"photo.png","type":"image/png"}`, 400, "size_required"},
		"multipart of an empty file":           {"POST", multipart, create(`{"size":0}`), 400, "size_too_small"},
		"multipart above the limit":            {"POST", multipart, create(`{"size":"104857600"}`), 413, "size_too_large"},
		"multipart with a size that is text":   {"POST", multipart, create(`{"size":"many"}`), 400, "size_invalid"},
		"multipart with a size with a point":   {"POST", multipart, create(`{"size":1.5}`), 400, "size_invalid"},
		"multipart without a name":             {"POST", multipart, `{"metadata":{"size":1}}`, 400, "filename_required"},
		"metadata within metadata":             {"POST", multipart, create(`{"size":1,"tags":["a"]}`), 400, "metadata_invalid"},
		"metadata that is a list":              {"POST", multipart, create(`[]`), 400, "malformed_request"},
		"multipart metadata of too many bytes": {"POST", multipart, create(`{"x":"` + strings.Repeat("v", 9<<10) + `"}`), 400, "metadata_invalid"},
		"a body that is too large":             {"POST", multipart, create(`{"x":"` + strings.Repeat("v", 17<<10) + `"}`), 413, "body_too_large"},
		"a body that is no JSON":               {"POST", multipart, `{`, 400, "malformed_request"},
		"a body with something behind it":      {"POST", multipart, create(`{"size":1}`) + `{}`, 400, "malformed_request"},
		"no body":                              {"POST", multipart, "", 415, "unsupported_media_type"},
		"a ticket that is none":                {"GET", multipart + "/abc?key=x", "", 400, "ticket_invalid"},
		"a part of a ticket that is none":      {"GET", multipart + "/abc/1?key=x", "", 400, "ticket_invalid"},
		"a batch of a ticket that is none":     {"GET", multipart + "/abc/batch?key=x&partNumbers=1,2", "", 400, "ticket_invalid"},
		"the completion of none":               {"POST", multipart + "/abc/complete?key=x", `{"parts":[]}`, 400, "ticket_invalid"},
		"the end of none":                      {"DELETE", multipart + "/abc?key=x", "", 400, "ticket_invalid"},
		"a query of too many bytes":            {"GET", multipart + "/abc/batch?partNumbers=" + strings.Repeat("0", 128<<10), "", 413, "body_too_large"},
		"a ticket's query that does not parse": {"GET", multipart + "/abc?key=%zz", "", 400, "malformed_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := send(newHandler(t), tc.method, tc.target, tc.body)
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Equal(t, tc.code, refused(t, w))
		})
	}
}

func TestWithSignRequestUppyIsAnsweredAsByS3(t *testing.T) {
	const multipart = "/uppy/s3/multipart"
	h := newHandler(t)
	for name, tc := range map[string]struct {
		method, target string
		status         int
		document       string
	}{
		"a refusal":                           {"POST", multipart + "?format=xml&filename=a.html&type=text/html&size=1", 415, "<Error><Code>Files of type text/html are not accepted.</Code><Message>type_not_allowed</Message></Error>"},
		"no size":                             {"POST", multipart + "?format=xml&filename=a.png&type=image/png", 400, "<Message>size_required</Message>"},
		"a size that is no number":            {"POST", multipart + "?format=xml&filename=a.png&type=image/png&size=XL", 400, "<Message>size_invalid</Message>"},
		"a query that is too long":            {"POST", multipart + "?format=xml&size=1&filename=" + strings.Repeat("a", 17<<10), 413, "<Message>body_too_large</Message>"},
		"too much metadata":                   {"POST", multipart + "?format=xml&size=1&filename=a&metadata[x]=" + strings.Repeat("v", 9<<10), 400, "<Message>metadata_invalid</Message>"},
		"the list of a ticket's that is none": {"GET", multipart + "/%3Cb%3E?format=xml", 400, "<Message>ticket_invalid</Message>"},
		"the completion of none":              {"POST", multipart + "/abc/complete?format=xml", 400, "<Message>ticket_invalid</Message>"},
		"the end of none":                     {"DELETE", multipart + "/abc?format=xml", 400, "<Message>ticket_invalid</Message>"},
		"a method that it has not":            {"PUT", multipart + "/abc?format=xml", 405, "<Message>method_not_allowed</Message>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := send(h, tc.method, tc.target, "")
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Equal(t, "application/xml", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Contains(t, w.Body.String(), tc.document)
		})
	}
	t.Run("but for a form and for parts", func(t *testing.T) {
		require.Equal(t, "POST", formOf(t, send(h, "GET", params+"&format=xml", "")).Method)
		require.Equal(t, "ticket_invalid", refused(t, send(h, "GET", multipart+"/abc/1?format=xml", "")))
	})
}

// ticketOfAda returns the ticket of a single upload, of the same keys as the handler.
func ticketOfAda(t *testing.T) (ticket string, h http.Handler) {
	t.Helper()
	issuing, err := postern.New(bucket, postern.WithAuthorizer(asAda))
	require.NoError(t, err)
	g, err := issuing.Issuer().Issue(t.Context(), &postern.Upload{Subject: "ada", Tenant: "acme", Filename: "a.png", Type: "image/png", Size: 1000})
	require.NoError(t, err)
	h, err = companion.New(issuing)
	require.NoError(t, err)
	return g.Ticket, h
}

func TestListsAreRefusedOnceTheTicketWasOpened(t *testing.T) {
	const multipart = "/uppy/s3/multipart/"
	ticket, h := ticketOfAda(t)
	for name, tc := range map[string]struct {
		method, target, body string
		status               int
		code                 string
	}{
		"a completion that is no JSON": {"POST", multipart + ticket + "/complete", `{"parts":[{"PartNumber":"1"}]}`, 400, "malformed_request"},
		"a completion that is a form":  {"POST", multipart + ticket + "/complete", "", 415, "unsupported_media_type"},
		"a part above all numbers":     {"GET", multipart + ticket + "/99999999999", "", 400, "parts_invalid"},
		"a batch of nothing":           {"GET", multipart + ticket + "/batch", "", 400, "parts_invalid"},
		"a batch of letters":           {"GET", multipart + ticket + "/batch?partNumbers=1,b", "", 400, "parts_invalid"},
		"a batch of too many":          {"GET", multipart + ticket + "/batch?partNumbers=1" + strings.Repeat(",1", 10_000), "", 400, "parts_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := send(h, tc.method, tc.target, tc.body)
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Equal(t, tc.code, refused(t, w))
		})
	}
}

func TestCompletionNamesAsManyPartsAsS3Has(t *testing.T) {
	list := func(n int) string {
		const part = `{"PartNumber":10000,"ETag":"\"d41d8cd98f00b204e9800998ecf8427e\""},`
		return `{"parts":[` + strings.TrimSuffix(strings.Repeat(part, n), ",") + `]}`
	}
	ticket, h := ticketOfAda(t)
	for n, code := range map[int]string{10_000: "replayable", 10_001: "parts_invalid", 16_000: "body_too_large"} {
		w := send(h, "POST", "/s3/multipart/"+ticket+"/complete", list(n))
		require.Equal(t, code, refused(t, w), n)
	}
}

func TestOtherMethodsAreRefusedAndTheRightOnesAreNamed(t *testing.T) {
	for target, allowed := range map[string]string{
		"/s3/params":                      "GET",
		"/s3/multipart":                   "POST",
		"/s3/multipart/ticket":            "GET, DELETE",
		"/s3/multipart/ticket/7":          "GET",
		"/s3/multipart/ticket/batch":      "GET",
		"/s3/multipart/ticket/complete":   "POST",
		"/deep/down/s3/multipart/t/batch": "GET",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if strings.Contains(allowed, method) {
				continue
			}
			w := send(newHandler(t), method, target, "")
			require.Equal(t, 405, w.Code, "%s %s", method, target)
			require.Equal(t, allowed, w.Header().Get("Allow"), "%s %s", method, target)
			require.Equal(t, "method_not_allowed", refused(t, w))
		}
	}
}

func TestOtherAddressesAreNotFound(t *testing.T) {
	for _, target := range []string{
		"/", "/uppy", "/uppy/s3", "/uppy/s3/", "/uppy/params", "/uppy/s3/params/", "/uppy/s3/multipart/", "/uppy/s3/multipart//1",
		"/uppy/s3/sts", "/uppy/s3/multipart/ticket/", "/uppy/s3/multipart/ticket/x", "/uppy/s3/multipart/ticket/-1", "/uppy/s3/multipart/ticket/1/2",
		"/uppy/s3/multipart/ticket/complete/", "/uppy/S3/params", "/uppy/s3%2Fparams", "/uppy/s3/multipart/%2/x",
		// The native addresses are not here.
		"/uppy/sign", "/uppy/parts", "/uppy/list", "/uppy/complete", "/uppy/abort", "/uppy/s3/sign", "/uppy/s3/multipart/ticket/sign",
	} {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "http://app.example.com/", nil)
			r.URL.Path, r.URL.RawPath = target, ""
			if decoded, err := url.PathUnescape(target); err == nil && decoded != target {
				r.URL.Path, r.URL.RawPath = decoded, target
			}
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, r)
			require.Equal(t, 404, w.Code, "%s %s: %s", method, target, w.Body)
			require.Equal(t, "not_found", refused(t, w))
		}
	}
}

func TestAnyPrefixWillDo(t *testing.T) {
	h := newHandler(t)
	for _, prefix := range []string{"", "/", "/uppy", "/s3", "/s3/multipart", "/a/s3/params", "/%73%33/x%2Fy", "//"} {
		formOf(t, send(h, "GET", prefix+"/s3/params?filename=a.png&type=image/png", ""))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/{team}/", h)
	formOf(t, send(mux, "GET", "/api/red/s3/params?filename=a.png&type=image/png", ""))
	for _, prefix := range []string{"/api", "/api/"} { // the second leaves "s3/params"
		formOf(t, send(http.StripPrefix(prefix, h), "GET", "/api/s3/params?filename=a.png&type=image/png", ""))
		w := send(http.StripPrefix(prefix, h), "GET", "/api/s3/multipart/ticket/1", "")
		require.Equal(t, "ticket_invalid", refused(t, w))
	}
}

func TestOtherSitesGetNothingByGET(t *testing.T) {
	h := newHandler(t, postern.WithTrustedOrigins("https://front.example.org"))
	for _, call := range [][2]string{
		{"GET", params},
		{"POST", "/uppy/s3/multipart"},
		{"GET", "/uppy/s3/multipart/ticket?key=x"},
		{"DELETE", "/uppy/s3/multipart/ticket?key=x"},
		{"GET", "/uppy/s3/multipart/ticket/1?key=x"},
		{"GET", "/uppy/s3/multipart/ticket/batch?key=x&partNumbers=1"},
		{"POST", "/uppy/s3/multipart/ticket/complete?key=x"},
		{"HEAD", params},
	} {
		for _, site := range []string{"cross-site", "same-site"} {
			w := send(h, call[0], call[1], "", "Sec-Fetch-Site", site)
			require.Equal(t, 403, w.Code, "%s %s", call[0], call[1])
			require.Equal(t, "cross_origin", refused(t, w))
		}
		w := send(h, call[0], call[1], "", "Origin", "https://evil.example")
		require.Equal(t, "cross_origin", refused(t, w), "an old browser: %s %s", call[0], call[1])
	}
	formOf(t, send(h, "GET", params, "", "Sec-Fetch-Site", "same-origin"))
	formOf(t, send(h, "GET", params, "", "Sec-Fetch-Site", "cross-site", "Origin", "https://front.example.org"))
}

func TestRefusalsOfTheAuthorizerAreWrittenForUppy(t *testing.T) {
	problem := postern.NewProblem(429, "quota", "Too many files.").
		WithLimits(0, 7).WithAllowedTypes("image/*").WithRetryAfter(1500 * time.Millisecond)
	var err error
	h := newHandlerFor(t, func(*http.Request, *postern.Upload) error { return err })

	err = problem
	w := send(h, "GET", params, "")
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.JSONEq(t, `{"title":"Too Many Requests","status":429,"code":"quota","detail":"Too many files.","message":"Too many files.",
		"max_size":7,"allowed_types":["image/*"]}`, w.Body.String())

	err = postern.ErrUnauthenticated
	w = send(h, "GET", params, "")
	require.Equal(t, 401, w.Code)
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))

	err = errors.New("the password of the database is hunter2")
	w = send(h, "GET", params, "")
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "hunter2")
}

func TestTicketOfASingleUploadIsNotAnUploadID(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	h, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithTicketKeys(key))
	require.NoError(t, err)
	w := send(h, "POST", "/sign", `{"filename":"photo.png","type":"image/png","size":1000}`)
	var g struct{ Key, Ticket string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &g), w.Body.String())
	c, err := companion.New(h)
	require.NoError(t, err)
	target := "/uppy/s3/multipart/" + g.Ticket
	for _, end := range []string{"", "/1", "/batch"} {
		w = send(c, "GET", target+end+"?partNumbers=1&key="+url.QueryEscape(g.Key), "")
		require.Equal(t, "not_multipart", refused(t, w), end)
	}
	w = send(c, "GET", target+"?key=acme/another.png", "")
	require.Equal(t, "ticket_foreign", refused(t, w))
	require.Equal(t, 403, w.Code)
}

func TestNewRefusesWhatUppyCannotDoSafely(t *testing.T) {
	minio := bucket
	minio.Provider = postern.MinIO
	garage := bucket
	garage.Provider = postern.Garage
	hook := postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil })
	for name, tc := range map[string]struct {
		bucket postern.Bucket
		opts   []postern.HandlerOption
		option string
	}{
		"uploads without a subject":                             {bucket, []postern.HandlerOption{postern.AllowAnonymous()}, "AllowAnonymous"},
		"uploads without a subject beside an authorizer":        {bucket, []postern.HandlerOption{postern.AllowAnonymous(), postern.WithAuthorizer(asAda)}, "AllowAnonymous"},
		"parts without conditional completion but with receipt": {garage, []postern.HandlerOption{postern.WithAuthorizer(asAda), postern.WithMode(postern.ModePost), hook}, "WithOnComplete"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := postern.New(tc.bucket, tc.opts...)
			require.NoError(t, err)
			_, err = companion.New(h)
			var config *postern.ConfigError
			require.ErrorAs(t, err, &config)
			require.Equal(t, tc.option, config.Option)
		})
	}
	_, err := companion.New(nil)
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
	require.Equal(t, "companion.New", config.Option)

	// Grants of parts would let their holder reach other objects.
	h, err := postern.New(minio, postern.WithAuthorizer(asAda))
	require.NoError(t, err)
	c, err := companion.New(h)
	require.NoError(t, err)
	w := send(c, "POST", "/s3/multipart", `{"filename":"a.png","type":"image/png","metadata":{"size":1000}}`)
	require.Equal(t, "mode_unsupported", refused(t, w))
	formOf(t, send(c, "GET", params, ""))
}

func TestSingleUploadIsRefusedWhereTheProviderTakesNoForms(t *testing.T) {
	r2 := bucket
	r2.Provider = postern.CloudflareR2
	h, err := postern.New(r2, postern.WithAuthorizer(asAda))
	require.NoError(t, err)
	c, err := companion.New(h)
	require.NoError(t, err)
	require.Equal(t, "mode_unsupported", refused(t, send(c, "GET", params, "")))
}
