package command

import "io/fs"

// Files is a file system that lists no folders.
type Files struct{ fs.FS }

// Open opens a file, and no folder.
func (f Files) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		_ = file.Close()
		return nil, fs.ErrNotExist
	}
	return file, nil
}
