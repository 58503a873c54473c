package postern

import (
	"iter"
	"net/http"
	"time"
)

// Dialect is the wire shape that some client already speaks. It has two halves:
// it reads a request into an [Upload], and it writes a grant or a refusal. What
// it reads is not trusted: the rules judge it, and it cannot say who uploads.
//
// [Native] is one, without privileges. Give one of your own to [WithDialect].
// The methods are called by many goroutines at once.
type Dialect interface {
	// ReadUpload reads what the browser asks a grant for: Filename, Type, Size
	// ([UnknownSize] if the client never tells), and Metadata, SHA256,
	// PartChecksums, Mode and PartSize if it does. It bounds what it reads, looks
	// at the method, and returns a [Problem]; names and types are cleaned after it.
	ReadUpload(w http.ResponseWriter, r *http.Request, u *Upload) error
	// WriteGrant answers with a grant.
	WriteGrant(w http.ResponseWriter, r *http.Request, g *Grant)
	// WriteProblem answers with a refusal. It is also called for requests that
	// were never read.
	WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem)
}

// TicketDialect is a [Dialect] whose clients also speak of uploads that they have
// begun. Without it the ends [Parts], [List], [Complete] and [Abort] answer in
// [Native].
type TicketDialect interface {
	Dialect
	// ReadTicket reads a request that shows a ticket.
	ReadTicket(w http.ResponseWriter, r *http.Request, action Action) (*TicketRequest, error)
	// WriteParts answers with the URLs of parts.
	WriteParts(w http.ResponseWriter, r *http.Request, urls *PartURLs)
	// WriteList answers with the parts that have arrived.
	WriteList(w http.ResponseWriter, r *http.Request, parts []Part)
	// WriteReceipt answers with the receipt of an upload.
	WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *Receipt)
	// WritePending answers that a completion goes on, and when to ask again. For a
	// client that would not ask again it returns true: the request then waits on,
	// and WritePending is called every 20 s until there is a receipt or a problem.
	WritePending(w http.ResponseWriter, r *http.Request, after time.Duration) (wait bool)
	// WriteAborted answers that an upload was given up.
	WriteAborted(w http.ResponseWriter, r *http.Request)
}

// TicketRequest is a request that shows the ticket of a grant.
type TicketRequest struct {
	Ticket string
	// Key is checked against the ticket's, where a client sends it: another one
	// is refused. It is the key of the grant, or that under the staging prefix.
	Key string
	// Numbers are the parts to sign, and Checksums their SHA-256 in base64, where
	// the upload was begun with checksums.
	Numbers   []int32
	Checksums map[int32]string
	// Parts are what the client says it has uploaded, to be completed. They may
	// be left out: S3 knows.
	Parts []Part
}

// Part is a part of a multipart upload.
type Part struct {
	Number int32
	// Size is in bytes; a request need not tell it.
	Size int64
	// ETag is as S3 gave it, with its quotes or without.
	ETag string
}

// PartURLs are the signed URLs of parts, made as they are written: ten thousand
// of them need no room in memory.
type PartURLs struct {
	// Expires is when a part must have begun, ExpiresIn the same from now.
	Expires   time.Time
	ExpiresIn time.Duration

	signer *partSigner
}

// All returns the numbers of the parts, in order, with their URLs. A URL is valid
// until the next one is asked for.
func (p *PartURLs) All() iter.Seq2[int32, []byte] { return p.signer.all() }

// Native returns the native protocol: JSON in, JSON out, and problem documents
// (RFC 9457).
func Native() TicketDialect { return native{} }

// WithDialect sets the dialect; [Native] by default. For [New], [Decode] and
// [OpenTicket].
func WithDialect(d Dialect) Option {
	return Option{"WithDialect", forHandler | forDecode, func(c *config) error {
		if d == nil {
			return errNil
		}
		c.dialect = d
		return nil
	}}
}

// In returns the same Handler speaking another dialect: the same issuer, rules
// and tickets.
func (h *Handler) In(d Dialect) (*Handler, error) {
	if d == nil {
		return nil, &ConfigError{Option: "In", Err: errNil}
	}
	c := *h.config
	c.dialect = d
	return build(&c, h.issuer), nil
}
