package main

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"flag"
	"os"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	_ "modernc.org/sqlite"             // SQLite
)

var (
	dir   = flag.String("dir", "data", "`folder` of the SQLite database and of the S3 servers that come along")
	dbURL = flag.String("db", "", "`URL` of a PostgreSQL database, postgres://…, to use instead (default: DATABASE_URL)")
	demo  = flag.Bool("demo", true, "on 127.0.0.1 without -https: make accounts to try it out, and tell their password to everybody")
)

//go:embed schema.sql
var schema string

//go:embed demo.sql
var demoAccounts string

// openDatabase opens the database, and makes what it lacks.
func (a *app) openDatabase(ctx context.Context) (err error) {
	tables := schema
	if url := cmp.Or(*dbURL, os.Getenv("DATABASE_URL")); url != "" {
		a.db, err = sql.Open("pgx", url)
		a.sessions = newSessions(postgresstore.New(a.db))
		tables = "SELECT pg_advisory_xact_lock(1); " + schema // replicas that start together take turns
	} else if err = os.MkdirAll(*dir, 0o700); err == nil {
		a.db, err = sql.Open("sqlite", *dir+"/gallery.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
		a.sessions = newSessions(sqlite3store.New(a.db))
	}
	if err == nil {
		_, err = a.db.ExecContext(ctx, tables)
	}
	if err == nil && demonstrates() {
		_, err = a.db.ExecContext(ctx, demoAccounts)
	}
	return err
}
