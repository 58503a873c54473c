package completion

import (
	"context"
	"io"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// Bucket is what an engine asks of a bucket. [store.Store] is one, and its methods say
// what they do.
type Bucket interface {
	Bucket() string
	CheckBucket(ctx context.Context) error
	Head(ctx context.Context, key string) (*store.Object, error)
	Get(ctx context.Context, key, ifMatch string, n int64) (io.ReadCloser, error)
	Read(ctx context.Context, key string, max int64) ([]byte, error)
	Put(ctx context.Context, key string, content []byte) error
	PutEmpty(ctx context.Context, key string, h object.Header, on store.Condition) error
	PutIfAbsent(ctx context.Context, key string, content []byte) error
	Copy(ctx context.Context, from, source, etag, key string, h object.Header) error
	Delete(ctx context.Context, key, ifMatch string) error
	List(ctx context.Context, prefix, after string) (page []store.Entry, more bool, err error)

	CreateMultipart(ctx context.Context, key string, h object.Header, sums bool) (uploadID string, err error)
	CopyPart(ctx context.Context, from, source, etag, key, uploadID string, number int32, first, last int64) (store.Part, error)
	CompleteMultipart(ctx context.Context, key, uploadID string, parts []store.Part, o store.CompleteOptions) error
	Parts(ctx context.Context, key, uploadID string) ([]store.Part, error)
	Abort(ctx context.Context, key, uploadID string) error
	Uploads(ctx context.Context, prefix string, after store.Marker) (page []store.Begun, next store.Marker, err error)
}
