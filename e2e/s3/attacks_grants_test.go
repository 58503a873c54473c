package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// shot is a request to S3 that an attacker makes of a grant.
type shot struct {
	method, url string
	header      http.Header
	body        io.Reader
}

func (s *shot) fire(t testing.TB) s3Answer { return do(t, s.method, s.url, s.body, s.header) }

func (s *shot) set(name, value string) { s.header.Set(name, value) }

// aim makes the request that a PUT grant allows.
func aim(g grant, content []byte) *shot {
	s := &shot{g.Method, g.URL, http.Header{}, bytes.NewReader(content)}
	for _, f := range g.Headers {
		s.header.Set(f.Name, f.Value)
	}
	return s
}

func altered(t testing.TB, address string, change func(u *url.URL, q url.Values)) string {
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

// lengthsAndHeaders are the abuses that PUT grants and part URLs have in common.
var lengthsAndHeaders = []struct {
	name   string
	change func(s *shot, content []byte)
	code   string
}{
	{"a longer body", func(s *shot, c []byte) { s.body = bytes.NewReader(append(bytes.Clone(c), 'x')) }, "SignatureDoesNotMatch"},
	{"a shorter body", func(s *shot, c []byte) { s.body = bytes.NewReader(c[1:]) }, "SignatureDoesNotMatch"},
	{"no body", func(s *shot, _ []byte) { s.body = nil }, "SignatureDoesNotMatch"},
	{"a chunked body", func(s *shot, c []byte) { s.body = io.MultiReader(bytes.NewReader(c)) }, "SignatureDoesNotMatch"},
	{"a copy of another object", func(s *shot, _ []byte) { s.set("x-amz-copy-source", "/uploads/secret") }, "AccessDenied"},
	{"a part of another object", func(s *shot, _ []byte) {
		s.set("x-amz-copy-source", "/uploads/secret")
		s.set("x-amz-copy-source-range", "bytes=0-1")
	}, "AccessDenied"},
	{"an acl", func(s *shot, _ []byte) { s.set("x-amz-acl", "public-read") }, "AccessDenied"},
	{"a grant to all", func(s *shot, _ []byte) { s.set("x-amz-grant-full-control", "uri=x") }, "AccessDenied"},
	{"a storage class", func(s *shot, _ []byte) { s.set("x-amz-storage-class", "GLACIER") }, "AccessDenied"},
	{"more metadata", func(s *shot, _ []byte) { s.set("x-amz-meta-extra", "1") }, "AccessDenied"},
	{"a tag", func(s *shot, _ []byte) { s.set("x-amz-tagging", "a=b") }, "AccessDenied"},
	{"a redirect", func(s *shot, _ []byte) { s.set("x-amz-website-redirect-location", "https://evil.example/") }, "AccessDenied"},
	{"encryption with a key of one's own", func(s *shot, _ []byte) { s.set("x-amz-server-side-encryption-customer-algorithm", "AES256") }, "AccessDenied"},
	{"reading", func(s *shot, _ []byte) { s.method, s.body = "GET", nil }, "SignatureDoesNotMatch"},
	{"deleting", func(s *shot, _ []byte) { s.method, s.body = "DELETE", nil }, "SignatureDoesNotMatch"},
}

func TestServerRefusesEveryAbuseOfAPUT(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, false)
	for _, tc := range append(lengthsAndHeaders, []struct {
		name   string
		change func(s *shot, content []byte)
		code   string
	}{
		{"another id", func(s *shot, _ []byte) { s.set("x-amz-meta-postern-id", strings.Repeat("0", 32)) }, "SignatureDoesNotMatch"},
		{"a form", func(s *shot, _ []byte) { s.method = "POST" }, "MethodNotAllowed"},
		{"the condition left out", func(s *shot, _ []byte) { s.header.Del("If-None-Match") }, "SignatureDoesNotMatch"},
		{"another condition", func(s *shot, _ []byte) { s.set("If-None-Match", `"abc"`) }, "SignatureDoesNotMatch"},
		{"another type", func(s *shot, _ []byte) { s.set("Content-Type", "text/html") }, "SignatureDoesNotMatch"},
		{"another disposition", func(s *shot, _ []byte) { s.set("Content-Disposition", "inline") }, "SignatureDoesNotMatch"},
		{"the disposition left out", func(s *shot, _ []byte) { s.header.Del("Content-Disposition") }, "SignatureDoesNotMatch"},
		{"the id left out", func(s *shot, _ []byte) { s.header.Del("x-amz-meta-postern-id") }, "SignatureDoesNotMatch"},
		{"another key", func(s *shot, _ []byte) { s.url = strings.Replace(s.url, "?", ".html?", 1) }, "SignatureDoesNotMatch"},
		{"a part of an upload", func(s *shot, _ []byte) { s.url += "&partNumber=1&uploadId=x" }, "SignatureDoesNotMatch"},
		{"the object's acl", func(s *shot, _ []byte) { s.url += "&acl" }, "SignatureDoesNotMatch"},
		{"a longer life", func(s *shot, _ []byte) {
			s.url = strings.Replace(s.url, "X-Amz-Expires=300", "X-Amz-Expires=604800", 1)
		}, "SignatureDoesNotMatch"},
		{"fewer signed headers", func(s *shot, _ []byte) {
			s.url = strings.Replace(s.url, "X-Amz-SignedHeaders=content-disposition%3B", "X-Amz-SignedHeaders=", 1)
		}, "SignatureDoesNotMatch"},
	}...) {
		t.Run(tc.name, func(t *testing.T) {
			g := ask(t, s, fileOf(content))
			require.Equal(t, "put", g.Mode)
			x := aim(g, content)
			tc.change(x, content)
			a := x.fire(t)
			require.GreaterOrEqual(t, a.Status, 400, a.Body)
			require.Equal(t, tc.code, a.Code, a.Body)
			require.Equal(t, "object_missing", call(t, s, "complete", ticketOf(g)).code(t))
		})
	}
	require.Empty(t, s.keys(t), "nothing was stored")
	require.Zero(t, s.got.count())
}

func TestPUTCanBeUsedOnce(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, false)
	g := ask(t, s, fileOf(content))
	require.Equal(t, http.StatusOK, putFile(t, g, content).Status)
	again := putFile(t, g, bytes.ToUpper(content))
	require.Equal(t, "PreconditionFailed", again.Code, again.Body)
	r := complete(t, s, g.Ticket)
	require.Equal(t, "PreconditionFailed", putFile(t, g, bytes.ToUpper(content)).Code)
	s.isRight(t, r, content)
}

func TestExpiredPUTAndPartURLsAreRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	past := time.Now().Add(-6 * time.Minute)
	s := newSite(t, srv, false, append(inParts, postern.WithClock(func() time.Time { return past }))...)
	a := putFile(t, ask(t, s, fileOf(content)), content)
	require.Equal(t, "AccessDenied", a.Code, a.Body)
	a = putPart(t, s, ask(t, s, fileOf(big(5<<20+1))), 2, big(5<<20+1))
	require.Equal(t, "AccessDenied", a.Code, a.Body)
	require.Empty(t, s.keys(t))
}

// S3 stores some headers of a PUT that were not signed. Completion then refuses
// the object and deletes it.
func TestUnsignedHeadersOfAPUTAreFoundAtCompletion(t *testing.T) {
	srv := foreign.Embedded(t)
	for name, value := range map[string]string{
		"Cache-Control":       "public, max-age=31536000, immutable",
		"Content-Encoding":    "gzip",
		"Content-Disposition": "inline",
		"Content-Language":    "tlh",
		"Expires":             "Thu, 01 Dec 2099 16:00:00 GMT",
	} {
		t.Run(name, func(t *testing.T) {
			for _, promotion := range []bool{false, true} {
				s := newSite(t, srv, promotion, postern.WithMode(postern.ModePut),
					postern.WithAttributes(postern.Attributes{Disposition: postern.NoDisposition}))
				g := ask(t, s, fileOf(content))
				x := aim(g, content)
				x.set(name, value)
				require.Equal(t, http.StatusOK, x.fire(t).Status)
				if promotion {
					// What is frozen has the ticket's attributes, not the source's.
					r := complete(t, s, g.Ticket)
					out, _ := object(t, srv, r.Key)
					require.Empty(t, aws.ToString(out.CacheControl)+aws.ToString(out.ContentEncoding)+
						aws.ToString(out.ContentDisposition)+aws.ToString(out.ContentLanguage)+aws.ToString(out.ExpiresString))
					continue
				}
				require.Equal(t, "attributes_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
				require.Empty(t, s.keys(t), "the object is deleted")
				require.Zero(t, s.got.count())
			}
		})
	}
}

func TestServerRefusesEveryAbuseOfAPartURL(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, inParts...)
	large := big(5<<20 + 7)
	tail := large[5<<20:]
	g, other := ask(t, s, fileOf(large)), ask(t, s, fileOf(large))
	otherURL, err := url.Parse(partURL(t, s, other, 2))
	require.NoError(t, err)

	for _, tc := range append(lengthsAndHeaders, []struct {
		name   string
		change func(s *shot, content []byte)
		code   string
	}{
		{"another id", func(s *shot, _ []byte) { s.set("x-amz-meta-postern-id", strings.Repeat("0", 32)) }, "AccessDenied"},
		{"a form", func(s *shot, _ []byte) { s.method = "POST" }, "SignatureDoesNotMatch"},
		{"another part number", func(s *shot, _ []byte) {
			s.url = altered(t, s.url, func(_ *url.URL, q url.Values) { q.Set("partNumber", "3") })
		}, "SignatureDoesNotMatch"},
		{"another upload", func(s *shot, _ []byte) {
			s.url = altered(t, s.url, func(_ *url.URL, q url.Values) { q.Set("uploadId", otherURL.Query().Get("uploadId")) })
		}, "SignatureDoesNotMatch"},
		{"another key", func(s *shot, _ []byte) {
			s.url = altered(t, s.url, func(u *url.URL, _ url.Values) { u.Path = otherURL.Path })
		}, "SignatureDoesNotMatch"},
		{"another key and upload", func(s *shot, _ []byte) {
			s.url = altered(t, s.url, func(u *url.URL, q url.Values) {
				u.Path = otherURL.Path
				q.Set("uploadId", otherURL.Query().Get("uploadId"))
			})
		}, "SignatureDoesNotMatch"},
		{"a whole object", func(s *shot, _ []byte) {
			s.url = altered(t, s.url, func(_ *url.URL, q url.Values) { q.Del("uploadId"); q.Del("partNumber") })
		}, "SignatureDoesNotMatch"},
		{"completing", func(s *shot, _ []byte) {
			s.method = "POST"
			s.url = altered(t, s.url, func(_ *url.URL, q url.Values) { q.Del("partNumber") })
		}, "SignatureDoesNotMatch"},
		{"listing", func(s *shot, _ []byte) {
			s.method, s.body = "GET", nil
			s.url = altered(t, s.url, func(_ *url.URL, q url.Values) { q.Del("partNumber") })
		}, "SignatureDoesNotMatch"},
	}...) {
		t.Run(tc.name, func(t *testing.T) {
			x := &shot{"PUT", partURL(t, s, g, 2), http.Header{}, bytes.NewReader(tail)}
			tc.change(x, tail)
			a := x.fire(t)
			require.GreaterOrEqual(t, a.Status, 400, a.Body)
			require.Equal(t, tc.code, a.Code, a.Body)
		})
	}
	for _, ticket := range []string{g.Ticket, other.Ticket} {
		a := call(t, s, "list", map[string]any{"ticket": ticket})
		require.JSONEq(t, `{"parts":[]}`, string(a.Body), "no part arrived")
		require.Equal(t, "parts_missing", call(t, s, "complete", map[string]any{"ticket": ticket}).code(t))
	}
	require.Len(t, s.keys(t), 2, "more than the tickets of the two")
	require.Zero(t, s.got.count())
}

// Forms have no condition, and other servers know fields that reach further.
func TestFieldsThatWereNotSignedDoNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	for _, field := range []postern.Field{
		{Name: "If-None-Match", Value: "*"},
		{Name: "x-amz-copy-source", Value: "/uploads/secret"},
		{Name: "x-minio-fanout-list", Value: `[{"key":"` + s.final + `evil.html","contentType":"text/html"}]`},
		{Name: "Content-Encoding", Value: "gzip"},
		{Name: "Cache-Control", Value: "public"},
		{Name: "x-amz-storage-class", Value: "GLACIER"},
		{Name: "x-amz-meta-postern-id", Value: strings.Repeat("0", 32)},
		{Name: "tagging", Value: "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"},
	} {
		t.Run(field.Name, func(t *testing.T) {
			g := ask(t, s, fileOf(content))
			a := postForm(t, g.URL, g.Fields.with(field.Name, field.Value), content)
			if a.Status >= 400 {
				require.Contains(t, []string{"AccessDenied", "InvalidArgument"}, a.Code, a.Body)
				require.Equal(t, "object_missing", call(t, s, "complete", ticketOf(g)).code(t))
				return
			}
			// The field was ignored: there is no condition, and nothing else either.
			require.Equal(t, "If-None-Match", field.Name)
			upper := bytes.ToUpper(content)
			require.Equal(t, http.StatusCreated, postForm(t, g.URL, g.Fields.with(field.Name, field.Value), upper).Status)
			s.isRight(t, complete(t, s, g.Ticket), upper)
		})
	}
	require.LessOrEqual(t, len(s.keys(t)), 1)
}

// The credentials that sign cannot reach what was frozen, whatever is asked.
func TestSigningCredentialsCannotTouchFinalKeys(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "staging/")
	h := newReplica(t, bucket, postern.WithPromotion("staging/"))
	g := ask(t, h, fileOf(content))
	require.Equal(t, http.StatusCreated, upload(t, h, g, content).Status)
	r := complete(t, h, g.Ticket)

	// A handler without promotion signs grants for final keys, which S3 refuses.
	for _, mode := range []postern.Mode{postern.ModePost, postern.ModePut} {
		direct := newReplica(t, bucket, postern.WithMode(mode), postern.WithKeyPolicy(
			postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return r.Key, nil })))
		g := ask(t, direct, fileOf(content))
		require.Equal(t, r.Key, g.Key)
		a := upload(t, direct, g, bytes.ToUpper(content))
		require.Equal(t, "AccessDenied", a.Code, a.Body)
	}
	_, stored := object(t, srv, r.Key)
	require.Equal(t, content, stored)
}
