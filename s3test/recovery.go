package s3test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

// recovery puts in order what a process left that died in the middle of
// requests, before another serves: of each request all is done then, or
// nothing. Data and attributes that nothing leads to are removed.
type recovery struct{ *metadata }

// replacement is the name that a file has for a moment which takes the place
// of another.
var replacement = regexp.MustCompile(`^\..+\.sgwtmp\.[0-9]+$`)

// completing ends the name of an upload's folder while it is being completed:
// its id, a dot, the ETag to be, and this.
const completing = ".inprogress"

func (r recovery) run() error {
	buckets, err := os.ReadDir(r.root)
	if err != nil {
		return err
	}
	exists := map[string]bool{}
	for _, b := range buckets {
		if !b.IsDir() {
			continue
		}
		// A bucket has an ACL from the first.
		if !r.owned(b.Name(), "", aclAttribute) && os.Remove(filepath.Join(r.root, b.Name())) == nil {
			continue
		}
		exists[b.Name()] = true
		if err := r.bucket(b.Name()); err != nil {
			return err
		}
	}
	return r.keep("", exists)
}

func (r recovery) bucket(name string) error {
	owners := map[string]bool{"meta": true} // the bucket's own
	if err := r.uploads(name, owners); err != nil {
		return err
	}
	if _, err := r.objects(name, "", owners); err != nil {
		return err
	}
	return r.keep(name, owners)
}

// objects adds the owners of attributes in a folder, and removes folders that
// were made for nothing. It reports whether the folder is empty.
func (r recovery) objects(bucket, folder string, owners map[string]bool) (empty bool, err error) {
	entries, err := os.ReadDir(filepath.Join(r.root, bucket, folder))
	if err != nil {
		return false, err
	}
	empty = true
	for _, e := range entries {
		key := filepath.Join(folder, e.Name())
		path := filepath.Join(r.root, bucket, key)
		gone := false
		switch {
		case key == posix.MetaTmpDir: // see uploads
		case e.IsDir():
			if gone, err = r.objects(bucket, key, owners); err != nil {
				return false, err
			}
			if owners[folderName(key)] = r.owned(bucket, folderName(key), etagAttribute); owners[folderName(key)] {
				gone = false // an object
			}
		case replacement.MatchString(e.Name()):
			gone = true
		default:
			fi, err := e.Info()
			if err != nil {
				return false, err
			}
			owners[fileName(fi)] = true
		}
		if gone {
			if err := os.Remove(path); err != nil {
				return false, err
			}
		}
		empty = empty && gone
	}
	return empty, nil
}

// uploads adds the owners of attributes among the multipart uploads of a
// bucket.
func (r recovery) uploads(bucket string, owners map[string]bool) error {
	root := filepath.Join(r.root, bucket)
	if _, err := folders(filepath.Join(root, posix.MetaTmpDir)); err != nil {
		return err
	}
	keys, err := folders(filepath.Join(root, posix.MetaTmpMultipartDir))
	if err != nil {
		return err
	}
	for _, key := range keys {
		folder, err := filepath.Rel(root, key)
		if err != nil {
			return err
		}
		if !r.owned(bucket, folderName(folder), keyAttribute) {
			// Its first upload was never begun.
			if err := os.RemoveAll(key); err != nil {
				return err
			}
			continue
		}
		uploads, err := folders(key)
		if err != nil {
			return err
		}
		for _, upload := range uploads {
			if !strings.HasSuffix(upload, completing) {
				continue
			}
			if err := r.interrupted(bucket, upload); err != nil {
				return err
			}
		}
		if os.Remove(key) == nil {
			continue // no upload is left
		}
		if err := r.parts(bucket, key, owners); err != nil {
			return err
		}
	}
	return nil
}

// folders lists the folders in a folder, and removes the temporary files there.
func folders(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		sub := filepath.Join(path, e.Name())
		if e.IsDir() {
			found = append(found, sub)
		} else if err := os.Remove(sub); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parts adds the owners of attributes among the uploads of a key.
func (r recovery) parts(bucket, folder string, owners map[string]bool) error {
	return filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			rel, err := filepath.Rel(filepath.Join(r.root, bucket), path)
			owners[folderName(rel)] = true
			return err
		}
		if replacement.MatchString(d.Name()) {
			return os.Remove(path)
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		owners[fileName(fi)] = true
		return nil
	})
}

// interrupted ends a completion: if the object is there, so does the upload, and
// otherwise it is open again.
func (r recovery) interrupted(bucket, path string) error {
	root := filepath.Join(r.root, bucket)
	active, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	folder := filepath.Dir(active)
	key, err := r.store.RetrieveAttribute(nil, bucket, folderName(folder), keyAttribute)
	if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	id, _, _ := strings.Cut(filepath.Base(active), ".")
	if fi, err := os.Stat(filepath.Join(root, string(key))); err == nil && len(key) > 0 && !fi.IsDir() {
		if doc, err := r.store.RetrieveAttribute(nil, bucket, fileName(fi), partsAttribute); err == nil {
			parts, err := backend.UnmarshalMpUploadMetadata(doc, false)
			if err != nil {
				return err
			}
			if parts.UploadID == id {
				return os.RemoveAll(path)
			}
		}
	}
	upload := filepath.Join(folder, id)
	if err := supersede(path, filepath.Join(root, upload)); err != nil {
		return err
	}
	if r.owned(bucket, folderName(active), "") {
		if err := r.store.DeleteAttributes(bucket, folderName(upload)); err != nil {
			return err
		}
		if err := r.store.RenameObject(bucket, folderName(active), folderName(upload)); err != nil {
			return err
		}
	}
	return os.Rename(path, filepath.Join(root, upload))
}

// supersede puts the parts that came while an upload was being completed, which made
// its folder again, in the place of those that it had, and removes that folder.
func supersede(path, again string) error {
	late, err := os.ReadDir(again)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range late {
		from := filepath.Join(again, e.Name())
		if replacement.MatchString(e.Name()) {
			err = os.Remove(from)
		} else {
			err = os.Rename(from, filepath.Join(path, e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return os.Remove(again)
}

// owned reports whether an owner has an attribute, or any if it is "".
func (r recovery) owned(bucket, owner, attribute string) bool {
	_, err := os.Stat(filepath.Join(r.dir, bucket, owner, "meta", attribute))
	return err == nil
}

// keep removes the attributes of all but some owners in a bucket.
func (r recovery) keep(bucket string, owners map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(r.dir, bucket))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if owners[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.dir, bucket, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
