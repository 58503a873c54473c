package doctor

import (
	"bytes"
	"context"

	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/documents"
	"github.com/postern-go/postern/internal/explain"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

const (
	content  = "postern doctor\n"
	lifetime = 5 * time.Minute
)

// answer is what S3 says to a browser.
type answer struct {
	status   int
	header   http.Header
	document explain.Document
	err      error // if there was none
}

func (a *answer) String() string {
	switch {
	case a.err != nil:
		return explain.Clean(a.err.Error())
	case a.document.Code != "":
		return fmt.Sprintf("HTTP %d %s: %s", a.status, a.document.Code, explain.Clean(a.document.Message))
	}
	return fmt.Sprintf("HTTP %d", a.status)
}

// send sends what a browser would, from the page's origin.
func (e *exam) send(ctx context.Context, method, url string, header []sigv4.Field, body string) answer {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	for _, f := range header {
		if f.Name != "content-length" {
			r.Header.Set(f.Name, f.Value)
		}
	}
	if e.Origin != "" {
		r.Header.Set("Origin", e.Origin)
	}
	r.Close = true // what a server has not read of a body would spoil the next request
	res, err := e.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		e.dates = append(e.dates, reading{at, e.Clock()})
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if res.StatusCode >= 400 {
		a.document, _ = explain.Parse(text)
	}
	return a
}

// preflights asks as browsers do before they upload.
func (e *exam) preflights(ctx context.Context) {
	for _, ask := range []struct{ check, method, headers string }{
		{"cors.post", "POST", ""},
		{"cors.put", "PUT", "content-type,content-disposition,if-none-match,x-amz-meta-postern-id"},
		{"cors.parts", "PUT", "x-amz-checksum-sha256"},
	} {
		if e.Origin == "" {
			e.skip(ask.check, "no origin is given")
			continue
		}
		if seen := Preflight(ctx, e.client, e.address("preflight"), e.Origin, ask.method, ask.headers); seen != "" {
			advice, document := e.cors()
			e.add(ask.check, Failed, seen, advice, document)
			continue
		}
		e.ok(ask.check, "pages of %s may send %s", e.Origin, ask.method)
	}
}

func (e *exam) cors() (advice, document string) {
	if e.Provider == "minio" {
		return "MinIO has one setting for the whole server: allow the origin there.", documents.CORSAtMinIO(e.Origin)
	}
	return "Put this CORS rule on the bucket " + e.UploadBucket + ": postern cors -apply, or aws s3api put-bucket-cors.", documents.CORS(e.Provider, e.Origin)
}

// Preflight asks whether pages of an origin may send a request with some headers, and
// returns what is in the way; "" is nothing.
func Preflight(ctx context.Context, client *http.Client, url, origin, method, headers string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, url, nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", method)
	if headers != "" {
		r.Header.Set("Access-Control-Request-Headers", headers)
	}
	res, err := client.Do(r)
	if err != nil {
		return "the preflight was not answered: " + explain.Clean(err.Error())
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	refused := fmt.Sprintf("a preflight of %s from %s was answered with HTTP %d", method, origin, res.StatusCode)
	allowed := res.Header.Get("Access-Control-Allow-Origin")
	switch {
	case res.StatusCode/100 != 2:
		return refused + ": no CORS rule allows it"
	case allowed != "*" && allowed != origin:
		return refused + fmt.Sprintf(" and allows the origin %q", allowed)
	case !listed(res.Header.Values("Access-Control-Allow-Methods"), method):
		return refused + fmt.Sprintf(" and allows the methods %q", strings.Join(res.Header.Values("Access-Control-Allow-Methods"), ", "))
	}
	for name := range strings.SplitSeq(headers, ",") {
		if name != "" && !listed(res.Header.Values("Access-Control-Allow-Headers"), name) {
			return refused + " and does not allow the header " + name
		}
	}
	return ""
}

func listed(values []string, name string) bool {
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if item = strings.TrimSpace(item); item == "*" || strings.EqualFold(item, name) {
			return true
		}
	}
	return false
}

// address is where a browser finds a key.
func (e *exam) address(key string) string {
	return e.Browser + sigv4.EscapePath(e.Path) + sigv4.EscapePath(key)
}

// grantPut signs as the handler does. The length is that of content.
func (e *exam) grantPut(ctx context.Context, key string, query ...sigv4.Field) (url string, header []sigv4.Field, err error) {
	creds, _, err := e.Signing(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(query) == 0 {
		header = []sigv4.Field{
			{Name: "content-type", Value: "text/plain"}, {Name: "content-disposition", Value: "attachment"},
			{Name: "x-amz-meta-postern-id", Value: "doctor"},
		}
		if e.PutIfAbsent {
			header = append(header, sigv4.Field{Name: "if-none-match", Value: "*"})
		}
	}
	header = append(header, sigv4.Field{Name: "content-length", Value: strconv.Itoa(len(content))})
	url, err = e.Signer.Presign(creds, e.Clock(), sigv4.Request{
		Method: http.MethodPut, Endpoint: e.Browser, Path: e.Path + key, Query: query, Header: header, Expires: lifetime,
	})
	return url, header, err
}

// browser does what a browser would.
func (e *exam) browser(ctx context.Context) {
	if !e.put(ctx) {
		for _, check := range []string{"replay", "unsigned", "size"} {
			e.skip(check, "the PUT has failed")
		}
	} else {
		e.replay(ctx)
		e.unsigned(ctx)
		e.size(ctx)
	}
	e.form(ctx)
	e.part(ctx)
}

func (e *exam) put(ctx context.Context) bool {
	url, header, err := e.grantPut(ctx, e.key("put"))
	if err != nil {
		e.add("put", Failed, err.Error(), "The credentials cannot sign.", "")
		return false
	}
	a := e.send(ctx, http.MethodPut, url, header, content)
	if a.status/100 != 2 {
		e.refused("put", &a, &explain.Request{Method: http.MethodPut, URL: url, Header: fields(header)})
		return false
	}
	if e.Origin != "" && a.header.Get("Access-Control-Allow-Origin") == "" {
		advice, document := e.cors()
		e.add("put", Failed, "the file was stored, but the page may not read the answer: it has no Access-Control-Allow-Origin", advice, document)
		return false
	}
	e.ok("put", "a signed PUT was stored")
	return true
}

// refused says why a browser's upload was.
func (e *exam) refused(check string, a *answer, granted *explain.Request) {
	if a.err != nil {
		e.add(check, Failed, a.String(), "The browser's address of the bucket is "+e.Browser+": correct Bucket.PublicEndpoint or Bucket.Endpoint, or the network.", "")
		return
	}
	granted.Size = explain.UnknownSize
	why := explain.Explain(explain.Input{Document: a.document, Status: a.status, Granted: granted})
	advice, document := why.Cause+" "+why.Advice, ""
	if len(why.Differs) > 0 {
		switch d := why.Differs[0]; d.In {
		case explain.Permission:
			document = e.signingPolicy()
		case explain.Region:
			if d.Sent != "" {
				document = "AWS_REGION=" + d.Sent
			}
		case explain.Expired, explain.Clock:
			document = "timedatectl set-ntp true"
		case explain.Bucket:
			document = e.createBucket()
		case explain.Secret:
			advice = "S3 has read what was signed, but knows another secret for the access key ID of the signing identity: set both again."
		}
	} else if a.document.Code == "SignatureDoesNotMatch" {
		advice = "The secret of the signing identity does not belong to its access key ID, or something between the browser and S3 changes the host, the path or a header (nginx: proxy_set_header Host $http_host;)."
	}
	e.add(check, Failed, a.String(), advice, document)
}

func fields(header []sigv4.Field) []explain.Field {
	all := make([]explain.Field, len(header))
	for k, f := range header {
		all[k] = explain.Field{Name: f.Name, Value: f.Value}
	}
	return all
}

// replay uses the grant of put again.
func (e *exam) replay(ctx context.Context) {
	url, header, err := e.grantPut(ctx, e.key("put"))
	if err != nil {
		e.add("replay", Failed, err.Error(), "The credentials cannot sign.", "")
		return
	}
	a := e.send(ctx, http.MethodPut, url, header, content)
	switch {
	case a.status == http.StatusPreconditionFailed || a.status == http.StatusConflict:
		e.ok("replay", "a second PUT to the key was refused: HTTP %d", a.status)
	case !e.PutIfAbsent:
		e.skip("replay", "the provider is not known to honour If-None-Match, and nothing relies on it")
	default:
		e.add("replay", Failed, "a second PUT to the key was answered with "+a.String(),
			"The server does not honour If-None-Match: set Bucket.Provider to what it is, or Bucket.Abilities to what Probe finds.", "")
	}
}

// unsigned adds headers that nobody signed. Each is harmless at a key of the doctor's
// own.
func (e *exam) unsigned(ctx context.Context) {
	source := "/" + e.UploadBucket + "/" + sigv4.EscapePath(e.prefix+"put")
	var taken []string
	for _, extra := range []sigv4.Field{{Name: "x-amz-meta-doctor", Value: "1"}, {Name: "x-amz-copy-source", Value: source}} {
		key := e.key("unsigned-" + extra.Name)
		url, header, err := e.grantPut(ctx, key)
		if err != nil {
			continue
		}
		a := e.send(ctx, http.MethodPut, url, append(header, extra), content)
		if a.status/100 == 2 {
			taken = append(taken, extra.Name)
		}
	}
	copies := len(taken) > 0 && taken[len(taken)-1] == "x-amz-copy-source"
	switch {
	case len(taken) == 0:
		e.ok("unsigned", "headers that nobody signed are refused")
	case e.RejectsUnsigned:
		e.add("unsigned", Failed, "taken, though nobody signed them: "+strings.Join(taken, ", "),
			"The server does not reject what was not signed: set Bucket.Provider to what it is, or Bucket.Abilities.RejectsUnsigned to false.", "")
	case copies && !e.Shared:
		e.add("unsigned", Failed, "the holder of a grant can copy other objects: x-amz-copy-source is taken, and the signing identity may read",
			"Let the signing identity put objects and nothing else.", e.signingPolicy())
	case copies:
		e.add("unsigned", Failed, "the holder of a grant can copy any object of the bucket: x-amz-copy-source is taken",
			"Sign by an identity of its own, which may put objects and nothing else: Bucket.Credentials beside Bucket.ServiceCredentials.", e.signingPolicy())
	default:
		e.ok("unsigned", "taken, though nobody signed them: %s; promotion drops them, and the signing identity may copy nothing", strings.Join(taken, ", "))
	}
}

// size sends more than was granted.
func (e *exam) size(ctx context.Context) {
	key := e.key("size")
	url, header, err := e.grantPut(ctx, key)
	if err != nil {
		return
	}
	a := e.send(ctx, http.MethodPut, url, header, content+"and more")
	if a.err == nil && a.status/100 != 2 {
		e.ok("size", "a file of another size was refused: HTTP %d", a.status)
		return
	}
	e.add("size", Failed, "a file of another size than was signed was answered with "+a.String(), "Something between the browser and S3 changes Content-Length, or the server does not check it.", "")
}

// form uploads by a POST policy, and tries what the policy does not permit.
func (e *exam) form(ctx context.Context) {
	if !e.Forms {
		e.skip("form", "grants are no forms at this provider")
		return
	}
	post := func(name, body string, extra ...sigv4.Field) (a answer) {
		creds, _, err := e.Signing(ctx)
		if err != nil {
			return answer{err: err}
		}
		now := e.Clock()
		signed, err := e.Signer.SignPost(creds, now, sigv4.Policy{Expires: now.Add(lifetime), Conditions: []sigv4.Condition{
			sigv4.Exact("bucket", e.UploadBucket), sigv4.Exact("key", e.key(name)), sigv4.Exact("Content-Type", "text/plain"),
			sigv4.Exact("x-amz-meta-postern-id", "doctor"), sigv4.Exact("success_action_status", "201"),
			sigv4.ContentLengthRange(int64(len(content)), int64(len(content))),
		}})
		if err != nil {
			return answer{err: err}
		}
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, f := range append(signed, extra...) {
			_ = w.WriteField(f.Name, f.Value)
		}
		file, _ := w.CreateFormFile("file", "file")
		_, _ = io.WriteString(file, body)
		_ = w.Close()
		return e.send(ctx, http.MethodPost, e.address(""), []sigv4.Field{{Name: "Content-Type", Value: w.FormDataContentType()}}, b.String())
	}
	a := post("form", content)
	if a.status/100 != 2 {
		e.refused("form", &a, &explain.Request{Method: http.MethodPost})
		return
	}
	var taken []string
	if a := post("form-large", content+"and more"); a.status/100 == 2 {
		taken = append(taken, "a file that is too large")
	}
	if a := post("form-extra", content, sigv4.Field{Name: "x-amz-meta-doctor", Value: "1"}); a.status/100 == 2 {
		taken = append(taken, "a field that the policy does not name")
	}
	if len(taken) > 0 {
		e.add("form", Failed, "a form's policy does not hold: taken was "+strings.Join(taken, " and "),
			"Set Bucket.Provider to what the server is, or Bucket.Abilities.PostForms to false: grants are PUTs then.", "")
		return
	}
	e.ok("form", "a form was stored, and its policy holds")
}

// part uploads in parts, as the browser and the handler do together.
func (e *exam) part(ctx context.Context) {
	key := e.key("part")
	id, err := e.Uploads.CreateMultipart(ctx, key, object.Header{}, false)
	if err != nil {
		advice, document := e.advise(err, "service")
		e.add("parts", e.ifCalls(), err.Error(), advice, document)
		return
	}
	e.uploads = append(e.uploads, begun{key, id, e.Uploads})
	url, header, err := e.grantPut(ctx, key, sigv4.Field{Name: "partNumber", Value: "1"}, sigv4.Field{Name: "uploadId", Value: id})
	if err != nil {
		e.add("parts", Failed, err.Error(), "The credentials cannot sign.", "")
		return
	}
	a := e.send(ctx, http.MethodPut, url, header, content)
	if a.status/100 != 2 {
		e.refused("parts", &a, &explain.Request{Method: http.MethodPut, URL: url, Header: fields(header)})
		return
	}
	parts, err := e.Uploads.Parts(ctx, key, id)
	if err == nil {
		err = e.Uploads.CompleteMultipart(ctx, key, id, parts, store.CompleteOptions{})
	}
	if err != nil {
		advice, document := e.advise(err, "service")
		e.add("parts", Failed, err.Error(), advice, document)
		return
	}
	e.ok("parts", "an upload in parts was begun, uploaded, listed and completed")
}

// ifCalls is the verdict on what only handlers with calls of their own need.
func (e *exam) ifCalls() Verdict {
	if e.Calls {
		return Failed
	}
	return Skipped
}
