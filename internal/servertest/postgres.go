package servertest

import (
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
	"syscall"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	bin, dir       string // of its programs, and of what it writes
	user, password string
	addr           *net.TCPAddr
	who            *syscall.Credential
	process        *Process
}

// NewPostgres starts a server with a superuser. Whoever calls it calls Remove.
func NewPostgres(user string) (*Postgres, error) {
	s := &Postgres{user: user, password: rand.Text()}
	err := s.prepare()
	if err == nil {
		err = StartOnFreePort(func(addr *net.TCPAddr) error {
			s.addr = addr
			return s.Start()
		})
	}
	if err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Postgres) prepare() (err error) {
	if s.bin, err = findPostgres(); err != nil {
		return err
	}
	if s.who, err = credential(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "postgres-"); err != nil {
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
	initdb := s.command("initdb", "-D", s.data(), "-U", s.user, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Postgres) data() string { return filepath.Join(s.dir, "data") }

func (s *Postgres) port() string { return strconv.Itoa(s.addr.Port) }

// Start starts the server again, after Stop.
func (s *Postgres) Start() (err error) {
	s.process, err = Start(s.command("postgres", "-D", s.data(), "-p", s.port(),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"), "ready to accept connections")
	return err
}

// Stop ends the server: SIGINT is a "fast shutdown", SIGQUIT an immediate one, after
// which it recovers as if it had crashed.
func (s *Postgres) Stop(signal syscall.Signal) { s.process.Stop(signal) }

// Remove ends the server, and removes what it wrote.
func (s *Postgres) Remove() {
	s.Stop(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir)
}

// Addr is where the server listens.
func (s *Postgres) Addr() string { return s.addr.String() }

// URL is that of a database, by way of an address.
func (s *Postgres) URL(addr, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.user, s.password), Host: addr, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// CreateDatabase makes an empty database.
func (s *Postgres) CreateDatabase(name string) error {
	create := s.command("createdb", "-h", "127.0.0.1", "-p", s.port(), "-U", s.user, name)
	create.Env = append(create.Env, "PGPASSWORD="+s.password)
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("createdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Postgres) command(name string, args ...string) *exec.Cmd {
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
