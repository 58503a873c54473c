package postern

import (
	"strconv"
	"time"

	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/sigv4"
)

// Mode is the way in which a grant uploads.
type Mode string

// The modes. ModePost uploads by a form: Fields in their order, then the file in
// a field named "file". ModePut uploads by one PUT with Headers. ModeMultipart
// uploads parts to URLs, of which all but the first are asked for with the ticket.
const (
	ModePost      Mode = "post"
	ModePut       Mode = "put"
	ModeMultipart Mode = "multipart"
)

// Field is a field of a form, or a header.
type Field = sigv4.Field

// Grant is what the browser gets: all it needs for one upload. It is a bearer
// credential until it expires: do not log it.
type Grant struct {
	Mode Mode
	// Bucket is the name of the bucket, and Key the object's key.
	Bucket, Key string
	// Method and URL are where the file goes. The URL of a form ends in a slash;
	// a multipart upload has none.
	Method, URL string
	// Fields are the fields of the form, in order; the file comes last.
	Fields []Field
	// Headers must be sent with a PUT exactly as they are, and no others.
	Headers []Field
	// PartSize is the size in bytes of every part of a multipart upload but the
	// last, and Parts their number.
	PartSize int64
	Parts    int32
	// FirstParts are the URLs of its first parts, which need not be asked for. It is
	// nil if each part is to have its checksum.
	FirstParts *PartURLs
	// Location is the address of the object, once it is there.
	Location string
	// Complete tells the browser to ask for completion once the file is there.
	Complete bool
	// Ticket is what the browser presents to ask for more: parts, completion.
	Ticket string
	// Expires is when the upload must have begun; that of a multipart upload is
	// when its ticket expires.
	Expires time.Time
	// ExpiresIn is the same from the time of signing, for browsers whose clock
	// is wrong.
	ExpiresIn time.Duration
}

// MarshalJSON writes the grant as the native protocol has it.
func (g Grant) MarshalJSON() ([]byte, error) { return g.appendJSON(nil), nil }

func (g *Grant) appendJSON(b []byte) []byte {
	b = append(b, `{"mode":`...)
	b = jsontext.AppendString(b, string(g.Mode))
	b = append(b, `,"key":`...)
	b = jsontext.AppendString(b, g.Key)
	if g.Mode == ModeMultipart {
		b = append(b, `,"part_size":`...)
		b = strconv.AppendInt(b, g.PartSize, 10)
		b = append(b, `,"parts":`...)
		b = strconv.AppendInt(b, int64(g.Parts), 10)
		if g.FirstParts != nil {
			b = g.FirstParts.appendJSON(append(b, `,"first_parts":`...), nil)
		}
	} else {
		b = append(b, `,"method":`...)
		b = jsontext.AppendString(b, g.Method)
		b = append(b, `,"url":`...)
		b = jsontext.AppendString(b, g.URL)
		if g.Mode == ModePut {
			b = appendJSONFields(append(b, `,"headers":`...), g.Headers)
		} else {
			b = appendJSONFields(append(b, `,"fields":`...), g.Fields)
		}
	}
	b = append(b, `,"location":`...)
	b = jsontext.AppendString(b, g.Location)
	b = append(b, `,"expires":"`...)
	b = g.Expires.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, int64(g.ExpiresIn/time.Second), 10)
	b = append(b, `,"complete":`...)
	b = strconv.AppendBool(b, g.Complete)
	b = append(b, `,"ticket":`...)
	b = jsontext.AppendString(b, g.Ticket)
	return append(b, '}')
}

func appendJSONFields(b []byte, fields []Field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendString(b, f.Name)
		b = append(b, ':')
		b = jsontext.AppendString(b, f.Value)
	}
	return append(b, '}')
}
