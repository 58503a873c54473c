package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server of its own, so that what it uses can be told from what its
// clients use.
type process struct {
	cmd     *exec.Cmd
	address string
}

// listening begins the line in which a server says that it listens, and where.
const listening = "listening on "

// How long a server may take to start, and to stop.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// startSelf starts one of the servers of this program.
func startSelf(ctx context.Context, name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, exec.CommandContext(ctx, self, append([]string{"serve", name}, args...)...))
}

// startCompanion starts the server in the folder companion, for production.
func startCompanion(ctx context.Context, folder string) (*process, error) {
	cmd := exec.CommandContext(ctx, "node", "server.js", folder)
	cmd.Dir = "companion"
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	return start(ctx, cmd)
}

func start(ctx context.Context, cmd *exec.Cmd) (*process, error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	said := make(chan string, 1)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if address, ok := strings.CutPrefix(lines.Text(), listening); ok {
				said <- address
			}
		}
	}()
	select {
	case address, ok := <-said:
		if p.address = address; !ok {
			return nil, errors.Join(errors.New("the server did not start"), p.stop())
		}
		return p, nil
	case <-time.After(startTimeout):
	case <-ctx.Done():
	}
	return nil, errors.Join(errors.New("the server takes too long to start"), p.stop())
}

// stop ends the server. That it was ended is no error.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() }).Stop()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && (status.Signaled() || status.ExitStatus() == 128+int(syscall.SIGTERM)) {
			return nil
		}
	}
	return err
}

// usage is what a process has used so far.
type usage struct {
	cpu    float64 // seconds, in user and system
	memory float64 // the peak of its resident set, MiB
}

// clockTicks is how many ticks /proc counts in a second; it is 100 on every
// architecture that Go runs on.
const clockTicks = 100

// usage reads /proc (proc(5)).
func (p *process) usage() (u usage, err error) {
	folder := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat is not as expected: %q", folder, stat)
	}
	for _, ticks := range fields[11:13] { // utime and stime
		n, err := strconv.ParseFloat(ticks, 64)
		if err != nil {
			return u, err
		}
		u.cpu += n / clockTicks
	}
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err = fmt.Sscanf(value, "%f kB", &u.memory)
			u.memory /= 1024
		}
	}
	return u, err
}

func nodeVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

func companionVersion() string {
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	text, err := os.ReadFile("companion/package.json")
	if err != nil || json.Unmarshal(text, &manifest) != nil {
		return "of unknown version"
	}
	return manifest.Dependencies["@uppy/companion"]
}
