package pglock_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/locktest"
	"github.com/postern-go/postern/internal/servertest"
	pglock "github.com/postern-go/postern/lock/postgres"
)

// shared is the server of all tests that do it no harm.
var shared *server

func TestMain(m *testing.M) {
	if code, is := locktest.RunReplica(openReplica, pglock.ErrLost); is {
		os.Exit(code)
	}
	os.Exit(func() int {
		var err error
		if shared, err = newServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.Remove()
		return m.Run()
	}())
}

func openReplica(r locktest.Role) (postern.Locker, func(), error) {
	pool, err := pgxpool.New(context.Background(), r.URL)
	if err != nil {
		return nil, nil, err
	}
	return pglock.New(pool, pglock.WithTTL(r.TTL)), pool.Close, nil
}

// server is a PostgreSQL on a port of this machine.
type server struct{ *servertest.Postgres }

func newServer() (*server, error) {
	s, err := servertest.NewPostgres("postgres")
	return &server{s}, err
}

// ownServer is a server that the test may harm.
func ownServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer()
	require.NoError(t, err)
	t.Cleanup(s.Remove)
	return s
}

// url is where replicas find the server.
func (s *server) url() string { return s.URL(s.Addr(), "postgres") }

// pool returns a pool of 10 connections, unless it is changed.
func (s *server) pool(t *testing.T, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url())
	require.NoError(t, err)
	config.MaxConns = 10
	for _, c := range change {
		c(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
