package postern

import (
	"context"
	"fmt"

	"github.com/postern-go/postern/internal/completion"
)

// activity is what goes on beside the requests of an Issuer, in all its buckets and
// dialects.
type activity struct {
	flights *completion.Flights
	// running ends when Shutdown begins. What an Issuer does by itself begins nothing
	// after that.
	running context.Context
	stop    context.CancelFunc
	reports reportLimit
	checks  checks
}

func newActivity(c *config) *activity {
	a := &activity{flights: completion.NewFlights(c.maxCompletions)}
	a.running, a.stop = context.WithCancel(context.Background())
	return a
}

// shutdown ends what goes on.
func (a *activity) shutdown(ctx context.Context) error {
	a.stop()
	if left := a.flights.Shutdown(ctx); len(left) > 0 {
		return &UnfinishedError{IDs: left, Err: ctx.Err()}
	}
	return nil
}

// Shutdown takes no more completions, and waits for those that go on, which may have
// been begun by requests that were answered long ago; hooks included. Requests to
// complete are refused with [ErrShuttingDown], those that wait for a slot at once. If ctx
// ends first, the error is an [UnfinishedError]: what it names is completed by another
// replica, or after the restart, when it is asked for again.
//
// Call it after [http.Server.Shutdown], which waits for requests only. Grants are
// signed as before. It may be called again, and by several goroutines.
func (i *Issuer) Shutdown(ctx context.Context) error { return i.activity.shutdown(ctx) }

// Shutdown is that of the Handler's [Issuer]: see [Issuer.Shutdown]. It is also that of
// the same Handler in other dialects.
func (h *Handler) Shutdown(ctx context.Context) error { return h.issuer.Shutdown(ctx) }

// UnfinishedError says which completions went on when Shutdown stopped to wait.
type UnfinishedError struct {
	// IDs are those of the grants, as in [Receipt.ID], sorted.
	IDs []string
	// Err is that of its context.
	Err error
}

// Error tells how many there are.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("postern: %d completions are not finished: %v", len(e.IDs), e.Err)
}

// Unwrap returns Err.
func (e *UnfinishedError) Unwrap() error { return e.Err }
