package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// startTimeout bounds the start of a server.
const startTimeout = 2 * time.Minute

// guard ends a group of processes and removes their folder when the test process
// ends, however it ends: then the guard's standard input does.
const guard = `cat >/dev/null; set -m; { kill -KILL -- -$$; rm -rf -- "$0"; } &`

// group is processes that share a folder and live as long as the test process.
type group struct {
	dir string
	id  int
	// lifeline is the guard's standard input. Where a group is not referred to any
	// more, the garbage collector closes it.
	lifeline io.Closer
}

func newGroup(name string) (*group, error) {
	dir, err := os.MkdirTemp("", "postern-"+name+"-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("bash", "-c", guard, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lifeline, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return &group{dir: dir, id: cmd.Process.Pid, lifeline: lifeline}, nil
}

func (g *group) close() { _ = g.lifeline.Close() }

func (g *group) path(name string) string { return filepath.Join(g.dir, name) }

// command prepares a process of the group.
func (g *group) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = g.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.id}
	return cmd
}

// run runs a program to its end, and returns what it printed.
func (g *group) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := g.command(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", name, err, out, &stderr)
	}
	return out, nil
}

// daemon is a process that must not end.
type daemon struct {
	name  string
	log   string
	ended chan struct{}
}

// start starts a daemon, with more in its environment than the test has.
func (g *group) start(env []string, name string, args ...string) (*daemon, error) {
	d := &daemon{name: filepath.Base(name), ended: make(chan struct{})}
	d.log = g.path(d.name + ".log")
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := g.command(context.Background(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(d.ended)
	}()
	return d, nil
}

// ready asks again and again, until the answer is yes, the daemon has ended, or the
// context has.
func (d *daemon) ready(ctx context.Context, ask func(ctx context.Context) bool) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ask(ctx) {
		select {
		case <-again.C:
		case <-d.ended:
			return d.failed("ended")
		case <-ctx.Done():
			return d.failed("does not get ready")
		}
	}
	return nil
}

func (d *daemon) failed(how string) error {
	log, _ := os.ReadFile(d.log)
	return fmt.Errorf("%s %s\n%s", d.name, how, log[max(0, len(log)-4<<10):])
}

// Ports of 10000 to 29999 are below those that systems give to connections, one of
// which could be taken before a server listens at it. Each is tried once.
var (
	firstPort  = rand.Int32N(20000)
	portsTried atomic.Int32
)

// freeAddress is an address of this machine at which nobody listens.
func freeAddress() (string, error) {
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+(firstPort+portsTried.Add(1))%20000))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
}

// built runs the script of the repository that builds a server, and returns the
// server's path.
func built(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	path := filepath.Join("scripts", name)
	for {
		if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("there is no %s above the test", path)
		}
		dir = parent
	}
	build := exec.Command(filepath.Join(dir, path))
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
