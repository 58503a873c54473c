package postern

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/internal/object"
)

// Receipt tells the application that an upload is there: complete, frozen, and
// verified to be what was granted.
type Receipt struct {
	// ID is the grant's own: 32 hexadecimal digits. The same upload has the same
	// one however often it is completed.
	ID string
	// Bucket is the name of the bucket, Key the object's key, and Location its
	// address.
	Bucket, Key, Location string
	// Filename, Type and Metadata are as they were granted, Size is in bytes.
	Filename string
	Type     string
	Size     int64
	Metadata map[string]string
	// ETag is the object's, in quotes.
	ETag string
	// Subject and Tenant are whose upload it is.
	Subject, Tenant string
	// Accounts are those of [WithQuota] against which it counts: what is given back with
	// [quota.Store.Release] when the application deletes the object.
	Accounts []string
	// SHA256 is the checksum in hexadecimal, if the grant demanded it.
	SHA256 string
	// CRC64NVME is the base64 of the CRC-64/NVME of the whole object, as the server
	// has computed it of what it stores, also where the file came in parts; "" where
	// it tells none. If the browser has sent its own, they were compared.
	CRC64NVME string
	// Replayed hints that the upload was completed before.
	Replayed bool
	// Duplicate means that the object was there already: another upload of the
	// same owner, with the same key, checksum, size, type and attributes.
	Duplicate bool
	// Data is what the application tells the page about the upload, beside what is
	// above: the hook of [WithOnComplete] sets it, to anything that encoding/json
	// makes at most 64 KiB of, and is asked again when the upload is completed again.
	// Whoever waits for the completion gets it. The hook finds nil; a [TicketDialect]
	// and whoever has completed an upload find its JSON, as a [json.RawMessage], or
	// nil.
	Data any
}

// maxData bounds the JSON of what an application tells its page, in bytes.
const maxData = 64 << 10

// receipt makes the receipt of a ticket's upload. Nobody else has its map and data.
func (p *place) receipt(c *claim.Claim, result *completion.Result) *Receipt {
	r := &Receipt{
		ID:        c.ID,
		Bucket:    p.Name,
		Key:       c.Key,
		Location:  p.public.url(c.Key),
		Filename:  c.Filename,
		Type:      c.Type,
		Size:      result.Size,
		Metadata:  maps.Clone(c.Metadata),
		ETag:      result.ETag,
		Subject:   c.Subject,
		Tenant:    c.Tenant,
		Replayed:  result.Replayed,
		Duplicate: result.Duplicate,
		CRC64NVME: result.CRC64NVME,
		Accounts:  accountsOf(c),
	}
	if c.SHA256 != nil {
		r.SHA256 = hex.EncodeToString(c.SHA256[:])
	}
	if result.Data != nil {
		r.Data = json.RawMessage(slices.Clone(result.Data))
	}
	return r
}

// accept hands a receipt to the application, and returns the JSON of its data. No
// connection is served here, which a panic would end.
func (c *config) accept(ctx context.Context, r *Receipt) (data []byte, err error) {
	if c.onComplete == nil {
		return nil, nil
	}
	id, key := r.ID, r.Key
	ctx, end := c.step(ctx, Step{Kind: StepHook, Name: HookOnComplete, Bucket: r.Bucket, ID: id, Key: key})
	defer func() { end(endOf(err)) }()
	var encoded []byte // not the result, for a hook that ends too late still writes it
	err = hook.Within(ctx, c.hookTimeout, func(ctx context.Context) error {
		err := c.onComplete(ctx, r)
		if err != nil {
			return err
		}
		if encoded, err = r.data(); err == nil && len(encoded) > maxData {
			err = fmt.Errorf("the receipt's data has %d bytes of JSON, and may have %d", len(encoded), maxData)
		}
		return err
	}, func(err error) {
		c.loggerOf(ctx).Warn().Err(err).Str("id", id).Str("key", key).
			Msg("postern: a hook has ended too late, which has no effect")
	})
	if err != nil {
		return nil, ErrCompletionFailed.WithCause(err)
	}
	return encoded, nil
}

// data returns the JSON of the data, or nil without.
func (r *Receipt) data() ([]byte, error) {
	if r.Data == nil {
		return nil, nil
	}
	return json.Marshal(r.Data)
}

// MarshalJSON writes the receipt as the native protocol has it.
func (r Receipt) MarshalJSON() ([]byte, error) {
	data, err := r.data()
	if err != nil {
		return nil, err
	}
	return r.appendJSON(nil, data), nil
}

func (r *Receipt) appendJSON(b, data []byte) []byte {
	text := func(name, value string) {
		b = append(b, name...)
		b = jsontext.AppendString(b, value)
	}
	text(`{"id":`, r.ID)
	text(`,"key":`, r.Key)
	text(`,"filename":`, r.Filename)
	b = strconv.AppendInt(append(b, `,"size":`...), r.Size, 10)
	text(`,"type":`, r.Type)
	text(`,"etag":`, r.ETag)
	text(`,"location":`, r.Location)
	text(`,"subject":`, r.Subject)
	text(`,"tenant":`, r.Tenant)
	b = append(b, `,"metadata":{`...)
	for i, name := range object.SortedKeys(r.Metadata) {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendString(b, name)
		text(`:`, r.Metadata[name])
	}
	b = append(b, '}')
	if r.SHA256 != "" {
		text(`,"sha256":`, r.SHA256)
	}
	if r.CRC64NVME != "" {
		text(`,"crc64nvme":`, r.CRC64NVME)
	}
	b = strconv.AppendBool(append(b, `,"replayed":`...), r.Replayed)
	b = strconv.AppendBool(append(b, `,"duplicate":`...), r.Duplicate)
	if data != nil {
		b = append(append(b, `,"data":`...), data...)
	}
	return append(b, '}')
}
