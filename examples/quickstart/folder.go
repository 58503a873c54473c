package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/postern-go/postern/examples/internal/command"
	"github.com/postern-go/postern/ticket"
)

// folder is what the program keeps between its runs.
type folder struct {
	dir string
	secrets
}

// secrets are in a file that nobody else may read.
type secrets struct {
	// TicketKey seals the tickets of uploads: with another one those that are on
	// their way could not go on after a restart.
	TicketKey []byte
	// SignerID and SignerSecret are the account of the S3 server that comes along
	// which signs the uploads.
	SignerID, SignerSecret string
}

const secretsFile = "secrets.json"

// openFolder opens the folder, and makes the key of tickets at the first time.
func openFolder(dir string) (*folder, error) {
	if err := command.CheckDir(dir, defaultDir); err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	content, err := os.ReadFile(f.path(secretsFile))
	switch {
	case err == nil:
		if json.Unmarshal(content, &f.secrets) != nil || len(f.TicketKey) != ticket.KeySize {
			return nil, fmt.Errorf("%s is damaged: remove it, and uploads that are on their way begin again", f.path(secretsFile))
		}
		return f, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("-dir: %w", err)
	}
	f.TicketKey = ticket.RandomKey()
	return f, f.save()
}

// save replaces the file of secrets as a whole.
func (f *folder) save() error {
	content, err := json.Marshal(f.secrets)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(f.dir, secretsFile+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	return os.Rename(temp.Name(), f.path(secretsFile))
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }
