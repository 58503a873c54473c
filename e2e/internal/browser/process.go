package browser

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// process is a program with all that it starts. It ends with Stop, or with the test's
// process, however that ends.
type process struct {
	*exec.Cmd
	// Output is what it writes.
	Output io.ReadCloser

	leash io.Closer
}

// guard runs a program until its own input ends.
const guard = `trap '' HUP; folder=$1; shift; "$@" </dev/null & cat >/dev/null; kill -KILL $!; wait; rm -rf "$folder"; kill -KILL 0`

// run starts a program. When it ends, a folder goes, too.
func run(folder string, env []string, name string, args ...string) (*process, error) {
	output, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p := &process{Cmd: exec.Command("sh", append([]string{"-c", guard, "sh", folder, name}, args...)...), Output: output}
	p.Env = append(os.Environ(), env...)
	p.Stdout, p.Stderr = theirs, theirs
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.leash, err = p.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// Stop ends all of it.
func (p *process) Stop() {
	_ = p.leash.Close()
	_ = p.Wait()
	_ = p.Output.Close()
}
