package s3test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/versity/versitygw/backend/meta"
)

// metadata keeps attributes in sidecar files, so that no file system with
// extended attributes is needed. It turns the paths that rootedBackend hands
// to the storage back into bucket and key, and lets one writer in at a time:
// the sidecar store creates and removes folders in separate steps.
type metadata struct {
	root  string
	mu    sync.RWMutex
	store meta.SideCar
}

var _ meta.MetadataStorer = (*metadata)(nil)

// locate finds bucket and key of an object, however its path is split.
func (m *metadata) locate(bucket, object string) (string, string) {
	path := filepath.Join(bucket, object)
	if strings.HasPrefix(path, upward) {
		path = strings.TrimPrefix(path, upwardToRoot)
	}
	rel, ok := strings.CutPrefix(path, m.root+string(filepath.Separator))
	if !ok {
		return bucket, object
	}
	bucket, object, _ = strings.Cut(rel, string(filepath.Separator))
	return bucket, object
}

func (m *metadata) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	bucket, object = m.locate(bucket, object)
	return m.store.RetrieveAttribute(f, bucket, object, attribute)
}

func (m *metadata) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket, object = m.locate(bucket, object)
	return m.store.StoreAttribute(f, bucket, object, attribute, value)
}

func (m *metadata) DeleteAttribute(bucket, object, attribute string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket, object = m.locate(bucket, object)
	return m.store.DeleteAttribute(bucket, object, attribute)
}

func (m *metadata) ListAttributes(bucket, object string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	bucket, object = m.locate(bucket, object)
	return m.store.ListAttributes(bucket, object)
}

func (m *metadata) DeleteAttributes(bucket, object string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket, object = m.locate(bucket, object)
	return m.store.DeleteAttributes(bucket, object)
}

func (m *metadata) RenameObject(bucket, oldObject, newObject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, newObject = m.locate(bucket, newObject)
	bucket, oldObject = m.locate(bucket, oldObject)
	return m.store.RenameObject(bucket, oldObject, newObject)
}
