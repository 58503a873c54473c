package storetest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// Bucket returns the name.
func (b *Bucket) Bucket() string { return b.name }

// CheckBucket reports whether the bucket is there, which it is.
func (b *Bucket) CheckBucket(context.Context) error { return nil }

// Head looks at an object.
func (b *Bucket) Head(_ context.Context, key string) (*store.Object, error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	o := b.objects[key]
	if o == nil {
		return nil, fail("HeadObject", store.ErrNotFound, "NotFound")
	}
	told := &store.Object{Size: int64(len(o.Content)), ETag: o.ETag, Modified: o.Modified, Header: o.Header, SHA256: o.SHA256}
	if !b.server.NoCRC64 && o.SHA256 == "" {
		told.CRC64NVME = CRC64NVME(o.Content)
	}
	return told, nil
}

// Get opens an object.
func (b *Bucket) Get(_ context.Context, key, ifMatch string, n int64) (io.ReadCloser, error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	o := b.objects[key]
	switch {
	case o == nil:
		return nil, fail("GetObject", store.ErrNotFound, "NoSuchKey")
	case !sameETag(o.ETag, ifMatch):
		return nil, fail("GetObject", store.ErrChanged, "PreconditionFailed")
	case n > 0 && len(o.Content) == 0:
		return nil, fail("GetObject", store.ErrRange, "InvalidRange")
	case n > 0:
		return io.NopCloser(bytes.NewReader(o.Content[:min(n, int64(len(o.Content)))])), nil
	}
	return io.NopCloser(bytes.NewReader(o.Content)), nil
}

// Read reads a small object.
func (b *Bucket) Read(_ context.Context, key string, max int64) ([]byte, error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	o := b.objects[key]
	if o == nil {
		return nil, fail("GetObject", store.ErrNotFound, "NoSuchKey")
	}
	return slices.Clone(o.Content[:min(max, int64(len(o.Content)))]), nil
}

// Write is what browsers do by a PUT or a form: an object with what h says, if the
// condition holds.
func (b *Bucket) Write(_ context.Context, key string, content []byte, h object.Header, on store.Condition) error {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	if !b.server.IgnorePut {
		if err := b.holds("PutObject", key, on); err != nil {
			return err
		}
	}
	b.set(key, b.object(content, h))
	return nil
}

// sdkType is what the SDK says of content that nobody says anything of.
const sdkType = "application/octet-stream"

// Put writes a small object.
func (b *Bucket) Put(ctx context.Context, key string, content []byte) error {
	return b.Write(ctx, key, slices.Clone(content), object.Header{Type: sdkType}, store.Condition{})
}

// PutEmpty makes an object of no bytes.
func (b *Bucket) PutEmpty(ctx context.Context, key string, h object.Header, on store.Condition) error {
	return b.Write(ctx, key, nil, h, on)
}

// PutIfAbsent writes a small object, unless there is one.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, content []byte) error {
	return b.Write(ctx, key, slices.Clone(content), object.Header{Type: sdkType}, store.Condition{IfAbsent: true})
}

// source finds what is to be copied.
func (b *Bucket) source(op, from, key, etag string) (*Object, error) {
	bucket := b.server.buckets[from]
	if bucket == nil {
		return nil, fail(op, store.ErrNoBucket, "NoSuchBucket")
	}
	o := bucket.objects[key]
	switch {
	case o == nil:
		return nil, fail(op, store.ErrNotFound, "NoSuchKey")
	case !b.server.IgnoreCopySource && !sameETag(o.ETag, etag):
		return nil, fail(op, store.ErrChanged, "PreconditionFailed")
	}
	return o, nil
}

// Copy copies an object with what h says instead of what is stored with the source.
func (b *Bucket) Copy(_ context.Context, from, source, etag, key string, h object.Header) error {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	o, err := b.source("CopyObject", from, source, etag)
	if err != nil {
		return err
	}
	b.set(key, b.object(o.Content, h))
	return nil
}

// Delete deletes an object.
func (b *Bucket) Delete(_ context.Context, key, ifMatch string) error {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	o := b.objects[key]
	if o == nil {
		return nil
	}
	if ifMatch != "" && !b.server.IgnoreDelete && !sameETag(o.ETag, ifMatch) {
		return fail("DeleteObject", store.ErrChanged, "PreconditionFailed")
	}
	b.set(key, nil)
	return nil
}

// List lists objects in the order of their keys.
func (b *Bucket) List(_ context.Context, prefix, after string) (page []store.Entry, more bool, err error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	var keys []string
	for key := range b.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	more = len(keys) > b.server.PageSize
	for _, key := range keys[:min(len(keys), b.server.PageSize)] {
		o := b.objects[key]
		page = append(page, store.Entry{Key: key, ETag: o.ETag, Size: int64(len(o.Content)), Modified: o.Modified})
	}
	return page, more, nil
}
