package s3test

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3response"
)

// bucketFolder is a bucket as a listing needs it.
type bucketFolder struct {
	os.FileInfo
	owner string
}

func (b *rootedBackend) buckets() ([]bucketFolder, error) {
	entries, err := os.ReadDir(b.root) // in the order of names
	if err != nil {
		return nil, err
	}
	var found []bucketFolder
	for _, e := range entries {
		if !e.IsDir() || !utils.IsValidBucketName(e.Name()) {
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		data, err := b.meta.RetrieveAttribute(nil, b.path(e.Name()), "", "acl")
		if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
			return nil, err
		}
		acl, err := auth.ParseACL(data)
		if err != nil {
			return nil, err
		}
		found = append(found, bucketFolder{fi, acl.Owner})
	}
	return found, nil
}

func (b *rootedBackend) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{
		Owner:  s3response.CanonicalUser{ID: in.Owner},
		Prefix: in.Prefix,
	}
	folders, err := b.buckets()
	if err != nil {
		return out, err
	}
	list := &out.Buckets.Bucket
	for _, f := range folders {
		if !strings.HasPrefix(f.Name(), in.Prefix) || f.Name() <= in.ContinuationToken || !in.IsAdmin && f.owner != in.Owner {
			continue
		}
		if len(*list) == int(in.MaxBuckets) {
			out.ContinuationToken = (*list)[len(*list)-1].Name
			break
		}
		*list = append(*list, s3response.ListAllMyBucketsEntry{Name: f.Name(), CreationDate: f.ModTime()})
	}
	return out, nil
}

func (b *rootedBackend) ListBucketsAndOwners(context.Context) ([]s3response.Bucket, error) {
	folders, err := b.buckets()
	if err != nil {
		return nil, err
	}
	var out []s3response.Bucket
	for _, f := range folders {
		out = append(out, s3response.Bucket{Name: f.Name(), Owner: f.owner})
	}
	return out, nil
}

func (b *rootedBackend) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	return b.named(b.storage.CreateBucket(ctx, &c, acl))
}

func (b *rootedBackend) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.HeadBucket(ctx, &c)
	return out, b.named(err)
}

func (b *rootedBackend) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.GetBucketAcl(ctx, &c)
	return out, b.named(err)
}

func (b *rootedBackend) PutBucketAcl(ctx context.Context, bucket string, data []byte) error {
	return b.named(b.storage.PutBucketAcl(ctx, b.path(bucket), data))
}

func (b *rootedBackend) DeleteBucket(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucket(ctx, b.path(bucket)))
}

func (b *rootedBackend) ChangeBucketOwner(ctx context.Context, bucket, owner string) error {
	return b.named(b.storage.ChangeBucketOwner(ctx, b.path(bucket), owner))
}

func (b *rootedBackend) PutBucketVersioning(ctx context.Context, bucket string, status types.BucketVersioningStatus) error {
	return b.named(b.storage.PutBucketVersioning(ctx, b.path(bucket), status))
}

func (b *rootedBackend) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	out, err := b.storage.GetBucketVersioning(ctx, b.path(bucket))
	return out, b.named(err)
}

func (b *rootedBackend) PutBucketOwnershipControls(ctx context.Context, bucket string, ownership types.ObjectOwnership) error {
	return b.named(b.storage.PutBucketOwnershipControls(ctx, b.path(bucket), ownership))
}

func (b *rootedBackend) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := b.storage.GetBucketOwnershipControls(ctx, b.path(bucket))
	return out, b.named(err)
}

func (b *rootedBackend) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucketOwnershipControls(ctx, b.path(bucket)))
}

func (b *rootedBackend) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	return b.named(b.storage.PutBucketPolicy(ctx, b.path(bucket), policy))
}

func (b *rootedBackend) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucketPolicy(ctx, b.path(bucket)))
}

func (b *rootedBackend) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return b.named(b.storage.PutBucketCors(ctx, b.path(bucket), cors))
}

func (b *rootedBackend) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := b.storage.GetBucketCors(ctx, b.path(bucket))
	return out, b.named(err)
}

func (b *rootedBackend) DeleteBucketCors(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucketCors(ctx, b.path(bucket)))
}

func (b *rootedBackend) PutBucketWebsite(ctx context.Context, bucket string, website []byte) error {
	return b.named(b.storage.PutBucketWebsite(ctx, b.path(bucket), website))
}

func (b *rootedBackend) GetBucketWebsite(ctx context.Context, bucket string) ([]byte, error) {
	out, err := b.storage.GetBucketWebsite(ctx, b.path(bucket))
	return out, b.named(err)
}

func (b *rootedBackend) DeleteBucketWebsite(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucketWebsite(ctx, b.path(bucket)))
}

func (b *rootedBackend) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return b.named(b.storage.PutBucketTagging(ctx, b.path(bucket), tags))
}

func (b *rootedBackend) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	out, err := b.storage.GetBucketTagging(ctx, b.path(bucket))
	return out, b.named(err)
}

func (b *rootedBackend) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return b.named(b.storage.DeleteBucketTagging(ctx, b.path(bucket)))
}

func (b *rootedBackend) PutObjectLockConfiguration(ctx context.Context, bucket string, config []byte) error {
	return b.named(b.storage.PutObjectLockConfiguration(ctx, b.path(bucket), config))
}

func (b *rootedBackend) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	out, err := b.storage.GetObjectLockConfiguration(ctx, b.path(bucket))
	return out, b.named(err)
}
