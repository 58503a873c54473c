// Package locktest has what the tests of the locks share: replicas as processes, a
// network that fails, and what holds of every lock.
package locktest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// Long is a TTL that does not pass while a test runs.
const Long = time.Hour

// Lock takes a lock, which is given back when the test ends.
func Lock(t *testing.T, l postern.Locker, name string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	held, unlock, err := l.Lock(ctx, name)
	require.NoError(t, err)
	t.Cleanup(unlock)
	return held
}

// ReplicasTakeTurns has three processes go through critical sections, of which no two
// may overlap.
func ReplicasTakeTurns(t *testing.T, url string) {
	const replicas, sections = 3, 200
	journal := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(journal, nil, 0o600))
	var all []*Replica
	name := rand.Text()
	for range replicas {
		p := StartReplica(t, Role{URL: url, Name: name, TTL: Long, Journal: journal, Sections: sections})
		p.Await(t, "ready")
		all = append(all, p)
	}
	for _, p := range all {
		require.NoError(t, p.tell("go"))
	}
	for _, p := range all {
		require.NoError(t, p.Wait())
	}
	written, err := os.ReadFile(journal)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(written)), "\n")
	require.Len(t, lines, 2*replicas*sections)
	for k := 0; k < len(lines); k += 2 {
		id, begins := strings.CutPrefix(lines[k], "begin ")
		require.True(t, begins, "line %d: %s", k, lines[k])
		require.Equal(t, "end "+id, lines[k+1], "line %d", k+1)
	}
}

// HeldEndsWithTheContext asserts that of a lock's context.
func HeldEndsWithTheContext(t *testing.T, l postern.Locker) {
	ctx, cancel := context.WithCancel(t.Context())
	held, unlock, err := l.Lock(ctx, rand.Text())
	require.NoError(t, err)
	defer unlock()
	cancel()
	require.ErrorIs(t, held.Err(), context.Canceled)
}

// UnlockWorksAfterItsContextHasEnded asserts that the lock is free then.
func UnlockWorksAfterItsContextHasEnded(t *testing.T, l postern.Locker) {
	name := rand.Text()
	ctx, cancel := context.WithCancel(t.Context())
	_, unlock, err := l.Lock(ctx, name)
	require.NoError(t, err)
	cancel()
	unlock()
	Lock(t, l, name)
}

// WaitingEndsWithItsContextAlthoughTheServerHangs asserts that of a locker whose server
// is found by way of a network.
func WaitingEndsWithItsContextAlthoughTheServerHangs(t *testing.T, l postern.Locker, network *Proxy) {
	Lock(t, l, rand.Text())
	network.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := l.Lock(ctx, rand.Text())
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
