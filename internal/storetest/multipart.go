package storetest

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// upload is a multipart upload. One that was aborted is kept while parts are on
// their way: they bring it back, so that it is listed and can be aborted again, but
// never completed.
type upload struct {
	key, id string
	begun   time.Time
	header  object.Header
	sums    bool
	aborted bool
	coming  int // parts on their way
	parts   []part
}

type part struct {
	store.Part
	content []byte
}

// there reports whether an upload can be seen.
func (u *upload) there() bool { return !u.aborted || len(u.parts) > 0 }

// CreateMultipart begins a multipart upload.
func (b *Bucket) CreateMultipart(_ context.Context, key string, h object.Header, sums bool) (uploadID string, err error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	b.server.begun++
	u := &upload{key: key, id: fmt.Sprintf("upload-%06d", b.server.begun), begun: time.Now(), header: stored(h), sums: sums}
	b.uploads[u.id] = u
	return u.id, nil
}

// upload finds one that goes on.
func (b *Bucket) upload(op, key, id string) (*upload, error) {
	u := b.uploads[id]
	if u == nil || u.key != key || u.aborted {
		return nil, fail(op, store.ErrNoUpload, "NoSuchUpload")
	}
	return u, nil
}

func (u *upload) put(b *Bucket, number int32, content []byte) store.Part {
	p := store.Part{Number: number, Size: int64(len(content)), ETag: `"` + b.server.ETag(content) + `"`, Modified: time.Now()}
	if u.sums {
		p.SHA256 = shaOf(content)
	}
	at, found := u.find(number)
	if found {
		u.parts[at] = part{p, content}
	} else {
		u.parts = slices.Insert(u.parts, at, part{p, content})
	}
	return p
}

func (u *upload) find(number int32) (int, bool) {
	return slices.BinarySearchFunc(u.parts, number, func(p part, n int32) int { return int(p.Number - n) })
}

// UploadPart is what browsers do: a part that arrives at once.
func (b *Bucket) UploadPart(ctx context.Context, key, uploadID string, number int32, content []byte) (etag string, err error) {
	arrive, err := b.SendPart(ctx, key, uploadID, number, content)
	if err != nil {
		return "", err
	}
	return arrive(), nil
}

// SendPart begins to send a part. It is stored when it has arrived, even if the upload
// was aborted meanwhile; but there is no ETag where it was completed.
func (b *Bucket) SendPart(_ context.Context, key, uploadID string, number int32, content []byte) (arrive func() (etag string), err error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	u, err := b.upload("UploadPart", key, uploadID)
	if err != nil {
		return nil, err
	}
	u.coming++
	return func() string {
		b.server.mutex.Lock()
		defer b.server.mutex.Unlock()
		u.coming--
		if b.uploads[u.id] == nil {
			return ""
		}
		return u.put(b, number, content).ETag
	}, nil
}

// CopyPart copies a part of an object into a part.
func (b *Bucket) CopyPart(_ context.Context, from, source, etag, key, uploadID string, number int32, first, last int64) (store.Part, error) {
	const op = "UploadPartCopy"
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	u, err := b.upload(op, key, uploadID)
	if err != nil {
		return store.Part{}, err
	}
	o, err := b.source(op, from, source, etag)
	if err != nil {
		return store.Part{}, err
	}
	if u.sums && b.server.NoCopySums {
		return store.Part{}, fail(op, store.ErrUnexpected, "InvalidRequest")
	}
	if last >= int64(len(o.Content)) || first > last {
		return store.Part{}, fail(op, store.ErrUnexpected, "InvalidArgument")
	}
	p := u.put(b, number, o.Content[first:last+1])
	p.Modified = time.Time{}
	return p, nil
}

// CompleteMultipart makes an object of parts.
func (b *Bucket) CompleteMultipart(_ context.Context, key, uploadID string, parts []store.Part, o store.CompleteOptions) error {
	const op = "CompleteMultipartUpload"
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	u, err := b.upload(op, key, uploadID)
	if err != nil {
		if b.server.Again && b.done[uploadID] == key && b.objects[key] != nil {
			return nil
		}
		return err
	}
	if !b.server.IgnoreComplete {
		if err := b.holds(op, key, o.Condition); err != nil {
			return err
		}
	}
	done, err := b.assemble(op, u, parts)
	if err != nil {
		return err
	}
	if o.Size && !b.server.IgnoreSize {
		var sum int64
		for _, p := range parts {
			sum += p.Size
		}
		if sum != int64(len(done.Content)) {
			return fail(op, store.ErrUnexpected, "InvalidRequest")
		}
	}
	delete(b.uploads, u.id)
	b.done[u.id] = key
	b.set(key, done)
	return nil
}

// assemble makes the object.
func (b *Bucket) assemble(op string, u *upload, parts []store.Part) (*Object, error) {
	if len(parts) == 0 {
		return nil, fail(op, store.ErrUnexpected, "MalformedXML")
	}
	whole := &Object{Modified: time.Now(), Header: u.header}
	sum, sha := md5.New(), sha256.New()
	for k, p := range parts {
		if k > 0 && p.Number <= parts[k-1].Number {
			return nil, fail(op, store.ErrParts, "InvalidPartOrder")
		}
		at, there := u.find(p.Number)
		if !there {
			return nil, fail(op, store.ErrParts, "InvalidPart")
		}
		is := &u.parts[at]
		switch {
		case k < len(parts)-1 && is.Size < b.server.MinPart:
			return nil, fail(op, store.ErrParts, "EntityTooSmall")
		case !sameETag(is.ETag, p.ETag), p.SHA256 != "" && p.SHA256 != is.SHA256:
			return nil, fail(op, store.ErrParts, "InvalidPart")
		case u.sums && p.SHA256 == "":
			return nil, fail(op, store.ErrUnexpected, "InvalidRequest")
		}
		if len(parts) == 1 {
			whole.Content = is.content
		} else {
			whole.Content = append(whole.Content, is.content...)
		}
		raw, err := hex.DecodeString(strings.Trim(is.ETag, `"`))
		if err != nil {
			return nil, err
		}
		sum.Write(raw)
		if u.sums {
			raw, err := base64.StdEncoding.DecodeString(is.SHA256)
			if err != nil {
				return nil, err
			}
			sha.Write(raw)
		}
	}
	whole.ETag = fmt.Sprintf(`"%x-%d"`, sum.Sum(nil), len(parts))
	if u.sums {
		whole.SHA256 = fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(sha.Sum(nil)), len(parts))
	}
	return whole, nil
}

// Parts lists the parts that have arrived.
func (b *Bucket) Parts(_ context.Context, key, uploadID string) (parts []store.Part, err error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	u := b.uploads[uploadID]
	if u == nil || u.key != key || !u.there() {
		return nil, fail("ListParts", store.ErrNoUpload, "NoSuchUpload")
	}
	for _, p := range u.parts {
		if b.server.NoPartSums {
			p.SHA256 = ""
		}
		parts = append(parts, p.Part)
	}
	return parts, nil
}

// AbortOnce is a single AbortMultipartUpload: parts that are on their way stay.
func (b *Bucket) AbortOnce(_ context.Context, key, uploadID string) error {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	delete(b.done, uploadID)
	u := b.uploads[uploadID]
	if u == nil || u.key != key || !u.there() {
		return fail("AbortMultipartUpload", store.ErrNoUpload, "NoSuchUpload")
	}
	u.aborted, u.parts = true, nil
	if u.coming == 0 {
		delete(b.uploads, u.id)
	}
	return nil
}

// Abort ends a multipart upload and looks that nothing is left of it.
func (b *Bucket) Abort(ctx context.Context, key, uploadID string) error {
	return Abort(ctx, key, uploadID, b.AbortOnce, b.Parts)
}

// Abort is [store.Store.Abort], of two calls.
func Abort(ctx context.Context, key, uploadID string, once func(ctx context.Context, key, uploadID string) error,
	list func(ctx context.Context, key, uploadID string) ([]store.Part, error),
) error {
	const tries = 5
	for try := range tries {
		aborted := once(ctx, key, uploadID)
		_, err := list(ctx, key, uploadID)
		switch {
		case errors.Is(err, store.ErrNoUpload):
			return nil
		case aborted != nil && !errors.Is(aborted, store.ErrNoUpload):
			return aborted
		case err != nil:
			return err
		}
		time.Sleep(time.Duration(try+1) * 100 * time.Millisecond)
	}
	return fail("AbortMultipartUpload", store.ErrUnavailable, "")
}

// Uploads lists multipart uploads in the order of their keys, and then of their
// beginning.
func (b *Bucket) Uploads(_ context.Context, prefix string, after store.Marker) (page []store.Begun, next store.Marker, err error) {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	for _, u := range b.uploads {
		follows := u.key > after.Key || u.key == after.Key && after.UploadID != "" && u.id > after.UploadID
		if follows && u.there() && strings.HasPrefix(u.key, prefix) {
			page = append(page, store.Begun{Key: u.key, UploadID: u.id, Initiated: u.begun})
		}
	}
	slices.SortFunc(page, func(x, y store.Begun) int {
		return cmp.Or(strings.Compare(x.Key, y.Key), strings.Compare(x.UploadID, y.UploadID))
	})
	if n := b.server.PageSize; len(page) > n {
		page = page[:n]
		next = store.Marker{Key: page[n-1].Key, UploadID: page[n-1].UploadID}
	}
	return page, next, nil
}
