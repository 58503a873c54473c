package store

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Read reads a small object of at most max bytes.
func (s *Store) Read(ctx context.Context, key string, max int64) ([]byte, error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, s.fail("GetObject", err)
	}
	defer out.Body.Close()
	if out.ETag == nil {
		return nil, s.notS3("GetObject", out.ResultMetadata)
	}
	content, err := io.ReadAll(io.LimitReader(out.Body, max))
	if err != nil {
		return nil, Interrupted(err)
	}
	return content, nil
}

// Get opens the object that has an ETag from its first byte: n bytes of it, or all
// if n is 0. The caller closes it. The error is [ErrChanged] if the object has
// another ETag.
func (s *Store) Get(ctx context.Context, key, ifMatch string, n int64) (io.ReadCloser, error) {
	if n == 0 {
		return s.open(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, IfMatch: &ifMatch}, Limits.Read)
	}
	return s.open(ctx, s.rangeOf(key, ifMatch, 0, n), Limits.Call)
}

// GetRange opens n bytes from an offset of the object that has an ETag, or fewer where
// the object ends; n is at least 1. The caller closes it. The error is [ErrChanged] if
// the object has another ETag, [ErrRange] if it has no byte at the offset.
func (s *Store) GetRange(ctx context.Context, key, ifMatch string, offset, n int64) (io.ReadCloser, error) {
	return s.open(ctx, s.rangeOf(key, ifMatch, offset, n), Limits.Read)
}

func (s *Store) rangeOf(key, ifMatch string, offset, n int64) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &key, IfMatch: &ifMatch,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+n-1)),
	}
}

// open begins to read an object. The limit holds until the body is closed.
func (s *Store) open(ctx context.Context, in *s3.GetObjectInput, limit time.Duration) (io.ReadCloser, error) {
	ctx, cancel := within(ctx, limit)
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		cancel()
		return nil, ifChanged(s.fail("GetObject", err))
	}
	b := &body{out.Body, cancel}
	switch {
	case out.ETag == nil:
		err = s.notS3("GetObject", out.ResultMetadata)
	case !isRange(aws.ToString(out.ContentRange), aws.ToString(in.Range)):
		err = fmt.Errorf("%q instead of %q", aws.ToString(out.ContentRange), aws.ToString(in.Range))
		err = &Error{Op: "GetObject", Kind: ErrUnexpected, Bucket: s.bucket, Err: err}
	default:
		return b, nil
	}
	_ = b.Close()
	return nil, err
}

// isRange reports whether an answer begins where it was asked to: a server may ignore
// Range (RFC 9110 §14.2).
func isRange(got, asked string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(asked, "bytes="), "-")
	return asked == "" || strings.HasPrefix(got, "bytes "+first+"-")
}

// body ends its context when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// Tags reads the tags of an object. The error is [ErrNotFound] if there is no object.
func (s *Store) Tags(ctx context.Context, key string) (map[string]string, error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, s.fail("GetObjectTagging", err)
	}
	if out.TagSet == nil {
		return nil, s.notS3("GetObjectTagging", out.ResultMetadata)
	}
	tags := make(map[string]string, len(out.TagSet))
	for _, t := range out.TagSet {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}
