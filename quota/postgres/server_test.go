package pgquota_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/quotatest"
	"github.com/postern-go/postern/internal/servertest"
	"github.com/postern-go/postern/quota"
	pgquota "github.com/postern-go/postern/quota/postgres"
)

// shared is the server of all tests that do it no harm.
var shared *server

func TestMain(m *testing.M) {
	if code, is := quotatest.RunReplica(openReplica); is {
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

func openReplica(url string) (quota.Store, func(), error) {
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		return nil, nil, err
	}
	return pgquota.New(pool), pool.Close, nil
}

// server is a PostgreSQL on a port of this machine, with the schema.
type server struct{ *servertest.Postgres }

func newServer() (*server, error) {
	p, err := servertest.NewPostgres("postgres")
	if err != nil {
		return nil, err
	}
	s := &server{p}
	pool, err := pgxpool.New(context.Background(), s.url())
	if err == nil {
		defer pool.Close()
		err = pgquota.New(pool).Create(context.Background())
	}
	if err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
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

func (s *server) pool(t testing.TB, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url())
	require.NoError(t, err)
	for _, c := range change {
		c(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// via reaches the server by way of an address.
func via(addr *net.TCPAddr) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.Host, c.ConnConfig.Port = addr.IP.String(), uint16(addr.Port) }
}
