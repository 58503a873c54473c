package redisquota_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/quotatest"
	"github.com/postern-go/postern/internal/servertest"
	"github.com/postern-go/postern/quota"
	redisquota "github.com/postern-go/postern/quota/redis"
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
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(options)
	return redisquota.New(client), func() { _ = client.Close() }, nil
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
func (s *server) client(t testing.TB, via ...string) *redis.Client {
	t.Helper()
	addr := s.Addr()
	if len(via) > 0 {
		addr = via[0]
	}
	c := redis.NewClient(&redis.Options{Addr: addr, Password: s.Password})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
