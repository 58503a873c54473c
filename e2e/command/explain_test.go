package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

const file = "\x89PNG\r\n\x1a\n, or so"

// archive is a HAR file, as a browser saves it.
type archive struct{ entries []any }

func (a *archive) String() string {
	text, _ := json.Marshal(map[string]any{"log": map[string]any{"version": "1.2", "entries": a.entries}})
	return string(text)
}

// exchange sends a request, records it, and returns the answer.
func (a *archive) exchange(t testing.TB, r *http.Request, body string) (status int, answer string) {
	r.Body, r.ContentLength, r.Close = io.NopCloser(strings.NewReader(body)), int64(len(body)), true
	started := time.Now()
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	list := func(h http.Header) (all []map[string]string) {
		for name, values := range h {
			all = append(all, map[string]string{"name": name, "value": strings.Join(values, ", ")})
		}
		return all
	}
	a.entries = append(a.entries, map[string]any{
		"startedDateTime": started.Format(time.RFC3339Nano),
		"request": map[string]any{
			"method": r.Method, "url": r.URL.String(), "headers": list(r.Header), "bodySize": len(body),
			"postData": map[string]any{"mimeType": r.Header.Get("Content-Type"), "text": body},
		},
		"response": map[string]any{"status": res.StatusCode, "headers": list(res.Header), "content": map[string]any{"text": string(text)}},
	})
	return res.StatusCode, string(text)
}

// grant is what a browser reads.
type grant struct {
	Method, URL, Ticket string
	Fields, Headers     map[string]string
}

// upload is a grant that can be changed before it is used.
type upload struct {
	*grant
	body   string
	host   string // of the request, if it is another
	before bool   // the file stands before the fields
}

func (u *upload) query(change func(url.Values)) {
	address, _ := url.Parse(u.URL)
	q := address.Query()
	change(q)
	address.RawQuery = q.Encode()
	u.URL = address.String()
}

func (u *upload) field(name string) string {
	for _, n := range slices.Sorted(maps.Keys(u.Fields)) {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return name
}

// request is what the browser sends.
func (u *upload) request(t testing.TB) (*http.Request, string) {
	body, header := u.body, maps.Clone(u.Headers)
	if u.Fields != nil {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		write := func() {
			f, err := w.CreateFormFile("file", "a.png")
			require.NoError(t, err)
			_, _ = io.WriteString(f, body)
		}
		if u.before {
			write()
		}
		for _, name := range slices.Sorted(maps.Keys(u.Fields)) {
			require.NoError(t, w.WriteField(name, u.Fields[name]))
		}
		if !u.before {
			write()
		}
		require.NoError(t, w.Close())
		body, header = b.String(), map[string]string{"Content-Type": w.FormDataContentType()}
	}
	r, err := http.NewRequest(u.Method, u.URL, nil)
	require.NoError(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Origin", origin)
	if u.host != "" {
		r.Host = u.host
	}
	return r, body
}

// mutation changes one input of a grant. in and name say what is to be named.
type mutation struct {
	name   string
	mode   string // "put", "post" or "multipart"
	change func(u *upload)
	in     string
	what   string
}

const (
	inHeader, inField, inQuery = "header", "field", "query parameter"
)

func header(name, value string) func(*upload) {
	return func(u *upload) {
		if value == "" {
			delete(u.Headers, name)
			return
		}
		u.Headers[name] = value
	}
}

func field(name, value string) func(*upload) {
	return func(u *upload) {
		if value == "" {
			delete(u.Fields, u.field(name))
			return
		}
		u.Fields[u.field(name)] = value
	}
}

func query(name, value string) func(*upload) {
	return func(u *upload) {
		u.query(func(q url.Values) {
			if value == "" {
				q.Del(name)
				return
			}
			q.Set(name, value)
		})
	}
}

func body(text string) func(*upload) { return func(u *upload) { u.body = text } }

// mutations are what goes wrong on the way from a grant to S3.
func mutations() []mutation {
	zeros := strings.Repeat("0", 64)
	all := []mutation{
		{"another type", "put", header("content-type", "image/gif"), inHeader, "content-type"},
		{"no type", "put", header("content-type", ""), inHeader, "content-type"},
		{"another disposition", "put", header("content-disposition", "inline"), inHeader, "content-disposition"},
		{"no disposition", "put", header("content-disposition", ""), inHeader, "content-disposition"},
		{"another id", "put", header("x-amz-meta-postern-id", "1"), inHeader, "x-amz-meta-postern-id"},
		{"no id", "put", header("x-amz-meta-postern-id", ""), inHeader, "x-amz-meta-postern-id"},
		{"no condition", "put", header("if-none-match", ""), inHeader, "if-none-match"},
		{"another condition", "put", header("if-none-match", `"a"`), inHeader, "if-none-match"},
		{"metadata that nobody signed", "put", header("x-amz-meta-more", "1"), inHeader, "x-amz-meta-more"},
		{"tags that nobody signed", "put", header("x-amz-tagging", "a=b"), inHeader, "x-amz-tagging"},
		{"an ACL that nobody signed", "put", header("x-amz-acl", "public-read"), inHeader, "x-amz-acl"},
		{"a storage class that nobody signed", "put", header("x-amz-storage-class", "STANDARD"), inHeader, "x-amz-storage-class"},
		{"a longer file", "put", body(file + "!"), "size", ""},
		{"a shorter file", "put", body(file[1:]), "size", ""},
		{"another method", "put", func(u *upload) { u.Method = "DELETE" }, "method", ""},
		{"another key", "put", func(u *upload) { u.URL = strings.Replace(u.URL, "/staging/", "/staging/x", 1) }, "path", ""},
		{"another host", "put", func(u *upload) { u.URL = strings.Replace(u.URL, "127.0.0.1", "localhost", 1) }, "host", ""},
		{"another signature", "put", query("X-Amz-Signature", zeros), inQuery, "X-Amz-Signature"},
		{"no signature", "put", query("X-Amz-Signature", ""), inQuery, "X-Amz-Signature"},
		{"another date", "put", query("X-Amz-Date", time.Now().Add(-time.Minute).UTC().Format("20060102T150405Z")), inQuery, "X-Amz-Date"},
		{"a longer life", "put", query("X-Amz-Expires", "86400"), inQuery, "X-Amz-Expires"},
		{"another region", "put", func(u *upload) {
			u.query(func(q url.Values) {
				q.Set("X-Amz-Credential", strings.Replace(q.Get("X-Amz-Credential"), "us-east-1", "eu-west-1", 1))
			})
		}, inQuery, "X-Amz-Credential"},
		{"another access key", "put", func(u *upload) {
			u.query(func(q url.Values) { q.Set("X-Amz-Credential", "X"+q.Get("X-Amz-Credential")) })
		}, inQuery, "X-Amz-Credential"},
		{"fewer signed headers", "put", query("X-Amz-SignedHeaders", "host"), inQuery, "X-Amz-SignedHeaders"},
		{"another algorithm", "put", query("X-Amz-Algorithm", "AWS4-HMAC-SHA512"), inQuery, "X-Amz-Algorithm"},
		{"a parameter more", "put", query("x-id", "PutObject"), inQuery, "x-id"},

		{"another key", "post", field("key", "staging/other"), inField, "key"},
		{"a key elsewhere", "post", field("key", "other"), inField, "key"},
		{"no key", "post", field("key", ""), inField, "key"},
		{"another type", "post", field("content-type", "image/gif"), inField, "content-type"},
		{"no type", "post", field("content-type", ""), inField, "content-type"},
		{"another disposition", "post", field("content-disposition", "inline"), inField, "content-disposition"},
		{"another id", "post", field("x-amz-meta-postern-id", "1"), inField, "x-amz-meta-postern-id"},
		{"no id", "post", field("x-amz-meta-postern-id", ""), inField, "x-amz-meta-postern-id"},
		{"another status", "post", field("success_action_status", "200"), inField, "success_action_status"},
		{"a field more", "post", field("Cache-Control", "no-store"), inField, "cache-control"},
		{"metadata more", "post", field("x-amz-meta-more", "1"), inField, "x-amz-meta-more"},
		{"a larger file", "post", body(file + "!"), "size", ""},
		{"a smaller file", "post", body(file[1:]), "size", ""},
		{"another policy", "post", func(u *upload) { u.Fields[u.field("policy")] = "A" + u.Fields[u.field("policy")][1:] }, inField, "policy"},
		{"no policy", "post", field("policy", ""), inField, "policy"},
		{"another signature", "post", field("x-amz-signature", zeros), inField, "x-amz-signature"},
		{"no signature", "post", field("x-amz-signature", ""), inField, "x-amz-signature"},
		{"another credential", "post", func(u *upload) {
			n := u.field("x-amz-credential")
			u.Fields[n] = strings.Replace(u.Fields[n], "us-east-1", "eu-west-1", 1)
		}, inField, "x-amz-credential"},
		{"another date", "post", field("x-amz-date", "20260101T000000Z"), inField, "x-amz-date"},
		{"another algorithm", "post", field("x-amz-algorithm", "AWS4"), inField, "x-amz-algorithm"},
		{"another bucket's address", "post", func(u *upload) { u.URL = strings.TrimSuffix(u.URL, "/") + "x/" }, "path", ""},

		{"another part", "multipart", query("partNumber", "7"), inQuery, "partNumber"},
		{"another upload", "multipart", query("uploadId", "nothing"), inQuery, "uploadId"},
		{"a longer part", "multipart", body(file + "!"), "size", ""},
		{"a header more", "multipart", func(u *upload) { u.Headers = map[string]string{"x-amz-acl": "private"} }, inHeader, "x-amz-acl"},
	}
	return all
}

// obtain gets a grant of a mode from a handler, as a page does.
func (s *site) obtain(t testing.TB, h *httptest.Server, a *archive, mode string) *upload {
	ask := func(action, text string) map[string]any {
		r, err := http.NewRequest("POST", h.URL+"/uploads/"+action, nil)
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		status, answer := a.exchange(t, r, text)
		require.Less(t, status, 300, answer)
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(answer), &v))
		return v
	}
	size := len(file)
	if mode == "multipart" {
		size += 8 << 20 // the second part is as long as file
	}
	granted := ask("sign", fmt.Sprintf(`{"filename":"a.png","type":"image/png","size":%d}`, size))
	text, err := json.Marshal(granted)
	require.NoError(t, err)
	g := &grant{}
	require.NoError(t, json.Unmarshal(text, g))
	if mode == "multipart" {
		urls := ask("parts", fmt.Sprintf(`{"ticket":%q,"numbers":[2]}`, g.Ticket))["urls"].(map[string]any)
		g.Method, g.URL, g.Headers = "PUT", urls["2"].(string), map[string]string{}
	}
	return &upload{grant: g, body: file}
}

// handlers are those for each mode.
func (s *site) handlers(t testing.TB) map[string]*httptest.Server {
	all := map[string]*httptest.Server{}
	for mode, opt := range map[string]postern.HandlerOption{
		"put": postern.WithMode(postern.ModePut), "post": postern.WithMode(postern.ModePost), "multipart": postern.WithMultipartThreshold(5 << 20),
	} {
		if mode == "post" && s.Name == foreign.Ceph {
			continue
		}
		h, err := postern.New(s.bucket, opt, postern.WithPromotion("staging/"), postern.WithTicketKeys(make([]byte, 32)),
			postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error { u.Subject = "ada"; return nil }))
		require.NoError(t, err)
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		all[mode] = server
	}
	return all
}

// explained is what the command prints as JSON.
type explained []struct {
	Code    string
	Differs []struct{ In, Name string }
	Cause   string
	Advice  string
}

func (e explained) names(in, what string) bool {
	return len(e) == 1 && len(e[0].Differs) == 1 && e[0].Differs[0].In == in && strings.EqualFold(e[0].Differs[0].Name, what)
}

func explain(t testing.TB, in string) explained {
	r := run(t, nil, in, "explain", "-json")
	var e explained
	require.NotEqual(t, 2, r.status, r.errors)
	require.NoError(t, json.Unmarshal([]byte(r.out), &e), r.out+r.errors)
	return e
}

// What is changed in a grant is named, and nothing else is.
func TestExplainNamesWhatDiffers(t *testing.T) {
	s := newSite(t, foreign.Start(t))
	handlers := s.handlers(t)
	var tried, named, alone, accepted int
	for _, m := range mutations() {
		h, ok := handlers[m.mode]
		if !ok {
			continue
		}
		a := &archive{}
		u := s.obtain(t, h, a, m.mode)
		signature := u.Fields[u.field("x-amz-signature")]
		m.change(u)
		r, text := u.request(t)
		status, answer := a.exchange(t, r, text)
		if status/100 == 2 {
			accepted++
			t.Logf("%s takes it: %s, %s", s.Name, m.mode, m.name)
			continue
		}
		tried++
		e := explain(t, a.String())
		if signature != "" && m.what != "x-amz-signature" {
			require.NotContains(t, fmt.Sprint(e), signature)
		}
		if e.names(m.in, m.what) {
			named++
		} else {
			t.Errorf("%s, %s: %s %q, not %+v\n%s", m.mode, m.name, m.in, m.what, e, answer)
		}
		if body := run(t, nil, answer, "explain", "-json"); body.status == 0 {
			var e explained
			require.NoError(t, json.Unmarshal([]byte(body.out), &e))
			if e.names(m.in, m.what) {
				alone++
			}
		}
	}
	t.Logf("%s: %d refused, %d named exactly by the traffic, %d by S3's words alone; %d accepted", s.Name, tried, named, alone, accepted)
	require.GreaterOrEqual(t, tried, 40)
	require.GreaterOrEqual(t, float64(named)/float64(tried), 0.95)
}

// What is wrong with the server's side is named, too.
func TestExplainNamesWhatIsWrongWithTheServer(t *testing.T) {
	s := newSite(t, foreign.Start(t))
	for name, tc := range map[string]struct {
		change func(b *postern.Bucket)
		opts   []postern.HandlerOption
		twice  bool
		in     string
		what   string
	}{
		"secret": {change: func(b *postern.Bucket) {
			b.Credentials = credentials.NewStaticCredentialsProvider(s.signer.AccessKeyID, "another", "")
		}, in: "secret key"},
		"access key": {change: func(b *postern.Bucket) {
			b.Credentials = credentials.NewStaticCredentialsProvider("NOBODY", "secret", "")
		}, in: "access key"},
		"region":     {change: func(b *postern.Bucket) { b.Region = "eu-west-1" }, in: "region"},
		"permission": {opts: []postern.HandlerOption{postern.WithPromotion("elsewhere/")}, in: "permission", what: "s3:PutObject"},
		"clock":      {opts: []postern.HandlerOption{postern.WithClock(func() time.Time { return time.Now().Add(-20 * time.Minute) })}, in: "time", what: "X-Amz-Expires"},
		"replay":     {twice: true, in: "key"},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.bucket
			if tc.change != nil {
				tc.change(&b)
			}
			opts := append([]postern.HandlerOption{postern.WithMode(postern.ModePut),
				postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error { u.Subject = "ada"; return nil })}, tc.opts...)
			if tc.opts == nil || name == "clock" {
				opts = append(opts, postern.WithPromotion("staging/"))
			}
			h, err := postern.New(b, opts...)
			require.NoError(t, err)
			server := httptest.NewServer(h)
			defer server.Close()
			a := &archive{}
			u := s.obtain(t, server, a, "")
			status := 200
			for range 2 {
				if r, text := u.request(t); status/100 == 2 {
					status, _ = a.exchange(t, r, text)
				}
				if !tc.twice {
					break
				}
			}
			if name == "region" && s.Name == foreign.MinIO {
				require.Equal(t, 200, status, "MinIO takes any region, unless it is given one")
				return
			}
			require.GreaterOrEqual(t, status, 400)
			e := explain(t, a.String())
			require.True(t, e.names(tc.in, tc.what), "%+v\n%s", e, a)
		})
	}
}
