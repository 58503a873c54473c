package s3test

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

func (b *rootedBackend) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	in.Bucket = b.pathOf(in.Bucket)
	in.Body = wholeBody(in.Body, in.ContentLength, nil)
	if err := conditions(b.profile.ignorePutConditions, b.profile.refusePutConditions, &in.IfNoneMatch, &in.IfMatch); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	var err error
	if in.Metadata, err = carry(in.Metadata, aws.ToString(in.Tagging)); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	defer b.meta.forget(b.object(in.Bucket, in.Key))()
	out, err := b.storage.PutObject(ctx, in)
	return out, b.named(err)
}

func (b *rootedBackend) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	var out *s3.HeadObjectOutput
	err := b.meta.unchanged(*c.Bucket, aws.ToString(in.Key), func() (err error) {
		out, err = b.storage.HeadObject(ctx, &c)
		return err
	})
	if out != nil && b.profile.noCRC64 {
		out.ChecksumCRC64NVME = nil
	}
	return out, b.named(err)
}

func (b *rootedBackend) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.GetObject(ctx, &c)
	return out, b.named(err)
}

func (b *rootedBackend) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.GetObjectAttributes(ctx, &c)
	return out, b.named(err)
}

func (b *rootedBackend) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.ListObjects(ctx, &c)
	out.Name = in.Bucket
	return out, b.named(err)
}

func (b *rootedBackend) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.ListObjectsV2(ctx, &c)
	out.Name = in.Bucket
	return out, b.named(err)
}

func (b *rootedBackend) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.ListObjectVersions(ctx, &c)
	out.Name = in.Bucket
	return out, b.named(err)
}

func (b *rootedBackend) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	if b.profile.ignoreDeleteConditions {
		c.IfMatch = nil
	}
	defer b.meta.forget(b.object(c.Bucket, in.Key))()
	out, err := b.storage.DeleteObject(ctx, &c)
	// Of two deletes at once the storage fails one; to S3 both are done.
	if errors.Is(err, s3err.GetAPIError(s3err.ErrNoSuchKey)) && c.IfMatch == nil {
		return &s3.DeleteObjectOutput{}, nil
	}
	return out, b.named(err)
}

func (b *rootedBackend) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	var paths []string
	for _, o := range in.Delete.Objects {
		paths = append(paths, b.object(c.Bucket, o.Key))
	}
	defer b.meta.forget(paths...)()
	out, err := b.storage.DeleteObjects(ctx, &c)
	return out, b.named(err)
}

func (b *rootedBackend) PutObjectTagging(ctx context.Context, bucket, object, versionID string, tags map[string]string) error {
	return b.named(b.storage.PutObjectTagging(ctx, b.path(bucket), object, versionID, tags))
}

func (b *rootedBackend) GetObjectTagging(ctx context.Context, bucket, object, versionID string) (map[string]string, error) {
	out, err := b.storage.GetObjectTagging(ctx, b.path(bucket), object, versionID)
	return out, b.named(err)
}

func (b *rootedBackend) DeleteObjectTagging(ctx context.Context, bucket, object, versionID string) error {
	return b.named(b.storage.DeleteObjectTagging(ctx, b.path(bucket), object, versionID))
}

func (b *rootedBackend) PutObjectRetention(ctx context.Context, bucket, object, versionID string, retention []byte) error {
	return b.named(b.storage.PutObjectRetention(ctx, b.path(bucket), object, versionID, retention))
}

func (b *rootedBackend) GetObjectRetention(ctx context.Context, bucket, object, versionID string) ([]byte, error) {
	out, err := b.storage.GetObjectRetention(ctx, b.path(bucket), object, versionID)
	return out, b.named(err)
}

func (b *rootedBackend) PutObjectLegalHold(ctx context.Context, bucket, object, versionID string, on bool) error {
	return b.named(b.storage.PutObjectLegalHold(ctx, b.path(bucket), object, versionID, on))
}

func (b *rootedBackend) GetObjectLegalHold(ctx context.Context, bucket, object, versionID string) (*bool, error) {
	out, err := b.storage.GetObjectLegalHold(ctx, b.path(bucket), object, versionID)
	return out, b.named(err)
}
