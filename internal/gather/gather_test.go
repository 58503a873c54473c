package gather_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/gather"
)

func TestCallsGatherWhileOneIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		g := &gather.Group[int, int]{Most: 4, Lanes: 1, Patience: time.Minute, Do: func(_ context.Context, calls []*gather.Call[int, int]) {
			sizes = append(sizes, len(calls))
			time.Sleep(time.Second)
			for _, c := range calls {
				c.Answer = 2 * c.Question
			}
		}}
		var wg sync.WaitGroup
		ask := func(k int) {
			answer, err := g.Ask(t.Context(), k)
			require.NoError(t, err)
			require.Equal(t, 2*k, answer)
		}
		wg.Go(func() { ask(0) })
		synctest.Wait()
		for k := range 6 {
			wg.Go(func() { ask(k) })
		}
		wg.Wait()
		require.Equal(t, []int{1, 4, 2}, sizes)
		ask(7)
	})
}

func TestWhoHasGoneBeforeItsTurnIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done []int
		g := &gather.Group[int, int]{Most: 4, Lanes: 1, Patience: time.Minute, Do: func(_ context.Context, calls []*gather.Call[int, int]) {
			for _, c := range calls {
				done = append(done, c.Question)
			}
			time.Sleep(time.Hour)
		}}
		go func() { _, _ = g.Ask(t.Context(), 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.Ask(ctx, 2)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, gather.ErrNotBegun)
		time.Sleep(2 * time.Hour)
		require.Equal(t, []int{1}, done)
	})
}
