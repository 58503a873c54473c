package postern

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/jsontext"
)

// native is the native protocol.
type native struct{}

// signRequest is the body of a request for a grant.
type signRequest struct {
	Filename string            `json:"filename"`
	Path     string            `json:"path"`
	Type     string            `json:"type"`
	Size     int64             `json:"size"`
	Rate     int64             `json:"rate"`
	Metadata map[string]string `json:"metadata"`
	Checksum struct {
		SHA256 *string `json:"sha256"`
		Parts  string  `json:"parts"` // "sha256"
	} `json:"checksum"`
}

// notSent is the size of a request that has none.
const notSent = math.MinInt64

// readSign is what a declaration is read into, in one piece.
type readSign struct {
	q signRequest
	d Declaration
}

func (native) ReadUpload(_ http.ResponseWriter, r *http.Request) (*Declaration, error) {
	if r.Method != http.MethodPost {
		return nil, ErrMethodNotAllowed
	}
	read := &readSign{q: signRequest{Size: notSent}}
	if err := ReadJSON(r, &read.q); err != nil {
		return nil, err
	}
	return read.declaration()
}

// readUploads reads a request about one file, of at most limit bytes, or about several.
func readUploads(r *http.Request, limit int64, most int) (d *Declaration, files [][]byte, err error) {
	if r.Method != http.MethodPost {
		return nil, nil, ErrMethodNotAllowed
	}
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		if files == nil && body.Cap() <= maxPooled { // those are read later
			bodies.Put(body)
		}
	}()
	body.Reset()
	if err := readBody(r, body); err != nil {
		return nil, nil, err
	}
	b := body.Bytes()
	if list := jsontext.Member(b, "files"); list != nil {
		files, err = filesOf(b, list, most)
		return nil, files, err
	}
	if int64(len(b)) > limit {
		return nil, nil, ErrBodyTooLarge
	}
	d, err = declarationOf(b)
	return d, nil, err
}

// filesOf returns the files of a batch, without decoding them.
func filesOf(body, list []byte, most int) ([][]byte, error) {
	if !json.Valid(body) {
		return nil, ErrMalformedRequest
	}
	return splitBatch(list, most)
}

// declarationOf reads what a browser says of a file.
func declarationOf(b []byte) (*Declaration, error) {
	read := &readSign{q: signRequest{Size: notSent}}
	if err := decodeJSON(b, &read.q); err != nil {
		return nil, err
	}
	return read.declaration()
}

func (read *readSign) declaration() (*Declaration, error) {
	q, d := &read.q, &read.d
	d.Filename, d.Path, d.Type, d.Metadata, d.Size, d.Rate = q.Filename, q.Path, q.Type, q.Metadata, UnknownSize, q.Rate
	if q.Filename == "" {
		return d, ErrFilenameRequired
	}
	if q.Size == notSent {
		return d, ErrSizeRequired
	}
	if q.Size < 0 {
		return d, ErrSizeInvalid
	}
	d.Size = q.Size
	switch q.Checksum.Parts {
	case "":
	case "sha256":
		d.PartChecksums = true
	default:
		return d, ErrChecksumInvalid
	}
	if q.Checksum.SHA256 == nil {
		return d, nil
	}
	var err error
	d.SHA256, err = parseSHA256(*q.Checksum.SHA256)
	return d, err
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

func (native) ReadTicket(_ http.ResponseWriter, r *http.Request, action Action) (*TicketRequest, error) {
	q, _, err := readTickets(r, action, 0)
	return q, err
}

// readTickets reads a request with one ticket or, to complete, with several, if most is
// above 0.
func readTickets(r *http.Request, action Action, most int) (*TicketRequest, [][]byte, error) {
	if r.Method != http.MethodPost {
		return nil, nil, ErrMethodNotAllowed
	}
	body := new(bytes.Buffer) // it may be wanted later
	if err := readBody(r, body); err != nil {
		return nil, nil, err
	}
	if action == ActionComplete && most > 0 {
		if list := jsontext.Member(body.Bytes(), "uploads"); list != nil {
			files, err := filesOf(body.Bytes(), list, most)
			return nil, files, err
		}
	}
	q, err := ticketRequestOf(body.Bytes(), action)
	return q, nil, err
}

// ticketRequestOf reads a request with a ticket. Its lists are read when they are wanted.
func ticketRequestOf(body []byte, action Action) (*TicketRequest, error) {
	var q struct {
		Ticket string `json:"ticket"`
	}
	if err := decodeJSON(body, &q); err != nil {
		return nil, err
	}
	request := &TicketRequest{Ticket: q.Ticket}
	switch action {
	case ActionParts:
		request.Details = func() (*TicketDetails, error) {
			var q struct {
				Numbers   []int32          `json:"numbers"`
				Checksums map[int32]string `json:"checksums"`
			}
			err := decodeJSON(body, &q)
			return &TicketDetails{Numbers: q.Numbers, Checksums: q.Checksums}, err
		}
	case ActionReport:
		request.Details = func() (*TicketDetails, error) {
			report, err := reportOf(body, q.Ticket)
			return &TicketDetails{report: report}, err
		}
	case ActionComplete:
		request.Details = func() (*TicketDetails, error) {
			var q struct {
				Parts    partList `json:"parts"`
				Checksum struct {
					CRC64NVME string `json:"crc64nvme"`
				} `json:"checksum"`
			}
			err := decodeJSON(body, &q)
			return &TicketDetails{Parts: q.Parts, CRC64NVME: q.Checksum.CRC64NVME}, err
		}
	}
	return request, nil
}

// partList decodes as many parts as an upload can have, and no more.
type partList []Part

// UnmarshalJSON reads the list.
func (l *partList) UnmarshalJSON(b []byte) error {
	parts, err := jsontext.DecodeList[struct {
		Number int32  `json:"number"`
		ETag   string `json:"etag"`
	}](b, maxParts)
	if errors.Is(err, jsontext.ErrTooLong) {
		return ErrPartsInvalid
	}
	*l = make(partList, len(parts))
	for k, p := range parts {
		(*l)[k] = Part{Number: p.Number, ETag: p.ETag}
	}
	return err
}

// maxPooled bounds in bytes the buffers that are kept: the body of one request to
// complete may have 1 MiB, and the usual one 100 bytes.
const maxPooled = 64 << 10

// bodies holds buffers for the bodies of requests.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ReadJSON reads the body of a request that a chain has begun into v, for a
// [Dialect]: one JSON value that is not null, under the Content-Type
// application/json. The error is a [Problem].
func ReadJSON(r *http.Request, v any) error {
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= maxPooled {
			bodies.Put(body)
		}
	}()
	body.Reset()
	if err := readBody(r, body); err != nil {
		return err
	}
	return decodeJSON(body.Bytes(), v)
}

// readBody reads a body of the right type.
func readBody(r *http.Request, body *bytes.Buffer) error {
	if contentType := r.Header.Get("Content-Type"); contentType != "application/json" {
		if t, _, err := mime.ParseMediaType(contentType); err != nil || t != "application/json" {
			return ErrUnsupportedMediaType
		}
	}
	if _, err := body.ReadFrom(r.Body); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return ErrBodyTooLarge
		}
		return ErrMalformedRequest.WithDetail("The request did not arrive whole.").WithCause(err)
	}
	return nil
}

// decodeJSON decodes one value.
func decodeJSON(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return malformed(err)
	}
	if string(bytes.TrimSpace(b)) == "null" { // which leaves v as it was
		return ErrMalformedRequest
	}
	return nil
}

// malformed makes a problem of what encoding/json says.
func malformed(err error) error {
	var own *Problem
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		return own
	case !errors.As(err, &wrongType) || wrongType.Field == "":
		return ErrMalformedRequest.WithCause(err)
	case wrongType.Field == "size":
		return ErrSizeInvalid.WithCause(err)
	default:
		return ErrMalformedRequest.WithDetail("The member " + wrongType.Field + " of the request has the wrong type.").WithCause(err)
	}
}

// answers holds buffers for answers.
var answers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func (native) WriteGrant(w http.ResponseWriter, _ *http.Request, g *Grant) {
	writeJSON(w, http.StatusCreated, g.appendJSON)
}

func (native) WriteProblem(w http.ResponseWriter, _ *http.Request, p *Problem) {
	p.SetHeader(w.Header())
	w.WriteHeader(p.status)
	_, _ = w.Write(p.appendJSON(nil))
}

func (native) WriteList(w http.ResponseWriter, _ *http.Request, parts []Part) {
	writeJSON(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, `{"parts":[`...)
		for k, p := range parts {
			if k > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `{"number":`...), int64(p.Number), 10)
			b = strconv.AppendInt(append(b, `,"size":`...), p.Size, 10)
			b = jsontext.AppendString(append(b, `,"etag":`...), p.ETag)
			b = append(b, '}')
		}
		return append(b, `]}`...)
	})
}

func (n native) WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *Receipt) {
	data, err := receipt.data()
	if err != nil { // another dialect's
		n.WriteProblem(w, r, ErrInternal.WithCause(err))
		return
	}
	writeJSON(w, http.StatusOK, func(b []byte) []byte { return receipt.appendJSON(b, data) })
}

func (native) WritePending(w http.ResponseWriter, _ *http.Request, after time.Duration) Pending {
	w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	writeJSON(w, http.StatusAccepted, func(b []byte) []byte { return append(b, `{"state":"completing"}`...) })
	return Answered
}

func (native) WriteAborted(w http.ResponseWriter, _ *http.Request) {
	setHeader(w.Header(), "")
	w.WriteHeader(http.StatusNoContent)
}

// flushAt is how much of an answer is gathered before it is sent, in bytes.
const flushAt = 32 << 10

// WriteParts streams: what it holds in memory does not grow with the number of
// parts.
func (native) WriteParts(w http.ResponseWriter, _ *http.Request, urls *PartURLs) {
	setHeader(w.Header(), "application/json")
	w.WriteHeader(http.StatusOK) // a router may have set another status already
	pooled := answers.Get().(*[]byte)
	defer answers.Put(pooled)
	*pooled = urls.appendJSON((*pooled)[:0], func(b []byte) ([]byte, bool) {
		if len(b) < flushAt {
			return b, true
		}
		_, err := w.Write(b)
		return b[:0], err == nil
	})
	_, _ = w.Write(*pooled)
}

// appendJSON appends the URLs and until when they are good. After each it hands all to
// flush, if there is one, which returns what is left of it, and whether to go on.
func (p *PartURLs) appendJSON(b []byte, flush func([]byte) ([]byte, bool)) []byte {
	b = append(b, `{"urls":{`...)
	first := true
	for number, url := range p.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(number), 10)
		// Nothing in a URL needs escaping in JSON.
		b = append(append(append(b, `":"`...), url...), '"')
		if flush == nil {
			continue
		}
		var on bool
		if b, on = flush(b); !on {
			return b[:0] // the browser is gone
		}
	}
	b = append(b, `},"expires":"`...)
	b = p.Expires.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, int64(p.ExpiresIn/time.Second), 10)
	return append(b, '}')
}

// writeJSON answers with what fill appends.
func writeJSON(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	setHeader(w.Header(), "application/json")
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

// setHeader sets what all answers have. The values are the request's own, in one
// piece: middleware may change them in place.
func setHeader(h http.Header, contentType string) {
	values := [...]string{contentType, "no-store", "nosniff"}
	if contentType != "" {
		h["Content-Type"] = values[0:1:1]
	}
	h["Cache-Control"] = values[1:2:2]
	h["X-Content-Type-Options"] = values[2:3:3]
}
