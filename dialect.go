package postern

import (
	"net/http"
	"time"
)

// Dialect is the wire shape that some client already speaks. It has two halves:
// it reads a request into a [Declaration], and it writes a grant or a refusal. What
// it reads is not trusted: the rules judge it.
//
// [Native] is one, made of what is exported here. Give one of your own to
// [WithDialect]. The methods are called by many goroutines at once.
type Dialect interface {
	// ReadUpload reads what the browser declares. It looks at the method, and
	// returns a [Problem] where it refuses; names and types are cleaned after it.
	// The body of the request is bounded already: [ReadJSON] reads it.
	ReadUpload(w http.ResponseWriter, r *http.Request) (*Declaration, error)
	// WriteGrant answers with a grant.
	WriteGrant(w http.ResponseWriter, r *http.Request, g *Grant)
	// WriteProblem answers with a refusal. It is also called for requests that
	// were never read.
	WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem)
}

// TicketDialect is a [Dialect] whose clients also speak of uploads that they have
// begun. Without it [PartsHandler], [ListHandler], [CompleteHandler] and
// [AbortHandler] are asked, and answer, in [Native].
type TicketDialect interface {
	Dialect
	// ReadTicket reads a request with a ticket.
	ReadTicket(w http.ResponseWriter, r *http.Request, action Action) (*TicketRequest, error)
	// WriteParts answers with the URLs of parts.
	WriteParts(w http.ResponseWriter, r *http.Request, urls *PartURLs)
	// WriteList answers with the parts that have arrived.
	WriteList(w http.ResponseWriter, r *http.Request, parts []Part)
	// WriteReceipt answers with the receipt of an upload.
	WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *Receipt)
	// WritePending is called when a completion goes on after 20 s: it answers, and
	// says when to ask again, or keeps the request open.
	WritePending(w http.ResponseWriter, r *http.Request, after time.Duration) Pending
	// WriteAborted answers that an upload was given up.
	WriteAborted(w http.ResponseWriter, r *http.Request)
}

// Pending is what becomes of a request whose completion goes on.
type Pending int

const (
	// Answered: the client asks again.
	Answered Pending = iota
	// KeptOpen: the client would not ask again. The request waits on, and
	// WritePending is called every 20 s until there is a receipt or a problem.
	KeptOpen
)

// TicketRequest is a request with the ticket of a grant.
type TicketRequest struct {
	Ticket string
	// Key is checked against the ticket's, where a client sends it: another one
	// is refused. It is the key of the grant, or that under the staging prefix.
	Key string
	// Details reads the lists that the request has. It is called once, after the
	// ticket was opened for its owner, so that a stranger's lists cost nothing; nil
	// means that there are none.
	Details func() (*TicketDetails, error)
}

// TicketDetails are the lists of a request, of at most 10,000 entries each.
type TicketDetails struct {
	// Numbers are the parts to sign, and Checksums their SHA-256 in base64, where
	// the upload was begun with checksums.
	Numbers   []int32
	Checksums map[int32]string
	// Parts are what the client says it has uploaded, to be completed. They may
	// be left out: S3 knows.
	Parts []Part
	// CRC64NVME is the base64 of the CRC-64/NVME of the whole file, where the client
	// has computed it: eight bytes, the most significant first.
	CRC64NVME string

	report *Report
}

// Part is a part of a multipart upload.
type Part struct {
	Number int32
	// Size is in bytes; a request need not tell it.
	Size int64
	// ETag is as S3 gave it, with its quotes or without.
	ETag string
}

// Native returns the native protocol: JSON in, JSON out, and problem documents
// (RFC 9457).
func Native() TicketDialect { return native{} }
