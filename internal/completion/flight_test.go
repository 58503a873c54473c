package completion

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// air is where a test has its flights, on the clock of its bubble.
type air struct {
	*Flights
	t  *testing.T
	wg sync.WaitGroup

	mutex sync.Mutex
	begun []string // ids, in order
	number,
	most int // of flights at once
	of    map[string]int           // the same of each owner
	waits map[string]time.Duration // until a flight began
	errs  map[string]error
}

func newAir(t *testing.T, max int) *air {
	a := &air{Flights: NewFlights(max), t: t, of: map[string]int{}, waits: map[string]time.Duration{}, errs: map[string]error{}}
	t.Cleanup(a.wg.Wait)
	return a
}

// request begins a flight and waits for its end. It stays as long as ctx.
func (a *air) request(ctx context.Context, owner, id string, run func(context.Context) error) {
	asked := time.Now()
	a.wg.Go(func() {
		c, err := a.begin(ctx, flight{
			id: id, owner: owner,
			run: func(ctx context.Context) (*Result, error) {
				a.mutex.Lock()
				a.begun = append(a.begun, id)
				a.waits[id] = time.Since(asked)
				a.number++
				a.most = max(a.most, a.number)
				a.of[owner]++
				a.mutex.Unlock()
				defer func() {
					a.mutex.Lock()
					a.number--
					a.of[owner]--
					a.mutex.Unlock()
				}()
				return nil, run(ctx)
			},
			begun: func(ctx context.Context) (context.Context, func(*End)) { return ctx, func(*End) {} },
			ended: func(context.Context, *End) {},
		})
		if err == nil {
			_, err = c.await(ctx, 24*time.Hour)
		}
		a.mutex.Lock()
		a.errs[id] = err
		a.mutex.Unlock()
	})
	synctest.Wait() // requests come one after another
}

// crowd makes n requests of an owner.
func (a *air) crowd(n int, owner string, run func(context.Context) error) {
	for k := range n {
		a.request(context.Background(), owner, fmt.Sprint(owner, k), run)
	}
}

// err is how a request has ended, or nil.
func (a *air) err(id string) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.errs[id]
}

// ended counts requests that have ended.
func (a *air) ended() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return len(a.errs)
}

// wait is how long a flight waited.
func (a *air) wait(id string) time.Duration {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	require.Contains(a.t, a.waits, id)
	return a.waits[id]
}

// holds counts the flights of an owner.
func (a *air) holds(owner string) int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.of[owner]
}

// queued counts those who wait.
func (a *air) queued(owner string) int {
	a.Flights.mutex.Lock()
	defer a.Flights.mutex.Unlock()
	return len(a.owners[owner].queue)
}

// lasting is a copy that S3 needs so long for.
func lasting(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}

// hanging is one that never ends by itself.
func hanging(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }

func TestThreeHundredCompletionsOfOneOwnerTakeLittleLongerThanTheyMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 64)
		start := time.Now()
		a.crowd(300, "acme", lasting(400*time.Millisecond))
		a.wg.Wait()
		for id, err := range a.errs {
			require.NoError(t, err, id)
		}
		require.Len(t, a.begun, 300)
		ideal := 300 * 400 * time.Millisecond / 64
		require.Less(t, time.Since(start), ideal*13/10)
		require.Equal(t, 56, a.most)
	})
}

func TestHangingCompletionsOfOneOwnerDelayNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 64)
		a.crowd(300, "slow", hanging)
		a.crowd(16, "quick", lasting(400*time.Millisecond))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for k := range 16 {
			id := fmt.Sprint("quick", k)
			require.NoError(t, a.err(id))
			require.LessOrEqual(t, a.wait(id), time.Second, id)
		}
		// Nor do those of two.
		a.crowd(16, "slower", hanging)
		a.crowd(2, "quicker", lasting(400*time.Millisecond))
		a.crowd(1, "quickest", lasting(400*time.Millisecond))
		time.Sleep(time.Second)
		synctest.Wait()
		require.LessOrEqual(t, a.wait("quicker1"), time.Second)
		require.Zero(t, a.wait("quickest0"))
	})
}

func TestOneOwnerNeverHasAllSlotsIfThereAreTwo(t *testing.T) {
	for max, want := range map[int][]int{ // what each of several owners can have
		1: {1, 0}, 2: {1, 1, 0}, 3: {2, 1, 0}, 4: {3, 1, 0}, 8: {7, 1, 0}, 16: {14, 2, 0}, 32: {28, 3, 1, 0},
		64: {56, 6, 1, 1, 0}, 1000: {875, 94, 1, 1},
	} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAir(t, max)
				for k, n := range want {
					owner := fmt.Sprint("owner ", k)
					a.crowd(max+1, owner, hanging)
					require.Equal(t, n, a.holds(owner), owner)
				}
			})
		})
	}
}

func TestOwnersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 1)
		a.crowd(6, "a", lasting(100*time.Millisecond))
		a.crowd(2, "b", lasting(100*time.Millisecond))
		a.crowd(2, "c", lasting(100*time.Millisecond))
		a.wg.Wait()
		require.Equal(t, []string{"a0", "a1", "b0", "c0", "a2", "b1", "c1", "a3", "a4", "a5"}, a.begun)
	})
}

func TestWhoeverHoldsTheFewestIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 64)
		a.crowd(100, "slow", lasting(time.Second))
		a.crowd(100, "late", hanging)
		require.Equal(t, 56, a.holds("slow"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 28, a.holds("slow"))
		require.Equal(t, 28, a.holds("late"))
	})
}

func TestWaitForASlotEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 1)
		a.crowd(2, "a", hanging)
		start := time.Now()
		time.Sleep(slotWait - time.Nanosecond)
		synctest.Wait()
		require.NoError(t, a.err("a1"))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.ErrorIs(t, a.err("a1"), ErrBusy)
		require.Equal(t, slotWait, time.Since(start))
		a.wg.Wait()
		require.Equal(t, []string{"a0"}, a.begun)
		require.Equal(t, defaultTimeout, time.Since(start), "what hangs is ended")
		require.Empty(t, a.owners)
		require.Empty(t, a.places)
	})
}

func TestBrowserThatIsGoneIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 1)
		a.crowd(1, "a", lasting(time.Second))
		ctx, hangUp := context.WithCancel(t.Context())
		a.request(ctx, "b", "gone", hanging)
		a.request(ctx, "b", "joined", lasting(time.Second))
		a.request(t.Context(), "b", "joined", nil) // joins
		a.request(t.Context(), "b", "next", lasting(0))
		hangUp()
		synctest.Wait()
		require.ErrorIs(t, a.err("gone"), ErrBusy)
		require.ErrorIs(t, a.err("gone"), context.Canceled)
		a.wg.Wait()
		require.Equal(t, []string{"a0", "joined", "next"}, a.begun)
		require.NoError(t, a.err("joined"))
	})
}

func TestQueueIsBoundedForEachOwnerAndInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 2)
		const waiting = 2 * waitingForEach
		a.crowd(1+waiting+1, "a", hanging)
		require.ErrorIs(t, a.err(fmt.Sprint("a", 1+waiting)), ErrBusy, "at once")
		require.Equal(t, 1, a.ended())
		a.crowd(1+waiting/2+1, "b", hanging) // of whom one has the other slot
		require.Equal(t, 1+waiting/2+1, a.ended())
		require.Equal(t, waiting/2, a.queued("a"))
		require.Equal(t, waiting/2, a.queued("b"))
		require.ErrorIs(t, a.err(fmt.Sprint("b", 1+waiting/2)), ErrBusy)
		require.NoError(t, a.err("a1"), "the first waits")
	})
}

func TestShutdownWaitsForWhatHasBegunAndTellsWhatItLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir(t, 4)
		a.crowd(4, "a", lasting(time.Second))
		a.request(t.Context(), "b", "b0", lasting(time.Minute))
		ended := make(chan struct{})
		start := time.Now()
		go func() {
			defer close(ended)
			require.Empty(t, a.Shutdown(t.Context()))
			require.Equal(t, time.Minute, time.Since(start))
		}()
		synctest.Wait()
		require.ErrorIs(t, a.err("a3"), ErrShuttingDown, "what waited is told at once")
		a.request(t.Context(), "c", "c0", nil)
		require.ErrorIs(t, a.err("c0"), ErrShuttingDown)
		_, err := a.find("c0")
		require.ErrorIs(t, err, ErrShuttingDown)
		a.request(t.Context(), "b", "b0", nil) // joins what goes on
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		require.Equal(t, []string{"a0", "a1", "a2", "b0"}, a.Shutdown(ctx))
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		time.Sleep(time.Second)
		require.Equal(t, []string{"b0"}, a.Shutdown(ctx))
		<-ended
		require.Empty(t, a.Shutdown(ctx), "it is all done")
		a.wg.Wait()
		require.NoError(t, a.err("b0"))
	})
}

func TestNothingIsLostOrGivenTwiceByWhateverHappens(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 12))
			a := newAir(t, 1+r.IntN(20))
			asked := 20 + r.IntN(400)
			for k := range asked {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(10000))*time.Millisecond)
				defer cancel()
				a.request(ctx, fmt.Sprint(r.IntN(5)), fmt.Sprint(k), lasting(time.Duration(r.IntN(2000))*time.Millisecond))
				time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
			}
			a.wg.Wait()
			a.Shutdown(t.Context())
			require.LessOrEqual(t, a.most, a.max, "seed %d", seed)
			require.Len(t, a.errs, asked)
			for id, err := range a.errs {
				_, begun := a.waits[id]
				require.Equal(t, begun, err == nil || errors.Is(err, ErrPending), "seed %d: %s: %v", seed, id, err)
			}
			require.Len(t, a.begun, len(a.waits), "twice")
			require.Empty(t, a.calls)
			require.Empty(t, a.places)
			require.Empty(t, a.owners)
		})
	}
}
