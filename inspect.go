package postern

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/postern-go/postern/internal/binary"
	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/store"
)

// Verdict is what an inspector says of an object: [Accepted], [Rejected] or
// [Undecided]. The zero value says nothing, which is an error.
type Verdict struct {
	kind    verdictKind
	problem *Problem
}

type verdictKind int

const (
	accepted verdictKind = iota + 1
	rejected
	undecided
)

// Accepted lets an object pass.
func Accepted() Verdict { return Verdict{kind: accepted} }

// Rejected refuses an object for good: it is deleted, there is no receipt, and whoever
// completes the upload gets the problem, as one that has ended. nil is
// [ErrContentRejected]. A status that is not from 400 to 499 becomes 422, and a detail
// is cut at 1 KiB. The cause of the problem is logged.
func Rejected(p *Problem) Verdict { return Verdict{kind: rejected, problem: rejection(p)} }

// Undecided leaves an object where it is, without a receipt. The browser is answered
// 202, and the inspectors are asked again whenever the upload is completed again, until
// [Issuer.Release] or [Issuer.Reject] decides, or the ticket ends, which deletes it.
func Undecided() Verdict { return Verdict{kind: undecided} }

// String returns what the verdict is.
func (v Verdict) String() string {
	switch v.kind {
	case accepted:
		return "accepted"
	case rejected:
		return "rejected: " + v.problem.Error()
	case undecided:
		return "undecided"
	}
	return "no verdict"
}

// Problem returns that of a rejection, or nil.
func (v Verdict) Problem() *Problem { return v.problem }

const (
	maxRejectionCode   = 128
	maxRejectionDetail = 1 << 10
)

// rejection makes the problem of a rejection, so that it can be kept and ends the
// upload.
func rejection(p *Problem) *Problem {
	if p == nil || p.status == 0 {
		return ErrContentRejected
	}
	c := &Problem{
		status: p.status, code: cut(p.code, maxRejectionCode), detail: cut(p.detail, maxRejectionDetail), ended: true, cause: p.cause,
	}
	if c.status < 400 || c.status > 499 {
		c.status = http.StatusUnprocessableEntity
	}
	if c.code == "" {
		c.code = ErrContentRejected.code
	}
	return c
}

// cut returns the first bytes of a text, in whole characters.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// Object is an upload that is frozen and verified, and has no receipt yet. Its fields
// are those of the [Receipt]. It is safe for concurrent use.
type Object struct {
	ID               string
	Bucket, Key      string
	Filename, Type   string
	Size             int64 // bytes
	ETag             string
	Metadata         map[string]string
	Subject, Tenant  string
	SHA256           string
	CRC64NVME        string
	Duplicate        bool
	content          objectContent
	contentKey, etag string
}

// objectContent is where an object is read.
type objectContent interface {
	GetRange(ctx context.Context, key, ifMatch string, offset, n int64) (io.ReadCloser, error)
	Tags(ctx context.Context, key string) (map[string]string, error)
}

// errNoContent is what reading an Object ends with that nobody has made ready.
var errNoContent = errors.New("postern: the object has no content: see Object.WithContent")

// Open reads length bytes from an offset, or fewer where the object ends, in one request
// to S3. The caller closes what it returns. The object cannot become another meanwhile:
// the error is then [ErrObjectChanged].
func (o *Object) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	length = min(length, o.Size-offset)
	switch {
	case o.content == nil:
		return nil, errNoContent
	case offset < 0:
		return nil, fmt.Errorf("postern: Object.Open: an offset of %d", offset)
	case length <= 0:
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	body, err := o.content.GetRange(ctx, o.contentKey, o.etag, offset, length)
	return body, objectProblem(err)
}

// Tags asks S3 for the object's tags, which needs s3:GetObjectTagging. Unlike the
// content they can change.
func (o *Object) Tags(ctx context.Context) (map[string]string, error) {
	if o.content == nil {
		return nil, errNoContent
	}
	tags, err := o.content.Tags(ctx, o.contentKey)
	return tags, objectProblem(err)
}

// objectProblem makes a problem of an error of S3. What completion makes of such an
// error is not what it makes of an inspector's: the text alone is kept.
func objectProblem(err error) error {
	if err == nil {
		return nil
	}
	return problemOf(engineProblem(err)).WithCause(errors.New(err.Error()))
}

// WithContent returns a copy whose content and tags are these, for tests of inspectors.
func (o Object) WithContent(content []byte, tags map[string]string) *Object {
	o.Size, o.content = int64(len(content)), memory{content, maps.Clone(tags)}
	return &o
}

// memory is the content of an Object that is not in S3.
type memory struct {
	content []byte
	tags    map[string]string
}

func (m memory) GetRange(_ context.Context, _, _ string, offset, n int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(m.content), offset, n)), nil
}

func (m memory) Tags(context.Context, string) (map[string]string, error) {
	return maps.Clone(m.tags), nil
}

// inspection is how an engine asks the inspectors of an application.
type inspection struct {
	config *config
	opener *opener
	place  *place

	mutex  sync.Mutex
	passed map[string]int // by how many inspectors an object was accepted
}

// remembered bounds how many objects are remembered.
const remembered = 4096

// accepted reports how many inspectors have accepted an object, in this process.
func (n *inspection) accepted(object string) int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.passed[object]
}

func (n *inspection) accept(object string, inspectors int) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.passed == nil || len(n.passed) >= remembered {
		n.passed = map[string]int{}
	}
	n.passed[object] = inspectors
}

func (n *inspection) object(c *claim.Claim, in completion.Bucket, key string, o *store.Object, duplicate bool) *Object {
	object := &Object{
		ID: c.ID, Bucket: n.place.Name, Key: c.Key,
		Filename: c.Filename, Type: c.Type, Size: o.Size, ETag: o.ETag, Metadata: maps.Clone(c.Metadata),
		Subject: c.Subject, Tenant: c.Tenant, CRC64NVME: o.CRC64NVME, Duplicate: duplicate,
		content: n.place.store.In(in.Bucket()), contentKey: key, etag: o.ETag,
	}
	if c.SHA256 != nil {
		object.SHA256 = hex.EncodeToString(c.SHA256[:])
	}
	return object
}

// Inspect asks the inspectors, until one does not accept the object. Those before it are
// not asked again in this process, so that nothing is scanned whenever a browser asks
// whether somebody has decided.
func (n *inspection) Inspect(ctx context.Context, c *claim.Claim, in completion.Bucket, key string, o *store.Object, duplicate bool) error {
	name := fmt.Sprintf("%s %s %d %s", c.ID, o.ETag, o.Modified.UnixNano(), key)
	for k := n.accepted(name); k < len(n.config.inspectors); k++ {
		inspect := n.config.inspectors[k]
		asked, end := n.config.step(ctx, Step{Kind: StepHook, Name: HookInspector, Bucket: n.place.Name, ID: c.ID, Key: c.Key})
		v, err := n.ask(asked, inspect, n.object(c, in, key, o, duplicate))
		end(endOf(err))
		switch {
		case err != nil:
			return ErrInspectionFailed.WithCause(err)
		case v.kind == rejected:
			return &completion.Rejected{Kind: v.problem}
		case v.kind == undecided:
			return completion.ErrUndecided
		case v.kind != accepted:
			return ErrInspectionFailed.WithCause(errNoVerdict)
		}
		n.accept(name, k+1)
	}
	return nil
}

var errNoVerdict = errors.New("an inspector has returned no verdict")

// ask asks one inspector. It waits no longer for one that ignores its context.
func (n *inspection) ask(ctx context.Context, inspect func(context.Context, *Object) (Verdict, error), o *Object) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.inspectorTimeout)
	defer cancel()
	type answer struct {
		verdict Verdict
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		var a answer
		a.err = hook.GuardAll(func() (err error) {
			a.verdict, err = inspect(ctx, o)
			return err
		})
		answered <- a
	}()
	select {
	case a := <-answered:
		return a.verdict, a.err
	case <-ctx.Done():
		return Verdict{}, ctx.Err()
	}
}

// What a sealed verdict begins with.
const (
	verdictReleased byte = 1
	verdictRejected byte = 2
)

// context binds a verdict to its upload, apart from all tickets.
func (n *inspection) context(id string) []byte {
	return []byte(string(n.opener.context) + "\x00" + n.place.id + "\x00verdict\x00" + id)
}

// Seal makes the content of a verdict's object. It does not expire: it is removed.
func (n *inspection) Seal(c *claim.Claim, v *completion.Verdict) ([]byte, error) {
	b := []byte{verdictReleased}
	if v.Reason != nil {
		b[0] = verdictRejected
	}
	b = binary.AppendText(b, v.Key)
	if v.Reason == nil {
		b = binary.AppendText(b, v.Released)
	} else {
		p := rejection(problemOf(engineProblem(v.Reason)))
		b = binary.AppendInt(b, int64(p.status))
		b = binary.AppendText(b, p.code)
		b = binary.AppendText(b, p.detail)
	}
	token, err := n.opener.keys.Seal(b, n.context(c.ID), c.Expires)
	return []byte(token), err
}

// Open reads one. What does not open is no verdict, and decides nothing.
func (n *inspection) Open(id string, content []byte) (*completion.Verdict, error) {
	b, _, err := n.opener.keys.Open(string(content), n.context(id), time.Time{})
	if err != nil {
		return nil, ErrInspectionFailed.WithCause(fmt.Errorf("the verdict of %s: %w", id, err))
	}
	r := binary.NewReader(b)
	kind := r.Byte()
	v := &completion.Verdict{Key: r.Text()}
	if kind == verdictReleased {
		v.Released = r.Text()
	} else {
		p := &Problem{ended: true, status: int(r.Int()), code: r.Text(), detail: r.Text()}
		v.Reason = &completion.Rejected{Kind: p}
	}
	if !r.Done() || kind != verdictReleased && kind != verdictRejected {
		return nil, ErrInspectionFailed.WithCause(fmt.Errorf("the verdict of %s does not decode", id))
	}
	return v, nil
}

// Release gives the upload of an id, which an inspector has left [Undecided], its
// receipt, whatever inspectors would say: it completes the upload, and returns the
// receipt when the hook of [WithOnComplete] has taken it. If that fails, the upload
// stays released, and is completed by whoever comes next.
//
// Any replica may decide. The first verdict of an upload holds for good: the error is
// [ErrAlreadyRejected] after a rejection, and [ErrAlreadyReleased] if the upload has had
// its receipt. Of an id without an upload it is [ErrUploadGone], and [ErrObjectMissing]
// of an upload that no completion has frozen yet.
func (i *Issuer) Release(ctx context.Context, id string) (*Receipt, error) {
	return i.release(ctx, i.home, id)
}

// ReleaseIn is [Issuer.Release] for one of the buckets of [WithBuckets].
func (i *Issuer) ReleaseIn(ctx context.Context, b Bucket, id string) (*Receipt, error) {
	p, err := i.places.get(b)
	if err != nil {
		return nil, err
	}
	return i.release(ctx, p, id)
}

// joined bounds how often Release may join completions that had begun before it.
const joined = 5

func (i *Issuer) release(ctx context.Context, p *place, id string) (*Receipt, error) {
	c, err := i.decides(ctx, p, id)
	if err == nil {
		err = p.engine.Release(ctx, c)
	}
	for try := 1; err == nil; try++ {
		var result *completion.Result
		result, err = p.engine.Complete(ctx, c, completion.Request{Trigger: completion.Application, Wait: completionWait})
		if err == nil {
			return p.receipt(c, result), nil
		}
		if try < joined && errors.Is(err, completion.ErrUndecided) {
			err = nil
		}
	}
	return nil, engineProblem(err)
}

// Reject refuses the upload of an id for good, as [Rejected] does, if it was not
// released before: [ErrAlreadyReleased]. Any replica may decide. It is no error if the
// upload was rejected before, for whatever reason: the first verdict holds. Of an id
// without an upload the error is [ErrUploadGone].
func (i *Issuer) Reject(ctx context.Context, id string, p *Problem) error {
	return i.reject(ctx, i.home, id, p)
}

// RejectIn is [Issuer.Reject] for one of the buckets of [WithBuckets].
func (i *Issuer) RejectIn(ctx context.Context, b Bucket, id string, p *Problem) error {
	in, err := i.places.get(b)
	if err != nil {
		return err
	}
	return i.reject(ctx, in, id, p)
}

func (i *Issuer) reject(ctx context.Context, p *place, id string, problem *Problem) error {
	c, err := i.decides(ctx, p, id)
	if err == nil {
		err = p.engine.Reject(ctx, c, &completion.Rejected{Kind: rejection(problem)})
	}
	if errors.Is(err, completion.ErrRejected) {
		return nil
	}
	return engineProblem(err)
}

// decides finds the upload about which the application decides.
func (i *Issuer) decides(ctx context.Context, p *place, id string) (*claim.Claim, error) {
	if len(i.config.inspectors) == 0 {
		return nil, &ConfigError{Option: "WithInspector", Err: errNoInspector}
	}
	if err := i.config.reconciles(); err != nil {
		return nil, err
	}
	id = strings.ToLower(id)
	c, err := p.engine.Find(ctx, i.config.staging+id, completion.Application)
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, completion.ErrTicketInvalid) {
		return c, err
	}
	switch v, readErr := p.engine.Verdict(ctx, id); {
	case readErr != nil:
		return nil, readErr
	case v == nil:
		return nil, ErrUploadGone.WithCause(err)
	case v.Reason != nil:
		return nil, completion.ErrRejected
	}
	return nil, completion.ErrReleased
}

var errNoInspector = errors.New("nobody decides about uploads without an inspector")
