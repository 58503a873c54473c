// Package quickstart runs the quickstart program of the examples as people do:
// as a process of its own.
package quickstart

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
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

	"github.com/postern-go/postern/s3test"
)

const patience = 30 * time.Second

var binary string

// Build compiles the program, for TestMain, which calls remove at the end. It is
// built in its own module, whose versions are those that people get.
func Build() (remove func(), err error) {
	examples, err := findExamples()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return nil, err
	}
	binary = filepath.Join(dir, "quickstart")
	args := []string{"-C", examples, "build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./quickstart")...).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("go build ./quickstart: %w\n%s", err, out)
	}
	return func() { _ = os.RemoveAll(dir) }, nil
}

func findExamples() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		examples := filepath.Join(dir, "examples")
		if _, err := os.Stat(filepath.Join(examples, "quickstart", "main.go")); err == nil {
			return examples, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("there is no examples/quickstart above the test")
		}
		dir = parent
	}
}

// Program is the running program.
type Program struct {
	// URL is the address that it asked to open.
	URL string

	process *exec.Cmd
	ended   chan struct{}
	stop    func()
	stderr  buffer
}

// Start runs the program on a free port until the test ends or Stop. env adds to
// the environment, which has no credentials otherwise. The test fails if the
// program does not end cleanly.
func Start(t testing.TB, args, env []string) *Program {
	t.Helper()
	require.NotEmpty(t, binary, "TestMain calls quickstart.Build")
	p := &Program{ended: make(chan struct{})}
	p.process = exec.Command(binary, append([]string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0"}, args...)...)
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
		assert.True(t, p.process.ProcessState.Success(), "quickstart ended with %s\n%s", p.process.ProcessState, p.Log())
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
		require.FailNow(t, "quickstart did not start", p.Log())
	case <-time.After(patience):
		require.FailNow(t, "quickstart does not get ready", p.Log())
	}
	return p
}

// StartWith runs the program on the bucket of an S3 server, with one account that
// may only write what has not been checked, and another for all else.
func StartWith(t testing.TB, s3 *s3test.Server, args ...string) *Program {
	t.Helper()
	ctx := context.Background()
	made, err := s3.PutOnlyUser(ctx, "staging/")
	require.NoError(t, err)
	signer, err := made.Retrieve(ctx)
	require.NoError(t, err)
	service := "SERVICE" + rand.Text()
	require.NoError(t, s3.AddUser(ctx, service, "service-secret",
		s3test.Permission{Action: "s3:ListBucket"},
		s3test.Permission{Action: "s3:GetObject", Keys: "*"},
		s3test.Permission{Action: "s3:PutObject", Keys: "*"},
		s3test.Permission{Action: "s3:DeleteObject", Keys: "*"},
		s3test.Permission{Action: "s3:ListMultipartUploadParts", Keys: "*"},
		s3test.Permission{Action: "s3:AbortMultipartUpload", Keys: "*"}))
	return Start(t,
		append([]string{"-endpoint", s3.Endpoint, "-bucket", s3.Bucket, "-region", s3.Region, "-path-style"}, args...),
		[]string{
			"POSTERN_SIGNING_ACCESS_KEY_ID=" + signer.AccessKeyID, "POSTERN_SIGNING_SECRET_ACCESS_KEY=" + signer.SecretAccessKey,
			"AWS_ACCESS_KEY_ID=" + service, "AWS_SECRET_ACCESS_KEY=service-secret",
		})
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
