package claim

import (
	"time"

	"github.com/postern-go/postern/internal/binary"
	"github.com/postern-go/postern/internal/object"
)

// Session is what the ticket of a session binds: what its credentials may be used for.
// Sizes are in bytes.
type Session struct {
	ID      string // random, hexadecimal
	Issued  time.Time
	Expires time.Time // of the credentials; not encoded, the token has it

	Bucket          string // as in a Claim
	Subject, Tenant string
	Types           []string // patterns
	MinSize         int64    // of each file
	MaxSize         int64
	MaxFiles        int64 // of all
	MaxBytes        int64
	Attributes      object.Attributes
	Quota, Trace    string // as in a Claim
}

// Append appends the encoding: every field in turn.
func (s *Session) Append(b []byte) []byte {
	b = binary.AppendText(b, s.ID)
	b = binary.AppendInt(b, s.Issued.Unix())
	b = binary.AppendText(b, s.Bucket)
	b = binary.AppendText(b, s.Subject)
	b = binary.AppendText(b, s.Tenant)
	b = binary.AppendInt(b, int64(len(s.Types)))
	for _, t := range s.Types {
		b = binary.AppendText(b, t)
	}
	b = binary.AppendInt(b, s.MinSize)
	b = binary.AppendInt(b, s.MaxSize)
	b = binary.AppendInt(b, s.MaxFiles)
	b = binary.AppendInt(b, s.MaxBytes)
	b = s.Attributes.Append(b)
	b = binary.AppendText(b, s.Quota)
	b = binary.AppendText(b, s.Trace)
	v := &s.Attributes.Values // those that came later are not in the attributes' own encoding
	for _, name := range lateAttributes {
		b = binary.AppendText(b, v[name])
	}
	return b
}

var lateAttributes = [...]object.Attribute{object.ContentLanguage, object.LockMode, object.LockUntil, object.LegalHold}

// ParseSession reads what Append wrote. The error is [ErrInvalid].
func ParseSession(b []byte) (*Session, error) {
	r := binary.NewReader(b)
	s := &Session{ID: r.Text(), Issued: time.Unix(r.Int(), 0).UTC(), Bucket: r.Text(), Subject: r.Text(), Tenant: r.Text()}
	for n := r.Int(); n > 0 && r.More(); n-- {
		s.Types = append(s.Types, r.Text())
	}
	s.MinSize, s.MaxSize, s.MaxFiles, s.MaxBytes = r.Int(), r.Int(), r.Int(), r.Int()
	s.Attributes = object.ReadAttributes(r)
	s.Quota, s.Trace = r.Text(), r.Text()
	for _, name := range lateAttributes {
		s.Attributes.Values[name] = r.Text()
	}
	if !r.Done() || s.ID == "" {
		return nil, ErrInvalid
	}
	return s, nil
}
