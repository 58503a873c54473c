package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/postern-go/postern"
)

// records are the finished uploads, in a database.
type records struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS uploads (
	id        TEXT PRIMARY KEY, -- the receipt's
	tenant    TEXT NOT NULL,
	subject   TEXT NOT NULL,
	key       TEXT NOT NULL,
	filename  TEXT NOT NULL,
	type      TEXT NOT NULL,
	size      INTEGER NOT NULL,
	completed INTEGER NOT NULL  -- in ms since 1970
) STRICT;
CREATE INDEX IF NOT EXISTS uploads_of_tenant ON uploads (tenant, completed DESC);`

func openRecords(path string) (*records, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(schema); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &records{db}, nil
}

func (r *records) close() { _ = r.db.Close() }

// add is the hook of completion. It may be called again with the same receipt, at
// the same time even: the first stays.
func (r *records) add(ctx context.Context, receipt *postern.Receipt) error {
	_, err := r.db.ExecContext(ctx, `
		INSERT INTO uploads (id, tenant, subject, key, filename, type, size, completed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`,
		receipt.ID, receipt.Tenant, receipt.Subject, receipt.Key, receipt.Filename, receipt.Type, receipt.Size,
		time.Now().UnixMilli())
	return err
}

// record is a finished upload, as the page gets it.
type record struct {
	ID       string `json:"id"`
	Filename string `json:"filename"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
	// Completed is in ms since 1970.
	Completed int64 `json:"completed"`
	// URL opens the file for a while.
	URL string `json:"url"`

	key string
}

// listed is how many uploads the page shows.
const listed = 500

// of returns the latest uploads of a tenant, the last first.
func (r *records) of(ctx context.Context, tenant string) ([]record, error) {
	rows, err := r.db.QueryContext(ctx, `
		SELECT id, filename, type, size, completed, key FROM uploads
		WHERE tenant = ? ORDER BY completed DESC LIMIT ?`, tenant, listed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []record{}
	for rows.Next() {
		var f record
		if err := rows.Scan(&f.ID, &f.Filename, &f.Type, &f.Size, &f.Completed, &f.key); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, rows.Err()
}

// linkLifetime is how long a link to a stored object works.
const linkLifetime = 10 * time.Minute

// listFiles answers with the finished uploads of the tenant who asks, and links
// that open them.
func listFiles(finished *records, issuer *postern.Issuer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, ok := tenantOf(r)
		if !ok {
			postern.Refuse(w, r, postern.ErrUnauthenticated)
			return
		}
		files, err := finished.of(r.Context(), tenant)
		if err != nil {
			postern.Refuse(w, r, err)
			return
		}
		for i := range files {
			if files[i].URL, err = issuer.PresignGet(r.Context(), files[i].key, linkLifetime); err != nil {
				postern.Refuse(w, r, err)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"files":      files,
			"expires_in": int(linkLifetime / time.Second),
		})
	})
}
