package postern

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// ticketData is what a ticket remembers of an upload between two requests.
type ticketData struct {
	id      string // the grant's random id, hexadecimal
	mode    Mode
	issued  time.Time
	expires time.Time // of the ticket itself; not encoded, the seal has it

	key    string // of the object in the end
	object string // where the browser writes: staging, or the same

	size        int64 // or UnknownSize
	least, most int64
	typ         string
	sha256      *[32]byte
	attributes  Attributes // all of them, postern's own metadata included

	filename        string
	metadata        map[string]string // the browser's, as far as it is stored
	subject, tenant string

	uploadID      string
	partSize      int64
	partChecksums bool
}

// parts is the number of parts of a multipart upload, or the most it can have.
func (d *ticketData) parts() int32 {
	if d.size == UnknownSize {
		return int32(min((d.most+minPart-1)/minPart, maxParts))
	}
	return int32((d.size + d.partSize - 1) / d.partSize)
}

// partLength is the exact length of a part in bytes.
func (d *ticketData) partLength(number int32) int64 {
	return min(d.partSize, d.size-int64(number-1)*d.partSize)
}

var modes = []Mode{ModePost, ModePut, ModeMultipart}

// The encoding is positional: every field in turn, integers as varints, strings
// with their length. The ticket's version covers it.

func (d *ticketData) append(b []byte) []byte {
	b = appendText(b, d.id)
	b = append(b, byte(slices.Index(modes, d.mode)))
	b = binary.AppendVarint(b, d.issued.Unix())
	b = appendText(b, d.key)
	object := d.object
	if object == d.key {
		object = ""
	}
	b = appendText(b, object)
	b = binary.AppendVarint(b, d.size)
	b = binary.AppendVarint(b, d.least)
	b = binary.AppendVarint(b, d.most)
	b = appendText(b, d.typ)
	if d.sha256 != nil {
		b = append(b, 1)
		b = append(b, d.sha256[:]...)
	} else {
		b = append(b, 0)
	}
	b = d.attributes.appendBinary(b)
	b = appendText(b, d.filename)
	b = appendMap(b, d.metadata)
	b = appendText(b, d.subject)
	b = appendText(b, d.tenant)
	b = appendText(b, d.uploadID)
	b = binary.AppendVarint(b, d.partSize)
	return appendBool(b, d.partChecksums)
}

var errTicketData = errors.New("a ticket's content does not decode")

func parseTicketData(b []byte) (*ticketData, error) {
	r := reader{rest: b}
	d := &ticketData{id: r.text()}
	if mode := int(r.byte()); mode < len(modes) {
		d.mode = modes[mode]
	}
	d.issued = time.Unix(r.varint(), 0).UTC()
	d.key = r.text()
	if d.object = r.text(); d.object == "" {
		d.object = d.key
	}
	d.size, d.least, d.most = r.varint(), r.varint(), r.varint()
	d.typ = r.text()
	if r.byte() == 1 {
		d.sha256 = new([32]byte)
		copy(d.sha256[:], r.take(len(d.sha256)))
	}
	d.attributes = r.attributes()
	d.filename, d.metadata = r.text(), r.texts()
	d.subject, d.tenant = r.text(), r.text()
	d.uploadID, d.partSize, d.partChecksums = r.text(), r.varint(), r.byte() == 1
	if r.failed || len(r.rest) > 0 || d.mode == "" || d.key == "" ||
		d.mode == ModeMultipart && (d.uploadID == "" || d.partSize <= 0 || d.size == 0) {
		return nil, errTicketData
	}
	return d, nil
}

func (a *Attributes) appendBinary(b []byte) []byte {
	for _, s := range [...]string{a.ACL, a.CacheControl, a.ContentEncoding, string(a.Disposition), a.StorageClass,
		a.Encryption.Algorithm, a.Encryption.KMSKeyID, a.WebsiteRedirect} {
		b = appendText(b, s)
	}
	b = appendBool(b, a.Encryption.BucketKey)
	return appendMap(appendMap(b, a.Tags), a.Metadata)
}

func (r *reader) attributes() (a Attributes) {
	a.ACL, a.CacheControl, a.ContentEncoding = r.text(), r.text(), r.text()
	a.Disposition, a.StorageClass = Disposition(r.text()), r.text()
	a.Encryption = Encryption{Algorithm: r.text(), KMSKeyID: r.text()}
	a.WebsiteRedirect, a.Encryption.BucketKey = r.text(), r.byte() == 1
	a.Tags, a.Metadata = r.texts(), r.texts()
	return a
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendMap(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, k := range sortedKeys(m) {
		b = appendText(appendText(b, k), m[k])
	}
	return b
}

// reader takes a ticket's content apart. After a failure it returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) length() int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > uint64(len(r.rest)) {
		n, v = -1, 0
	}
	r.take(n)
	return int(v)
}

func (r *reader) text() string { return string(r.take(r.length())) }

func (r *reader) texts() map[string]string {
	n := r.length()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for range n {
		if r.failed {
			return nil
		}
		k := r.text()
		m[k] = r.text()
	}
	return m
}
