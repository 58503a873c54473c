package redisquota_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
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
		defer shared.remove()
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

// server is a Redis on a port of this machine, without persistence.
type server struct {
	addr, password, dir string
	process             *servertest.Process
}

func newServer() (*server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("these tests need Redis: run scripts/redis, or install your system's package \"redis-server\": %w", err)
	}
	dir, err := os.MkdirTemp("", "redisquota-")
	if err != nil {
		return nil, err
	}
	s := &server{password: rand.Text(), dir: dir}
	err = servertest.StartOnFreePort(func(addr *net.TCPAddr) error {
		s.addr = addr.String()
		return s.start()
	})
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// ownServer is a server that the test may harm.
func ownServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer()
	require.NoError(t, err)
	t.Cleanup(s.remove)
	return s
}

// start starts the server, or starts it again, empty.
func (s *server) start() error {
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	cmd := exec.Command("redis-server", "-") // the configuration comes by stdin, since it has the password
	cmd.Stdin = strings.NewReader(fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsave \"\"\nappendonly no\nrequirepass %s\n", port, s.dir, s.password))
	s.process, err = servertest.Start(cmd, "Ready to accept connections")
	return err
}

func (s *server) kill() { s.process.Stop(syscall.SIGKILL) }

func (s *server) remove() {
	s.kill()
	_ = os.RemoveAll(s.dir)
}

// url is where replicas find the server.
func (s *server) url() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.password), Host: s.addr}
	return u.String()
}

// client returns a client of the server, by way of an address if there is one.
func (s *server) client(t testing.TB, via ...string) *redis.Client {
	t.Helper()
	addr := s.addr
	if len(via) > 0 {
		addr = via[0]
	}
	c := redis.NewClient(&redis.Options{Addr: addr, Password: s.password})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
