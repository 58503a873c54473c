package hook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is how long Within waits for fn when its context has ended.
const grace = time.Second

// errExited is the end of a goroutine that did not return.
var errExited = errors.New("the hook has ended its goroutine")

// Within runs fn with a context that ends after d, and makes an error of a panic. If fn
// does not listen, it fails without it: fn goes on, and what becomes of it is told to
// late.
func Within(ctx context.Context, d time.Duration, fn func(context.Context) error, late func(error)) error {
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := errExited
		defer func() { ended <- err }()
		err = GuardAll(func() error { return fn(timed) })
	}()
	select {
	case err := <-ended:
		return err
	case <-timed.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
	}
	go func() { late(<-ended) }()
	return fmt.Errorf("the hook does not end: %w", context.Cause(timed))
}
