// Package store is what the handler asks of S3 itself: multipart uploads, and
// looking at objects, freezing and deleting them. Signing for browsers is not
// here; it asks nothing.
package store

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/postern-go/postern/internal/object"
)

// Limits bound the calls. They are variables for the tests of e2e, which set them
// before anything runs.
var Limits = struct {
	// Attempt is how long S3 may take each to accept a connection, to agree on TLS
	// and to begin its answer, before the SDK tries again: a connection that hangs
	// must not use up the whole call. Its answer may take longer where S3 moves bytes
	// before.
	Attempt time.Duration
	// Call bounds a call with all its attempts.
	Call time.Duration
	// Copy bounds a call in which S3 moves up to 5 GiB, at some hundred MB a
	// second.
	Copy time.Duration
	// Read bounds reading a whole object.
	Read time.Duration
	// Road bounds all calls of a request that does not complete an upload. The module
	// for browsers waits a minute for its answer.
	Road time.Duration
}{4 * time.Second, 15 * time.Second, 5 * time.Minute, 30 * time.Minute, 25 * time.Second}

// attempts is how often the SDK tries a call.
const attempts = 3

// Config says where the bucket is.
type Config struct {
	Bucket, Region, Endpoint string
	PathStyle                bool
	Credentials              aws.CredentialsProvider
	// Trace sees every call; nil if nobody does.
	Trace Trace
}

// Store is one bucket. It is safe for concurrent use.
type Store struct {
	client *s3.Client
	mover  *s3.Client // for calls in which S3 moves bytes before it answers
	bucket string
}

// New returns a Store. It calls nothing.
func New(c Config) *Store {
	client := func(answer time.Duration) *s3.Client {
		return s3.New(s3.Options{
			Region:       c.Region,
			BaseEndpoint: aws.String(c.Endpoint),
			UsePathStyle: c.PathStyle,
			Credentials:  c.Credentials,
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = attempts
				o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
					if cutOff(err) {
						return aws.TrueTernary
					}
					return aws.UnknownTernary
				}))
			}),
			HTTPClient: awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) {
				d.Timeout = Limits.Attempt
			}).WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConnsPerHost = 64
				t.TLSHandshakeTimeout = Limits.Attempt
				t.ResponseHeaderTimeout = answer
			}),
			// Servers other than Amazon's need not know the newer checksums.
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}, signLittle, markCutOff, refusePages, traced(c.Trace))
	}
	return &Store{bucket: c.Bucket, client: client(Limits.Attempt), mover: client(0)}
}

// Client is the SDK's own, for calls that nobody else makes.
func (s *Store) Client() *s3.Client { return s.client }

// Bucket returns the name of the bucket.
func (s *Store) Bucket() string { return s.bucket }

// In returns the same for another bucket at the same endpoint.
func (s *Store) In(bucket string) *Store {
	other := *s
	other.bucket = bucket
	return &other
}

// Object is what a HEAD tells of an object.
type Object struct {
	Size     int64
	ETag     string
	Modified time.Time
	Header   object.Header
	SHA256   string // base64, or a composite one that ends in "-1" and so on
	// CRC64NVME is the base64 of the whole object's sum; "" where the server tells
	// none.
	CRC64NVME string
}

// Part is a part of a multipart upload.
type Part struct {
	Number   int32
	Size     int64
	ETag     string
	SHA256   string
	Modified time.Time // zero for one that was copied
}

// Head looks at an object. The error is [ErrNotFound] if there is none.
func (s *Store) Head(ctx context.Context, key string) (*Object, error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return nil, s.withReason(ctx, key, s.fail("HeadObject", err))
	}
	response := answer(out.ResultMetadata)
	if response == nil || out.ETag == nil {
		return nil, s.notS3("HeadObject", out.ResultMetadata)
	}
	return &Object{
		Size:     aws.ToInt64(out.ContentLength),
		ETag:     aws.ToString(out.ETag),
		Modified: aws.ToTime(out.LastModified),
		SHA256:   aws.ToString(out.ChecksumSHA256),
		// It is never composite ("S3 API: Checksum").
		CRC64NVME: aws.ToString(out.ChecksumCRC64NVME),
		Header:    object.ReadHeader(response.Header.Get, out.Metadata, int(aws.ToInt32(out.TagCount))),
	}, nil
}

// withReason adds S3's own words to the error of a HEAD that was denied: its answer has no
// document, and that of a GET has.
func (s *Store) withReason(ctx context.Context, key string, err error) error {
	var head, get *Error
	if !errors.As(err, &head) || head.Kind != ErrDenied || head.Message != "" {
		return err
	}
	out, failed := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if failed == nil {
		_ = out.Body.Close()
		return err
	}
	if errors.As(s.fail("GetObject", failed), &get) && get.Kind == ErrDenied && get.Code != "" {
		head.Code, head.Message, head.RequestID, head.HostID = get.Code, get.Message, get.RequestID, get.HostID
	}
	return err
}

// Delete deletes an object; with an ETag only the one that has it: [ErrChanged].
// It is no error if there is none.
func (s *Store) Delete(ctx context.Context, key, ifMatch string) error {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, IfMatch: optional(ifMatch)})
	switch err := ifChanged(s.fail("DeleteObject", err)); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !deleted(out.ResultMetadata):
		return s.notS3("DeleteObject", out.ResultMetadata)
	}
	return nil
}

// CheckBucket returns [ErrNoBucket] if the bucket is not there, as far as S3 tells: it
// says of an object that is looked at nothing but that it is missing too.
func (s *Store) CheckBucket(ctx context.Context) error {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	var e *Error
	if err = s.fail("HeadBucket", err); errors.As(err, &e) && (e.Kind == ErrNotFound || e.Kind == ErrNoBucket) {
		e.Kind = ErrNoBucket
		return e
	}
	return nil
}

// PutEmpty makes an object of no bytes: [ErrExists] if the condition does not hold,
// [ErrNotFound] if IfMatch finds nothing. It stands in for a copy, since no part can be
// empty.
func (s *Store) PutEmpty(ctx context.Context, key string, h object.Header, on Condition) error {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: http.NoBody, ContentLength: aws.Int64(0)}
	in.IfMatch, in.IfNoneMatch = on.fields()
	return s.putObject(ctx, in, storing(&h))
}

// PutIfAbsent writes a small object, unless there is one: [ErrExists]. After a retry
// that may mean that an earlier try has written it: look at the object.
func (s *Store) PutIfAbsent(ctx context.Context, key string, content []byte) error {
	return s.put(ctx, key, content, aws.String("*"))
}

// Put writes a small object, whatever is there.
func (s *Store) Put(ctx context.Context, key string, content []byte) error {
	return s.put(ctx, key, content, nil)
}

func (s *Store) put(ctx context.Context, key string, content []byte, ifNoneMatch *string) error {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	return s.putObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(content), IfNoneMatch: ifNoneMatch,
	})
}

func (s *Store) putObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) error {
	out, err := s.client.PutObject(ctx, in, opts...)
	if err == nil && out.ETag == nil {
		return s.notS3("PutObject", out.ResultMetadata)
	}
	return s.fail("PutObject", err)
}

// Copy copies an object of at most 5 GiB from a bucket, named from, to a key, whatever
// is there, with what h says instead of what is stored with the source, provided that
// this still has the ETag, where the server honours that: [ErrChanged], [ErrNotFound].
func (s *Store) Copy(ctx context.Context, from, source, etag, key string, h object.Header) error {
	ctx, cancel := within(ctx, Limits.Copy)
	defer cancel()
	out, err := s.mover.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.bucket, Key: &key, CopySource: aws.String(copySource(from, source)), CopySourceIfMatch: &etag,
		MetadataDirective: types.MetadataDirectiveReplace, TaggingDirective: types.TaggingDirectiveReplace,
	}, storing(&h))
	if err == nil && (out.CopyObjectResult == nil || out.CopyObjectResult.ETag == nil) {
		return s.notS3("CopyObject", out.ResultMetadata)
	}
	return ifChanged(s.fail("CopyObject", err))
}

// optional is nil for the empty string: S3 refuses empty headers.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// copySource is the header that names a source: escaped, with a plus sign too,
// which some servers read as a space.
func copySource(bucket, key string) string {
	return strings.ReplaceAll((&url.URL{Path: bucket + "/" + key}).EscapedPath(), "+", "%2B")
}
