package hook_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/hook"
)

func TestHookThatDoesNotListenIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var told error
		failed := errors.New("too late")
		err := hook.Within(t.Context(), time.Minute, func(context.Context) error {
			time.Sleep(time.Hour)
			return failed
		}, func(err error) { told = err })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, failed)
		require.Equal(t, time.Minute+time.Second, time.Since(start))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, failed, told)
	})
}

func TestHookThatListensIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := errors.New("cut")
		err := hook.Within(t.Context(), time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return errors.Join(cut, ctx.Err())
		}, nil)
		require.ErrorIs(t, err, cut)
	})
}

func TestHookIsGuardedWithin(t *testing.T) {
	var panicked *hook.PanicError
	require.ErrorAs(t, hook.Within(t.Context(), time.Minute, func(context.Context) error { panic("oh") }, nil), &panicked)
	require.NotEmpty(t, panicked.Stack)
	require.ErrorContains(t, hook.Within(t.Context(), time.Minute, func(context.Context) error {
		runtime.Goexit()
		return nil
	}, nil), "has ended its goroutine")
	require.NoError(t, hook.Within(t.Context(), time.Minute, func(context.Context) error { return nil }, nil))
}
