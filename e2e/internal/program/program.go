// Package program runs the programs of the examples as people do: as processes of
// their own.
package program

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patience = 30 * time.Second

// binaries are the paths of what was built.
var binaries = map[string]string{}

// Build compiles examples/name, such as "gallery" or "routers/chi", for TestMain, which calls remove at the end. It is
// built in its own module, whose versions are those that people get.
func Build(name string) (remove func(), err error) {
	examples, err := Examples()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", filepath.Base(name)+"-")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, filepath.Base(name))
	args := []string{"-C", examples, "build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./"+name)...).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("go build ./%s: %w\n%s", name, err, out)
	}
	binaries[name] = binary
	return func() { _ = os.RemoveAll(dir) }, nil
}

// Examples finds the folder of the examples.
func Examples() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		examples := filepath.Join(dir, "examples")
		if _, err := os.Stat(filepath.Join(examples, "go.mod")); err == nil {
			return examples, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("there is no folder examples above the test")
		}
		dir = parent
	}
}

// Program is a running program.
type Program struct {
	// URL is the address that it asked to open.
	URL string

	process *exec.Cmd
	ended   chan struct{}
	stop    func()
	stderr  buffer
}

// Start runs a program that was built, until the test ends or Stop. It must print
// "Open " and its address. env adds to the environment, which has no credentials
// otherwise. The test fails if the program does not end cleanly.
func Start(t testing.TB, name string, args, env []string) *Program {
	t.Helper()
	require.Contains(t, binaries, name, "TestMain calls program.Build")
	p := &Program{ended: make(chan struct{})}
	p.process = exec.Command(binaries[name], args...)
	p.process.Dir = t.TempDir()
	p.process.Env = append(cleanEnv(), env...)
	p.process.Stderr = &p.stderr
	stdout, err := p.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.process.Start())
	p.stop = sync.OnceFunc(func() {
		_ = p.process.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = p.process.Process.Kill() })
		<-p.ended
		kill.Stop()
		assert.True(t, p.process.ProcessState.Success(), "%s ended with %s\n%s", name, p.process.ProcessState, p.Log())
	})
	t.Cleanup(p.Stop)

	address := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
				address <- url
			}
		}
		_ = p.process.Wait()
		close(p.ended)
	}()
	select {
	case p.URL = <-address:
	case <-p.ended:
		require.FailNow(t, name+" did not start", p.Log())
	case <-time.After(patience):
		require.FailNow(t, name+" does not get ready", p.Log())
	}
	return p
}

// Stop ends the program as Ctrl-C does, and waits.
func (p *Program) Stop() { p.stop() }

// Log returns what the program wrote to standard error.
func (p *Program) Log() string { return p.stderr.String() }

func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "POSTERN_") {
			env = append(env, v)
		}
	}
	return append(env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
