package gallery_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is a PostgreSQL that this process started, or why there is none.
type server struct {
	bin      string // the folder of its programs
	password string
	port     int
	process  *exec.Cmd
	log      *log
	err      error
	dir      string
}

// started tells whether there is anything to stop.
var started bool

// postgres starts a server, once for all tests.
var postgres = sync.OnceValue(func() *server {
	started = true
	s := &server{password: rand.Text()}
	s.err = s.start()
	return s
})

// database makes an empty database and returns its URL.
func database(t *testing.T) string {
	t.Helper()
	s := postgres()
	require.NoError(t, s.err)
	name := "gallery_" + strings.ToLower(rand.Text())
	create := exec.Command(filepath.Join(s.bin, "createdb"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "gallery", name)
	create.Env = append(os.Environ(), "PGPASSWORD="+s.password)
	out, err := create.CombinedOutput()
	require.NoError(t, err, string(out))
	u := url.URL{Scheme: "postgres", User: url.UserPassword("gallery", s.password), Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: name}
	return u.String()
}

func (s *server) start() (err error) {
	if s.bin, err = findPostgres(); err != nil {
		return err
	}
	who, err := credential()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "gallery-postgres-"); err != nil {
		return err
	}
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if who != nil {
		for _, path := range []string{s.dir, secret} {
			if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
				return err
			}
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := s.command(who, "initdb", "-D", data, "-U", "gallery", "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// Somebody else may take the port that was free.
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.serve(who, data); err == nil {
			return nil
		}
	}
	return err
}

func (s *server) serve(who *syscall.Credential, data string) error {
	s.log = newLog("ready to accept connections")
	s.process = s.command(who, "postgres", "-D", data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	s.process.Stderr = s.log
	if err := s.process.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = s.process.Wait()
		close(ended)
	}()
	select {
	case <-s.log.found:
		return nil
	case <-ended:
		return fmt.Errorf("postgres does not start:\n%s", s.log)
	case <-time.After(time.Minute):
		_ = s.process.Process.Kill()
		return fmt.Errorf("postgres does not get ready:\n%s", s.log)
	}
}

// stop ends the server, if it was started, and removes what it wrote.
func (s *server) stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGINT) // "fast shutdown"
		for range 100 {
			if s.process.Process.Signal(syscall.Signal(0)) != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *server) command(who *syscall.Credential, name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: who}
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
	mu    sync.Mutex
	b     bytes.Buffer
	words []byte
	found chan struct{}
}

var _ io.Writer = (*log)(nil)

func newLog(words string) *log { return &log{words: []byte(words), found: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := bytes.Contains(l.b.Bytes(), l.words)
	l.b.Write(p)
	if !before && bytes.Contains(l.b.Bytes(), l.words) {
		close(l.found)
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
