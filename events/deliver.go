package events

import (
	"context"
	"errors"
	"time"

	"github.com/postern-go/postern"
)

// Completer completes the upload that an object belongs to. *postern.Issuer is one.
type Completer interface {
	// CompleteObject completes the upload of the object with this key, which must lie
	// under the staging prefix.
	CompleteObject(ctx context.Context, key string) (*postern.Receipt, error)
	// UploadBucket is the name of the bucket whose events count.
	UploadBucket() string
}

// Outcome is what became of an event.
type Outcome string

const (
	// Completed: there is a receipt, of this completion or an earlier one.
	Completed Outcome = "completed"
	// Ignored: the object is none of ours, or the upload is refused for good, or waits for
	// a verdict. Most events of a bucket without a filter for the staging prefix are
	// ignored, and every one that comes after the browser has completed its upload.
	Ignored Outcome = "ignored"
	// Postponed: the event is to be delivered again.
	Postponed Outcome = "postponed"
	// Malformed: the message is not an event, see [ErrMalformed].
	Malformed Outcome = "malformed"
	// Failed: a server that sends or keeps events could not be asked or told
	// something. Bucket and Key are empty.
	Failed Outcome = "failed"
)

// Report is what an observer sees of each object that a message tells of, and of each
// message that tells of none because it is malformed. It holds no secret.
type Report struct {
	Outcome Outcome
	// Bucket and Key are as the event has them. Anybody may have made them up who
	// knows the secret or may write to the queue.
	Bucket, Key string
	// Err is why; nil if the upload is completed, or if the event is another bucket's.
	Err error
}

// Observer sees reports. It is called by several goroutines at once, and may be nil.
type Observer func(context.Context, Report)

// Observe calls the observer, if there is one.
func (o Observer) Observe(ctx context.Context, r Report) {
	if o != nil {
		o(ctx, r)
	}
}

// usualPause is after how long to try again where nothing is said.
const usualPause = 5 * time.Second

// PostponedError asks for a message to be delivered again.
type PostponedError struct {
	// After is when that may help. It is positive.
	After time.Duration
	// Err is why.
	Err error
}

// Error returns the reason.
func (e *PostponedError) Error() string { return "events: postponed: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *PostponedError) Unwrap() error { return e.Err }

// maxPause bounds after how long a message comes again.
const maxPause = 15 * time.Minute

// Pause is when a message that was delivered so many times, this time included, is to
// come again: After, doubled for each time but the first, and 15 minutes at most.
func (e *PostponedError) Pause(deliveries int) time.Duration {
	pause := e.After
	for ; deliveries > 1 && pause < maxPause; deliveries-- {
		pause *= 2
	}
	return min(pause, maxPause)
}

// Deliver completes the uploads of which a message tells. It is what the handler and
// the consumers do with each, for those who write another.
//
// It returns nil if the message is done with: what it tells of is completed, or is
// refused for good, or is not ours. It returns a [*PostponedError] if the message must
// be delivered again, because of what passes by itself or because ctx has ended, and
// [ErrMalformed] if it never will be understood. It may be called with the same message
// again, by several goroutines at once.
func Deliver(ctx context.Context, c Completer, body []byte, observe Observer) error {
	m, err := Parse(body)
	if err != nil {
		observe.Observe(ctx, Report{Outcome: Malformed, Err: err})
		return err
	}
	return complete(ctx, c, m.Created, observe)
}

func complete(ctx context.Context, c Completer, created []Object, observe Observer) error {
	var again *PostponedError
	for _, o := range created {
		r := Report{Outcome: Ignored, Bucket: o.Bucket, Key: o.Key}
		if o.Bucket == c.UploadBucket() && o.Key != "" {
			_, r.Err = c.CompleteObject(ctx, o.Key)
			r.Outcome = Completed
		}
		if r.Err != nil {
			r.Outcome = Ignored
			if after, passes := passesBy(r.Err); passes {
				r.Outcome = Postponed
				if again == nil || again.After < after {
					again = &PostponedError{after, r.Err}
				}
			}
		}
		observe.Observe(ctx, r)
	}
	if again == nil {
		return nil
	}
	return again
}

// passesBy reports whether trying again may help against an error, and when. A problem
// that is the client's fault stays one.
func passesBy(err error) (after time.Duration, passes bool) {
	after = usualPause
	var p *postern.Problem
	if errors.Is(err, postern.ErrInspectionPending) {
		return 0, false // perhaps for days, and other events may wait behind this one
	}
	if errors.As(err, &p) {
		if p.RetryAfter() > 0 {
			after = p.RetryAfter()
		} else if p.Status() < 500 && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return 0, false
		}
	}
	return after, true
}
