// Package simulation_test runs completions, reconciliations, hooks, browsers and deaths
// of processes on S3 in memory, in as many orders as there is time for. Each schedule is
// made of its seed alone. It finds what real servers show once a year, and replaces no
// test at one.
package simulation_test

import (
	"bufio"
	"flag"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("schedules", standard, "how many schedules are run")
	first     = flag.Uint64("first", 1, "the seed of the first")
	seed      = flag.Uint64("seed", 0, "the seed of the only schedule, whose trace is printed")
)

// simulate runs a schedule in a bubble.
func simulate(t *testing.T, seed uint64, tracing bool) (w *world) {
	synctest.Test(t, func(*testing.T) { w = run(seed, tracing) })
	return w
}

// explain runs a schedule again that has broken something, and prints its trace.
func explain(t *testing.T, seed uint64) {
	w := simulate(t, seed, true)
	t.Logf("%s", strings.Join(w.trace, "\n"))
	require.NoError(t, w.broken, "run it again with -seed %d", seed)
}

func TestNothingIsLostInAnySchedule(t *testing.T) {
	if *seed != 0 {
		explain(t, *seed)
		return
	}
	began := time.Now()
	var next, broken atomic.Uint64
	next.Store(*first - 1)
	end := *first + uint64(*schedules)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for broken.Load() == 0 {
				n := next.Add(1)
				if n >= end {
					return
				}
				if simulate(t, n, false).broken != nil {
					broken.CompareAndSwap(0, n)
				}
			}
		})
	}
	workers.Wait()
	if n := broken.Load(); n != 0 {
		t.Logf("%d schedules were run", next.Load()-*first)
		explain(t, n)
		require.Fail(t, "a schedule has broken something that it does not break again", "seed %d", n)
	}
	t.Logf("%d schedules in %v", *schedules, time.Since(began).Round(time.Millisecond))
}

// What has once broken something is run always.
func TestNothingIsLostInAnyScheduleThatWasKept(t *testing.T) {
	file, err := os.Open("testdata/seeds")
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), " ")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		t.Run(text, func(t *testing.T) {
			if w := simulate(t, n, false); w.broken != nil {
				explain(t, n)
			}
		})
	}
	require.NoError(t, lines.Err())
}

// Else a seed would be worth nothing.
func TestASeedIsAlwaysTheSameSchedule(t *testing.T) {
	for n := range uint64(500) {
		one, other := simulate(t, n, true).trace, simulate(t, n, true).trace
		slices.Sort(one) // what happens at the same time is in any order
		slices.Sort(other)
		for k := range min(len(one), len(other)) {
			require.Equal(t, one[k], other[k], "seed %d, event %d", n, k)
		}
		require.Len(t, one, len(other))
	}
}
