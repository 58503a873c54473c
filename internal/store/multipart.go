package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/postern-go/postern/internal/object"
)

// CreateMultipart begins a multipart upload. What is stored with the object is
// set here: a copy of parts carries nothing over. sums asks for the SHA-256 of each
// part.
func (s *Store) CreateMultipart(ctx context.Context, key string, h object.Header, sums bool) (uploadID string, err error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	in := &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key}
	if sums {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
	}
	out, err := s.client.CreateMultipartUpload(ctx, in, storing(&h))
	if err != nil {
		return "", s.fail("CreateMultipartUpload", err)
	}
	if aws.ToString(out.UploadId) == "" {
		return "", s.notS3("CreateMultipartUpload", out.ResultMetadata)
	}
	return *out.UploadId, nil
}

// Parts lists the parts that have arrived, in order. The error is [ErrNoUpload]
// if the upload is gone.
func (s *Store) Parts(ctx context.Context, key, uploadID string) (parts []Part, err error) {
	var marker *string
	for {
		page, err := s.partsPage(ctx, key, uploadID, marker)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			parts = append(parts, Part{
				Number:   aws.ToInt32(p.PartNumber),
				Size:     aws.ToInt64(p.Size),
				ETag:     aws.ToString(p.ETag),
				SHA256:   aws.ToString(p.ChecksumSHA256),
				Modified: aws.ToTime(p.LastModified),
			})
		}
		next := aws.ToString(page.NextPartNumberMarker)
		if !aws.ToBool(page.IsTruncated) || next == "" || next == aws.ToString(marker) {
			return parts, nil
		}
		marker = &next
	}
}

func (s *Store) partsPage(ctx context.Context, key, uploadID string, marker *string) (*s3.ListPartsOutput, error) {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.ListParts(ctx, &s3.ListPartsInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID, PartNumberMarker: marker, MaxParts: aws.Int32(1000),
	})
	if err == nil && out.UploadId == nil {
		return nil, s.notS3("ListParts", out.ResultMetadata)
	}
	err = s.fail("ListParts", err)
	var e *Error
	if errors.As(err, &e) && e.Kind == ErrNotFound { // so Ceph calls an upload that is gone
		e.Kind = ErrNoUpload
	}
	return out, err
}

// Condition is a condition on what is at a key when it is written; at most one of
// them.
type Condition struct {
	IfAbsent bool   // nothing
	IfMatch  string // the object of this ETag, with its quotes
}

func (c Condition) fields() (ifMatch, ifNoneMatch *string) {
	if c.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	return optional(c.IfMatch), ifNoneMatch
}

// CompleteOptions are conditions on the end of a multipart upload.
type CompleteOptions struct {
	Condition
	Size bool // the parts add up
}

// CompleteMultipart makes an object of parts: [ErrExists] if the condition does not
// hold, [ErrNotFound] if IfMatch finds nothing. After a retry,
// [ErrNoUpload] and ErrExists may mean that an earlier try has done it: look at the
// object.
func (s *Store) CompleteMultipart(ctx context.Context, key, uploadID string, parts []Part, o CompleteOptions) error {
	ctx, cancel := within(ctx, Limits.Copy)
	defer cancel()
	completed := make([]types.CompletedPart, len(parts))
	for i := range parts {
		completed[i] = types.CompletedPart{
			PartNumber: &parts[i].Number, ETag: &parts[i].ETag, ChecksumSHA256: optional(parts[i].SHA256),
		}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
	}
	in.IfMatch, in.IfNoneMatch = o.fields()
	if o.Size {
		var size int64
		for _, p := range parts {
			size += p.Size
		}
		in.MpuObjectSize = &size
	}
	out, err := s.mover.CompleteMultipartUpload(ctx, in)
	if err == nil && out.ETag == nil && out.Key == nil {
		return s.notS3("CompleteMultipartUpload", out.ResultMetadata)
	}
	return s.fail("CompleteMultipartUpload", err)
}

// Abort ends a multipart upload and looks that nothing is left of it: a part
// that is in flight survives an abort. It is no error if the upload is gone.
func (s *Store) Abort(ctx context.Context, key, uploadID string) error {
	const tries = 5
	for try := range tries {
		aborted := s.abortOnce(ctx, key, uploadID)
		// What counts is what is there: some servers answer 500, and have done it.
		_, err := s.partsPage(ctx, key, uploadID, nil)
		switch {
		case errors.Is(err, ErrNoUpload):
			return nil
		case aborted != nil && !errors.Is(aborted, ErrNoUpload):
			return aborted
		case err != nil:
			return err
		}
		select {
		case <-time.After(time.Duration(try+1) * 100 * time.Millisecond):
		case <-ctx.Done():
			return s.fail("AbortMultipartUpload", ctx.Err())
		}
	}
	return &Error{Op: "AbortMultipartUpload", Kind: ErrUnavailable, Err: fmt.Errorf("parts are left after %d aborts", tries)}
}

func (s *Store) abortOnce(ctx context.Context, key, uploadID string) error {
	ctx, cancel := within(ctx, Limits.Call)
	defer cancel()
	out, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &uploadID})
	if err == nil && !deleted(out.ResultMetadata) {
		return s.notS3("AbortMultipartUpload", out.ResultMetadata)
	}
	return s.fail("AbortMultipartUpload", err)
}

// CopyPart copies the bytes first to last of an object in a bucket, named from, into a
// part, provided that the object still has the ETag: [ErrChanged], [ErrNotFound].
func (s *Store) CopyPart(ctx context.Context, from, source, etag, key, uploadID string, number int32, first, last int64) (Part, error) {
	ctx, cancel := within(ctx, Limits.Copy)
	defer cancel()
	out, err := s.mover.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID, PartNumber: &number,
		CopySource:        aws.String(copySource(from, source)),
		CopySourceIfMatch: &etag,
		CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
	})
	if err := ifChanged(s.fail("UploadPartCopy", err)); err != nil {
		return Part{}, err
	}
	r := out.CopyPartResult
	if r == nil || aws.ToString(r.ETag) == "" {
		return Part{}, s.notS3("UploadPartCopy", out.ResultMetadata)
	}
	return Part{Number: number, Size: last - first + 1, ETag: *r.ETag, SHA256: aws.ToString(r.ChecksumSHA256)}, nil
}
