package postern

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/mediatype"
)

// Action is what a request wants with an upload.
type Action string

// The actions: sign asks for a grant; the others present its ticket, to ask for the
// URLs of parts, for the parts that have arrived, for completion, to give up, or to report
// what the bucket has refused. Rules presents none, and asks what is accepted; session asks
// for credentials with which many files come.
const (
	ActionSign     Action = "sign"
	ActionParts    Action = "parts"
	ActionList     Action = "list"
	ActionComplete Action = "complete"
	ActionAbort    Action = "abort"
	ActionReport   Action = "report"
	ActionRules    Action = "rules"
	ActionSession  Action = "session"
)

// UnknownSize as the size of an upload means that the browser did not tell. The
// grant then permits any size within the limits.
const UnknownSize int64 = -1

// Declaration is what a browser says of a file. None of it is trusted: the rules
// judge it. Declarations have no word about who uploads, and what is allowed.
type Declaration struct {
	// Filename is what the browser calls the file. It is cleaned later.
	Filename string
	// Path is the folders in which the file was, where a folder was dropped:
	// "holiday/2026". It is cleaned later.
	Path string
	// Type is the media type; "" is application/octet-stream.
	Type string
	// Size is in bytes. A client that does not tell declares [UnknownSize]: zero is
	// an empty file.
	Size int64
	// SHA256 is set when the browser sent the checksum of the file: the grant then
	// permits these bytes only.
	SHA256 *[32]byte
	// PartChecksums means that the browser will send the SHA-256 of every part of
	// a multipart upload.
	PartChecksums bool
	// Mode is the only mode that the client can do, if it says so; PartSize the
	// only size of parts, in bytes.
	Mode     Mode
	PartSize int64
	// Rate is how fast the client has sent to the bucket before, in bytes per second, or
	// 0. It may choose the size of parts, and nothing else.
	Rate int64
	// Metadata is what the browser sent along. Only names that
	// [WithClientMetadata] lists are stored with the object.
	Metadata map[string]string
}

// Upload is what a browser asks for, and what the chain decides about it. It is
// the one value that travels the chain: [Decode] makes it, [UploadFrom] finds it,
// every rule judges or narrows it. It belongs to one request and must not be used
// by two goroutines at once.
//
// An application that issues grants itself, for a form that it renders, fills one
// and passes it to [Issuer.Issue].
type Upload struct {
	// Action is what the request wants.
	Action Action

	// Filename is what the browser calls the file, cleaned: the last segment in NFC,
	// without control and bidirectional characters, separators and what is invisible,
	// at most 255 bytes. What is stored ends as files of the granted type do: see
	// [KeepExtensions].
	Filename string
	// Path is the folders in which the file was, "holiday/2026", each cleaned as
	// Filename is, without "." and "..": at most 32 and 512 bytes. It is "" for a single
	// file, and for requests with a ticket.
	Path string
	// Type is the exact media type that is granted, rebuilt by the server from
	// what the browser declared. It never names the type of bytes that someone
	// has looked at.
	Type string
	// Size is the declared size in bytes, or UnknownSize.
	Size int64
	// SHA256, PartChecksums, Mode, PartSize, Rate and Metadata are as in the
	// [Declaration].
	SHA256        *[32]byte
	PartChecksums bool
	Mode          Mode
	PartSize      int64
	Rate          int64
	Metadata      map[string]string

	// Subject is the principal who uploads, Tenant the customer they belong to.
	// The authorizer sets them; the browser never does, and neither does a ticket.
	Subject, Tenant string

	// Key names the object. [NameKey] sets it.
	Key string
	// Bucket is the name of the bucket in which the upload of a ticket was begun, for
	// [Buckets]; "" where there is no ticket.
	Bucket string
	// Attributes are stored with the object. What is not set here is as
	// [WithAttributes] says.
	Attributes Attributes
	// Replace is the ETag of the object that this upload replaces, as its [Receipt] had
	// it, for a key that stays the same, such as an avatar's. If another object is
	// there when the upload is completed, or none, it ends with object_conflict. It
	// needs [WithPromotion] and a provider with CompleteIfMatch. The old object is
	// replaced in one step, once the new one is verified.
	Replace string
	// SuccessRedirect is where the bucket sends the browser after an upload by a
	// form without JavaScript: an absolute http or https URL without "${filename}".
	// Without it the bucket answers 201. SeaweedFS and Ceph spoil a query in it.
	SuccessRedirect string

	issuer  *Issuer   // that began the chain, or issues
	start   time.Time // when the request came, for durations
	now     time.Time // the clock's time of the request
	decoded bool      // a chain made it
	ticket  *openedTicket
	item    *item // where it came beside others
	session *sessionAsked
	id      string // of the grant

	authorized bool
	named      bool

	sizeRules narrowing        // what the rules allow
	ownSize   narrowing        // what the upload itself was narrowed to
	typeRules []*mediatype.Set // the same of types
	ownTypes  []*mediatype.Set
	firstType [1]*mediatype.Set // where typeRules begins: most chains have one
	invalid   error             // a pattern that was no type
}

// hasNoFile reports whether the rules are asked for, and there is no file to judge.
func (u *Upload) hasNoFile() bool { return u.Action == ActionRules || u.Action == ActionSession }

// LimitSize narrows the size that is allowed, in bytes: to the customer's plan, to
// what is left of a quota. It never widens; limits that do not meet refuse every
// file, and a max of 0 all but an empty one.
func (u *Upload) LimitSize(min, max int64) { u.ownSize.add(limits{min, max}) }

// AllowContentTypes narrows the types that are allowed: patterns as for the
// function [AllowContentTypes]. It never widens; without a pattern every file is
// refused, and so, with 500, where one is wrong.
func (u *Upload) AllowContentTypes(patterns ...string) {
	set, err := mediatype.NewSet(patterns...)
	if err != nil {
		u.invalid = fmt.Errorf("Upload.AllowContentTypes: %w", err)
		return
	}
	u.ownTypes = append(u.ownTypes, set)
}

// Time returns when the request came, in UTC. Key policies use it, so that one
// upload has one date.
func (u *Upload) Time() time.Time {
	if u.now.IsZero() {
		u.now = u.environment().clock()
	}
	return u.now.UTC()
}

// Random returns the source of randomness for this upload.
func (u *Upload) Random() io.Reader { return u.environment().random }

// readRandom fills b, which stays off the heap where the source is the usual one.
func (u *Upload) readRandom(b []byte) error {
	source := u.Random()
	if source == rand.Reader {
		_, err := rand.Read(b)
		return err
	}
	read := make([]byte, len(b))
	if _, err := io.ReadFull(source, read); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	copy(b, read)
	return nil
}

// SHA256Hex returns the checksum in hexadecimal, as keys have it, or "".
func (u *Upload) SHA256Hex() string {
	if u.SHA256 == nil {
		return ""
	}
	return hex.EncodeToString(u.SHA256[:])
}

// declare takes what a dialect has read.
func (u *Upload) declare(d *Declaration) {
	u.Filename, u.Path, u.Type, u.Size, u.SHA256 = d.Filename, d.Path, d.Type, d.Size, d.SHA256
	u.PartChecksums, u.Mode, u.PartSize, u.Rate, u.Metadata = d.PartChecksums, d.Mode, d.PartSize, d.Rate, d.Metadata
}

// clean makes a name and a type of ours of those that were declared.
func (u *Upload) clean() error {
	declared := u.Type
	u.Filename, u.Path, u.Type = filename.Clean(u.Filename), filename.CleanPath(u.Path), ""
	if u.Filename == "" {
		return ErrFilenameRequired
	}
	if u.Size < UnknownSize {
		return ErrSizeInvalid
	}
	t, err := mediatype.Parse(u.issuer.typeOf(declared, u.Filename))
	if err != nil {
		return ErrTypeInvalid
	}
	u.Type = t.String()
	return nil
}

// environment is the Issuer's, or the usual one.
func (u *Upload) environment() *environment {
	if u == nil || u.issuer == nil {
		return &usual
	}
	return &u.issuer.environment
}

// uploadContext is the context of a request in a chain.
type uploadContext struct {
	context.Context
	upload Upload
}

type uploadKey struct{}

// Value finds the Upload.
func (c *uploadContext) Value(key any) any {
	if _, ok := key.(uploadKey); ok {
		return &c.upload
	}
	return c.Context.Value(key)
}

// UploadFrom returns the upload of a request's context, or nil where neither
// [Decode] nor [OpenTicket] has run.
func UploadFrom(ctx context.Context) *Upload {
	if u, _ := ctx.Value(uploadKey{}).(*Upload); u != nil && u.decoded {
		return u
	}
	return nil
}

// begin gives a request its Upload, which is found once it is decoded, a body that
// is bounded, and WithLogger's logger if it has none.
func (i *Issuer) begin(w http.ResponseWriter, r *http.Request, action Action, maxBody int64) (*http.Request, *Upload) {
	c := &uploadContext{Context: r.Context()}
	c.upload.Action, c.upload.Size = action, UnknownSize
	c.upload.issuer, c.upload.start, c.upload.now = i, time.Now(), i.clock()
	if i.logger != nil && noLogger(r.Context()) {
		// A copy, so that middleware may call UpdateContext.
		logger := i.logger.With().Logger()
		c.Context = logger.WithContext(c.Context)
	}
	r = r.WithContext(c)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return r, &c.upload
}

func noLogger(ctx context.Context) bool {
	return zerolog.Ctx(ctx).GetLevel() == zerolog.Disabled
}
