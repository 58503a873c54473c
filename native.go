package postern

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"sync"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/internal/mediatype"
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
	Parts     []nativePart     `json:"parts"`     // complete
}

type nativePart struct {
	Number int32  `json:"number"`
	ETag   string `json:"etag"`
}

// ticketLimits bound the bodies of requests with a ticket, in bytes: a ticket is
// 8 KiB at most, 10,000 numbers are 60 KiB, 2,000 checksums 110 KiB, and 10,000
// parts 800 KiB.
var ticketLimits = map[Action]int64{
	ActionParts:    128 << 10,
	ActionList:     16 << 10,
	ActionComplete: 2 << 20,
	ActionAbort:    16 << 10,
}

// bodies holds buffers for the bodies of requests.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readJSON reads a body of at most the limit, of one JSON value, into v.
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
	defer bodies.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return ErrBodyTooLarge
		}
		return ErrMalformed.WithDetail("The request did not arrive whole.").WithCause(err)
	}
	return malformed(json.Unmarshal(body.Bytes(), v))
}

// malformed makes a problem of what encoding/json says.
func malformed(err error) error {
	if err == nil {
		return nil
	}
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

// readNative reads a request for a grant in the native protocol.
func readNative(w http.ResponseWriter, r *http.Request, u *Upload) error {
	q := new(signRequest)
	if err := readJSON(w, r, u.settings.bodyLimit, &q); err != nil {
		return err
	}
	if q == nil { // the body is null
		return ErrMalformed
	}
	if u.Filename = filename.Clean(q.Filename); u.Filename == "" {
		return ErrFilenameRequired
	}
	if q.Size == nil {
		return ErrSizeRequired
	}
	if *q.Size < 0 {
		return ErrSizeInvalid
	}
	u.Size = *q.Size
	t, err := mediatype.Parse(q.Type)
	if err != nil {
		return ErrTypeInvalid
	}
	u.Type = t.String()
	u.Metadata = q.Metadata
	if q.Checksum.SHA256 != nil {
		u.SHA256, err = parseSHA256(*q.Checksum.SHA256)
	}
	switch q.Checksum.Parts {
	case "":
	case "sha256":
		u.PartChecksums = true
	default:
		return ErrChecksumInvalid
	}
	return err
}

// readTicketRequest reads a request that shows a ticket.
func readTicketRequest(w http.ResponseWriter, r *http.Request, action Action) (*ticketRequest, error) {
	q := new(ticketRequest)
	if err := readJSON(w, r, ticketLimits[action], &q); err != nil {
		return nil, err
	}
	if q == nil { // the body is null
		return nil, ErrMalformed
	}
	return q, nil
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

func writeGrant(w http.ResponseWriter, g *Grant) {
	writeJSON(w, http.StatusCreated, g.appendJSON)
}

// writeJSON answers with what fill appends.
func writeJSON(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	jsonHeader(w)
	b := answers.Get().(*[]byte)
	defer answers.Put(b)
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
