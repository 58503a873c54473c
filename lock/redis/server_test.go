package redislock_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/locktest"
	"github.com/postern-go/postern/internal/servertest"
	redislock "github.com/postern-go/postern/lock/redis"
)

// shared is the server of all tests that do it no harm.
var shared *server

func TestMain(m *testing.M) {
	if code, is := locktest.RunReplica(openReplica, redislock.ErrLost); is {
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
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(options)
	return redislock.New(client, redislock.WithTTL(r.TTL)), func() { _ = client.Close() }, nil
}

// server is a Redis, with clients.
type server struct{ *servertest.Redis }

func newServer() (*server, error) {
	s, err := servertest.NewRedis()
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

// client returns a client of the server, by way of an address if there is one.
func (s *server) client(t *testing.T, via ...string) *redis.Client {
	t.Helper()
	addr := s.Addr()
	if len(via) > 0 {
		addr = via[0]
	}
	c := redis.NewClient(&redis.Options{Addr: addr, Password: s.Password})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) locker(t *testing.T, options ...redislock.Option) *redislock.Locker {
	t.Helper()
	return redislock.New(s.client(t), options...)
}
