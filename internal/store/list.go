package store

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// pageSize is how much one page of a listing holds at most; S3 allows no more.
const pageSize = 1000

// Entry is an object of a listing.
type Entry struct {
	Key      string
	ETag     string
	Size     int64
	Modified time.Time
}

// Begun is a multipart upload that was begun and has not ended.
type Begun struct {
	Key, UploadID string
	Initiated     time.Time // zero where the server does not tell
}

// Marker is where a page of [Store.Uploads] ends.
type Marker struct{ Key, UploadID string }

// errNoProgress is a listing that would never end.
var errNoProgress = errors.New("the next page begins again")

// List lists objects whose keys begin with a prefix, in the server's order: a page of
// at most 1,000 that follow the key after, or the first ones if it is "". more tells
// that others follow the last one of the page.
func (s *Store) List(ctx context.Context, prefix, after string) (page []Entry, more bool, err error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &s.bucket, Prefix: optional(prefix), StartAfter: optional(after), MaxKeys: aws.Int32(pageSize),
		EncodingType: types.EncodingTypeUrl, // XML has no control characters
	})
	if err != nil {
		return nil, false, s.fail("ListObjectsV2", err)
	}
	if out.Name == nil && out.KeyCount == nil {
		return nil, false, s.notS3("ListObjectsV2", out.ResultMetadata)
	}
	page = make([]Entry, 0, len(out.Contents))
	for _, o := range out.Contents {
		key, err := decodeKey(aws.ToString(o.Key), out.EncodingType)
		if err != nil {
			return nil, false, &Error{Op: "ListObjectsV2", Kind: ErrUnexpected, Err: err}
		}
		page = append(page, Entry{
			Key: key, ETag: aws.ToString(o.ETag), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified),
		})
	}
	more = aws.ToBool(out.IsTruncated)
	again := slices.ContainsFunc(page, func(e Entry) bool { return e.Key == after })
	if again || more && len(page) == 0 {
		return nil, false, &Error{Op: "ListObjectsV2", Kind: ErrUnexpected, Err: errNoProgress}
	}
	return page, more, nil
}

// Uploads lists multipart uploads whose keys begin with a prefix: a page of at most
// 1,000 that follow a marker, or the first ones if it is zero. next is the marker of the
// page after it, or zero. MinIO takes the prefix for a key, and lists the uploads of
// that one alone. versitygw leaves out what has the key of the marker. SeaweedFS does not
// tell Initiated, and confuses keys that have a plus sign or a percent sign.
func (s *Store) Uploads(ctx context.Context, prefix string, after Marker) (page []Begun, next Marker, err error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	in := &s3.ListMultipartUploadsInput{
		Bucket: &s.bucket, Prefix: optional(prefix), MaxUploads: aws.Int32(pageSize),
		KeyMarker: optional(after.Key), UploadIdMarker: optional(after.UploadID),
		EncodingType: types.EncodingTypeUrl,
	}
	out, err := s.client.ListMultipartUploads(ctx, in)
	if err = s.fail("ListMultipartUploads", err); isInvalidArgument(err) && after.Key != "" && after.UploadID != "" {
		in.UploadIdMarker = nil // versitygw refuses its own
		out, err = s.client.ListMultipartUploads(ctx, in)
		err = s.fail("ListMultipartUploads", err)
	}
	if err != nil {
		return nil, Marker{}, err
	}
	if out.Bucket == nil && out.MaxUploads == nil {
		return nil, Marker{}, s.notS3("ListMultipartUploads", out.ResultMetadata)
	}
	page = make([]Begun, 0, len(out.Uploads))
	for _, u := range out.Uploads {
		key, err := decodeKey(aws.ToString(u.Key), out.EncodingType)
		if err != nil {
			return nil, Marker{}, &Error{Op: "ListMultipartUploads", Kind: ErrUnexpected, Err: err}
		}
		page = append(page, Begun{Key: key, UploadID: aws.ToString(u.UploadId), Initiated: aws.ToTime(u.Initiated)})
	}
	if !aws.ToBool(out.IsTruncated) {
		return page, Marker{}, nil
	}
	next.UploadID = aws.ToString(out.NextUploadIdMarker)
	next.Key, err = decodeKey(aws.ToString(out.NextKeyMarker), out.EncodingType)
	if err == nil && (next == after || next == Marker{}) {
		err = errNoProgress
	}
	if err != nil {
		return nil, Marker{}, &Error{Op: "ListMultipartUploads", Kind: ErrUnexpected, Err: err}
	}
	return page, next, nil
}

func isInvalidArgument(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "InvalidArgument"
}

// decodeKey decodes a key of a listing, if the server says that it has encoded it: not
// all do. Both forms of a space are in use.
func decodeKey(key string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return key, nil
	}
	return url.QueryUnescape(key)
}
