package postern

import (
	"encoding/hex"
	"errors"
	"html"
	"maps"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/explain"
	"github.com/postern-go/postern/ticket"
)

// Explanation says why S3 has refused an upload.
type Explanation struct {
	// Differs is what is not as it was granted, the likeliest first. It is empty where
	// what is known does not tell.
	Differs []Difference
	// Cause and Advice are a sentence each, in English, for the log.
	Cause, Advice string
}

// Difference is one thing that is not as it was granted.
type Difference struct {
	// In is "header", "field", "query parameter", "size", "host", "path", "method",
	// "time", "clock", "region", "access key", "secret key", "permission", "bucket",
	// "key", "upload", "checksum" or "connection", and Name which one, if there are many.
	In, Name string
	// Granted and Sent are the values, as far as they are known and no secret.
	Granted, Sent string
	// Missing: it was not sent. Added: it was not granted.
	Missing, Added bool
}

// Explain says why S3 has refused an upload, by what its browser reports. It knows no
// more than the page was told, which is less than S3 says in its error document: the
// command postern explain reads that, and HAR files. The text is the user's word.
func (i *Issuer) Explain(r Report) Explanation {
	in := explain.Input{Status: r.Status, Document: explain.Document{Code: r.Code, Message: html.UnescapeString(r.Detail)}}
	switch r.Code {
	case "clock_wrong":
		in.Document.Code = "RequestTimeTooSkewed"
	case "bucket_unreachable", "blocked_by_policy", "network":
		in.Document.Code, in.Sent = "", &explain.Request{Size: explain.UnknownSize}
	}
	e := explain.Explain(in)
	out := Explanation{Cause: e.Cause, Advice: e.Advice}
	for _, d := range e.Differs {
		out.Differs = append(out.Differs, Difference{string(d.In), d.Name, d.Granted, d.Sent, d.Missing, d.Added})
	}
	return out
}

// Explain is [Issuer.Explain].
func (h *Handler) Explain(r Report) Explanation { return h.Issuer().Explain(r) }

// TicketContent is what a ticket binds.
type TicketContent struct {
	// ID is the upload's, as its [Receipt] has it.
	ID   string `json:"id"`
	Mode Mode   `json:"mode"`
	// Bucket is the name, Key the object's in the end, and WriteKey where the browser
	// writes.
	Bucket   string `json:"bucket"`
	Key      string `json:"key"`
	WriteKey string `json:"write_key"`
	// Issued and Expires are those of the ticket, and Expired whether that has passed.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired"`
	// Sizes are in bytes; Size is UnknownSize where it was not declared.
	Size     int64  `json:"size"`
	MinSize  int64  `json:"min_size"`
	MaxSize  int64  `json:"max_size"`
	Type     string `json:"type"`
	Filename string `json:"filename"`
	SHA256   string `json:"sha256,omitempty"` // hexadecimal
	Subject  string `json:"subject"`
	Tenant   string `json:"tenant,omitempty"`
	// Metadata is the browser's, as far as it is stored.
	Metadata map[string]string `json:"metadata,omitempty"`
	// UploadID is S3's, and PartSize in bytes, of uploads in parts.
	UploadID string `json:"upload_id,omitempty"`
	PartSize int64  `json:"part_size,omitempty"`
	Replaces string `json:"replaces,omitempty"` // the ETag of what it replaces
}

// DescribeTicket opens a ticket of this Issuer, for support: one that has expired, too.
// It permits nothing; a ticket works for its owner alone. The error is
// [ErrTicketInvalid].
func (i *Issuer) DescribeTicket(token string) (*TicketContent, error) {
	c, err := i.opener.open(token, time.Time{})
	if err != nil {
		if errors.Is(err, ticket.ErrExpired) {
			return nil, ErrTicketExpired
		}
		return nil, ErrTicketInvalid.WithCause(err)
	}
	t := &TicketContent{
		ID: c.ID, Mode: Mode(c.Mode), Bucket: i.home.Name, Key: c.Key, WriteKey: c.WriteKey(),
		Issued: c.Issued, Expires: c.Expires, Expired: !i.clock().Before(c.Expires),
		Size: c.Size, MinSize: c.MinSize, MaxSize: c.MaxSize, Type: c.Type, Filename: c.Filename,
		Subject: c.Subject, Tenant: c.Tenant, Metadata: maps.Clone(c.Metadata),
		UploadID: c.UploadID, PartSize: c.PartSize, Replaces: c.Replaces,
	}
	if c.Bucket != "" {
		t.Bucket, _, _ = strings.Cut(c.Bucket, "\x00")
	}
	if c.SHA256 != nil {
		t.SHA256 = hex.EncodeToString(c.SHA256[:])
	}
	return t, nil
}
