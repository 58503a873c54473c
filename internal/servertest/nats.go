package servertest

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// NATS is a NATS server with JetStream, which keeps its streams on the disk.
type NATS struct {
	program, dir string
	addr         *net.TCPAddr
	process      *Process
}

// NewNATS starts a server. Whoever calls it calls Remove.
func NewNATS() (*NATS, error) {
	_, file, _, _ := runtime.Caller(0)
	path, err := exec.Command(filepath.Join(filepath.Dir(file), "..", "..", "scripts", "nats")).Output()
	if err != nil {
		return nil, errors.Join(errors.New("these tests need a NATS server, which scripts/nats builds"), err)
	}
	s := &NATS{program: strings.TrimSpace(string(path))}
	if s.dir, err = os.MkdirTemp("", "nats-"); err != nil {
		return nil, err
	}
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

// Start starts the server again, after Stop.
func (s *NATS) Start() (err error) {
	s.process, err = Start(exec.Command(s.program, "-a", "127.0.0.1", "-p", strconv.Itoa(s.addr.Port), "-js", "-sd", s.dir), "Server is ready")
	return err
}

// Stop ends the server by a signal, SIGKILL or another.
func (s *NATS) Stop(signal syscall.Signal) { s.process.Stop(signal) }

// Remove ends the server, and removes what it wrote.
func (s *NATS) Remove() {
	s.Stop(syscall.SIGKILL)
	_ = os.RemoveAll(s.dir)
}

// URL is where clients find the server.
func (s *NATS) URL() string { return "nats://" + s.addr.String() }
