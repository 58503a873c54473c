package servertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Redis is a Redis on a port of this machine, without persistence.
type Redis struct {
	Password string

	dir     string
	addr    *net.TCPAddr
	process *Process
}

// NewRedis starts a server. Whoever calls it calls Remove.
func NewRedis() (*Redis, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.Join(errors.New(`these tests need Redis: run scripts/redis, or install your system's package "redis-server"`), err)
	}
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		return nil, err
	}
	s := &Redis{Password: rand.Text(), dir: dir}
	err = StartOnFreePort(func(addr *net.TCPAddr) error {
		s.addr = addr
		return s.Start()
	})
	if err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// Start starts the server again, empty, after Stop.
func (s *Redis) Start() (err error) {
	cmd := exec.Command("redis-server", "-") // the configuration comes by stdin, since it has the password
	cmd.Stdin = strings.NewReader(fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsave \"\"\nappendonly no\nrequirepass %s\n", s.addr.Port, s.dir, s.Password))
	s.process, err = Start(cmd, "Ready to accept connections")
	return err
}

// Stop ends the server by a signal, SIGKILL or another.
func (s *Redis) Stop(signal syscall.Signal) { s.process.Stop(signal) }

// Remove ends the server, and removes what it wrote.
func (s *Redis) Remove() {
	s.Stop(syscall.SIGKILL)
	_ = os.RemoveAll(s.dir)
}

// Addr is where clients find the server.
func (s *Redis) Addr() string { return s.addr.String() }

// URL is the same with the password.
func (s *Redis) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.Password), Host: s.Addr()}
	return u.String()
}
