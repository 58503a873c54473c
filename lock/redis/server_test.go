package redislock_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	redislock "github.com/postern-go/postern/lock/redis"
)

// shared is the server of all tests that do it no harm.
var shared *server

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(replica(role))
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

// server is a Redis on a port of this machine, without persistence.
type server struct {
	addr, password, dir string
	process             *exec.Cmd
	ended               chan struct{}
}

func newServer() (*server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("these tests need Redis: run scripts/redis, or install your system's package \"redis-server\": %w", err)
	}
	dir, err := os.MkdirTemp("", "redislock-")
	if err != nil {
		return nil, err
	}
	s := &server{password: rand.Text(), dir: dir}
	// Somebody else may take the port that was free.
	for range 5 {
		if s.addr, err = freeAddr(); err != nil {
			break
		}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	s.remove()
	return nil, err
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
	out := newLog("Ready to accept connections")
	s.process = exec.Command("redis-server", "-") // the configuration comes by stdin, since it has the password
	s.process.Stdin = strings.NewReader(fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsave \"\"\nappendonly no\nrequirepass %s\n", port, s.dir, s.password))
	s.process.Stdout, s.process.Stderr = out, out
	if err := s.process.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.process.Wait()
		close(s.ended)
	}()
	select {
	case <-out.found:
		return nil
	case <-s.ended:
		return fmt.Errorf("redis-server does not start:\n%s", out)
	case <-time.After(time.Minute):
		s.kill()
		return fmt.Errorf("redis-server does not get ready:\n%s", out)
	}
}

func (s *server) kill() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		<-s.ended
	}
}

func (s *server) remove() {
	s.kill()
	_ = os.RemoveAll(s.dir)
}

// client returns a client of the server, by way of an address if there is one.
func (s *server) client(t *testing.T, via ...string) *redis.Client {
	t.Helper()
	addr := s.addr
	if len(via) > 0 {
		addr = via[0]
	}
	c := redis.NewClient(&redis.Options{Addr: addr, Password: s.password})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) locker(t *testing.T, options ...redislock.Option) *redislock.Locker {
	t.Helper()
	return redislock.New(s.client(t), options...)
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// log keeps what a process writes, and tells when it says something.
type log struct {
	mutex sync.Mutex
	b     bytes.Buffer
	words []byte
	found chan struct{}
}

func newLog(words string) *log { return &log{words: []byte(words), found: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	before := bytes.Contains(l.b.Bytes(), l.words)
	l.b.Write(p)
	if !before && bytes.Contains(l.b.Bytes(), l.words) {
		close(l.found)
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.b.String()
}
