package pglock_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
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

// server is a PostgreSQL on a port of this machine.
type server struct {
	bin, password, dir string
	port               int
	who                *syscall.Credential
	process            *exec.Cmd
	ended              chan struct{}
}

func newServer() (*server, error) {
	s := &server{password: rand.Text()}
	if err := s.prepare(); err != nil {
		s.remove()
		return nil, err
	}
	var err error
	// Somebody else may take the port that was free.
	for range 5 {
		if s.port, err = freePort(); err != nil {
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

func (s *server) prepare() (err error) {
	if s.bin, err = findPostgres(); err != nil {
		return err
	}
	if s.who, err = credential(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "pglock-"); err != nil {
		return err
	}
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if s.who != nil {
		for _, path := range []string{s.dir, secret} {
			if err := os.Chown(path, int(s.who.Uid), int(s.who.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// start starts the server, or starts it again.
func (s *server) start() error {
	out := newLog("ready to accept connections")
	s.process = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	s.process.Stderr = out
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
		return fmt.Errorf("postgres does not start:\n%s", out)
	case <-time.After(time.Minute):
		s.stop(syscall.SIGQUIT)
		return fmt.Errorf("postgres does not get ready:\n%s", out)
	}
}

// stop ends the server: SIGINT is a "fast shutdown", SIGQUIT an immediate one, after
// which it recovers as if it had crashed.
func (s *server) stop(signal syscall.Signal) {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(signal)
		<-s.ended
	}
}

func (s *server) remove() {
	s.stop(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir)
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// url is where the server is found, by way of an address.
func (s *server) url(via string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", s.password), Host: via, Path: "postgres", RawQuery: "sslmode=disable"}
	return u.String()
}

// pool returns a pool of 10 connections, unless it is changed.
func (s *server) pool(t *testing.T, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.url(s.addr()))
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

func (s *server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.who}
	return c
}

// findPostgres returns the folder of the newest PostgreSQL's programs. Debian's
// are not in the PATH.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var newest string
	var version float64
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, path := range paths {
		dir := filepath.Dir(path)
		if v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64); err == nil && v > version {
			newest, version = dir, v
		}
	}
	if newest == "" {
		return "", errors.New("these tests need PostgreSQL: run scripts/postgres, or install your system's package \"postgresql\"")
	}
	return newest, nil
}

// credential says as whom the server runs: it refuses to as root.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and its package's own user is missing: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
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
