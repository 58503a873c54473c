package sqsevents_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
	sqsevents "github.com/postern-go/postern/events/sqs"
)

// completer is a Completer of a test.
type completer func(ctx context.Context, key string) error

func (c completer) UploadBucket() string { return "uploads" }

func (c completer) CompleteObject(ctx context.Context, key string) (*postern.Receipt, error) {
	if err := c(ctx, key); err != nil {
		return nil, err
	}
	return &postern.Receipt{Key: key}, nil
}

// event is what S3 says of a new object.
func event(key string) string {
	return fmt.Sprintf(`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"uploads"},"object":{"key":%q}}}]}`, key)
}

// run runs a consumer until the test ends, or stop is called, which waits for it.
func run(t *testing.T, q queue, c completer, options ...sqsevents.Option) (stop func()) {
	t.Helper()
	consumer, err := sqsevents.New(q.Client, q.url, c, options...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		consumer.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

func TestMessagesThatAreDoneWithAreDeleted(t *testing.T) {
	q := newQueue(t, shared, nil)
	seen := make(chan events.Report, 100)
	q.send(t, event("staging/1"), event("staging/refused"), "not an event", `{"Event":"s3:TestEvent"}`,
		event("staging/2"), `{"Type":"Notification","Message":`+fmt.Sprintf("%q", event("staging/3"))+`}`)
	stop := run(t, q, func(_ context.Context, key string) error {
		if key == "staging/refused" {
			return postern.ErrTicketInvalid
		}
		return nil
	}, sqsevents.WithObserver(func(_ context.Context, r events.Report) { seen <- r }))
	outcomes := map[events.Outcome]int{}
	for range 5 {
		outcomes[(<-seen).Outcome]++
	}
	require.Equal(t, map[events.Outcome]int{events.Completed: 3, events.Ignored: 1, events.Malformed: 1}, outcomes)
	stop()
	waiting, working := q.count(t)
	require.Equal(t, []string{"0", "0"}, []string{waiting, working})
}

func TestMessageThatFailsComesAgainUntilItIsCompleted(t *testing.T) {
	q := newQueue(t, shared, nil)
	q.send(t, event("staging/1"))
	tries, done := 0, make(chan struct{})
	stop := run(t, q, func(context.Context, string) error {
		if tries++; tries < 3 {
			return postern.ErrStorageUnavailable.WithRetryAfter(time.Millisecond)
		}
		close(done)
		return nil
	})
	<-done
	stop()
	require.Equal(t, 3, tries)
	waiting, working := q.count(t)
	require.Equal(t, []string{"0", "0"}, []string{waiting, working})
}

func TestPostponedMessageIsHiddenForItsPause(t *testing.T) {
	q := newQueue(t, shared, nil)
	q.send(t, event("staging/1"))
	seen := make(chan events.Report, 10)
	stop := run(t, q, func(context.Context, string) error { return postern.ErrBusy.WithRetryAfter(time.Hour) },
		sqsevents.WithObserver(func(_ context.Context, r events.Report) { seen <- r }))
	require.Equal(t, events.Postponed, (<-seen).Outcome)
	stop()
	waiting, working := q.count(t)
	require.Equal(t, []string{"0", "1"}, []string{waiting, working})
	require.Empty(t, seen)
}

func TestDeadLetterQueueGetsWhatNeverSucceeds(t *testing.T) {
	dead := newQueue(t, shared, nil)
	q := newQueue(t, shared, map[string]string{
		"RedrivePolicy": `{"maxReceiveCount":"2","deadLetterTargetArn":"arn:aws:sqs:eu-central-1:000000000000:` + dead.name + `"}`,
	})
	q.send(t, event("staging/1"))
	run(t, q, func(context.Context, string) error { return postern.ErrInternal.WithRetryAfter(time.Millisecond) })
	got := make(chan string, 1)
	run(t, dead, func(_ context.Context, key string) error { got <- key; return nil })
	require.Equal(t, "staging/1", <-got)
}

func TestWorkBegunIsFinishedWhenTheConsumerStops(t *testing.T) {
	q := newQueue(t, shared, nil)
	q.send(t, event("staging/1"))
	begun, end := make(chan struct{}), make(chan struct{})
	var ended error
	consumer, err := sqsevents.New(q.Client, q.url, completer(func(ctx context.Context, _ string) error {
		close(begun)
		<-end
		ended = ctx.Err()
		return ended
	}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		consumer.Run(ctx)
	}()
	<-begun
	cancel()
	select {
	case <-stopped:
		t.Fatal("it has not waited")
	case <-time.After(100 * time.Millisecond): // in which it could
	}
	close(end)
	<-stopped
	require.NoError(t, ended)
	waiting, working := q.count(t)
	require.Equal(t, []string{"0", "0"}, []string{waiting, working})
}

func TestWorkAtOnceIsBounded(t *testing.T) {
	q := newQueue(t, shared, nil)
	const n, limit = 12, 3
	for i := range n {
		q.send(t, event(fmt.Sprint("staging/", i)))
	}
	var mutex sync.Mutex
	working, most, left := 0, 0, n
	full, done := make(chan struct{}), make(chan struct{})
	run(t, q, func(context.Context, string) error {
		mutex.Lock()
		working++
		if most = max(most, working); working == limit {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		mutex.Unlock()
		<-full
		mutex.Lock()
		defer mutex.Unlock()
		working--
		if left--; left == 0 {
			close(done)
		}
		return nil
	}, sqsevents.WithConcurrency(limit))
	<-done
	require.Equal(t, limit, most)
}

func TestConsumerGoesOnAfterBatchesThatAreNotFull(t *testing.T) {
	q := newQueue(t, shared, nil)
	got, end := make(chan string), make(chan struct{})
	run(t, q, func(_ context.Context, key string) error { got <- key; <-end; return nil }, sqsevents.WithConcurrency(3))
	for i := range 3 { // at once, but one by one
		key := fmt.Sprint("staging/", i)
		q.send(t, event(key))
		require.Equal(t, key, <-got)
	}
	close(end)
}

func TestConsumersShareAQueueAndDuplicatesDoNoHarm(t *testing.T) {
	q := newQueue(t, shared, nil)
	const n = 20
	for i := range 2 * n {
		q.send(t, event(fmt.Sprint("staging/", i%n)))
	}
	var mutex sync.Mutex
	completed := map[string]int{}
	var left sync.WaitGroup
	left.Add(2 * n)
	work := func(_ context.Context, key string) error {
		mutex.Lock()
		defer mutex.Unlock()
		defer left.Done()
		if completed[key]++; completed[key] > 1 {
			return postern.ErrObjectMissing
		}
		return nil
	}
	first, second := run(t, q, work), run(t, q, work)
	left.Wait()
	first()
	second()
	require.Len(t, completed, n)
	waiting, working := q.count(t)
	require.Equal(t, []string{"0", "0"}, []string{waiting, working})
}

func TestConsumerOutlivesItsQueuesServer(t *testing.T) {
	s, err := newServer()
	require.NoError(t, err)
	t.Cleanup(func() { s.kill() })
	q := newQueue(t, s, nil)
	got, failed := make(chan string), make(chan events.Report, 100)
	run(t, q, func(_ context.Context, key string) error { got <- key; return nil },
		sqsevents.WithObserver(func(_ context.Context, r events.Report) {
			if r.Outcome == events.Failed {
				failed <- r
			}
		}))
	q.send(t, event("staging/1"))
	require.Equal(t, "staging/1", <-got)

	s.kill()
	for !strings.Contains((<-failed).Err.Error(), "sqsevents: receive") {
	} // the first message may not have been deleted
	require.NoError(t, s.start())
	require.NoError(t, q.create(t.Context(), nil))
	q.send(t, event("staging/2"))
	require.Equal(t, "staging/2", <-got)
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	_, err := sqsevents.New(nil, "", nil, sqsevents.WithConcurrency(0), sqsevents.WithVisibility(time.Millisecond), sqsevents.WithObserver(nil))
	for _, want := range []string{"Client", "queue URL", "Completer", "WithConcurrency", "WithVisibility", "WithObserver"} {
		require.ErrorContains(t, err, want)
	}
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
}
