package postern

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// Findings are what [Probe] has found out.
type Findings struct {
	// Abilities are what the server was seen to do. Pin them in code, as
	// [Bucket.Abilities].
	Abilities Abilities
	// CORS tells whether pages of the origin may upload by POST and by PUT with the
	// headers of a grant. It is false without an origin.
	CORS bool
	// ExpiresStaging tells whether a lifecycle rule expires what lies under the
	// prefix; AbortsUploads whether one ends multipart uploads that nobody completes.
	ExpiresStaging, AbortsUploads bool
	// Notes say what else was seen, for a person: why something counts as no.
	Notes []string
}

// Probe tries a real server with keys of its own under a prefix such as "staging/",
// and removes them: conditions, copies, checksums, forms, headers that nobody signed,
// CORS for pages of an origin ("" leaves it out), and lifecycle rules. Whether a
// condition holds is judged by what is there afterwards. It signs by the bucket's
// ServiceCredentials, or Credentials, which need the rights of both. It takes some
// forty calls; ctx bounds them. The error tells that the bucket cannot be used at
// all, or joins a [ConfigError] for each mistake in b.
func Probe(ctx context.Context, b Bucket, prefix, origin string) (*Findings, error) {
	r, errs := b.resolve()
	if checkKey(strings.TrimSuffix(prefix, "/")) != nil || !strings.HasSuffix(prefix, "/") {
		errs = append(errs, &ConfigError{Option: "Probe", Err: fmt.Errorf("a prefix is a key and a slash, not %q", prefix)})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	provider := r.Credentials
	if r.ServiceCredentials != nil {
		provider = r.ServiceCredentials
	}
	identity := newIdentity(provider, time.Now)
	p := &probe{
		place: &r,
		store: store.New(store.Config{
			Bucket: r.Name, Region: r.Region, Endpoint: r.server.base, PathStyle: r.server.pathStyle, Credentials: identity,
		}),
		identity: identity,
		signer:   sigv4.NewSigner(r.Region),
		prefix:   prefix + "probe-" + strings.ToLower(rand.Text()) + "/",
		client:   &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	defer p.client.CloseIdleConnections()
	defer p.cleanUp(context.WithoutCancel(ctx))
	for _, name := range []string{"a", "source"} {
		if err := p.put(ctx, name, "first"); err != nil {
			return nil, engineProblem(err)
		}
	}
	p.found.Abilities = Abilities{
		PutIfAbsent:      p.putIfAbsent(ctx),
		CompleteIfAbsent: p.completeIfAbsent(ctx),
		CompleteIfMatch:  p.completeIfMatch(ctx),
		CopyPartIfMatch:  errors.Is(p.copyPart(ctx, "conditional part", false, otherETag), store.ErrChanged),
		PartSums:         p.partSums(ctx),
		CopyPartSums:     p.copyPart(ctx, "part with a sum", true, "") == nil,
		NoPartCopy:       p.copyPart(ctx, "part", false, "") != nil,
		DeleteIfMatch:    p.deleteIfMatch(ctx),
		CompleteSize:     p.completeSize(ctx),
		PostForms:        p.forms(ctx),
		RejectsUnsigned:  p.rejectsUnsigned(ctx),
	}
	p.cors(ctx, origin)
	p.lifecycle(ctx, prefix)
	return &p.found, ctx.Err()
}

// probe is one run of Probe.
type probe struct {
	place    *resolved
	store    *store.Store
	identity *identity
	signer   *sigv4.Signer
	client   *http.Client
	prefix   string
	keys     []string
	uploads  [][2]string // key and id
	found    Findings
}

// otherETag is that of no object of the probe.
const otherETag = `"00000000000000000000000000000000"`

func (p *probe) note(format string, args ...any) {
	p.found.Notes = append(p.found.Notes, fmt.Sprintf(format, args...))
}

func (p *probe) key(name string) string {
	key := p.prefix + name
	p.keys = append(p.keys, key)
	return key
}

func (p *probe) put(ctx context.Context, name, content string) error {
	_, err := p.store.Client().PutObject(ctx, &s3.PutObjectInput{
		Bucket: &p.place.Name, Key: aws.String(p.key(name)), Body: strings.NewReader(content),
	})
	return store.Sort("PutObject", err)
}

// holds reports whether an object has the content.
func (p *probe) holds(ctx context.Context, name, content string) bool {
	got, err := p.store.Read(ctx, p.prefix+name, 1<<10)
	return err == nil && string(got) == content
}

func (p *probe) putIfAbsent(ctx context.Context) bool {
	err := p.store.PutIfAbsent(ctx, p.prefix+"a", []byte("second"))
	free := p.store.PutIfAbsent(ctx, p.key("b"), []byte("free"))
	switch {
	case free != nil:
		p.note("If-None-Match on PutObject: a write to a free key failed: %v", free)
		return false
	case err == nil || !p.holds(ctx, "a", "first"):
		p.note("If-None-Match on PutObject is ignored: the object was replaced")
		return false
	}
	return p.holds(ctx, "b", "free")
}

// begin begins a multipart upload at a key, which cleanUp ends.
func (p *probe) begin(ctx context.Context, name string, sums bool) (key, id string, err error) {
	key = p.key(name)
	id, err = p.store.CreateMultipart(ctx, key, object.Header{}, sums)
	if err == nil {
		p.uploads = append(p.uploads, [2]string{key, id})
	}
	return key, id, err
}

// assemble completes a multipart upload of one small part at a key.
func (p *probe) assemble(ctx context.Context, name, content string, o store.CompleteOptions, wrong int64) error {
	key, id, err := p.begin(ctx, name, false)
	if err != nil {
		return err
	}
	part, err := p.store.Client().UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &p.place.Name, Key: &key, UploadId: &id, PartNumber: aws.Int32(1), Body: strings.NewReader(content),
	})
	if err != nil {
		return store.Sort("UploadPart", err)
	}
	return p.store.CompleteMultipart(ctx, key, id, []store.Part{
		{Number: 1, Size: int64(len(content)) + wrong, ETag: aws.ToString(part.ETag)},
	}, o)
}

var ifAbsent = store.CompleteOptions{Condition: store.Condition{IfAbsent: true}}

func (p *probe) completeIfAbsent(ctx context.Context) bool {
	if err := p.assemble(ctx, "c", "free", ifAbsent, 0); err != nil || !p.holds(ctx, "c", "free") {
		p.note("If-None-Match on CompleteMultipartUpload: a write to a free key failed: %v", err)
		return false
	}
	err := p.assemble(ctx, "c", "other", ifAbsent, 0)
	if err == nil || !p.holds(ctx, "c", "free") {
		p.note("If-None-Match on CompleteMultipartUpload is ignored: the object was replaced")
		return false
	}
	return true
}

func (p *probe) completeIfMatch(ctx context.Context) bool {
	if p.put(ctx, "e", "old") != nil {
		return false
	}
	on := func(etag string) store.CompleteOptions {
		return store.CompleteOptions{Condition: store.Condition{IfMatch: etag}}
	}
	err := p.assemble(ctx, "e", "other", on(otherETag), 0)
	if err == nil || !p.holds(ctx, "e", "old") {
		p.note("If-Match on CompleteMultipartUpload is ignored: the object was replaced")
		return false
	}
	old, err := p.store.Head(ctx, p.prefix+"e")
	if err == nil {
		err = p.assemble(ctx, "e", "new", on(old.ETag), 0)
	}
	if err != nil || !p.holds(ctx, "e", "new") {
		p.note("If-Match on CompleteMultipartUpload: replacing an object failed: %v", err)
		return false
	}
	return true
}

func (p *probe) completeSize(ctx context.Context) bool {
	if err := p.assemble(ctx, "size", "right", store.CompleteOptions{Size: true}, 0); err != nil {
		p.note("x-amz-mp-object-size: a right size failed: %v", err)
		return false
	}
	return p.assemble(ctx, "wrong size", "wrong", store.CompleteOptions{Size: true}, 1) != nil
}

func (p *probe) partSums(ctx context.Context) bool {
	key, id, err := p.begin(ctx, "sums", true)
	if err != nil {
		p.note("an upload with sums of its parts: %v", err)
		return false
	}
	upload := func(number int32, summed string) error {
		sum := sha256.Sum256([]byte(summed))
		_, err := p.store.Client().UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &p.place.Name, Key: &key, UploadId: &id, PartNumber: &number, Body: strings.NewReader("part"),
			ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
		})
		return err
	}
	if upload(2, "other") == nil {
		p.note("a part with the SHA-256 of other bytes is taken")
		return false
	}
	if err := upload(1, "part"); err != nil {
		p.note("a part with its SHA-256: %v", store.Sort("UploadPart", err))
		return false
	}
	parts, err := p.store.Parts(ctx, key, id)
	return err == nil && len(parts) == 1 && parts[0].SHA256 != ""
}

// copyPart copies an object as a part. An ETag that is not its own must be refused:
// store.ErrChanged. What else fails is noted.
func (p *probe) copyPart(ctx context.Context, name string, sums bool, etag string) error {
	err := p.tryCopyPart(ctx, name, sums, etag)
	if err != nil && !errors.Is(err, store.ErrChanged) {
		p.note("%s: %v", name, err)
	}
	return err
}

func (p *probe) tryCopyPart(ctx context.Context, name string, sums bool, etag string) error {
	key, id, err := p.begin(ctx, name, sums)
	if err != nil {
		return err
	}
	source, err := p.store.Head(ctx, p.prefix+"source")
	if err != nil {
		return err
	}
	part, err := p.store.CopyPart(ctx, p.store.Bucket(), p.prefix+"source", cmp.Or(etag, source.ETag), key, id, 1, 0, source.Size-1)
	if err != nil {
		return err
	}
	if err := p.store.CompleteMultipart(ctx, key, id, []store.Part{part}, store.CompleteOptions{}); err != nil {
		return err
	}
	if !p.holds(ctx, name, "first") {
		return errNotCopied
	}
	return nil
}

var errNotCopied = errors.New("the object is not what was copied")

func (p *probe) deleteIfMatch(ctx context.Context) bool {
	if err := p.put(ctx, "d", "kept"); err != nil {
		return false
	}
	_ = p.store.Delete(ctx, p.prefix+"d", otherETag)
	if !p.holds(ctx, "d", "kept") {
		p.note("If-Match on DeleteObject is ignored: the object was deleted")
		return false
	}
	kept, err := p.store.Head(ctx, p.prefix+"d")
	return err == nil && p.store.Delete(ctx, p.prefix+"d", kept.ETag) == nil && !p.holds(ctx, "d", "kept")
}

// forms tries whether a policy holds: what it names is stored, and nothing else is
// taken.
func (p *probe) forms(ctx context.Context) bool {
	const disposition = "Content-Disposition"
	if !p.form(ctx, "form", disposition, "attachment", true) {
		p.note("POST forms are not taken")
		return false
	}
	stored, err := p.store.Head(ctx, p.prefix+"form")
	if err != nil || stored.Header.Values[object.ContentDisposition] != "attachment" {
		p.note("a form's field that its policy names is not stored: %s", disposition)
		return false
	}
	all := true
	for _, field := range []string{disposition, "Content-Type", "x-amz-meta-probe"} {
		if p.form(ctx, "form with "+field, field, "text/html", false) {
			p.note("a form's field that its policy does not name is taken: %s", field)
			all = false
		}
	}
	return all
}

// form uploads by a form with one more field, which its policy may name. It reports
// whether the file is there then.
func (p *probe) form(ctx context.Context, name, field, value string, named bool) bool {
	now := time.Now()
	creds, expires, err := p.identity.credentials(ctx, now, time.Minute)
	if err != nil {
		return false
	}
	conditions := []sigv4.Condition{
		sigv4.Exact("bucket", p.place.Name), sigv4.Exact("key", p.key(name)), sigv4.Exact("success_action_status", "201"),
		sigv4.ContentLengthRange(4, 4),
	}
	if named {
		conditions = append(conditions, sigv4.Exact(field, value))
	}
	form, err := p.signer.SignPost(creds, now, sigv4.Policy{Expires: expires, Conditions: conditions})
	if err != nil {
		return false
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range form {
		_ = w.WriteField(f.Name, f.Value)
	}
	if !named {
		_ = w.WriteField(field, value)
	}
	file, _ := w.CreateFormFile("file", "file")
	_, _ = io.WriteString(file, "form")
	_ = w.Close()
	p.send(ctx, "POST", p.place.public.url(""), &body, map[string]string{"Content-Type": w.FormDataContentType()})
	return p.holds(ctx, name, "form")
}

// unsignedHeaders are what the holder of a grant may try to add. Each is harmless at
// an object of the probe's own.
func (p *probe) unsignedHeaders() map[string]string {
	return map[string]string{
		"x-amz-copy-source":               "/" + p.place.Name + "/" + sigv4.EscapePath(p.prefix+"source"),
		"x-amz-tagging":                   "probe=1",
		"x-amz-meta-probe":                "1",
		"x-amz-website-redirect-location": "/probe",
		"x-amz-storage-class":             "STANDARD",
	}
}

func (p *probe) rejectsUnsigned(ctx context.Context) bool {
	all := true
	for name, value := range p.unsignedHeaders() {
		key := p.key("unsigned " + name)
		now := time.Now()
		creds, _, err := p.identity.credentials(ctx, now, time.Minute)
		if err != nil {
			return false
		}
		signed, err := p.signer.Presign(creds, now, sigv4.Request{
			Method: "PUT", Endpoint: p.place.public.endpoint, Path: p.place.public.prefix + key, Expires: time.Minute,
		})
		if err != nil {
			return false
		}
		status := p.send(ctx, "PUT", signed, strings.NewReader("header"), map[string]string{name: value})
		if _, err := p.store.Head(ctx, key); err == nil || status < 400 {
			p.note("a header that nobody signed is taken: %s", name)
			all = false
		}
	}
	return all
}

// send sends what a browser would, and returns the status.
func (p *probe) send(ctx context.Context, method, url string, body io.Reader, header map[string]string) int {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := p.client.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode
}

// cors asks as browsers do before they upload.
func (p *probe) cors(ctx context.Context, origin string) {
	if origin == "" {
		return
	}
	p.found.CORS = true
	for _, method := range []string{"POST", "PUT"} {
		r, err := http.NewRequestWithContext(ctx, "OPTIONS", p.place.public.url(p.prefix+"a"), nil)
		if err != nil {
			p.found.CORS = false
			return
		}
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", method)
		r.Header.Set("Access-Control-Request-Headers", "content-type,content-disposition,if-none-match,x-amz-meta-postern-id")
		res, err := p.client.Do(r)
		if err != nil {
			p.note("CORS: %s was not answered", method)
			p.found.CORS = false
			continue
		}
		_ = res.Body.Close()
		if allowed := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode >= 300 || allowed != "*" && allowed != origin {
			p.note("CORS: %s from %s is not allowed (%d)", method, origin, res.StatusCode)
			p.found.CORS = false
		}
	}
}

// lifecycle looks for the rules that tidy up.
func (p *probe) lifecycle(ctx context.Context, prefix string) {
	out, err := p.store.Client().GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &p.place.Name})
	if err != nil {
		p.note("no lifecycle rules are known: %v", store.Sort("GetBucketLifecycleConfiguration", err))
		return
	}
	for _, rule := range out.Rules {
		of := ""
		if rule.Filter != nil {
			of = aws.ToString(rule.Filter.Prefix)
		}
		if rule.Status != "Enabled" || !strings.HasPrefix(prefix, of) {
			continue
		}
		p.found.ExpiresStaging = p.found.ExpiresStaging || rule.Expiration != nil
		p.found.AbortsUploads = p.found.AbortsUploads || rule.AbortIncompleteMultipartUpload != nil && of == ""
	}
}

// cleanUp removes what the probe has made.
func (p *probe) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, u := range p.uploads {
		_ = p.store.Abort(ctx, u[0], u[1])
	}
	for _, key := range p.keys {
		_ = p.store.Delete(ctx, key, "")
	}
}
