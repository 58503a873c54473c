package posterntest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	denied   = "AccessDenied"
	unsigned = "SignatureDoesNotMatch"
)

// abuse is a request that a grant does not allow.
type abuse struct {
	name   string
	change func(a *attack, s *shot, content []byte)
	codes  []string // of S3, any of which refuses for the right reason
}

func set(name, value string) func(*attack, *shot, []byte) {
	return func(_ *attack, s *shot, _ []byte) { s.header.Set(name, value) }
}

func query(change func(u *url.URL, q url.Values)) func(*attack, *shot, []byte) {
	return func(_ *attack, s *shot, _ []byte) {
		u, err := url.Parse(s.url)
		if err != nil {
			return
		}
		q := u.Query()
		change(u, q)
		u.RawQuery = q.Encode()
		s.url = u.String()
	}
}

func method(name string) func(*attack, *shot, []byte) {
	return func(_ *attack, s *shot, _ []byte) { s.method, s.body = name, nil }
}

func body(make func(c []byte) io.Reader) func(*attack, *shot, []byte) {
	return func(_ *attack, s *shot, c []byte) { s.body = make(c) }
}

// ofURLs are the abuses of a signed URL, whether of a file or of a part.
var ofURLs = []abuse{
	{"a longer body", body(func(c []byte) io.Reader { return bytes.NewReader(append(bytes.Clone(c), 'x')) }), []string{unsigned}},
	{"a shorter body", body(func(c []byte) io.Reader { return bytes.NewReader(c[1:]) }), []string{unsigned}},
	{"no body", body(func([]byte) io.Reader { return nil }), []string{unsigned}},
	{"a chunked body", body(func(c []byte) io.Reader { return io.MultiReader(bytes.NewReader(c)) }), []string{unsigned}},
	{"a copy of another object", func(a *attack, s *shot, _ []byte) {
		s.header.Set("x-amz-copy-source", "/"+a.S3.Bucket+"/"+a.secret)
	}, []string{denied}},
	{"a part of another object", func(a *attack, s *shot, _ []byte) {
		s.header.Set("x-amz-copy-source", "/"+a.S3.Bucket+"/"+a.secret)
		s.header.Set("x-amz-copy-source-range", "bytes=0-5")
	}, []string{denied}},
	{"an acl", set("x-amz-acl", "public-read"), []string{denied}},
	{"a grant to all", set("x-amz-grant-full-control", "uri=x"), []string{denied}},
	{"a storage class", set("x-amz-storage-class", "GLACIER"), []string{denied}},
	{"more metadata", set("x-amz-meta-extra", "1"), []string{denied}},
	{"a tag", set("x-amz-tagging", "a=b"), []string{denied}},
	{"a redirect", set("x-amz-website-redirect-location", "https://evil.example/"), []string{denied}},
	{"a key of one's own for encryption", set("x-amz-server-side-encryption-customer-algorithm", "AES256"), []string{denied}},
	{"an id of one's own", set("x-amz-meta-postern-id", strings.Repeat("0", 32)), []string{denied, unsigned}},
	{"reading", method(http.MethodGet), []string{unsigned}},
	{"looking", method(http.MethodHead), []string{""}},
	{"deleting", method(http.MethodDelete), []string{unsigned}},
	{"a form", func(_ *attack, s *shot, _ []byte) { s.method = http.MethodPost }, []string{unsigned, "MethodNotAllowed"}},
	{"another key", func(_ *attack, s *shot, _ []byte) { s.url = strings.Replace(s.url, "?", ".html?", 1) }, []string{unsigned}},
	{"the key of another object", query(func(u *url.URL, _ url.Values) { u.Path = u.Path[:strings.LastIndex(u.Path, "/")+1] + "evil" }), []string{unsigned}},
	{"a longer life", query(func(_ *url.URL, q url.Values) { q.Set("X-Amz-Expires", "604800") }), []string{unsigned}},
	{"another date", query(func(_ *url.URL, q url.Values) { q.Set("X-Amz-Date", q.Get("X-Amz-Date")[:8]+"T235959Z") }), []string{unsigned, denied}},
	{"fewer signed headers", query(func(_ *url.URL, q url.Values) { q.Set("X-Amz-SignedHeaders", "host") }), []string{unsigned, denied}},
	{"no signature", query(func(_ *url.URL, q url.Values) { q.Del("X-Amz-Signature") }), nil},
	{"the object's acl", func(_ *attack, s *shot, _ []byte) { s.url += "&acl" }, []string{unsigned}},
	{"the object's tags", func(_ *attack, s *shot, _ []byte) { s.url += "&tagging" }, []string{unsigned}},
}

var ofPUTs = append(slices.Clone(ofURLs),
	abuse{"the condition left out", func(_ *attack, s *shot, _ []byte) {
		if s.header.Get("If-None-Match") == "" {
			s.header.Set("x-amz-acl", "public-read") // there is none
		}
		s.header.Del("If-None-Match")
	}, []string{unsigned, denied}},
	abuse{"another condition", func(_ *attack, s *shot, _ []byte) {
		condition := `"abc"`
		if s.header.Get("If-None-Match") == "" {
			condition = "*" // which was not signed
		}
		s.header.Set("If-None-Match", condition)
	}, []string{unsigned, "NotImplemented"}},
	abuse{"another type", set("Content-Type", "text/html"), []string{unsigned}},
	abuse{"the id left out", func(_ *attack, s *shot, _ []byte) { s.header.Del("x-amz-meta-postern-id") }, []string{unsigned}},
	abuse{"a part of an upload", func(_ *attack, s *shot, _ []byte) { s.url += "&partNumber=1&uploadId=x" }, []string{unsigned}},
)

var ofParts = append(slices.Clone(ofURLs),
	abuse{"another part number", query(func(_ *url.URL, q url.Values) { q.Set("partNumber", "3") }), []string{unsigned}},
	abuse{"another upload", query(func(_ *url.URL, q url.Values) { q.Set("uploadId", "0"+q.Get("uploadId")[1:]+"0") }), []string{unsigned}},
	abuse{"a whole object", query(func(_ *url.URL, q url.Values) { q.Del("uploadId"); q.Del("partNumber") }), []string{unsigned}},
	abuse{"completing", func(a *attack, s *shot, c []byte) {
		method(http.MethodPost)(a, s, c)
		query(func(_ *url.URL, q url.Values) { q.Del("partNumber") })(a, s, c)
	}, []string{unsigned}},
	abuse{"listing the parts", func(a *attack, s *shot, c []byte) {
		method(http.MethodGet)(a, s, c)
		query(func(_ *url.URL, q url.Values) { q.Del("partNumber") })(a, s, c)
	}, []string{unsigned}},
	abuse{"aborting", func(a *attack, s *shot, c []byte) {
		method(http.MethodDelete)(a, s, c)
		query(func(_ *url.URL, q url.Values) { q.Del("partNumber") })(a, s, c)
	}, []string{unsigned}},
)

// stopped says what is wrong if S3 did not refuse for the right reason.
func stopped(r s3Answer, err error, codes []string) error {
	switch {
	case err != nil:
		return err
	case r.Status < 400:
		return fmt.Errorf("S3 has done it: %s", r)
	case codes != nil && !slices.Contains(codes, r.Code):
		return fmt.Errorf("S3 has refused it for another reason: %s", r)
	}
	return nil
}

const whyNoMore = "whoever has a grant would read, replace or publish what the credentials that sign can reach"

func putCases() []Case {
	var runs []namedRun
	for _, x := range ofPUTs {
		runs = append(runs, namedRun{x.name, func(a *attack) error {
			g, err := a.grantBy("put")
			if err != nil {
				return err
			}
			s := aim(g, a.File.Content)
			x.change(a, s, a.File.Content)
			r, err := a.fire(s)
			if err := stopped(r, err, x.codes); err != nil {
				return err
			}
			return a.nothingAt(g)
		}})
	}
	return family("put", NoMore, whyNoMore, runs...)
}

func partCases() []Case {
	var runs []namedRun
	for _, x := range ofParts {
		runs = append(runs, namedRun{x.name, func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			last := g.part(g.Parts, a.large.Content)
			address, err := a.partURL(a.user(), g, g.Parts)
			if err != nil {
				return err
			}
			s := &shot{http.MethodPut, address, http.Header{}, bytes.NewReader(last)}
			x.change(a, s, last)
			r, err := a.fire(s)
			if err := stopped(r, err, x.codes); err != nil {
				return err
			}
			got, err := a.call(a.user(), "list", ticketOf(g))
			if err == nil && strings.Contains(string(got.Body), `"number"`) {
				err = fmt.Errorf("a part has arrived: %s", got)
			}
			return err
		}})
	}
	for _, numbers := range []string{"[0]", "[-1]", "[2147483647]", "[4294967297]", "[]", "null", `["1"]`, "[1.5]", "[1e9]", "[1" + strings.Repeat(",1", 10_000) + "]", "beyond"} {
		runs = append(runs, namedRun{fmt.Sprintf("URLs of the parts %.20s", numbers), func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			list := numbers
			if list == "beyond" {
				list = "[" + strconv.Itoa(g.Parts+1) + "]"
			}
			return refused(a.call(a.user(), "parts", raw(fmt.Sprintf(`{"ticket":%q,"numbers":%s}`, g.Ticket, list))))
		}})
	}
	return family("part", NoMore, whyNoMore, runs...)
}

func formCases() []Case {
	field := func(name, value string) func(*attack, pairs) pairs {
		return func(_ *attack, f pairs) pairs { return f.with(name, value) }
	}
	// A server may ignore what it does not know; what counts is what is stored.
	type change struct {
		name   string
		fields func(a *attack, f pairs) pairs
	}
	var runs []namedRun
	for _, x := range []change{
		{"another key", field("key", "evil.html")},
		{"a longer key", func(_ *attack, f pairs) pairs { return f.with("key", f.get("key")+".html") }},
		{"S3's variable in the key", func(_ *attack, f pairs) pairs { return f.with("key", f.get("key")+"${filename}") }},
		{"the key of another object", func(a *attack, f pairs) pairs { return f.with("key", a.secret) }},
		{"the key twice, another first", func(a *attack, f pairs) pairs { return append(pairs{{"key", a.secret}}, f...) }},
		{"the key twice, another last", func(a *attack, f pairs) pairs { return append(slices.Clone(f), pair{"key", a.secret}) }},
		{"another type", field("Content-Type", "text/html")},
		{"another disposition", field("Content-Disposition", "inline; filename=evil.html")},
		{"an encoding", field("Content-Encoding", "gzip")},
		{"a life in caches", field("Cache-Control", "public, max-age=31536000, immutable")},
		{"a language", field("Content-Language", "tlh")},
		{"an acl", field("acl", "public-read")},
		{"an acl by header's name", field("x-amz-acl", "public-read")},
		{"a storage class", field("x-amz-storage-class", "GLACIER")},
		{"a tag", field("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")},
		{"more metadata", field("x-amz-meta-extra", "1")},
		{"another id", field("x-amz-meta-postern-id", strings.Repeat("0", 32))},
		{"a redirect of the object", field("x-amz-website-redirect-location", "https://evil.example/")},
		{"a redirect of the browser", field("success_action_redirect", "https://evil.example/")},
		{"a copy of another object", func(a *attack, f pairs) pairs { return f.with("x-amz-copy-source", "/"+a.S3.Bucket+"/"+a.secret) }},
		{"several objects at once", field("x-minio-fanout-list", `[{"key":"evil.html","contentType":"text/html"}]`)},
		{"a key of one's own for encryption", field("x-amz-server-side-encryption-customer-algorithm", "AES256")},
		{"another bucket", field("bucket", "another")},
		{"no policy", func(_ *attack, f pairs) pairs { return f.without("policy") }},
		{"no signature", func(_ *attack, f pairs) pairs { return f.without("x-amz-signature") }},
		{"neither policy nor signature", func(_ *attack, f pairs) pairs { return f.without("policy").without("x-amz-signature") }},
		{"another signature", field("x-amz-signature", strings.Repeat("0", 64))},
		{"another date", field("x-amz-date", "20360101T000000Z")},
		{"another region", func(_ *attack, f pairs) pairs {
			parts := strings.Split(f.get("x-amz-credential"), "/")
			parts[2] = "evil-1"
			return f.with("x-amz-credential", strings.Join(parts, "/"))
		}},
		{"a policy that allows all", func(_ *attack, f pairs) pairs {
			return f.with("policy", base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2099-01-01T00:00:00Z","conditions":[["starts-with","$key",""]]}`)))
		}},
		{"a policy with a longer life", func(_ *attack, f pairs) pairs {
			b, _ := base64.StdEncoding.DecodeString(f.get("policy"))
			return f.with("policy", base64.StdEncoding.EncodeToString(bytes.Replace(b, []byte(`"expiration":"20`), []byte(`"expiration":"30`), 1)))
		}},
	} {
		runs = append(runs, namedRun{x.name, func(a *attack) error {
			g, err := a.grantBy("post")
			if err != nil {
				return err
			}
			r, err := a.fire(form(g.URL, x.fields(a, g.Fields), a.File.Content))
			if err != nil {
				return err
			}
			if r.Status >= 300 && r.Status < 400 {
				return fmt.Errorf("S3 sends the browser elsewhere: %s", r.Header.Get("Location"))
			}
			if r.Status >= 400 {
				return a.nothingAt(g)
			}
			return a.asGranted(g)
		}})
	}
	for _, m := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		runs = append(runs, namedRun{"the policy, with " + m, func(a *attack) error {
			g, err := a.grantBy("post")
			if err != nil {
				return err
			}
			q := url.Values{}
			for _, f := range g.Fields {
				q.Set(f.name, f.value)
			}
			r, err := a.fire(&shot{m, strings.TrimSuffix(g.URL, "/") + "/" + a.secret + "?" + q.Encode(), http.Header{}, nil})
			return stopped(r, err, nil)
		}})
	}
	return family("form", NoMore, whyNoMore, runs...)
}

// asGranted says what is wrong with an object for which S3 took a form that was changed:
// it must be as the grant says.
func (a *attack) asGranted(g *grant) error {
	key := g.writeKey(a.S3.Bucket)
	out, content, err := a.object(key)
	if err != nil {
		return err
	}
	if out == nil {
		return fmt.Errorf("S3 took the form, and nothing is at %s: it is elsewhere", key)
	}
	var errs []error
	for _, x := range []struct{ name, got, want string }{
		{"Content-Type", deref(out.ContentType), g.header("Content-Type")},
		{"Content-Disposition", deref(out.ContentDisposition), g.header("Content-Disposition")},
		{"Content-Encoding", deref(out.ContentEncoding), g.header("Content-Encoding")},
		{"Cache-Control", deref(out.CacheControl), g.header("Cache-Control")},
		{"Content-Language", deref(out.ContentLanguage), g.header("Content-Language")},
		{"x-amz-website-redirect-location", deref(out.WebsiteRedirectLocation), ""},
		{"the id", out.Metadata["postern-id"], g.header("x-amz-meta-postern-id")},
		{"more metadata", out.Metadata["extra"], ""},
		{"the content", string(content), string(a.File.Content)},
	} {
		if x.got != x.want {
			errs = append(errs, fmt.Errorf("%s was changed: it is %.80q, not %.80q", x.name, x.got, x.want))
		}
	}
	return errors.Join(errs...)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// longest is how long in seconds a grant may be good for.
const longest = 3600

func lifeCases() []Case {
	return family("life", ShortLife, "a grant that was lost in a log, a proxy or a shared screen can be used for as long as it lives",
		namedRun{"a grant lives no longer than an hour", func(a *attack) error {
			g, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			if g.Mode != "multipart" && (g.ExpiresIn <= 0 || g.ExpiresIn > longest) {
				return fmt.Errorf("it lives %d seconds", g.ExpiresIn)
			}
			if g.Mode == "put" {
				u, err := url.Parse(g.URL)
				if err != nil {
					return err
				}
				if n, _ := strconv.Atoi(u.Query().Get("X-Amz-Expires")); n <= 0 || n > longest {
					return fmt.Errorf("its URL lives %d seconds", n)
				}
			}
			return nil
		}},
		namedRun{"the URL of a part lives no longer than an hour", func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			address, err := a.partURL(a.user(), g, 1)
			if err != nil {
				return err
			}
			u, err := url.Parse(address)
			if err != nil {
				return err
			}
			if n, _ := strconv.Atoi(u.Query().Get("X-Amz-Expires")); n <= 0 || n > longest {
				return fmt.Errorf("it lives %d seconds", n)
			}
			return nil
		}},
	)
}
