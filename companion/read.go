package companion

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/query"
)

const (
	// minChunk and maxChunks are of Uppy's rule for the size of parts.
	minChunk  = 5 << 20
	maxChunks = 10_000

	// maxMetadata bounds the entries of metadata, maxMetadataSize their bytes.
	maxMetadata     = 64
	maxMetadataSize = 8 << 10

	// maxQuery bounds the query of a call with a ticket in bytes: 10,000 numbers
	// are 80 KiB with their commas escaped. maxParts is the same for the body of a
	// completion: 10,000 parts are 700 KiB.
	maxQuery = 128 << 10
	maxParts = 1 << 20
)

// dialect reads what Uppy sends, and writes what it understands.
type dialect struct {
	completes bool // every upload must be completed
}

func (d dialect) ReadUpload(w http.ResponseWriter, r *http.Request, u *postern.Upload) error {
	c, err := admit(r)
	if err != nil {
		return err
	}
	var q struct {
		Filename, Type string
		Metadata       metadata
	}
	if c.mode == postern.ModePost {
		if d.completes {
			return postern.ErrCompletionRequired.WithDetail(
				"Uploads are completed here, which single uploads cannot do. Set shouldUseMultipart to true.")
		}
		values, err := query.Parse(r, u.BodyLimit())
		if err != nil {
			return err
		}
		q.Filename, q.Type = values.Get("filename"), values.Get("type")
		for name, all := range values {
			if name, ok := strings.CutPrefix(name, "metadata["); ok && strings.HasSuffix(name, "]") {
				q.Metadata.set(strings.TrimSuffix(name, "]"), all[0])
			}
		}
	} else if err := body(w, r, u.BodyLimit(), &q); err != nil {
		return err
	}
	if err := q.Metadata.check(); err != nil {
		return err
	}
	u.Filename, u.Type, u.Metadata, u.Mode = q.Filename, q.Type, q.Metadata.values, c.mode
	size, known := u.Metadata["size"]
	if !known {
		u.Size = postern.UnknownSize
		return nil
	}
	if u.Size, err = query.Size(size); err != nil {
		return err
	}
	if c.mode == postern.ModeMultipart {
		u.PartSize = chunkSize(u.Size)
	}
	return nil
}

// chunkSize is Uppy's own rule.
func chunkSize(size int64) int64 {
	chunk := size / maxChunks
	if size%maxChunks != 0 {
		chunk++
	}
	return max(minChunk, chunk)
}

func (dialect) ReadTicket(w http.ResponseWriter, r *http.Request, _ postern.Action) (*postern.TicketRequest, error) {
	c, err := admit(r)
	if err != nil {
		return nil, err
	}
	values, err := query.Parse(r, maxQuery)
	if err != nil {
		return nil, err
	}
	request := &postern.TicketRequest{Ticket: c.ticket, Key: values.Get("key")}
	switch c.action {
	case postern.ActionParts:
		numbers := c.part
		if c.part == "batch" {
			numbers = values.Get("partNumbers")
		}
		request.Numbers, err = partNumbers(numbers)
	case postern.ActionComplete:
		var q struct {
			Parts []struct {
				PartNumber int32
				ETag       string
			}
		}
		if err := body(w, r, maxParts, &q); err != nil {
			return nil, err
		}
		if len(q.Parts) > maxChunks {
			return nil, postern.ErrPartsInvalid
		}
		for _, p := range q.Parts {
			request.Parts = append(request.Parts, postern.Part{Number: p.PartNumber, ETag: p.ETag})
		}
	}
	return request, err
}

func partNumbers(list string) ([]int32, error) {
	if strings.Count(list, ",") >= maxChunks {
		return nil, postern.ErrPartsInvalid
	}
	var numbers []int32
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, postern.ErrPartsInvalid.WithCause(err)
		}
		numbers = append(numbers, int32(n))
	}
	return numbers, nil
}

// admit refuses what is not a call of Uppy's, or has another method.
func admit(r *http.Request) (*call, error) {
	c := callOf(r)
	if c == nil {
		return nil, postern.ErrNotFound
	}
	if r.Method != c.method {
		return nil, postern.ErrMethodNotAllowed.WithDetail("This address answers " + strings.ReplaceAll(c.allow, ", ", " and ") + " requests only.")
	}
	return c, nil
}

// body reads a body of at most the limit in bytes, of one JSON object, into v.
func body(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return postern.ErrNotJSON
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	var tooLarge *http.MaxBytesError
	var refused *postern.Problem
	switch {
	case errors.As(err, &tooLarge):
		return postern.ErrBodyTooLarge
	case errors.As(err, &refused):
		return refused
	case err != nil:
		return postern.ErrMalformed.WithCause(err)
	}
	return nil
}

// metadata is the meta of a file, as text.
type metadata struct {
	values map[string]string
	size   int
}

func (m *metadata) set(name, value string) {
	if m.values == nil {
		m.values = map[string]string{}
	}
	m.values[name] = value
	m.size += len(name) + len(value)
}

func (m *metadata) check() error {
	if len(m.values) > maxMetadata || m.size > maxMetadataSize {
		return postern.ErrMetadataInvalid.WithDetail("The metadata has more than 64 entries or 8 KiB.")
	}
	return nil
}

// UnmarshalJSON takes text, numbers and booleans. Uppy leaves out what is null in
// some versions, so that it is left out in all.
func (m *metadata) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for name, value := range members {
		switch value[0] {
		case 'n':
		case '{', '[':
			return postern.ErrMetadataInvalid.WithDetail("The metadata may hold text, numbers and booleans only.")
		case '"':
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
			m.set(name, text)
		default:
			m.set(name, string(value))
		}
	}
	return nil
}
