package store_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/store"
)

func TestPaceSpreadsCallsOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := store.NewPace(10), time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for range 5 {
					require.NoError(t, p.Wait(t.Context()))
				}
			})
		}
		wg.Wait()
		require.Equal(t, 2400*time.Millisecond, time.Since(began))

		time.Sleep(time.Hour) // nothing is saved up
		began = time.Now()
		for range 11 {
			require.NoError(t, p.Wait(t.Context()))
		}
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := store.NewPace(0.001)
		require.NoError(t, p.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
		require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded, "at once")
	})
}
