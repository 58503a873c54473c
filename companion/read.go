package companion

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/internal/query"
)

const (
	// minChunk and maxChunks are of Uppy's rule for the size of parts.
	minChunk  = 5 << 20
	maxChunks = 10_000

	// maxMetadata bounds the entries of metadata, maxMetadataSize their bytes.
	maxMetadata     = 64
	maxMetadataSize = 8 << 10

	// maxGrantQuery bounds the query of a call for a grant in bytes, maxQuery that
	// of a call with a ticket: 10,000 numbers are 80 KiB with their commas escaped.
	maxGrantQuery = 16 << 10
	maxQuery      = 128 << 10
)

// dialect reads what Uppy sends, and writes what it understands.
type dialect struct {
	completes bool // every upload must be completed
}

func (d dialect) ReadUpload(_ http.ResponseWriter, r *http.Request) (*postern.Declaration, error) {
	c, err := admit(r)
	if err != nil {
		return nil, err
	}
	var q struct {
		Filename, Type string
		Metadata       metadata
	}
	switch {
	case c.mode == postern.ModePost && d.completes:
		return nil, postern.ErrCompletionRequired.WithDetail(
			"Uploads are completed here, which single uploads cannot do. Set shouldUseMultipart to true.")
	case c.mode == postern.ModePost || c.xml:
		values, err := query.Parse(r, maxGrantQuery)
		if err != nil {
			return nil, err
		}
		q.Filename, q.Type = values.Get("filename"), values.Get("type")
		if size := values.Get("size"); c.xml && size != "" {
			q.Metadata.set("size", size)
		}
		for name, all := range values {
			if name, ok := strings.CutPrefix(name, "metadata["); ok && strings.HasSuffix(name, "]") {
				q.Metadata.set(strings.TrimSuffix(name, "]"), all[0])
			}
		}
	default:
		if err := postern.ReadJSON(r, &q); err != nil {
			return nil, err
		}
	}
	if err := q.Metadata.check(); err != nil {
		return nil, err
	}
	declared := &postern.Declaration{
		Filename: q.Filename, Type: q.Type, Size: postern.UnknownSize, Metadata: q.Metadata.values, Mode: c.mode,
	}
	if size, known := declared.Metadata["size"]; known {
		if declared.Size, err = query.Size(size); err != nil {
			return nil, err
		}
		if c.mode == postern.ModeMultipart {
			declared.PartSize = chunkSize(declared.Size)
		}
	}
	return declared, nil
}

// chunkSize is Uppy's own rule.
func chunkSize(size int64) int64 {
	chunk := size / maxChunks
	if size%maxChunks != 0 {
		chunk++
	}
	return max(minChunk, chunk)
}

func (dialect) ReadTicket(_ http.ResponseWriter, r *http.Request, _ postern.Action) (*postern.TicketRequest, error) {
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
		request.Details = func() (*postern.TicketDetails, error) {
			list, err := partNumbers(numbers)
			return &postern.TicketDetails{Numbers: list}, err
		}
	case postern.ActionComplete:
		if c.xml {
			break // the parts are those that S3 has
		}
		request.Details = func() (*postern.TicketDetails, error) {
			var q struct{ Parts partList }
			err := postern.ReadJSON(r, &q)
			return &postern.TicketDetails{Parts: q.Parts}, err
		}
	}
	return request, nil
}

// partList decodes as many parts as an upload can have, and no more.
type partList []postern.Part

// UnmarshalJSON reads the list.
func (l *partList) UnmarshalJSON(b []byte) error {
	parts, err := jsontext.DecodeList[struct {
		PartNumber int32
		ETag       string
	}](b, maxChunks)
	if errors.Is(err, jsontext.ErrTooLong) {
		return postern.ErrPartsInvalid
	}
	*l = make(partList, len(parts))
	for k, p := range parts {
		(*l)[k] = postern.Part{Number: p.PartNumber, ETag: p.ETag}
	}
	return err
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
