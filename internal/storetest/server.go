// Package storetest is S3 in memory, with the methods that internal/store has: what
// the simulator of completions runs at. It decides at once and sends nothing, so that
// a hundred thousand schedules take a minute. Tests of e2e/s3 hold it against real
// servers, call by call; it stands in for none of them.
package storetest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// Profile is how a server differs from Amazon's. What is ignored has no effect, as if
// it had not been sent.
type Profile struct {
	// Of If-None-Match and If-Match on PutObject, of the same on
	// CompleteMultipartUpload, of the condition on a copy's source, of If-Match on
	// DeleteObject.
	IgnorePut, IgnoreComplete, IgnoreCopySource, IgnoreDelete bool
	// NoCopySums: no part is copied into an upload with sums.
	NoCopySums bool
	// NoPartSums: parts are listed without sums.
	NoPartSums bool
	// IgnoreSize: nobody asks whether the parts add up.
	IgnoreSize bool
	// NoCRC64: no CRC-64/NVME is told.
	NoCRC64 bool
	// Again: whoever completes an upload that is complete hears that it is done, as
	// long as there is an object at its key. Else there is no such upload.
	Again bool
	// MinPart is the least size of a part but the last, in bytes; 0 is 5 MiB.
	MinPart int64
	// PageSize is the length of a page of a listing; 0 is 1,000.
	PageSize int
	// ETag makes an ETag, without quotes, of what is written in one piece; nil is the
	// MD5 in hexadecimal. With another one files can have one ETag.
	ETag func(content []byte) string
}

// Server is S3. It is safe for concurrent use.
type Server struct {
	Profile
	mutex   sync.Mutex
	buckets map[string]*Bucket
	begun   int
}

// New returns a Server without buckets.
func New(p Profile) *Server {
	if p.MinPart == 0 {
		p.MinPart = object.MinPart
	}
	if p.PageSize == 0 {
		p.PageSize = 1000
	}
	if p.ETag == nil {
		p.ETag = func(content []byte) string {
			sum := md5.Sum(content)
			return hex.EncodeToString(sum[:])
		}
	}
	return &Server{Profile: p, buckets: map[string]*Bucket{}}
}

// Bucket returns a bucket, and makes it if need be.
func (s *Server) Bucket(name string) *Bucket {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	b := s.buckets[name]
	if b == nil {
		b = &Bucket{server: s, name: name, objects: map[string]*Object{}, uploads: map[string]*upload{}, done: map[string]string{}}
		s.buckets[name] = b
	}
	return b
}

// Bucket is a bucket. Its methods mean what those of [store.Store] do.
type Bucket struct {
	server  *Server
	name    string
	objects map[string]*Object
	uploads map[string]*upload // by their ids
	done    map[string]string  // keys of complete uploads by their ids
	// Changed is told of every change of an object, where it is set: nil is none. It
	// must not call the server.
	Changed func(key string, was, is *Object)
}

// Object is an object that is stored. It does not change.
type Object struct {
	Content  []byte
	ETag     string // with its quotes
	Modified time.Time
	Header   object.Header
	SHA256   string // see [store.Object]
}

// Look returns the object at a key, or nil.
func (b *Bucket) Look(key string) *Object {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	return b.objects[key]
}

// Keys returns the keys of all objects in order.
func (b *Bucket) Keys() []string {
	b.server.mutex.Lock()
	defer b.server.mutex.Unlock()
	keys := make([]string, 0, len(b.objects))
	for key := range b.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// set puts an object at a key; nil removes what is there.
func (b *Bucket) set(key string, o *Object) {
	was := b.objects[key]
	if o == nil {
		delete(b.objects, key)
	} else {
		b.objects[key] = o
	}
	if b.Changed != nil && was != o {
		b.Changed(key, was, o)
	}
}

// object makes an object that was written in one piece.
func (b *Bucket) object(content []byte, h object.Header) *Object {
	return &Object{
		Content: content, ETag: `"` + b.server.ETag(content) + `"`, Modified: time.Now(), Header: stored(h),
	}
}

// stored is what S3 tells of what it was given.
func stored(h object.Header) object.Header {
	const usual = "STANDARD"
	if h.Type == "" {
		h.Type = "binary/octet-stream"
	}
	h.Values[object.ACL] = ""
	if h.Values[object.StorageClass] == usual {
		h.Values[object.StorageClass] = ""
	}
	h.TagCount, h.Tags = len(h.Tags), nil
	if h.Metadata == nil {
		h.Metadata = map[string]string{}
	}
	return h
}

func fail(op string, kind error, code string) error {
	return &store.Error{Op: op, Kind: kind, Code: code, Err: fmt.Errorf("%s: %s", op, code)}
}

// holds checks the condition of a write.
func (b *Bucket) holds(op, key string, on store.Condition) error {
	o := b.objects[key]
	switch {
	case on.IfAbsent && o != nil:
		return fail(op, store.ErrExists, "PreconditionFailed")
	case on.IfMatch == "":
		return nil
	case o == nil:
		return fail(op, store.ErrNotFound, "NoSuchKey")
	case !sameETag(o.ETag, on.IfMatch):
		return fail(op, store.ErrExists, "PreconditionFailed")
	}
	return nil
}

func sameETag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }

// sums

var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// CRC64NVME is the base64 of the sum of some bytes.
func CRC64NVME(content []byte) string {
	sum := crc64.Checksum(content, nvme)
	return base64.StdEncoding.EncodeToString([]byte{
		byte(sum >> 56), byte(sum >> 48), byte(sum >> 40), byte(sum >> 32), byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum),
	})
}

func shaOf(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.StdEncoding.EncodeToString(sum[:])
}
