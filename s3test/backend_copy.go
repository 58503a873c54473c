package s3test

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// The storage reads a copy's source as "bucket/key" and takes the part before
// the first slash for a folder below the working directory: no absolute path
// fits. So the bucket is "..", and the key goes on up to the file system's root
// and down again. Going up from the root stays there, so that one path is right
// in every working directory.
const upward = "../"

var upwardToRoot = strings.Repeat(upward, 127) + ".."

// fromAnywhere is the path of a bucket as a relative path.
func (b *rootedBackend) fromAnywhere(bucket string) string {
	path := b.path(bucket)
	return upwardToRoot + filepath.ToSlash(path[len(filepath.VolumeName(path)):])
}

// copySource rewrites the source of a copy for the storage, which could not
// tell whether the bucket it meant exists and whose it is.
func (b *rootedBackend) copySource(ctx context.Context, source, expectedOwner *string) (*string, error) {
	bucket, key, versionID, err := backend.ParseCopySource(aws.ToString(source))
	if err != nil {
		return nil, err
	}
	if err := b.exists(bucket); err != nil {
		return nil, err
	}
	if want := aws.ToString(expectedOwner); want != "" {
		data, err := b.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		acl, err := auth.ParseACL(data)
		if err != nil {
			return nil, err
		}
		if acl.Owner != want {
			return nil, s3err.GetAPIError(s3err.ErrAccessDenied)
		}
	}
	path := b.fromAnywhere(bucket) + "/" + key
	if versionID != "" {
		path += "?versionId=" + versionID
	}
	return aws.String(url.QueryEscape(path)), nil
}

func (b *rootedBackend) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	name := in.Bucket
	source, err := b.copySource(ctx, in.CopySource, in.ExpectedSourceBucketOwner)
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	in.CopySource, in.ExpectedSourceBucketOwner = source, nil
	_ = conditions(b.profile.ignoreCopySource, false, &in.CopySourceIfMatch, &in.CopySourceIfNoneMatch)
	if in.TaggingDirective == types.TaggingDirectiveReplace && in.MetadataDirective == types.MetadataDirectiveReplace {
		if in.Metadata, err = carry(in.Metadata, aws.ToString(in.Tagging)); err != nil {
			return s3response.CopyObjectOutput{}, err
		}
	}
	folder := b.pathOf(in.Bucket)
	defer b.meta.forget(b.object(folder, in.Key))()
	in.Bucket = folder
	if in.MetadataDirective == types.MetadataDirectiveCopy {
		// In the same form as the source: the storage then refuses a copy of
		// an object onto itself. With other attributes the object is written
		// anew, since they would be changed one by one.
		in.Bucket = aws.String(b.fromAnywhere(aws.ToString(name)))
	}
	out, err := b.storage.CopyObject(ctx, in)
	return out, b.named(err)
}

func (b *rootedBackend) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	source, err := b.copySource(ctx, in.CopySource, in.ExpectedSourceBucketOwner)
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	c := *in
	c.CopySource, c.ExpectedSourceBucketOwner = source, nil
	c.Bucket = b.pathOf(in.Bucket)
	if err := b.checkCopy(in.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	_ = conditions(b.profile.ignoreCopySource, false, &c.CopySourceIfMatch, &c.CopySourceIfNoneMatch)
	out, err := b.storage.UploadPartCopy(ctx, &c)
	return out, b.named(err)
}
