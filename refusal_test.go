package postern_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestWrongInputIsRefusedWithItsProblem(t *testing.T) {
	h := newHandler(t,
		postern.WithSizeLimit(2, 10<<20),
		postern.WithContentTypes("image/*", "application/pdf"))
	const tooLarge = 16<<10 + 1
	for name, tc := range map[string]struct {
		body string
		want problem
	}{
		"an empty body":                     {``, problem{Status: 400, Code: "malformed_request"}},
		"text":                              {`hello`, problem{Status: 400, Code: "malformed_request"}},
		"JSON cut short":                    {photo[:20], problem{Status: 400, Code: "malformed_request"}},
		"an array":                          {`[` + photo + `]`, problem{Status: 400, Code: "malformed_request"}},
		"null":                              {`null`, problem{Status: 400, Code: "malformed_request"}},
		"null in white space":               {" \tnull\r\n", problem{Status: 400, Code: "malformed_request"}},
		"a string":                          {`"photo.png"`, problem{Status: 400, Code: "malformed_request"}},
		"a number":                          {`1`, problem{Status: 400, Code: "malformed_request"}},
		"a second value":                    {photo + photo, problem{Status: 400, Code: "malformed_request"}},
		"trailing text":                     {photo + ` x`, problem{Status: 400, Code: "malformed_request"}},
		"a trailing NUL":                    {photo + "\x00", problem{Status: 400, Code: "malformed_request"}},
		"a byte order mark":                 {"\ufeff" + photo, problem{Status: 400, Code: "malformed_request"}},
		"deep nesting":                      {`{"x":` + strings.Repeat("[", 15<<10), problem{Status: 400, Code: "malformed_request"}},
		"a body above the limit":            {photo + strings.Repeat(" ", tooLarge), problem{Status: 413, Code: "body_too_large"}},
		"a file name that is a number":      {`{"filename":1,"size":5}`, problem{Status: 400, Code: "malformed_request"}},
		"metadata that is no text":          {`{"filename":"a","size":5,"metadata":{"a":1}}`, problem{Status: 400, Code: "malformed_request"}},
		"metadata that is a list":           {`{"filename":"a","size":5,"metadata":["a"]}`, problem{Status: 400, Code: "malformed_request"}},
		"a checksum that is text":           {`{"filename":"a","size":5,"checksum":"abc"}`, problem{Status: 400, Code: "malformed_request"}},
		"no file name":                      {`{"type":"image/png","size":5}`, problem{Status: 400, Code: "filename_required"}},
		"an empty file name":                {`{"filename":"","type":"image/png","size":5}`, problem{Status: 400, Code: "filename_required"}},
		"a file name of nothing visible":    {`{"filename":" .\u200b\u202e/ ","size":5}`, problem{Status: 400, Code: "filename_required"}},
		"no size":                           {`{"filename":"a.png","type":"image/png"}`, problem{Status: 400, Code: "size_required"}},
		"a size of null":                    {`{"filename":"a.png","type":"image/png","size":null}`, problem{Status: 400, Code: "size_required"}},
		"a negative size":                   {`{"filename":"a.png","type":"image/png","size":-1}`, problem{Status: 400, Code: "size_invalid"}},
		"a size with a fraction":            {`{"filename":"a.png","type":"image/png","size":1.5}`, problem{Status: 400, Code: "size_invalid"}},
		"a size with an exponent":           {`{"filename":"a.png","type":"image/png","size":1e3}`, problem{Status: 400, Code: "size_invalid"}},
		"a size beyond 64 bits":             {`{"filename":"a.png","type":"image/png","size":9223372036854775808}`, problem{Status: 400, Code: "size_invalid"}},
		"a size that is text":               {`{"filename":"a.png","type":"image/png","size":"5"}`, problem{Status: 400, Code: "size_invalid"}},
		"an empty file":                     {`{"filename":"a.png","type":"image/png","size":0}`, problem{Status: 400, Code: "size_too_small", MinSize: 2}},
		"a file below the limit":            {`{"filename":"a.png","type":"image/png","size":1}`, problem{Status: 400, Code: "size_too_small", MinSize: 2}},
		"a file above the limit":            {`{"filename":"a.png","type":"image/png","size":10485761}`, problem{Status: 413, Code: "size_too_large", MaxSize: 10 << 20}},
		"the largest size there is":         {`{"filename":"a.png","type":"image/png","size":9223372036854775807}`, problem{Status: 413, Code: "size_too_large", MaxSize: 10 << 20}},
		"a type that is none":               {`{"filename":"a.png","type":"png","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"a type with a wildcard":            {`{"filename":"a.png","type":"image/*","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"two types":                         {`{"filename":"a.png","type":"image/png, text/html","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"a type that hides another":         {`{"filename":"a.png","type":"image/png; foo=bar, text/html","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"a type with a line break":          {`{"filename":"a.png","type":"image/png\r\nX: y","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"a type that browsers sniff":        {`{"filename":"a.png","type":"unknown/unknown","size":5}`, problem{Status: 400, Code: "type_invalid"}},
		"a type that is not allowed":        {`{"filename":"a.zip","type":"application/zip","size":5}`, problem{Status: 415, Code: "type_not_allowed", AllowedTypes: []string{"image/*", "application/pdf"}}},
		"an active type under the wildcard": {`{"filename":"a.svg","type":"image/svg+xml","size":5}`, problem{Status: 415, Code: "type_not_allowed", AllowedTypes: []string{"image/*", "application/pdf"}}},
		"no type, where types are limited":  {`{"filename":"a.png","size":5}`, problem{Status: 415, Code: "type_not_allowed", AllowedTypes: []string{"image/*", "application/pdf"}}},
		"a checksum in hexadecimal":         {`{"filename":"a.png","type":"image/png","size":5,"checksum":{"sha256":"e3b0c442"}}`, problem{Status: 400, Code: "checksum_invalid"}},
		"an empty checksum":                 {`{"filename":"a.png","type":"image/png","size":5,"checksum":{"sha256":""}}`, problem{Status: 400, Code: "checksum_invalid"}},
		"a checksum with stray bits":        {`{"filename":"a.png","type":"image/png","size":5,"checksum":{"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV="}}`, problem{Status: 400, Code: "checksum_invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, send(h, tc.body))
			p.Title, p.Detail = "", ""
			require.Equal(t, tc.want, p)
		})
	}
}

func TestRequestMustDeclareJSON(t *testing.T) {
	for _, contentType := range []string{
		"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"application/jsonp", "application/json; charset", "application/json, text/plain", "application/problem+json",
	} {
		t.Run(contentType, func(t *testing.T) {
			w := send(newHandler(t), photo, withHeader("Content-Type", contentType))
			p := refused(t, w)
			require.Equal(t, 415, w.Code)
			require.Equal(t, "unsupported_media_type", p.Code)
		})
	}
}

func TestRequestMayNameItsCharset(t *testing.T) {
	for _, contentType := range []string{"application/json; charset=utf-8", "Application/JSON"} {
		granted(t, send(newHandler(t), photo, withHeader("Content-Type", contentType)))
	}
}

func TestOtherMethodsAreRefusedWithAllow(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "BREW"} {
		t.Run(method, func(t *testing.T) {
			w := send(newHandler(t), photo, func(r *http.Request) { r.Method = method })
			require.Equal(t, "method_not_allowed", refused(t, w).Code)
			require.Equal(t, 405, w.Code)
			require.Equal(t, "POST", w.Header().Get("Allow"))
		})
	}
}

func TestBodyThatBreaksOffIsRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/sign", iotest.ErrReader(errors.New("connection reset")))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	newHandler(t).ServeHTTP(w, r)
	require.Equal(t, "malformed_request", refused(t, w).Code)
	require.NotContains(t, w.Body.String(), "reset")
}

func TestBodyLimitCanBeSet(t *testing.T) {
	h := newHandler(t, postern.WithBodyLimit(1<<10))
	granted(t, send(h, photo+strings.Repeat(" ", 1<<10-len(photo))))
	require.Equal(t, "body_too_large", refused(t, send(h, photo+strings.Repeat(" ", 1<<10-len(photo)+1))).Code)
}

func TestUnauthenticatedRequestIsRefusedWithAChallenge(t *testing.T) {
	w := send(newHandler(t, postern.WithAuthorizer(refusing(postern.ErrUnauthenticated))), photo)
	require.Equal(t, "unauthenticated", refused(t, w).Code)
	require.Equal(t, 401, w.Code)
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
}

func TestChallengeOfOtherMiddlewareIsKept(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("WWW-Authenticate", `Basic realm="uploads"`)
	newHandler(t, postern.WithAuthorizer(refusing(postern.ErrUnauthenticated))).ServeHTTP(w, newRequest(photo))
	require.Equal(t, `Basic realm="uploads"`, w.Header().Get("WWW-Authenticate"))
}

func TestForbiddenRequestIsRefused(t *testing.T) {
	w := send(newHandler(t, postern.WithAuthorizer(refusing(postern.ErrForbidden))), photo)
	require.Equal(t, "forbidden", refused(t, w).Code)
	require.Equal(t, 403, w.Code)
}

func TestProblemOfAHookIsSentAsItIs(t *testing.T) {
	own := postern.NewProblem(429, "quota_used_up", `Your "quota" is used up.`).
		WithLimits(0, 7).WithAllowedTypes("image/png", "image/gif").WithRetryAfter(90*time.Second + 1)
	w := send(newHandler(t, postern.WithAuthorizer(refusing(fmt.Errorf("ask the database: %w", own)))), photo)
	require.Equal(t, "91", w.Header().Get("Retry-After"))
	require.Equal(t, problem{
		Title: "Too Many Requests", Status: 429, Code: "quota_used_up", Detail: `Your "quota" is used up.`,
		MaxSize: 7, AllowedTypes: []string{"image/png", "image/gif"},
	}, refused(t, w))
}

func TestTextOfOtherErrorsIsNeverSent(t *testing.T) {
	for name, err := range map[string]error{
		"an error":             errors.New("dial tcp db.internal: password rejected"),
		"the cause of problem": postern.ErrForbidden.WithCause(errors.New("password rejected")),
		"a wrapping error":     fmt.Errorf("password rejected: %w", postern.ErrForbidden),
	} {
		t.Run(name, func(t *testing.T) {
			w := send(newHandler(t, postern.WithAuthorizer(refusing(err))), photo)
			require.NotContains(t, w.Body.String(), "password")
			refused(t, w)
		})
	}
}

func TestErrorThatIsNoProblemAnswers500(t *testing.T) {
	w := send(newHandler(t, postern.WithAuthorizer(refusing(errors.New("boom")))), photo)
	require.Equal(t, "internal", refused(t, w).Code)
	require.Equal(t, 500, w.Code)
}

func TestProblemWithAStatusOfNoErrorAnswers500(t *testing.T) {
	for _, status := range []int{0, -1, 200, 302, 600, 1000} {
		w := send(newHandler(t, postern.WithAuthorizer(refusing(postern.NewProblem(status, "odd", "Odd.")))), photo)
		require.Equal(t, "odd", refused(t, w).Code)
		require.Equal(t, 500, w.Code)
	}
}

func TestNilProblemRefuses(t *testing.T) {
	var none *postern.Problem
	for _, err := range []error{none, fmt.Errorf("wrapped: %w", none)} {
		w := send(newHandler(t, postern.WithAuthorizer(refusing(err))), photo)
		require.Equal(t, "internal", refused(t, w).Code)
	}
}

func TestAuthorizerMustNameASubject(t *testing.T) {
	w := send(newHandler(t, postern.WithAuthorizer(refusing(nil))), photo)
	require.Equal(t, "subject_missing", refused(t, w).Code)
	require.Equal(t, 500, w.Code)
}

func TestProblemsAreTheSameWhenTheirCodesAre(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("wrapped: %w", postern.ErrForbidden.WithDetail("No.").WithCause(cause))
	require.ErrorIs(t, err, postern.ErrForbidden)
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, postern.ErrUnauthenticated)
	require.EqualError(t, err, "wrapped: forbidden: No. (cause)")
	require.Equal(t, "You may not upload this file here.", postern.ErrForbidden.Detail())
}
