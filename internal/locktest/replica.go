package locktest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// roleVariable makes a process of the test binary a replica.
const roleVariable = "POSTERN_LOCK_TEST_ROLE"

// Role is what a replica is told.
type Role struct {
	URL  string // of the lock's server
	Name string // of the lock
	TTL  time.Duration
	// Journal is a file to which critical sections write; "" to hold the lock once.
	Journal  string
	Sections int
}

// Open makes the locker of a replica.
type Open func(r Role) (l postern.Locker, closeIt func(), err error)

// RunReplica is the life of a replica, if this process is one: main ends with the exit
// code then. It writes a line for whatever happens, and ends with its stdin at the
// latest. lost is the package's ErrLost.
func RunReplica(open Open, lost error) (code int, is bool) {
	encoded := os.Getenv(roleVariable)
	if encoded == "" {
		return 0, false
	}
	if err := replica(encoded, open, lost); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func replica(encoded string, open Open, lost error) error {
	var r Role
	if err := json.Unmarshal([]byte(encoded), &r); err != nil {
		return err
	}
	l, closeIt, err := open(r)
	if err != nil {
		return err
	}
	defer closeIt()
	if r.Journal != "" {
		return contend(r, l)
	}
	return hold(r, l, lost)
}

// hold says when it has the lock, and when it has lost it.
func hold(r Role, l postern.Locker, lost error) error {
	held, unlock, err := l.Lock(context.Background(), r.Name)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Println("held")
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, lost) {
		return cause
	}
	fmt.Println("lost")
	return nil
}

// contend goes through critical sections, four goroutines at a time, as soon as it is
// told to.
func contend(r Role, l postern.Locker) error {
	journal, err := os.OpenFile(r.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer journal.Close()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	const goroutines = 4
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for n := range r.Sections / goroutines {
				if errs[g] = section(r, l, journal, fmt.Sprintf("%d/%d/%d", os.Getpid(), g, n)); errs[g] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// section writes that it has begun and that it ends.
func section(r Role, l postern.Locker, journal *os.File, id string) error {
	held, unlock, err := l.Lock(context.Background(), r.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := fmt.Fprintln(journal, "begin", id); err != nil {
		return err
	}
	if err := context.Cause(held); err != nil {
		return err
	}
	_, err = fmt.Fprintln(journal, "end", id)
	return err
}

// Replica is one as the test sees it.
type Replica struct {
	*exec.Cmd
	lines chan string
	tell  func(line string) error
}

// StartReplica starts a replica, which the end of the test ends.
func StartReplica(t *testing.T, r Role) *Replica {
	t.Helper()
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	p := &Replica{Cmd: exec.Command(os.Args[0]), lines: make(chan string, 10)}
	p.Env = append(os.Environ(), roleVariable+"="+string(encoded))
	p.Stderr = os.Stderr
	stdin, err := p.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	p.tell = func(line string) error { _, err := fmt.Fprintln(stdin, line); return err }
	require.NoError(t, p.Start())
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

// Await waits until the replica says a word.
func (p *Replica) Await(t *testing.T, word string) {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		require.True(t, ok, "the replica has ended")
		require.Equal(t, word, line)
	case <-time.After(time.Minute):
		require.Fail(t, "the replica does not say: "+word)
	}
}
