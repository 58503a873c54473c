package redislock_test

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

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	redislock "github.com/postern-go/postern/lock/redis"
)

// roleVariable makes a process of the test binary a replica.
const roleVariable = "REDISLOCK_TEST_ROLE"

// role is what a replica is told.
type role struct {
	Addr, Password string
	Name           string // of the lock
	TTL            time.Duration
	// Journal is a file to which critical sections write; "" to hold the lock once.
	Journal  string
	Sections int
}

// replica is the life of such a process. It writes a line for whatever happens, and
// ends with its stdin at the latest.
func replica(s string) int {
	var r role
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		return fail(err)
	}
	client := redis.NewClient(&redis.Options{Addr: r.Addr, Password: r.Password})
	defer client.Close()
	locker := redislock.New(client, redislock.WithTTL(r.TTL))
	run := hold
	if r.Journal != "" {
		run = contend
	}
	if err := run(r, locker); err != nil {
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// hold says when it has the lock, and when it has lost it.
func hold(r role, l *redislock.Locker) error {
	held, unlock, err := l.Lock(context.Background(), r.Name)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Println("held")
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, redislock.ErrLost) {
		return cause
	}
	fmt.Println("lost")
	return nil
}

// contend goes through critical sections, four goroutines at a time, as soon as it is
// told to.
func contend(r role, l *redislock.Locker) error {
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
func section(r role, l *redislock.Locker, journal *os.File, id string) error {
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

// process is a replica as the test sees it.
type process struct {
	*exec.Cmd
	lines chan string
	tell  func(line string) error
}

func startReplica(t *testing.T, s *server, r role) *process {
	t.Helper()
	r.Addr, r.Password = s.addr, s.password
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	p := &process{Cmd: exec.Command(os.Args[0]), lines: make(chan string, 10)}
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

// await waits until the replica says a word.
func (p *process) await(t *testing.T, word string) {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		require.True(t, ok, "the replica has ended")
		require.Equal(t, word, line)
	case <-time.After(time.Minute):
		require.Fail(t, "the replica does not say: "+word)
	}
}
