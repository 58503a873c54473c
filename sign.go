package postern

import (
	"context"
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/sigv4"
)

// Limits of S3 ("Amazon S3 multipart upload limits").
const (
	minPart  = object.MinPart
	maxParts = object.MaxParts
)

// signPost signs a form.
func (p *place) signPost(ctx context.Context, lifetime time.Duration, c *claim.Claim, header *object.Header, redirect string, g *Grant) error {
	now := c.Issued
	creds, expires, err := p.signing.credentials(ctx, now, lifetime)
	if err != nil {
		return err
	}
	var array [24]sigv4.Condition
	conditions := append(array[:0],
		sigv4.Exact("bucket", p.uploadName()),
		sigv4.Exact("key", c.WriteKey()))
	conditions = header.AppendForm(conditions)
	if c.SHA256 != nil {
		conditions = append(conditions,
			sigv4.Exact("x-amz-checksum-algorithm", "SHA256"),
			sigv4.Exact("x-amz-checksum-sha256", base64.StdEncoding.EncodeToString(c.SHA256[:])))
	}
	if redirect != "" {
		conditions = append(conditions, sigv4.Exact("success_action_redirect", redirect))
	} else {
		conditions = append(conditions, sigv4.Exact("success_action_status", "201"))
	}
	conditions = append(conditions, sigv4.ContentLengthRange(c.MinSize, c.MaxSize))

	form, err := p.signer.SignPost(creds, now, sigv4.Policy{Expires: expires, Conditions: conditions})
	if err != nil {
		return unusable(err)
	}
	g.Method, g.URL, g.Fields = "POST", p.postURL, form
	g.Expires, g.ExpiresIn = expires, expires.Sub(now).Truncate(time.Second)
	return nil
}

// signPut signs the URL of one PUT. Everything that S3 would store is among the
// signed headers; with If-None-Match it works once.
func (p *place) signPut(ctx context.Context, lifetime time.Duration, c *claim.Claim, stored *object.Header, g *Grant) error {
	now := c.Issued
	creds, expires, err := p.signing.credentials(ctx, now, lifetime)
	if err != nil {
		return err
	}
	header := stored.AppendFields(nil)
	if c.SHA256 != nil {
		header = append(header, sigv4.Field{Name: "x-amz-checksum-sha256", Value: base64.StdEncoding.EncodeToString(c.SHA256[:])})
	}
	if p.abilities.PutIfAbsent {
		header = append(header, sigv4.Field{Name: "if-none-match", Value: "*"})
	}
	g.Method, g.Headers = "PUT", header
	g.Expires, g.ExpiresIn = expires, expires.Sub(now).Truncate(time.Second)
	// The browser sets Content-Length by itself, and no script may.
	header = append(header, sigv4.Field{Name: "content-length", Value: strconv.FormatInt(c.Size, 10)})
	g.URL, err = p.signer.Presign(creds, now, sigv4.Request{
		Method:   "PUT",
		Endpoint: p.upload.endpoint,
		Path:     p.upload.prefix + c.WriteKey(),
		Header:   header,
		Expires:  g.ExpiresIn,
	})
	return unusable(err)
}

// beginMultipart asks S3 to begin an upload in parts.
func (p *place) beginMultipart(ctx context.Context, config *config, c *claim.Claim, g *Grant) error {
	if c.PartSize < minPart || c.PartSize > object.MaxSingle || c.Size > p.abilities.maxParts()*c.PartSize {
		return ErrPartSizeInvalid
	}
	var err error
	c.UploadID, err = p.store.CreateMultipart(ctx, c.WriteKey(), c.WriteHeader(), c.PartChecksums)
	if err != nil {
		return engineProblem(err)
	}
	g.PartSize, g.Parts = c.PartSize, c.Parts()
	g.Expires, g.ExpiresIn = c.Expires, config.ticketLifetime
	return nil
}

const mib = 1 << 20 // in which sizes of parts are chosen

// partSizeAt returns the size of parts for a rate in bytes per second: what it carries in
// two thirds of a second, in whole MiB, so that five at once are several round trips
// each, and none is lost that took minutes.
func partSizeAt(rate int64) int64 {
	if rate <= 0 {
		return defaultPartSize
	}
	return min(max(rate/3*2/mib*mib, minPart), mostPart)
}

// partSizeFor returns the size of parts for a file: preferred, or as much as it
// takes to have no more than count of them, in whole MiB.
func partSizeFor(size, preferred, count int64) int64 {
	needed := (size + count - 1) / count
	return max(preferred, (needed+mib-1)/mib*mib)
}

// PartURLs are the signed URLs of parts, made as they are written: ten thousand
// of them need no room in memory.
type PartURLs struct {
	// Expires is when a part must have begun, ExpiresIn the same from now.
	Expires   time.Time
	ExpiresIn time.Duration

	signer    *sigv4.Signer
	claim     *claim.Claim
	numbers   []int32
	checksums map[int32]string
	creds     sigv4.Credentials
	now       time.Time
	request   sigv4.Request // what is the same for all parts
	length    string        // of all parts but the last, in bytes
}

// signParts checks all that can be wrong before the first byte is written.
func (p *place) signParts(ctx context.Context, lifetime time.Duration, u *Upload, q *TicketDetails) (*PartURLs, error) {
	c := u.ticket.claim
	if c.Mode != claim.Multipart {
		return nil, ErrNotMultipart
	}
	if len(q.Numbers) == 0 {
		return nil, ErrPartsInvalid
	}
	numbers := slices.Clone(q.Numbers)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if numbers[0] < 1 || numbers[len(numbers)-1] > c.Parts() {
		return nil, ErrPartsInvalid.WithDetail("The parts of this upload are 1 to " + strconv.Itoa(int(c.Parts())) + ".")
	}
	if c.PartChecksums {
		for _, n := range numbers {
			if _, err := parseSHA256(q.Checksums[n]); err != nil {
				return nil, ErrChecksumInvalid.WithDetail("Part " + strconv.Itoa(int(n)) + " needs its SHA-256 in base64.")
			}
		}
	} else if len(q.Checksums) > 0 {
		return nil, ErrChecksumUnsupported.WithDetail("This upload was begun without checksums of parts.")
	}
	return p.partURLs(ctx, lifetime, u.Time(), c, numbers, q.Checksums)
}

// firstParts is how many parts a grant has URLs of: as many as a browser sends at once.
const firstParts = 6

// signFirstParts signs what a browser would ask for next, so that it need not. It may
// ask still: no error is one of the grant.
func (p *place) signFirstParts(ctx context.Context, lifetime time.Duration, c *claim.Claim) *PartURLs {
	if c.PartChecksums {
		return nil // they are not known yet
	}
	numbers := make([]int32, min(c.Parts(), firstParts))
	for k := range numbers {
		numbers[k] = int32(k) + 1
	}
	urls, _ := p.partURLs(ctx, lifetime, c.Issued, c, numbers, nil)
	return urls
}

// partURLs signs the URLs of parts that there are.
func (p *place) partURLs(ctx context.Context, lifetime time.Duration, now time.Time, c *claim.Claim, numbers []int32, checksums map[int32]string) (*PartURLs, error) {
	creds, expires, err := p.signing.credentials(ctx, now, lifetime)
	if err != nil {
		return nil, err
	}
	lifetime = expires.Sub(now).Truncate(time.Second)
	urls := &PartURLs{
		Expires: expires, ExpiresIn: lifetime,
		signer: p.signer, claim: c, numbers: numbers, checksums: checksums, creds: creds, now: now,
		request: sigv4.Request{
			Method:   "PUT",
			Endpoint: p.upload.endpoint,
			Path:     p.upload.prefix + c.WriteKey(),
			Expires:  lifetime,
		},
		length: strconv.FormatInt(c.PartSize, 10),
	}
	if _, err := urls.appendURL(nil, numbers[0]); err != nil {
		return nil, unusable(err)
	}
	return urls, nil
}

// All returns the numbers of the parts, in order, with their URLs. A URL is valid
// until the next one is asked for. What could fail was checked before; if
// one fails nevertheless, the answer is cut off, since nothing that was sent can be
// taken back.
func (p *PartURLs) All() iter.Seq2[int32, []byte] {
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

func (p *PartURLs) appendURL(b []byte, number int32) ([]byte, error) {
	c, r := p.claim, p.request
	length := p.length
	if number == c.Parts() {
		length = strconv.FormatInt(c.PartLength(number), 10)
	}
	var array [2]sigv4.Field
	r.Header = array[:0]
	if c.Size != UnknownSize {
		r.Header = append(r.Header, sigv4.Field{Name: "content-length", Value: length})
	}
	if c.PartChecksums {
		r.Header = append(r.Header, sigv4.Field{Name: "x-amz-checksum-sha256", Value: p.checksums[number]})
	}
	query := [...]sigv4.Field{
		{Name: "partNumber", Value: strconv.FormatInt(int64(number), 10)},
		{Name: "uploadId", Value: c.UploadID},
	}
	r.Query = query[:]
	return p.signer.AppendPresign(b, p.creds, p.now, r)
}
