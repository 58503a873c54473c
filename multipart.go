package postern

import (
	"context"
	"encoding/base64"
	"errors"
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
	t.partSize = partSizeFor(t.size, i.config.partSize)
	header := store.Header(t.headerOf(t.granted()))
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
		return signer.write(w)
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
}

// partSigner checks all that can be wrong before the first byte is written.
func (i *Issuer) partSigner(ctx context.Context, u *Upload) (*partSigner, error) {
	t, q := u.ticket, u.request
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
	return &partSigner{i, t, numbers, q.Checksums, creds, now, expires}, nil
}

// flushAt is how much of an answer is gathered before it is sent, in bytes.
const flushAt = 32 << 10

// write streams the answer: what it holds in memory does not grow with the
// number of parts.
func (p *partSigner) write(w http.ResponseWriter) error {
	var err error
	jsonHeader(w)
	pooled := answers.Get().(*[]byte)
	defer answers.Put(pooled)
	b := append((*pooled)[:0], `{"urls":{`...)
	for k, number := range p.numbers {
		if k > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(number), 10)
		b = append(b, `":"`...)
		// A URL has nothing that JSON or HTML would escape but the ampersand,
		// which JSON leaves as it is.
		if b, err = p.appendURL(b, number); err != nil {
			if k == 0 {
				return unusable(err)
			}
			panic(http.ErrAbortHandler) // nothing that was sent can be taken back
		}
		b = append(b, '"')
		if len(b) >= flushAt {
			if _, err := w.Write(b); err != nil {
				return nil // the browser is gone
			}
			b = b[:0]
		}
	}
	b = append(b, `},"expires":"`...)
	b = p.expires.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, int64(p.expires.Sub(p.now)/time.Second), 10)
	b = append(b, '}')
	_, _ = w.Write(b)
	*pooled = b
	return nil
}

func (p *partSigner) appendURL(b []byte, number int32) ([]byte, error) {
	t := p.ticket
	var array [2]sigv4.Field
	header := append(array[:0], sigv4.Field{Name: "content-length", Value: strconv.FormatInt(t.partLength(number), 10)})
	if t.partChecksums {
		header = append(header, sigv4.Field{Name: "x-amz-checksum-sha256", Value: p.checksums[number]})
	}
	query := [...]sigv4.Field{
		{Name: "partNumber", Value: strconv.FormatInt(int64(number), 10)},
		{Name: "uploadId", Value: t.uploadID},
	}
	return p.issuer.signer.AppendPresign(b, p.creds, p.now, sigv4.Request{
		Method:   "PUT",
		Endpoint: p.issuer.public.endpoint,
		Path:     p.issuer.public.prefix + t.object,
		Query:    query[:],
		Header:   header,
		Expires:  p.expires.Sub(p.now).Truncate(time.Second),
	})
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
		writeJSON(w, http.StatusOK, func(b []byte) []byte { return appendParts(b, parts) })
		return nil
	})
}

func appendParts(b []byte, parts []store.Part) []byte {
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
		w.Header()["Cache-Control"] = noStore
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// assemble makes the object of a multipart upload of its parts, once all are
// there. What the browser says of them must agree with what S3 lists. An upload
// that is gone may have been assembled before: the caller looks at the object.
func (i *Issuer) assemble(ctx context.Context, t *ticketData, claimed []nativePart) error {
	parts, err := i.store.Parts(ctx, t.object, t.uploadID)
	if errors.Is(err, store.ErrNoUpload) {
		return nil
	}
	if err != nil {
		return storeProblem(err)
	}
	if len(claimed) > maxParts {
		return ErrPartsInvalid
	}
	for k := range parts {
		if parts[k].Number > t.parts() || parts[k].Size != t.partLength(parts[k].Number) {
			return ErrPartsInvalid.WithDetail("Part " + strconv.Itoa(int(parts[k].Number)) + " has the wrong size.")
		}
	}
	if len(parts) != int(t.parts()) {
		return ErrPartsMissing
	}
	for _, c := range claimed {
		if c.Number < 1 || int(c.Number) > len(parts) || trimETag(parts[c.Number-1].ETag) != trimETag(c.ETag) {
			return ErrPartsInvalid
		}
	}
	err = i.store.CompleteMultipart(ctx, t.object, t.uploadID, parts, i.provider.completeIfAbsent)
	if errors.Is(err, store.ErrNoUpload) || errors.Is(err, store.ErrExists) {
		return nil // perhaps an earlier try; the object's id tells
	}
	return storeProblem(err)
}

func trimETag(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// checksumOf is the base64 of a sum, as S3 has it.
func checksumOf(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

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
