package postern

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// signRequest is the body of a request for a grant in the native protocol.
type signRequest struct {
	Filename string            `json:"filename"`
	Type     string            `json:"type"`
	Size     *int64            `json:"size"`
	Metadata map[string]string `json:"metadata"`
	Checksum struct {
		SHA256 *string `json:"sha256"`
		Parts  string  `json:"parts"` // "sha256"
	} `json:"checksum"`
}

// ticketRequest is the body of a request with a ticket.
type ticketRequest struct {
	Ticket    string           `json:"ticket"`
	Numbers   []int32          `json:"numbers"`   // parts
	Checksums map[int32]string `json:"checksums"` // parts
	Parts     []struct {
		Number int32  `json:"number"`
		ETag   string `json:"etag"`
	} `json:"parts"` // complete
}

// native is the native protocol.
type native struct{}

// ticketLimits bound the bodies of requests with a ticket, in bytes: a ticket is
// 8 KiB at most, 10,000 numbers are 60 KiB, 2,000 checksums 110 KiB, and 10,000
// parts 700 KiB. They are read before the ticket is looked at: no more than needed.
var ticketLimits = map[Action]int64{
	ActionParts:    128 << 10,
	ActionList:     16 << 10,
	ActionComplete: 1 << 20,
	ActionAbort:    16 << 10,
}

// maxPooled bounds in bytes the buffers that are kept: the body of one request to
// complete may have 1 MiB, and the usual one 100 bytes.
const maxPooled = 64 << 10

// bodies holds buffers for the bodies of requests.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readJSON reads a body of at most the limit, of one JSON value that is not null,
// into v.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if r.Method != http.MethodPost {
		return ErrMethodNotAllowed
	}
	if contentType := r.Header.Get("Content-Type"); contentType != "application/json" {
		if t, _, err := mime.ParseMediaType(contentType); err != nil || t != "application/json" {
			return ErrNotJSON
		}
	}
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= maxPooled {
			bodies.Put(body)
		}
	}()
	body.Reset()
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return ErrBodyTooLarge
		}
		return ErrMalformed.WithDetail("The request did not arrive whole.").WithCause(err)
	}
	if err := json.Unmarshal(body.Bytes(), v); err != nil {
		return malformed(err)
	}
	if string(bytes.TrimSpace(body.Bytes())) == "null" { // which leaves v as it was
		return ErrMalformed
	}
	return nil
}

// malformed makes a problem of what encoding/json says.
func malformed(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrongType) || wrongType.Field == "":
		return ErrMalformed.WithCause(err)
	case wrongType.Field == "size":
		return ErrSizeInvalid.WithCause(err)
	default:
		return ErrMalformed.WithDetail("The member " + wrongType.Field + " of the request has the wrong type.").WithCause(err)
	}
}

func (native) ReadUpload(w http.ResponseWriter, r *http.Request, u *Upload) error {
	var q signRequest
	if err := readJSON(w, r, u.BodyLimit(), &q); err != nil {
		return err
	}
	u.Filename, u.Type, u.Metadata = q.Filename, q.Type, q.Metadata
	if q.Filename == "" {
		return ErrFilenameRequired
	}
	if q.Size == nil {
		return ErrSizeRequired
	}
	if u.Size = *q.Size; u.Size < 0 {
		return ErrSizeInvalid
	}
	switch q.Checksum.Parts {
	case "":
	case "sha256":
		u.PartChecksums = true
	default:
		return ErrChecksumInvalid
	}
	if q.Checksum.SHA256 == nil {
		return nil
	}
	var err error
	u.SHA256, err = parseSHA256(*q.Checksum.SHA256)
	return err
}

func (native) ReadTicket(w http.ResponseWriter, r *http.Request, action Action) (*TicketRequest, error) {
	var q ticketRequest
	if err := readJSON(w, r, ticketLimits[action], &q); err != nil {
		return nil, err
	}
	if len(q.Parts) > maxParts { // not even copied
		return nil, ErrPartsInvalid
	}
	request := &TicketRequest{Ticket: q.Ticket, Numbers: q.Numbers, Checksums: q.Checksums}
	for _, p := range q.Parts {
		request.Parts = append(request.Parts, Part{Number: p.Number, ETag: p.ETag})
	}
	return request, nil
}

func parseSHA256(s string) (*[32]byte, error) {
	sum := new([32]byte)
	var b [33]byte
	if len(s) != 44 {
		return nil, ErrChecksumInvalid
	}
	if n, err := base64.StdEncoding.Strict().Decode(b[:], []byte(s)); err != nil || n != len(sum) {
		return nil, ErrChecksumInvalid
	}
	copy(sum[:], b[:])
	return sum, nil
}

// answers holds buffers for answers.
var answers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func (native) WriteGrant(w http.ResponseWriter, _ *http.Request, g *Grant) {
	writeJSON(w, http.StatusCreated, g.appendJSON)
}

func (native) WriteProblem(w http.ResponseWriter, _ *http.Request, p *Problem) { writeProblem(w, p) }

func (native) WriteList(w http.ResponseWriter, _ *http.Request, parts []Part) {
	writeJSON(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, `{"parts":[`...)
		for k, p := range parts {
			if k > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `{"number":`...), int64(p.Number), 10)
			b = strconv.AppendInt(append(b, `,"size":`...), p.Size, 10)
			b = appendJSONString(append(b, `,"etag":`...), p.ETag)
			b = append(b, '}')
		}
		return append(b, `]}`...)
	})
}

func (native) WriteReceipt(w http.ResponseWriter, _ *http.Request, receipt *Receipt) {
	writeJSON(w, http.StatusOK, receipt.appendJSON)
}

func (native) WritePending(w http.ResponseWriter, _ *http.Request, after time.Duration) (wait bool) {
	w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	writeJSON(w, http.StatusAccepted, func(b []byte) []byte { return append(b, `{"state":"completing"}`...) })
	return false
}

func (native) WriteAborted(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(http.StatusNoContent)
}

// flushAt is how much of an answer is gathered before it is sent, in bytes.
const flushAt = 32 << 10

// WriteParts streams: what it holds in memory does not grow with the number of
// parts.
func (native) WriteParts(w http.ResponseWriter, _ *http.Request, urls *PartURLs) {
	jsonHeader(w)
	w.WriteHeader(http.StatusOK) // a router may have set another status already
	pooled := answers.Get().(*[]byte)
	defer answers.Put(pooled)
	b := append((*pooled)[:0], `{"urls":{`...)
	first := true
	for number, url := range urls.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(number), 10)
		// Nothing in a URL needs escaping in JSON.
		b = append(append(append(b, `":"`...), url...), '"')
		if len(b) >= flushAt {
			if _, err := w.Write(b); err != nil {
				return // the browser is gone
			}
			b = b[:0]
		}
	}
	b = append(b, `},"expires":"`...)
	b = urls.Expires.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, int64(urls.ExpiresIn/time.Second), 10)
	b = append(b, '}')
	_, _ = w.Write(b)
	*pooled = b
}

// writeJSON answers with what fill appends.
func writeJSON(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	jsonHeader(w)
	b := answers.Get().(*[]byte)
	defer func() {
		if cap(*b) <= maxPooled {
			answers.Put(b)
		}
	}()
	*b = fill((*b)[:0])
	w.WriteHeader(status)
	_, _ = w.Write(*b)
}

func jsonHeader(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
}

// Header values are made once; net/http does not change them.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)
