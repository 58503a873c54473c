package postern

import (
	"strconv"
	"time"

	"github.com/postern-go/postern/sigv4"
)

// Mode is the way in which a grant uploads.
type Mode string

// ModePost uploads by a form: Fields in their order, then the file in a field
// named "file".
const ModePost Mode = "post"

// Field is a field of a form.
type Field = sigv4.Field

// Grant is what the browser gets: all it needs for one upload. It is a bearer
// credential until it expires: do not log it.
type Grant struct {
	Mode Mode
	// Key is the object's key.
	Key string
	// Method and URL are where the file goes. The URL of a form ends in a slash.
	Method, URL string
	// Fields are the fields of the form, in order; the file comes last.
	Fields []Field
	// Location is the address of the object, once it is there.
	Location string
	// Expires is when the upload must have begun.
	Expires time.Time
	// ExpiresIn is the same from the time of signing, for browsers whose clock
	// is wrong.
	ExpiresIn time.Duration
}

// MarshalJSON writes the grant as the native protocol has it.
func (g Grant) MarshalJSON() ([]byte, error) { return g.appendJSON(nil), nil }

func (g *Grant) appendJSON(b []byte) []byte {
	b = append(b, `{"mode":`...)
	b = appendJSONString(b, string(g.Mode))
	b = append(b, `,"key":`...)
	b = appendJSONString(b, g.Key)
	b = append(b, `,"method":`...)
	b = appendJSONString(b, g.Method)
	b = append(b, `,"url":`...)
	b = appendJSONString(b, g.URL)
	b = append(b, `,"fields":{`...)
	for i, f := range g.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, f.Name)
		b = append(b, ':')
		b = appendJSONString(b, f.Value)
	}
	b = append(b, `},"location":`...)
	b = appendJSONString(b, g.Location)
	b = append(b, `,"expires":"`...)
	b = g.Expires.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, int64(g.ExpiresIn/time.Second), 10)
	return append(b, '}')
}
