package s3test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
)

// metadata keeps attributes in sidecar files, so that no file system with
// extended attributes is needed, and as these would be kept: attributes belong
// to a file, not to its name. The storage writes them before it gives the file
// its name, so that an object appears, and replaces another, at once with all
// of them, whenever the process dies. What belongs to a file that is gone is
// never seen.
//
// A file is known by its size and its modification time, which is made unique
// to it: that outlives a copy of the data that keeps times. A folder (a bucket,
// a multipart upload, an object whose key ends in a slash) is known by its path.
//
// metadata turns the paths that rootedBackend hands to the storage back into
// bucket and key, and lets one writer in at a time: the sidecar store creates
// and removes folders in separate steps.
type metadata struct {
	root, dir string
	store     meta.SideCar

	mu   sync.RWMutex
	last time.Time // that a file was stamped with
}

var _ meta.MetadataStorer = (*metadata)(nil)

// The storage's attributes that are known here.
const (
	aclAttribute      = "acl"           // of every bucket
	etagAttribute     = "etag"          // of every object
	keyAttribute      = "objname"       // of the folder of a key's multipart uploads
	partsAttribute    = "mp-metadata"   // of an object in parts: its upload
	metadataAttribute = "metadata"      // of an object: what its uploader chose, as JSON
	tagsAttribute     = "X-Amz-Tagging" // of an object, as JSON
)

func newMetadata(root, dir string) (*metadata, error) {
	store, err := meta.NewSideCar(dir)
	if err != nil {
		return nil, fmt.Errorf("metadata folder: %w", err)
	}
	return &metadata{root: root, dir: dir, store: store}, nil
}

// locate finds bucket and key of an object, however its path is split.
func (m *metadata) locate(bucket, object string) (path, name, key string) {
	path = filepath.Join(bucket, object)
	if strings.HasPrefix(path, upward) {
		path = strings.TrimPrefix(path, upwardToRoot)
	}
	rel, ok := strings.CutPrefix(path, m.root+string(filepath.Separator))
	if !ok {
		return path, bucket, object
	}
	name, key, _ = strings.Cut(rel, string(filepath.Separator))
	return path, name, key
}

// owner is the name that the sidecar store knows the owner of attributes by:
// the file f, or else what is at the path now. No bucket owns itself under "".
func (m *metadata) owner(f *os.File, bucket, object string) (name, owner string, err error) {
	path, name, key := m.locate(bucket, object)
	var fi os.FileInfo
	if f != nil {
		fi, err = f.Stat()
	} else {
		fi, err = os.Stat(path)
	}
	switch {
	case err != nil:
		return "", "", err
	case key == "":
		return name, "", nil
	case fi.IsDir():
		return name, folderName(key), nil
	}
	return name, fileName(fi), nil
}

func fileName(fi os.FileInfo) string {
	return fmt.Sprintf("file-%x-%x", fi.Size(), fi.ModTime().UnixNano())
}

func folderName(key string) string {
	return fmt.Sprintf("folder-%x", sha256.Sum256([]byte(key)))
}

// unchanged reads an object again that was replaced or deleted meanwhile: the storage
// looks at its file, and at each attribute, one after the other.
func (m *metadata) unchanged(bucket, object string, read func() error) error {
	for {
		_, before, _ := m.owner(nil, bucket, object)
		err := read()
		if _, after, _ := m.owner(nil, bucket, object); before == after {
			return err
		}
	}
}

// stamp makes the modification time of a file its own, unless the file has
// attributes already: no other file of its size has some under that time.
func (m *metadata) stamp(f *os.File, bucket, owner string) (string, error) {
	for !m.has(bucket, owner) {
		m.last = later(m.last, time.Now().Truncate(time.Microsecond)) // which file systems keep
		if err := os.Chtimes(f.Name(), time.Time{}, m.last); err != nil {
			return "", err
		}
		fi, err := f.Stat()
		if err != nil {
			return "", err
		}
		if owner = fileName(fi); !m.has(bucket, owner) {
			break
		}
		owner = ""
	}
	return owner, nil
}

func later(last, now time.Time) time.Time {
	if next := last.Add(time.Microsecond); now.Before(next) {
		return next
	}
	return now
}

func (m *metadata) has(bucket, owner string) bool {
	_, err := os.Stat(filepath.Join(m.dir, bucket, owner))
	return owner != "" && err == nil
}

// absent reports whether an error says that there is no such file or folder.
func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (m *metadata) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	bucket, owner, err := m.owner(f, bucket, object)
	if absent(err) {
		return nil, meta.ErrNoSuchKey
	}
	if err != nil {
		return nil, err
	}
	return m.store.RetrieveAttribute(f, bucket, owner, attribute)
}

func (m *metadata) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket, owner, err := m.owner(f, bucket, object)
	if err == nil && f != nil && strings.HasPrefix(owner, "file-") {
		owner, err = m.stamp(f, bucket, owner)
	}
	if err != nil {
		return err
	}
	if attribute == metadataAttribute {
		var tags []byte
		if value, tags, err = uncarry(value); err != nil {
			return err
		}
		if tags != nil {
			if err := m.store.StoreAttribute(f, bucket, owner, tagsAttribute, tags); err != nil {
				return err
			}
		}
	}
	return m.store.StoreAttribute(f, bucket, owner, attribute, value)
}

// carried is a name that no header has.
const carried = "\x00tags"

// carry puts an object's tags, as a header has them, into its metadata, where
// metadata finds them: the storage writes tags when the object is there already.
func carry(metadata map[string]string, query string) (map[string]string, error) {
	tags, err := backend.ParseObjectTags(query)
	if err != nil || tags == nil {
		return metadata, err
	}
	doc, err := json.Marshal(tags)
	if err != nil {
		return nil, err
	}
	with := map[string]string{carried: string(doc)}
	maps.Copy(with, metadata)
	return with, nil
}

func uncarry(value []byte) (metadata, tags []byte, err error) {
	var all map[string]string
	if err := json.Unmarshal(value, &all); err != nil {
		return nil, nil, err
	}
	doc, ok := all[carried]
	if !ok {
		return value, nil, nil
	}
	delete(all, carried)
	metadata, err = json.Marshal(all)
	return metadata, []byte(doc), err
}

func (m *metadata) DeleteAttribute(bucket, object, attribute string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket, owner, err := m.owner(nil, bucket, object)
	if absent(err) {
		return meta.ErrNoSuchKey
	}
	if err != nil {
		return err
	}
	return m.store.DeleteAttribute(bucket, owner, attribute)
}

func (m *metadata) ListAttributes(bucket, object string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	bucket, owner, err := m.owner(nil, bucket, object)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.store.ListAttributes(bucket, owner)
}

// DeleteAttributes is told that a folder is gone. What has its path by now keeps
// its own, and a file is left to [metadata.forget].
func (m *metadata) DeleteAttributes(bucket, object string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	path, bucket, key := m.locate(bucket, object)
	if key == "" {
		return m.store.DeleteAttributes(bucket, "")
	}
	if _, err := os.Stat(path); !absent(err) {
		return err
	}
	return m.store.DeleteAttributes(bucket, folderName(key))
}

// RenameObject is told that a folder has another name.
func (m *metadata) RenameObject(bucket, oldObject, newObject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _, newKey := m.locate(bucket, newObject)
	_, bucket, oldKey := m.locate(bucket, oldObject)
	return m.store.RenameObject(bucket, folderName(oldKey), folderName(newKey))
}

// forget removes the attributes of the files at some paths, and in the folders
// there, that are gone when the function that it returns is called. What two
// requests for one key leave is removed at the next start.
func (m *metadata) forget(paths ...string) (gone func()) {
	before := files(paths)
	return func() {
		after := files(paths)
		m.mu.Lock()
		defer m.mu.Unlock()
		for file, path := range before {
			if _, ok := after[file]; !ok {
				_, bucket, _ := m.locate(path, "")
				_ = m.store.DeleteAttributes(bucket, file)
			}
		}
	}
}

// files finds the owners of attributes, with their paths.
func files(paths []string) map[string]string {
	found := map[string]string{}
	for _, root := range paths {
		fi, err := os.Stat(root)
		if err != nil {
			continue
		}
		if !fi.IsDir() {
			found[fileName(fi)] = root
			continue
		}
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if fi, err := d.Info(); err == nil {
				found[fileName(fi)] = path
			}
			return nil
		})
	}
	return found
}
