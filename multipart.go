package postern

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// Limits of S3 ("Amazon S3 multipart upload limits").
const (
	minPart  = 5 << 20
	maxParts = 10_000
)

// partSizeFor returns the size of parts for a file: preferred, or as much as it
// takes to have 10,000 of them, in whole MiB.
func partSizeFor(size, preferred int64) int64 {
	const unit = 1 << 20
	least := (size + maxParts - 1) / maxParts
	return max(preferred, (least+unit-1)/unit*unit)
}

// beginMultipart asks S3 to begin an upload in parts.
func (i *Issuer) beginMultipart(ctx context.Context, t *ticketData) (*Grant, error) {
	if t.partSize == 0 {
		t.partSize = partSizeFor(t.most, i.config.partSize)
	}
	if t.partSize < minPart || t.partSize > maxSingle || t.size > maxParts*t.partSize {
		return nil, ErrPartSizeInvalid
	}
	header := t.headerOf(t.granted())
	if t.partChecksums {
		header.ChecksumAlgorithm = "SHA256"
	}
	var err error
	t.uploadID, err = i.store.CreateMultipart(ctx, t.object, header)
	if err != nil {
		return nil, storeProblem(err)
	}
	return &Grant{
		PartSize:  t.partSize,
		Parts:     t.parts(),
		Expires:   t.issued.Add(i.config.ticketLifetime),
		ExpiresIn: i.config.ticketLifetime,
	}, nil
}

// Parts ends a chain that begins with [OpenTicket]: it signs the URLs of the
// parts that the request names, each for its exact length.
func Parts(issuer *Issuer) http.Handler {
	return onTicket(issuer, ActionParts, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		signer, err := issuer.partSigner(r.Context(), u)
		if err != nil {
			return err
		}
		decide(r, u, u.ticket.mode, http.StatusOK, nil, nil)
		u.ticketDialect().WriteParts(w, r, &PartURLs{
			Expires: signer.expires, ExpiresIn: signer.request.Expires, signer: signer,
		})
		return nil
	})
}

// partSigner is a checked request for the URLs of parts.
type partSigner struct {
	issuer    *Issuer
	ticket    *ticketData
	numbers   []int32
	checksums map[int32]string
	creds     sigv4.Credentials
	now       time.Time
	expires   time.Time
	request   sigv4.Request // what is the same for all parts
	length    string        // of all parts but the last, in bytes
}

// partSigner checks all that can be wrong before the first byte is written.
func (i *Issuer) partSigner(ctx context.Context, u *Upload) (*partSigner, error) {
	t, q := u.ticket.ticketData, u.ticket.request
	if t.mode != ModeMultipart {
		return nil, ErrNotMultipart
	}
	if len(q.Numbers) == 0 || len(q.Numbers) > maxParts {
		return nil, ErrPartsInvalid
	}
	numbers := slices.Clone(q.Numbers)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if numbers[0] < 1 || numbers[len(numbers)-1] > t.parts() {
		return nil, ErrPartsInvalid.WithDetail("The parts of this upload are 1 to " + strconv.Itoa(int(t.parts())) + ".")
	}
	if t.partChecksums {
		for _, n := range numbers {
			if _, err := parseSHA256(q.Checksums[n]); err != nil {
				return nil, ErrChecksumInvalid.WithDetail("Part " + strconv.Itoa(int(n)) + " needs its SHA-256 in base64.")
			}
		}
	} else if len(q.Checksums) > 0 {
		return nil, ErrChecksumUnsupported.WithDetail("This upload was begun without checksums of parts.")
	}
	now := u.Time()
	creds, expires, err := i.signing.credentials(ctx, now, i.config.lifetime)
	if err != nil {
		return nil, err
	}
	p := &partSigner{
		issuer: i, ticket: t, numbers: numbers, checksums: q.Checksums, creds: creds, now: now, expires: expires,
		request: sigv4.Request{
			Method:   "PUT",
			Endpoint: i.public.endpoint,
			Path:     i.public.prefix + t.object,
			Expires:  expires.Sub(now).Truncate(time.Second),
		},
		length: strconv.FormatInt(t.partSize, 10),
	}
	_, err = p.appendURL(nil, numbers[0])
	return p, unusable(err)
}

// all signs the URLs one by one. What could fail was checked; if it fails all the
// same, the answer is cut off, since nothing that was sent can be taken back.
func (p *partSigner) all() iter.Seq2[int32, []byte] {
	return func(yield func(int32, []byte) bool) {
		var buffer []byte
		for _, number := range p.numbers {
			url, err := p.appendURL(buffer[:0], number)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			if buffer = url; !yield(number, url) {
				return
			}
		}
	}
}

func (p *partSigner) appendURL(b []byte, number int32) ([]byte, error) {
	t, r := p.ticket, p.request
	length := p.length
	if number == t.parts() {
		length = strconv.FormatInt(t.partLength(number), 10)
	}
	var array [2]sigv4.Field
	r.Header = array[:0]
	if t.size != UnknownSize {
		r.Header = append(r.Header, sigv4.Field{Name: "content-length", Value: length})
	}
	if t.partChecksums {
		r.Header = append(r.Header, sigv4.Field{Name: "x-amz-checksum-sha256", Value: p.checksums[number]})
	}
	query := [...]sigv4.Field{
		{Name: "partNumber", Value: strconv.FormatInt(int64(number), 10)},
		{Name: "uploadId", Value: t.uploadID},
	}
	r.Query = query[:]
	return p.issuer.signer.AppendPresign(b, p.creds, p.now, r)
}

// List ends a chain that begins with [OpenTicket]: it tells which parts have
// arrived.
func List(issuer *Issuer) http.Handler {
	return onTicket(issuer, ActionList, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		t := u.ticket
		if t.mode != ModeMultipart {
			return ErrNotMultipart
		}
		parts, err := issuer.store.Parts(r.Context(), t.object, t.uploadID)
		if err != nil {
			return storeProblem(err)
		}
		decide(r, u, t.mode, http.StatusOK, nil, nil)
		list := make([]Part, len(parts))
		for k, p := range parts {
			list[k] = Part{Number: p.Number, Size: p.Size, ETag: p.ETag}
		}
		u.ticketDialect().WriteList(w, r, list)
		return nil
	})
}

// Abort ends a chain that begins with [OpenTicket]: it gives the upload up, and
// leaves none of its parts, and nothing under the staging prefix. An object that
// stands under its key already stays.
func Abort(issuer *Issuer) http.Handler {
	return onTicket(issuer, ActionAbort, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		t := u.ticket
		if t.mode == ModeMultipart {
			if err := issuer.store.Abort(r.Context(), t.object, t.uploadID); err != nil {
				return storeProblem(err)
			}
		}
		if t.object != t.key {
			if err := issuer.store.Delete(r.Context(), t.object, ""); err != nil {
				return storeProblem(err)
			}
		}
		decide(r, u, t.mode, http.StatusNoContent, nil, nil)
		u.ticketDialect().WriteAborted(w, r)
		return nil
	})
}

// assemble makes the object of a multipart upload of its parts, once all are
// there. What the browser says of them must agree with what S3 lists. An upload
// that is gone may have been assembled before: the caller looks at the object.
func (i *Issuer) assemble(ctx context.Context, t *ticketData, claimed []Part) error {
	parts, err := i.store.Parts(ctx, t.object, t.uploadID)
	if errors.Is(err, store.ErrNoUpload) {
		return nil
	}
	if err != nil {
		return storeProblem(err)
	}
	for k := range parts {
		if t.size != UnknownSize && (parts[k].Number > t.parts() || parts[k].Size != t.partLength(parts[k].Number)) {
			return ErrPartsInvalid.WithDetail("Part " + strconv.Itoa(int(parts[k].Number)) + " has the wrong size.")
		}
	}
	if t.size != UnknownSize && len(parts) != int(t.parts()) || len(parts) == 0 {
		return ErrPartsMissing
	}
	if t.size == UnknownSize {
		if err := i.boundParts(ctx, t, parts); err != nil {
			return err
		}
	}
	for _, c := range claimed {
		k, found := slices.BinarySearchFunc(parts, c.Number, func(p store.Part, n int32) int { return int(p.Number - n) })
		if !found || trimETag(parts[k].ETag) != trimETag(c.ETag) {
			return ErrPartsInvalid
		}
	}
	err = i.store.CompleteMultipart(ctx, t.object, t.uploadID, parts, i.provider.completeIfAbsent)
	if errors.Is(err, store.ErrNoUpload) || errors.Is(err, store.ErrExists) {
		return nil // perhaps an earlier try; the object's id tells
	}
	return storeProblem(err)
}

// boundParts gives up an upload of unknown size that has grown too large.
func (i *Issuer) boundParts(ctx context.Context, t *ticketData, parts []store.Part) error {
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	err := limits{t.least, t.most}.judge(size)
	if err != nil && size > t.most {
		i.giveUp(ctx, t.object, t.uploadID)
	}
	return err
}

func trimETag(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// storeProblem makes a problem of what S3 answered; nil stays nil.
func storeProblem(err error) error {
	for _, known := range [...]struct {
		kind    error
		problem *Problem
	}{
		{store.ErrNotFound, ErrObjectMissing},
		{store.ErrNoUpload, ErrUploadGone},
		{store.ErrExists, ErrObjectConflict},
		{store.ErrChanged, ErrObjectChanged},
		{store.ErrConflict, ErrObjectChanged},
		{store.ErrParts, ErrPartsInvalid},
		{store.ErrDenied, ErrStorageDenied},
		{store.ErrUnavailable, ErrStorage},
	} {
		if errors.Is(err, known.kind) {
			return known.problem.WithCause(err)
		}
	}
	return err
}
