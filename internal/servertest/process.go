// Package servertest starts servers for tests, as processes on ports of this machine.
package servertest

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a server that was started.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts a server, and waits until it says some words.
func Start(cmd *exec.Cmd, words string) (*Process, error) {
	out := &log{words: []byte(words), found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	select {
	case <-out.found:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s does not start:\n%s", cmd.Path, out)
	case <-time.After(time.Minute):
		p.Stop(syscall.SIGKILL)
		return nil, fmt.Errorf("%s does not get ready:\n%s", cmd.Path, out)
	}
}

// Stop sends a signal that ends the server, and waits for its end. A nil Process was
// never started.
func (p *Process) Stop(signal syscall.Signal) {
	if p != nil {
		_ = p.cmd.Process.Signal(signal)
		<-p.ended
	}
}

// StartOnFreePort calls start with an address on a free port, and again with another
// where somebody else was faster.
func StartOnFreePort(start func(addr *net.TCPAddr) error) error {
	var err error
	for range 5 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		addr := ln.Addr().(*net.TCPAddr)
		ln.Close()
		if err = start(addr); err == nil {
			return nil
		}
	}
	return err
}

// log keeps what a process writes, and tells when it says something.
type log struct {
	mutex sync.Mutex
	b     bytes.Buffer
	words []byte
	found chan struct{}
}

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
