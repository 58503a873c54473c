package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"flag"
	"os"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	_ "modernc.org/sqlite"             // SQLite

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

var (
	dir    = flag.String("dir", "data", "`folder` of the SQLite database and of the S3 server that comes along")
	s3Addr = flag.String("s3-addr", "127.0.0.1:9000", "`address` of the S3 server that comes along")
	dbURL  = flag.String("db", "", "`URL` of a PostgreSQL database, postgres://…, to use instead (default: DATABASE_URL)")
	bucket = flag.String("bucket", "", "`name` of a real bucket to use instead: where it is and the credentials come from the AWS environment (AWS_REGION, AWS_ENDPOINT_URL, …), "+
		"those that sign uploads from POSTERN_SIGNING_ACCESS_KEY_ID, POSTERN_SIGNING_SECRET_ACCESS_KEY and POSTERN_SIGNING_SESSION_TOKEN")
	demo = flag.Bool("demo", true, "on 127.0.0.1 without -https: make accounts to try it out, and tell their password to everybody")
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

// openBucket finds the real bucket, whose CORS rules must allow POST from the
// page's origin, or starts an S3 server, whose secrets last as long as the program.
func (a *app) openBucket(ctx context.Context) error {
	if *bucket == "" {
		server, err := s3test.New(*dir+"/s3", *s3Addr, s3test.WithCredentials("GALLERY", rand.Text()))
		if err != nil {
			return err
		}
		a.objects, a.bucket.Name, a.bucket.Provider = server.Client(), server.Bucket, postern.VersityGW
		// The last run's signing user may do no more.
		_, _ = a.objects.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &server.Bucket})
		if a.bucket.Credentials, err = server.PutOnlyUser(ctx, staging); err != nil {
			return err
		}
	} else {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return err
		}
		a.objects = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
		a.bucket.Name, a.bucket.Credentials = *bucket, cfg.Credentials
		if id := os.Getenv("POSTERN_SIGNING_ACCESS_KEY_ID"); id != "" {
			a.bucket.Credentials = credentials.NewStaticCredentialsProvider(id, os.Getenv("POSTERN_SIGNING_SECRET_ACCESS_KEY"), os.Getenv("POSTERN_SIGNING_SESSION_TOKEN"))
		}
	}
	o := a.objects.Options()
	a.bucket.Region, a.bucket.Endpoint, a.bucket.PathStyle = o.Region, aws.ToString(o.BaseEndpoint), o.UsePathStyle
	a.bucket.ServiceCredentials = o.Credentials
	return nil
}
