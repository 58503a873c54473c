package events_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
)

// recorder is a Completer that remembers what it was asked for.
type recorder struct {
	mutex  sync.Mutex
	asked  []string
	answer func(ctx context.Context, key string) error
}

func (r *recorder) UploadBucket() string { return "uploads" }

func (r *recorder) CompleteObject(ctx context.Context, key string) (*postern.Receipt, error) {
	r.mutex.Lock()
	r.asked = append(r.asked, key)
	r.mutex.Unlock()
	if r.answer != nil {
		if err := r.answer(ctx, key); err != nil {
			return nil, err
		}
	}
	return &postern.Receipt{Key: key}, nil
}

func (r *recorder) keys() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.asked)
}

// failing is a recorder whose completions fail.
func failing(err error) *recorder {
	return &recorder{answer: func(context.Context, string) error { return err }}
}

// reports keeps what an observer sees.
type reports struct {
	mutex sync.Mutex
	all   []events.Report
}

func (r *reports) observe(_ context.Context, one events.Report) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, one)
}

func TestDeliverCompletesEachObjectOfTheBucket(t *testing.T) {
	c, seen := &recorder{}, &reports{}
	body := `{"Records":[` + record("uploads", "staging/1") + `,` + record("elsewhere", "staging/2") + `,` +
		record("uploads", "") + `,` + record("uploads", "staging/3") + `]}`
	require.NoError(t, events.Deliver(context.Background(), c, []byte(body), seen.observe))
	require.Equal(t, []string{"staging/1", "staging/3"}, c.keys())
	require.Equal(t, []events.Report{
		{Outcome: events.Completed, Bucket: "uploads", Key: "staging/1"},
		{Outcome: events.Ignored, Bucket: "elsewhere", Key: "staging/2"},
		{Outcome: events.Ignored, Bucket: "uploads"},
		{Outcome: events.Completed, Bucket: "uploads", Key: "staging/3"},
	}, seen.all)
}

func TestWhatIsRefusedForGoodIsDoneWith(t *testing.T) {
	for _, err := range []*postern.Problem{
		postern.ErrObjectMissing, postern.ErrTicketInvalid, postern.ErrTicketExpired, postern.ErrSizeMismatch,
		postern.NewProblem(422, "infected", "The file is infected."),
		postern.ErrInspectionPending, // the reconciler asks again, or somebody releases it
	} {
		seen := &reports{}
		require.NoError(t, events.Deliver(context.Background(), failing(err), []byte(amazon), seen.observe))
		require.Equal(t, []events.Report{{Outcome: events.Ignored, Bucket: "uploads", Key: key, Err: err}}, seen.all)
	}
}

func TestWhatPassesByIsToComeAgain(t *testing.T) {
	usual := 5 * time.Second
	for _, tc := range []struct {
		err   error
		after time.Duration
	}{
		{postern.ErrStorageDenied, usual},
		{postern.ErrStorageUnavailable.WithRetryAfter(7 * time.Second), 7 * time.Second},
		{postern.NewProblem(409, "later", "Later.").WithRetryAfter(3 * time.Second), 3 * time.Second},
		{fmt.Errorf("wrapped: %w", postern.ErrInternal), usual},
		{context.Canceled, usual},
		{postern.ErrObjectMissing.WithCause(context.DeadlineExceeded), usual},
		{errors.New("unknown"), usual},
	} {
		seen := &reports{}
		err := events.Deliver(context.Background(), failing(tc.err), []byte(amazon), seen.observe)
		var again *events.PostponedError
		require.ErrorAs(t, err, &again, "%v", tc.err)
		require.Equal(t, tc.after, again.After, "%v", tc.err)
		require.ErrorIs(t, err, tc.err)
		require.Equal(t, events.Postponed, seen.all[0].Outcome)
	}
}

func TestOnePostponedObjectPostponesItsMessageOnly(t *testing.T) {
	c := &recorder{answer: func(_ context.Context, key string) error {
		switch key {
		case "staging/1":
			return postern.ErrBusy.WithRetryAfter(2 * time.Second)
		case "staging/2":
			return postern.ErrBusy.WithRetryAfter(9 * time.Second)
		case "staging/3":
			return postern.ErrBusy.WithRetryAfter(3 * time.Second)
		}
		return nil
	}}
	body := `{"Records":[` + record("uploads", "staging/1") + `,` + record("uploads", "staging/2") + `,` +
		record("uploads", "staging/3") + `,` + record("uploads", "staging/4") + `]}`
	var again *events.PostponedError
	require.ErrorAs(t, events.Deliver(context.Background(), c, []byte(body), nil), &again)
	require.Equal(t, 9*time.Second, again.After)
	require.Equal(t, []string{"staging/1", "staging/2", "staging/3", "staging/4"}, c.keys())
}

func TestMalformedMessageAsksForNothing(t *testing.T) {
	c, seen := &recorder{}, &reports{}
	require.ErrorIs(t, events.Deliver(context.Background(), c, []byte("x"), seen.observe), events.ErrMalformed)
	require.Empty(t, c.keys())
	require.Equal(t, events.Malformed, seen.all[0].Outcome)
}

// An upload's final state must not depend on which of its events come, how often, and
// in which order.
func TestDuplicatesAndReorderingLeadToTheSame(t *testing.T) {
	bodies := []string{amazon, minio, versitygw, eventBridge, sns(amazon), removed, test}
	slices.Reverse(bodies)
	done := map[string]int{}
	var mutex sync.Mutex
	c := &recorder{answer: func(_ context.Context, key string) error {
		mutex.Lock()
		defer mutex.Unlock()
		if done[key]++; done[key] > 1 {
			return postern.ErrObjectMissing // a completed upload has no staging object
		}
		return nil
	}}
	var all sync.WaitGroup
	for range 3 {
		for _, body := range bodies {
			all.Go(func() { _ = events.Deliver(context.Background(), c, []byte(body), nil) })
		}
	}
	all.Wait()
	require.Len(t, done, 1)
	require.Equal(t, 15, done[key])
}

func TestPausesDoubleUpToAQuarterOfAnHour(t *testing.T) {
	postponed := events.PostponedError{After: 5 * time.Second}
	for deliveries, want := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 9: 15 * time.Minute, 1 << 40: 15 * time.Minute, 1 << 60: 15 * time.Minute,
	} {
		require.Equal(t, want, postponed.Pause(deliveries))
	}
	hour := events.PostponedError{After: time.Hour}
	require.Equal(t, 15*time.Minute, hour.Pause(1))
}
