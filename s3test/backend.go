package s3test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
)

const (
	// copyLimit is the largest source of a copy, in bytes, as in S3. The
	// storage's default is 0, which refuses all.
	copyLimit = 5 << 30
)

var _ backend.Backend = (*rootedBackend)(nil)

// rootedBackend keeps posix storage in a folder of its own.
//
// The storage as it comes takes a bucket's name for a path below the working
// directory, and changes the process's working directory to make that true:
// the program's own relative paths would break, and a second server would take
// the first one's place. Here the storage is told absolute paths instead of
// names. What is not implemented below is refused, since it would act on the
// working directory.
type rootedBackend struct {
	backend.BackendUnsupported

	storage *posix.Posix
	meta    *metadata
	root    string
	aborted sync.Map // multipart uploads by their ids
	parts   sync.Map // locks of keys, see storing
	summed  summed
	profile profile
}

// newRootedBackend takes absolute paths of folders that exist.
func newRootedBackend(root, metaDir string, p profile) (*rootedBackend, error) {
	md, err := newMetadata(root, metaDir)
	if err != nil {
		return nil, err
	}
	if err := (recovery{md}).run(); err != nil {
		return nil, fmt.Errorf("what an earlier run left: %w", err)
	}
	// New changes to the folder it is given: "." makes that do nothing. Its
	// lock files would go there too, and serve only other processes.
	storage, err := posix.New(".", md, posix.PosixOpts{
		CopyObjectThreshold: copyLimit,
		ForceNoObjLockFile:  true,
	})
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &rootedBackend{storage: storage, meta: md, root: root, profile: p}, nil
}

func (b *rootedBackend) Shutdown() { b.storage.Shutdown() }

func (b *rootedBackend) String() string { return "s3test" }

func (b *rootedBackend) NormalizeObjectKey(bucket, object string) string {
	return b.storage.NormalizeObjectKey(bucket, object)
}

// path is the folder of a bucket. A name that is none leads nowhere.
func (b *rootedBackend) path(bucket string) string {
	if bucket == "" || bucket == "." || bucket == ".." || strings.ContainsAny(bucket, `/\`) {
		bucket = ".none"
	}
	return filepath.Join(b.root, bucket)
}

func (b *rootedBackend) pathOf(bucket *string) *string {
	return aws.String(b.path(aws.ToString(bucket)))
}

// object is the path of an object in the folder of a bucket.
func (b *rootedBackend) object(folder, key *string) string {
	return filepath.Join(aws.ToString(folder), aws.ToString(key))
}

// uploads is where the multipart uploads of a key are.
func (b *rootedBackend) uploads(folder, key *string) string {
	return filepath.Join(aws.ToString(folder), posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(aws.ToString(key)))))
}

// named puts the bucket's name in place of its path into an error.
func (b *rootedBackend) named(err error) error {
	var e s3err.BucketError
	if err == nil || !errors.As(err, &e) {
		return err
	}
	e.BucketName = filepath.Base(e.BucketName)
	return e
}

// exists tells whether a bucket is there, with S3's error if it is not.
func (b *rootedBackend) exists(bucket string) error {
	fi, err := os.Stat(b.path(bucket))
	if errors.Is(err, os.ErrNotExist) || err == nil && !fi.IsDir() {
		return s3err.GetBucketErr(s3err.ErrNoSuchBucket, bucket)
	}
	return err
}
