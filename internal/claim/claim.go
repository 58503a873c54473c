// Package claim holds what a ticket binds of an upload between two requests, and
// its encoding.
package claim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/postern-go/postern/internal/binary"
	"github.com/postern-go/postern/internal/object"
)

// Mode is the way in which a grant uploads.
type Mode string

// The modes.
const (
	Post      Mode = "post"
	Put       Mode = "put"
	Multipart Mode = "multipart"
)

// modes are in the order of their codes.
var modes = []Mode{Post, Put, Multipart}

// UnknownSize is the size of a file whose browser did not tell it.
const UnknownSize int64 = -1

// Claim is what a ticket binds. Sizes are in bytes.
type Claim struct {
	ID      string // the grant's random id, hexadecimal
	Mode    Mode
	Issued  time.Time
	Expires time.Time // of the ticket; not encoded, the token has it

	Bucket     string // which, where it is not the Issuer's own
	Key        string // of the object in the end
	StagingKey string // where the browser writes, if that is another place
	Replaces   string // the quoted ETag of the object at Key that this one replaces, or ""

	Size             int64 // or UnknownSize
	MinSize, MaxSize int64
	Type             string
	SHA256           *[32]byte
	Attributes       object.Attributes

	Filename        string
	Metadata        map[string]string // the browser's, as far as it is stored
	Subject, Tenant string

	UploadID      string
	PartSize      int64
	PartChecksums bool

	Trace string // what the application's instruments remember of the signing, or ""

	// Quota is against which accounts the upload counts, as the root package writes it.
	Quota string

	// Session is the one whose credentials have written the file, or "", and Source the
	// quoted ETag of what they have written: another one is another file.
	Session, Source string

	beside string // see Beside
}

// Staged reports whether the browser writes elsewhere than to the final key.
func (c *Claim) Staged() bool { return c.StagingKey != "" }

// WriteKey is the key to which the browser writes.
func (c *Claim) WriteKey() string {
	if c.Staged() {
		return c.StagingKey
	}
	return c.Key
}

// Beside reports whether the ticket lies in an object of its own, and not in the
// metadata of the staging object: an upload in parts has none before it is complete,
// and there is not always room.
func (c *Claim) Beside() bool { return c.Staged() && (c.Mode == Multipart || c.beside != "") }

// PutBeside says that the metadata has no room for the ticket.
func (c *Claim) PutBeside() { c.beside = "1" }

// Header is what is stored with the object in the end.
func (c *Claim) Header() object.Header { return c.header(&c.Attributes) }

// WriteHeader is what is stored with the object that the browser writes. One in
// staging is private and plain until it was verified.
func (c *Claim) WriteHeader() object.Header {
	if !c.Staged() {
		return c.Header()
	}
	a := c.Attributes.Staging()
	return c.header(&a)
}

func (c *Claim) header(a *object.Attributes) object.Header {
	h := a.Header(c.Type, c.Filename)
	h.ID = c.ID
	if c.SHA256 != nil {
		h.Owner = c.owner()
	}
	return h
}

// owner is a hash of the tenant, or of the subject where there are no tenants.
// Where a grant writes to the final key itself, so that nobody can tell whether the
// same bytes were sent again, it is always of the subject.
func (c *Claim) owner() string {
	text := "tenant\x00" + c.Tenant
	switch {
	case c.Tenant == "":
		text = "subject\x00" + c.Subject
	case !c.Staged():
		text += "\x00subject\x00" + c.Subject
	}
	if c.Subject == "" && !c.Staged() {
		text += "\x00id\x00" + c.ID // strangers are many
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Parts is the number of parts of a multipart upload, or the most it can have.
func (c *Claim) Parts() int32 {
	if c.Size == UnknownSize {
		return int32(min((c.MaxSize+object.MinPart-1)/object.MinPart, object.MaxParts))
	}
	return int32((c.Size + c.PartSize - 1) / c.PartSize)
}

// PartLength is the exact length of a part in bytes.
func (c *Claim) PartLength(number int32) int64 {
	return min(c.PartSize, c.Size-int64(number-1)*c.PartSize)
}

// Append appends the encoding: every field in turn. The ticket's version covers it.
func (c *Claim) Append(b []byte) []byte {
	b = binary.AppendText(b, c.ID)
	b = append(b, byte(slices.Index(modes, c.Mode)))
	b = binary.AppendInt(b, c.Issued.Unix())
	b = binary.AppendText(b, c.Key)
	b = binary.AppendText(b, c.StagingKey)
	b = binary.AppendInt(b, c.Size)
	b = binary.AppendInt(b, c.MinSize)
	b = binary.AppendInt(b, c.MaxSize)
	b = binary.AppendText(b, c.Type)
	b = binary.AppendBool(b, c.SHA256 != nil)
	if c.SHA256 != nil {
		b = append(b, c.SHA256[:]...)
	}
	b = c.Attributes.Append(b)
	b = binary.AppendText(b, c.Filename)
	b = binary.AppendMap(b, c.Metadata)
	b = binary.AppendText(b, c.Subject)
	b = binary.AppendText(b, c.Tenant)
	b = binary.AppendText(b, c.UploadID)
	b = binary.AppendInt(b, c.PartSize)
	b = binary.AppendBool(b, c.PartChecksums)
	return c.appendExtensions(b)
}

// extensions are fields that came later. Those that are not empty follow, each after
// its number, in this order.
func (c *Claim) extensions() [11]*string {
	v := &c.Attributes.Values
	return [...]*string{
		&c.Bucket, &c.Replaces, &v[object.ContentLanguage], &v[object.LockMode], &v[object.LockUntil], &v[object.LegalHold],
		&c.beside, &c.Trace, &c.Quota, &c.Session, &c.Source,
	}
}

func (c *Claim) appendExtensions(b []byte) []byte {
	for k, field := range c.extensions() {
		if *field != "" {
			b = binary.AppendText(append(b, byte(k+1)), *field)
		}
	}
	return b
}

func (c *Claim) readExtensions(r *binary.Reader) (ok bool) {
	fields := c.extensions()
	for last := 0; r.More(); {
		k := int(r.Byte())
		if k <= last || k > len(fields) {
			return false
		}
		if *fields[k-1] = r.Text(); *fields[k-1] == "" {
			return false
		}
		last = k
	}
	return true
}

// ErrInvalid means that bytes are not the encoding of a claim.
var ErrInvalid = errors.New("a ticket's content does not decode")

// Parse reads what Append wrote. The error is [ErrInvalid].
func Parse(b []byte) (*Claim, error) {
	r := binary.NewReader(b)
	c := &Claim{ID: r.Text()}
	if mode := int(r.Byte()); mode < len(modes) {
		c.Mode = modes[mode]
	}
	c.Issued = time.Unix(r.Int(), 0).UTC()
	c.Key, c.StagingKey = r.Text(), r.Text()
	c.Size, c.MinSize, c.MaxSize = r.Int(), r.Int(), r.Int()
	c.Type = r.Text()
	if r.Bool() {
		c.SHA256 = new([32]byte)
		r.Bytes(c.SHA256[:])
	}
	c.Attributes = object.ReadAttributes(r)
	c.Filename, c.Metadata = r.Text(), r.Map()
	c.Subject, c.Tenant = r.Text(), r.Text()
	c.UploadID, c.PartSize, c.PartChecksums = r.Text(), r.Int(), r.Bool()
	if !c.readExtensions(r) || !r.Done() || !c.valid() {
		return nil, ErrInvalid
	}
	return c, nil
}

func (c *Claim) valid() bool {
	return c.Mode != "" && c.Key != "" && c.Size >= UnknownSize &&
		(c.Mode != Multipart || c.UploadID != "" && c.PartSize > 0 && c.Size != 0)
}
