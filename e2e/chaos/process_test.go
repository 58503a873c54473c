package chaos_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is a process of the test binary in some role.
type process struct {
	said  string // its first line
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // after its end
}

// processes are all that may still run.
type processes struct {
	mutex sync.Mutex
	all   []*process
}

// start starts a process, and waits for its first line.
func (s *processes) start(r role, stderr *os.File) (*process, error) {
	encoded, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+string(encoded))
	p.cmd.Stderr = stderr
	if _, err := p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	s.all = append(s.all, p)
	s.mutex.Unlock()
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if readErr != nil {
		p.signal(syscall.SIGKILL)
		<-p.ended
		return nil, fmt.Errorf("a process does not start: %w", p.err)
	}
	p.said = strings.TrimSpace(line)
	return p, nil
}

// end ends what still runs.
func (s *processes) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, p := range s.all {
		p.end(syscall.SIGKILL)
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// end sends a signal that ends the process, and waits for that.
func (p *process) end(s syscall.Signal) error {
	p.signal(s)
	<-p.ended
	return p.err
}
