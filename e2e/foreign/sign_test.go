package foreign_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

func readerOf(s string) io.Reader { return strings.NewReader(s) }

// request is a request by a presigned URL.
type request struct {
	by     aws.Credentials
	method string
	key    string
	query  url.Values
	signed map[string]string // headers that are signed
	added  map[string]string // headers that are not
	body   string
	at     time.Time // of signing; now, if it is not set
}

// presignedPut is a PUT by the signer.
func (s *site) presignedPut(key, body string) request {
	return request{by: s.signer, method: http.MethodPut, key: key, body: body}
}

func (r request) sign(name, value string) request {
	r.signed = maps.Clone(r.signed)
	if r.signed == nil {
		r.signed = map[string]string{}
	}
	r.signed[name] = value
	return r
}

func (r request) add(name, value string) request {
	r.added = map[string]string{name: value}
	return r
}

// send signs a request for a minute and sends it.
func (s *site) send(t testing.TB, r request) answer { return do(t, s.presign(t, r)) }

func (s *site) presign(t testing.TB, r request) *http.Request {
	out, err := http.NewRequest(r.method, s.url(t, r), readerOf(r.body))
	require.NoError(t, err)
	for _, header := range []map[string]string{r.signed, r.added} {
		for name, value := range header {
			if name != "content-length" {
				out.Header.Set(name, value)
			}
		}
	}
	return out
}

func (s *site) url(t testing.TB, r request) string {
	out, err := http.NewRequest(r.method, s.Endpoint+"/"+s.Bucket+"/"+r.key, nil)
	require.NoError(t, err)
	query := url.Values{"X-Amz-Expires": {"60"}}
	maps.Copy(query, r.query)
	out.URL.RawQuery = query.Encode()
	for name, value := range r.signed {
		out.Header.Set(name, value)
	}
	if length, ok := r.signed["content-length"]; ok {
		_, err := fmt.Sscan(length, &out.ContentLength)
		require.NoError(t, err)
	}
	at := r.at
	if at.IsZero() {
		at = time.Now()
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true })
	signed, _, err := signer.PresignHTTP(ctx, r.by, out, "UNSIGNED-PAYLOAD", "s3", s.Region, at)
	require.NoError(t, err)
	return signed
}

func do(t testing.TB, r *http.Request) answer {
	a, err := roundTrip(r)
	require.NoError(t, err)
	return a
}

func roundTrip(r *http.Request) (answer, error) {
	r.Close = true // what a server has not read of a body would spoil the next request
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	var document struct{ Code string }
	if res.StatusCode >= 400 {
		_ = xml.Unmarshal(text, &document)
	}
	return answer{res.StatusCode, document.Code, res.Header}, nil
}

// form is an upload by form. All of its fields have conditions in the policy, but
// those that are added.
type form struct {
	by         aws.Credentials
	conditions []any
	fields     [][2]string
	header     map[string]string // of the request
	expires    time.Time         // in a minute, if it is not set
}

// form is a form of the signer's, for the size of content.
func (s *site) form(key string) *form {
	f := &form{by: s.signer, conditions: []any{
		map[string]string{"bucket": s.Bucket}, []any{"content-length-range", len(content), len(content)}}}
	return f.with("key", key)
}

func (f *form) with(name, value string) *form {
	f.conditions = append(f.conditions, map[string]string{name: value})
	return f.add(name, value)
}

func (f *form) add(name, value string) *form {
	f.fields = append(f.fields, [2]string{name, value})
	return f
}

// post signs a form as "S3 API: Browser-Based Uploads Using POST" says, and sends
// it with a file. Names that the sigv4 package refuses to sign are what it is for.
func (s *site) post(t testing.TB, f *form, body string) answer {
	now := time.Now().UTC()
	if f.expires.IsZero() {
		f.expires = now.Add(time.Minute)
	}
	scope := now.Format("20060102") + "/" + s.Region + "/s3/aws4_request"
	f.with("x-amz-algorithm", "AWS4-HMAC-SHA256").
		with("x-amz-credential", f.by.AccessKeyID+"/"+scope).
		with("x-amz-date", now.Format("20060102T150405Z"))
	policy, err := json.Marshal(map[string]any{
		"expiration": f.expires.UTC().Format("2006-01-02T15:04:05.000Z"), "conditions": f.conditions})
	require.NoError(t, err)
	text := base64.StdEncoding.EncodeToString(policy)
	key := []byte("AWS4" + f.by.SecretAccessKey)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	f.add("policy", text).add("x-amz-signature", hex.EncodeToString(key))

	var sent bytes.Buffer
	m := multipart.NewWriter(&sent)
	for _, field := range f.fields {
		require.NoError(t, m.WriteField(field[0], field[1]))
	}
	file, err := m.CreateFormFile("file", "name.txt")
	require.NoError(t, err)
	_, err = file.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	r, err := http.NewRequest(http.MethodPost, s.Endpoint+"/"+s.Bucket, &sent)
	require.NoError(t, err)
	for name, value := range f.header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	return do(t, r)
}
