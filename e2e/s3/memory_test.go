package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/internal/completion"
	attributes "github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/internal/storetest"
)

// written is a bucket with what browsers do at it.
type written interface {
	completion.Bucket
	Write(ctx context.Context, key string, content []byte, h attributes.Header, on store.Condition) error
	UploadPart(ctx context.Context, key, uploadID string, number int32, content []byte) (etag string, err error)
}

// realBucket is a bucket of a server.
type realBucket struct {
	*store.Store
}

func (b realBucket) Write(ctx context.Context, key string, content []byte, h attributes.Header, on store.Condition) error {
	in := &s3.PutObjectInput{
		Bucket: aws.String(b.Bucket()), Key: &key, Body: bytes.NewReader(content), ContentType: &h.Type, Metadata: map[string]string{},
	}
	for _, f := range h.AppendFields(nil) {
		if name, ok := strings.CutPrefix(f.Name, "x-amz-meta-"); ok {
			in.Metadata[name] = f.Value
		}
	}
	if on.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if on.IfMatch != "" {
		in.IfMatch = &on.IfMatch
	}
	_, err := b.Client().PutObject(ctx, in)
	return store.Sort("PutObject", err)
}

func (b realBucket) UploadPart(ctx context.Context, key, uploadID string, number int32, content []byte) (string, error) {
	out, err := b.Client().UploadPart(ctx, &s3.UploadPartInput{
		Bucket: aws.String(b.Bucket()), Key: &key, UploadId: &uploadID, PartNumber: &number, Body: bytes.NewReader(content),
	})
	if err != nil {
		return "", store.Sort("UploadPart", err)
	}
	return aws.ToString(out.ETag), nil
}

// deviation is an answer in which a server differs from the one in memory. None
// changes what the bucket holds.
type deviation struct {
	server, call, memory, real string
}

// deviations are all that are known.
var deviations = []deviation{
	// Of two faults they name another one.
	{foreign.MinIO, "Get", fault(store.ErrChanged), fault(store.ErrRange)},
	{foreign.MinIO, "CopyPart", fault(store.ErrNoUpload), fault(store.ErrNotFound)},
	{foreign.MinIO, "CopyPart", fault(store.ErrNoUpload), fault(store.ErrChanged)},
	{foreign.MinIO, "CompleteMultipart", fault(store.ErrNoUpload), fault(store.ErrNotFound)},
	{foreign.MinIO, "CompleteMultipart", fault(store.ErrNoUpload), fault(store.ErrExists)},
}

// profiles are the servers as the one in memory knows them.
var profiles = map[string]storetest.Profile{
	foreign.VersityGW: {Again: true},
	foreign.MinIO:     {IgnoreDelete: true, NoCopySums: true, IgnoreSize: true},
}

// keepsAttributes are the servers at which an object that replaces another has the
// attributes of that one too, where it has none of their names.
var keepsAttributes = []string{foreign.VersityGW}

// pair is the two buckets of one name, and what is known of them.
type pair struct {
	t        *testing.T
	server   string
	rnd      *rand.Rand
	sides    [2][2]written // in memory and at the server: of final objects and of staging
	prefix   string
	etags    []string        // that there were
	uploads  []twoUpload     // that were begun
	replaced map[string]bool // objects in memory that have replaced others
	trace    []string
}

// twoUpload is a multipart upload at both.
type twoUpload struct {
	bucket int
	key    string
	ids    [2]string
	sums   bool
}

var kinds = []error{
	store.ErrNotFound, store.ErrNoBucket, store.ErrNoUpload, store.ErrExists, store.ErrChanged, store.ErrConflict, store.ErrParts,
	store.ErrRange, store.ErrDenied, store.ErrUnavailable, store.ErrUnexpected,
}

func fault(kind error) string { return "error: " + kind.Error() }

// told makes a text of what a call has answered.
func told(value any, err error) string {
	if err == nil {
		return fmt.Sprintf("%+v", value)
	}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return fault(kind)
		}
	}
	return "error of no kind: " + err.Error()
}

// both makes one call at both, and compares the answers.
func (p *pair) both(call string, do func(side int) (any, error)) {
	memory := told(do(0))
	value, err := do(1)
	is := told(value, err)
	p.trace = append(p.trace, call+" -> "+memory)
	if memory == is || slices.Contains(deviations, deviation{p.server, strings.Fields(call)[0], memory, is}) {
		return
	}
	require.Fail(p.t, "the servers differ", "in memory: %s\n%s: %s (%v)\ncalls:\n%s", memory, p.server, is, err, strings.Join(p.trace, "\n"))
}

func (p *pair) key() string { return p.prefix + []string{"a", "b+c", "d/e f"}[p.rnd.IntN(3)] }

func (p *pair) content() []byte { return contents[p.rnd.IntN(len(contents))] }

// etag is that of what is at a key, or another one.
func (p *pair) etag(bucket int, key string) string {
	o, err := p.sides[0][bucket].Head(context.Background(), key)
	if err == nil {
		p.etags = append(p.etags, o.ETag)
		if p.rnd.IntN(4) > 0 {
			return o.ETag
		}
	}
	return p.etags[p.rnd.IntN(len(p.etags))]
}

func (p *pair) condition(bucket int, key string) store.Condition {
	switch p.rnd.IntN(4) {
	case 0:
		return store.Condition{IfAbsent: true}
	case 1:
		return store.Condition{IfMatch: p.etag(bucket, key)}
	}
	return store.Condition{}
}

func (p *pair) header() attributes.Header {
	h := attributes.Header{Type: []string{"text/plain", "image/png"}[p.rnd.IntN(2)], ID: fmt.Sprint(p.rnd.IntN(3))}
	if p.rnd.IntN(2) == 0 {
		h.Owner = "owner"
		h.Metadata = map[string]string{"by": "server"}
	}
	return h
}

// attributes are what a server of ours stores, and browsers do not here.
func (p *pair) attributes() attributes.Header {
	h := p.header()
	if p.rnd.IntN(2) == 0 {
		h.Values[attributes.CacheControl] = "max-age=60"
		h.Values[attributes.ContentDisposition] = "attachment"
	}
	if p.rnd.IntN(3) == 0 {
		h.Values[attributes.ContentLanguage] = "en"
	}
	return h
}

func (p *pair) step() {
	ctx := context.Background()
	bucket := p.rnd.IntN(2)
	key := p.key()
	at := func(side int) written { return p.sides[side][bucket] }
	nothing := func(err error) (any, error) { return nil, err }
	switch p.rnd.IntN(16) {
	case 0, 1:
		p.head(bucket, key)
	case 2:
		etag, n := p.etag(bucket, key), []int64{0, 1, 512}[p.rnd.IntN(3)]
		p.both(fmt.Sprintf("Get %d %s %s %d", bucket, key, etag, n), func(side int) (any, error) {
			body, err := at(side).Get(ctx, key, etag, n)
			if err != nil {
				return nil, err
			}
			defer body.Close()
			content, err := io.ReadAll(body)
			return shortened(content), err
		})
	case 3:
		p.both(fmt.Sprintf("Read %d %s", bucket, key), func(side int) (any, error) {
			content, err := at(side).Read(ctx, key, 10)
			return string(content), err
		})
	case 4:
		content := p.content()
		p.both(fmt.Sprintf("Put %d %s %s", bucket, key, shortened(content)), func(side int) (any, error) {
			return nothing(at(side).Put(ctx, key, content))
		})
	case 5, 6:
		content, h, on := p.content(), p.header(), p.condition(bucket, key)
		p.both(fmt.Sprintf("Write %d %s %s %+v", bucket, key, shortened(content), on), func(side int) (any, error) {
			return nothing(at(side).Write(ctx, key, content, h, on))
		})
	case 7:
		h, on := p.attributes(), p.condition(bucket, key)
		p.both(fmt.Sprintf("PutEmpty %d %s %+v", bucket, key, on), func(side int) (any, error) {
			return nothing(at(side).PutEmpty(ctx, key, h, on))
		})
	case 8:
		content := p.content()
		p.both(fmt.Sprintf("PutIfAbsent %d %s %s", bucket, key, shortened(content)), func(side int) (any, error) {
			return nothing(at(side).PutIfAbsent(ctx, key, content))
		})
	case 9:
		from, to, h := p.key(), p.rnd.IntN(2), p.attributes()
		if from == key && bucket == to {
			return // nobody does it, and not all make another object of it
		}
		etag := p.etag(bucket, from)
		p.both(fmt.Sprintf("Copy %d %s %s %d %s", bucket, from, etag, to, key), func(side int) (any, error) {
			return nothing(p.sides[side][to].Copy(ctx, at(side).Bucket(), from, etag, key, h))
		})
	case 10:
		etag := ""
		if p.rnd.IntN(2) == 0 {
			etag = p.etag(bucket, key)
		}
		p.both(fmt.Sprintf("Delete %d %s %s", bucket, key, etag), func(side int) (any, error) {
			return nothing(at(side).Delete(ctx, key, etag))
		})
	case 11:
		after := ""
		if p.rnd.IntN(2) == 0 {
			after = p.key()
		}
		p.both(fmt.Sprintf("List %d %s", bucket, after), func(side int) (any, error) {
			page, more, err := at(side).List(ctx, p.prefix, after)
			var all []string
			for _, e := range page {
				all = append(all, fmt.Sprint(e.Key, " ", e.ETag, " ", e.Size, " ", e.Modified.IsZero()))
			}
			return fmt.Sprint(all, more), err
		})
	case 12:
		p.begin(bucket, key)
	default:
		p.multipart()
	}
}

func (p *pair) head(bucket int, key string) {
	p.both(fmt.Sprintf("Head %d %s", bucket, key), func(side int) (any, error) {
		o, err := p.sides[side][bucket].Head(context.Background(), key)
		if err != nil {
			return nil, err
		}
		if side == 0 {
			other, err := p.sides[1][bucket].Head(context.Background(), key)
			if err == nil && other.CRC64NVME == "" { // not all of them tell it always
				o.CRC64NVME = ""
			}
		}
		if class := &o.Header.Values[attributes.StorageClass]; *class == "STANDARD" { // some tell it
			*class = ""
		}
		if p.replaced[p.sides[0][bucket].Bucket()+"/"+key] && slices.Contains(keepsAttributes, p.server) {
			o.Header = attributes.Header{}
		}
		return fmt.Sprint(o.Size, " ", o.ETag, " ", o.Modified.IsZero(), " ", o.SHA256, " ", o.CRC64NVME, fmt.Sprintf(" %+v", o.Header)), nil
	})
}

// begin begins a multipart upload at both.
func (p *pair) begin(bucket int, key string) {
	u := twoUpload{bucket: bucket, key: key}
	h, sums := p.attributes(), p.rnd.IntN(4) == 0
	u.sums = sums
	p.both(fmt.Sprintf("CreateMultipart %d %s %v", bucket, key, sums), func(side int) (any, error) {
		id, err := p.sides[side][bucket].CreateMultipart(context.Background(), key, h, sums)
		u.ids[side] = id
		return nil, err
	})
	p.uploads = append(p.uploads, u)
}

// multipart goes on with a multipart upload.
func (p *pair) multipart() {
	ctx := context.Background()
	if len(p.uploads) == 0 {
		p.begin(p.rnd.IntN(2), p.key())
	}
	n := p.rnd.IntN(len(p.uploads))
	u := &p.uploads[n]
	at := func(side int) written { return p.sides[side][u.bucket] }
	switch p.rnd.IntN(10) {
	case 0, 1, 2:
		if u.sums {
			return // only copies go into those
		}
		number, content := int32(1+p.rnd.IntN(3)), p.content()
		// A server that refuses before it has read may cut the connection.
		if _, err := at(0).Parts(ctx, u.key, u.ids[0]); err == nil && p.rnd.IntN(4) == 0 {
			content = large
		}
		p.both(fmt.Sprintf("UploadPart #%d %d %s", n, number, shortened(content)), func(side int) (any, error) {
			etag, err := at(side).UploadPart(ctx, u.key, u.ids[side], number, content)
			return etag, err
		})
	case 3, 4:
		number, bucket, from := int32(1+p.rnd.IntN(3)), p.rnd.IntN(2), p.key()
		etag := p.etag(bucket, from)
		o, err := p.sides[0][bucket].Head(ctx, from)
		last := int64(7)
		if err == nil {
			if o.Size == 0 {
				return // no part can be empty
			}
			last = o.Size - 1
		}
		first := p.rnd.Int64N(last + 1)
		p.both(fmt.Sprintf("CopyPart #%d %d of %d %s %s %d-%d", n, number, bucket, from, etag, first, last), func(side int) (any, error) {
			part, err := at(side).CopyPart(ctx, p.sides[side][bucket].Bucket(), from, etag, u.key, u.ids[side], number, first, last)
			return part, err
		})
	case 5:
		p.both(fmt.Sprintf("Parts #%d", n), func(side int) (any, error) {
			parts, err := at(side).Parts(ctx, u.key, u.ids[side])
			var all []string
			for _, part := range parts {
				all = append(all, fmt.Sprint(part.Number, " ", part.Size, " ", part.ETag, " ", part.SHA256, " ", part.Modified.IsZero()))
			}
			return all, err
		})
	case 6:
		p.both(fmt.Sprintf("Uploads %d", u.bucket), func(side int) (any, error) {
			page, next, err := at(side).Uploads(ctx, u.key, store.Marker{})
			var all []string
			for _, e := range page {
				// Those of one key that began in one second are in any order.
				number := slices.IndexFunc(p.uploads, func(u twoUpload) bool { return u.ids[side] == e.UploadID })
				all = append(all, fmt.Sprintf("%s %03d %v", e.Key, number, e.Initiated.IsZero()))
			}
			slices.Sort(all)
			return fmt.Sprint(all, next), err
		})
	case 7:
		p.both(fmt.Sprintf("Abort #%d", n), func(side int) (any, error) {
			return nil, at(side).Abort(ctx, u.key, u.ids[side])
		})
	default:
		p.complete(n, u)
	}
}

// complete ends a multipart upload, with its parts or others.
func (p *pair) complete(n int, u *twoUpload) {
	ctx := context.Background()
	parts, err := p.sides[0][u.bucket].Parts(ctx, u.key, u.ids[0])
	if err != nil {
		parts = []store.Part{{Number: 1, Size: 3, ETag: `"acbd18db4cc2f85cedef654fccc4a4d8"`}}
	}
	if len(parts) == 0 {
		return
	}
	switch p.rnd.IntN(8) {
	case 0:
		parts[0].ETag = `"acbd18db4cc2f85cedef654fccc4a4d8"`
	case 1:
		parts[len(parts)-1].Number = 9
	case 2:
		slices.Reverse(parts)
	}
	on := p.condition(u.bucket, u.key)
	p.both(fmt.Sprintf("CompleteMultipart #%d %+v %+v", n, parts, on), func(side int) (any, error) {
		return nil, p.sides[side][u.bucket].CompleteMultipart(ctx, u.key, u.ids[side], parts, store.CompleteOptions{Condition: on})
	})
	p.head(u.bucket, u.key)
}

var contents = [][]byte{nil, []byte("a"), []byte("foo"), []byte("%PDF-1.7 and so on"), bytes.Repeat([]byte("x"), 600)}

// large is what a part that is not the last must have.
var large = bytes.Repeat([]byte("5"), 5<<20)

func shortened(content []byte) string {
	if len(content) > 20 {
		return fmt.Sprintf("%d bytes of %q", len(content), content[0])
	}
	return fmt.Sprintf("%q", content)
}

// What completions are simulated at answers as servers do.
func TestS3InMemoryAnswersAsServersDo(t *testing.T) {
	t.Parallel()
	const groups, sequences, steps = 8, 30, 20
	srv := foreign.Start(t)
	require.Contains(t, profiles, srv.Name)
	other := srv.Bucket + "-staging"
	require.NoError(t, srv.CreateBucket(context.Background(), other))
	final := store.New(store.Config{
		Bucket: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, PathStyle: true, Credentials: srv.Credentials(),
	})
	for group := range groups {
		t.Run(fmt.Sprint(group), func(t *testing.T) {
			t.Parallel()
			memory := storetest.New(profiles[srv.Name])
			sides := [2][2]written{
				{memory.Bucket(srv.Bucket), memory.Bucket(other)},
				{realBucket{final}, realBucket{final.In(other)}},
			}
			replaced := map[string]bool{}
			for _, b := range []*storetest.Bucket{memory.Bucket(srv.Bucket), memory.Bucket(other)} {
				b.Changed = func(key string, was, is *storetest.Object) { replaced[b.Bucket()+"/"+key] = was != nil && is != nil }
			}
			for n := range sequences {
				p := &pair{
					t: t, server: srv.Name, rnd: rand.New(rand.NewPCG(uint64(group), uint64(n))), sides: sides,
					prefix: fmt.Sprintf("%d-%04d/", group, n), etags: []string{`"acbd18db4cc2f85cedef654fccc4a4d8"`}, replaced: replaced,
				}
				for range steps {
					p.step()
				}
			}
		})
	}
}
