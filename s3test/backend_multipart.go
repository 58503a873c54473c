package s3test

import (
	"context"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

func (b *rootedBackend) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	name := in.Bucket
	in.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.CreateMultipartUpload(ctx, in)
	out.Bucket = aws.ToString(name)
	if err == nil {
		b.summed.begin(out.UploadId, string(in.ChecksumAlgorithm))
	}
	return out, b.named(err)
}

func (b *rootedBackend) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := b.ended(in.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	if err := conditions(b.profile.ignoreCompleteConditions, b.profile.refuseCompleteConditions, &c.IfNoneMatch, &c.IfMatch); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	if b.profile.ignoreObjectSize {
		c.MpuObjectSize = nil
	}
	lock := b.storing(in.Key)
	lock.Lock()
	defer lock.Unlock()
	defer b.meta.forget(b.object(c.Bucket, in.Key), b.uploads(c.Bucket, in.Key))()
	out, versionID, err := b.storage.CompleteMultipartUpload(ctx, &c)
	out.Bucket = in.Bucket
	return out, versionID, b.named(err)
}

func (b *rootedBackend) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	b.aborted.Store(strings.Clone(aws.ToString(in.UploadId)), true) // the request's memory is used again
	lock := b.storing(in.Key)
	lock.Lock()
	defer lock.Unlock()
	defer b.meta.forget(b.uploads(c.Bucket, in.Key))()
	return b.named(b.storage.AbortMultipartUpload(ctx, &c))
}

// storing keeps the storing of parts and what ends uploads apart, for each key. The
// storage gives the upload's folder another name while it completes it: a part that
// comes meanwhile makes the folder again, so that a completion that fails cannot give it
// back, and whoever looks which parts are gone finds none.
func (b *rootedBackend) storing(key *string) *sync.RWMutex {
	lock, _ := b.parts.LoadOrStore(strings.Clone(aws.ToString(key)), &sync.RWMutex{})
	return lock.(*sync.RWMutex)
}

// ended is an error if the upload was aborted. A part that was on its way then is
// stored, and brings the upload back, here as at Amazon; but no other part joins
// it, and it is never completed.
func (b *rootedBackend) ended(id *string) error {
	if _, ended := b.aborted.Load(aws.ToString(id)); ended {
		return s3err.GetNoSuchUploadErr(aws.ToString(id))
	}
	return nil
}

func (b *rootedBackend) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.ListMultipartUploads(ctx, &c)
	out.Bucket = aws.ToString(in.Bucket)
	return out, b.named(err)
}

func (b *rootedBackend) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	out, err := b.storage.ListParts(ctx, &c)
	out.Bucket = aws.ToString(in.Bucket)
	if b.profile.noPartSums {
		for n := range out.Parts {
			out.Parts[n].ChecksumSHA256 = nil
		}
	}
	return out, b.named(err)
}

func (b *rootedBackend) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	c := *in
	c.Bucket = b.pathOf(in.Bucket)
	if err := b.ended(in.UploadId); err != nil {
		return nil, err
	}
	lock := b.storing(in.Key)
	read := sync.OnceFunc(lock.RLock)
	c.Body = wholeBody(in.Body, in.ContentLength, read)
	out, err := b.storage.UploadPart(ctx, &c)
	read()
	lock.RUnlock()
	return out, b.named(err)
}
