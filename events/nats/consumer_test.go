package natsevents_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
	natsevents "github.com/postern-go/postern/events/nats"
	"github.com/postern-go/postern/internal/servertest"
)

// shared is the server of all tests that do it no harm.
var shared *servertest.NATS

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if shared, err = servertest.NewNATS(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.Remove()
		return m.Run()
	}())
}

// stream is the stream of one test, and its consumer.
type stream struct {
	jetstream.Consumer
	js      jetstream.JetStream
	subject string
}

func newStream(t *testing.T, s *servertest.NATS, config jetstream.ConsumerConfig) *stream {
	t.Helper()
	conn, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	name := rand.Text()
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}})
	require.NoError(t, err)
	config.Durable, config.AckPolicy = "postern", jetstream.AckExplicitPolicy
	consumer, err := js.CreateConsumer(t.Context(), name, config)
	require.NoError(t, err)
	return &stream{consumer, js, name}
}

func (s *stream) publish(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		_, err := s.js.Publish(t.Context(), s.subject, []byte(body))
		require.NoError(t, err)
	}
}

// left returns how many messages are not delivered, and not acknowledged.
func (s *stream) left(t *testing.T) [2]int {
	t.Helper()
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	return [2]int{int(info.NumPending), info.NumAckPending}
}

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
	return fmt.Sprintf(`{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"uploads"},"object":{"key":%q}}}]}`, key)
}

// run runs a consumer until the test ends, or stop is called, which waits for it.
func run(t *testing.T, s *stream, c completer, options ...natsevents.Option) (stop func()) {
	t.Helper()
	consumer, err := natsevents.New(s.Consumer, c, options...)
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

func TestMessagesThatAreDoneWithAreAcknowledged(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	seen := make(chan events.Report, 100)
	s.publish(t, event("staging/1"), event("staging/refused"), "not an event", `{"Event":"s3:TestEvent"}`, event("staging/2"))
	stop := run(t, s, func(_ context.Context, key string) error {
		if key == "staging/refused" {
			return postern.ErrTicketInvalid
		}
		return nil
	}, natsevents.WithObserver(func(_ context.Context, r events.Report) { seen <- r }))
	outcomes := map[events.Outcome]int{}
	for range 4 {
		outcomes[(<-seen).Outcome]++
	}
	require.Equal(t, map[events.Outcome]int{events.Completed: 2, events.Ignored: 1, events.Malformed: 1}, outcomes)
	stop()
	require.Equal(t, [2]int{0, 0}, s.left(t))
	require.Empty(t, seen)
}

func TestMessageThatFailsComesAgainUntilItIsCompleted(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	s.publish(t, event("staging/1"))
	tries, done := 0, make(chan struct{})
	stop := run(t, s, func(context.Context, string) error {
		if tries++; tries < 4 {
			return postern.ErrStorageUnavailable.WithRetryAfter(time.Millisecond)
		}
		close(done)
		return nil
	})
	<-done
	stop()
	require.Equal(t, 4, tries)
	require.Equal(t, [2]int{0, 0}, s.left(t))
}

func TestPostponedMessageWaits(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	s.publish(t, event("staging/1"))
	seen := make(chan events.Report, 10)
	stop := run(t, s, func(context.Context, string) error { return postern.ErrBusy.WithRetryAfter(time.Hour) },
		natsevents.WithObserver(func(_ context.Context, r events.Report) { seen <- r }))
	require.Equal(t, events.Postponed, (<-seen).Outcome)
	stop()
	require.Equal(t, [2]int{0, 1}, s.left(t))
	require.Empty(t, seen)
}

func TestWorkThatTakesTooLongIsDeliveredAgain(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{AckWait: 2 * time.Second})
	s.publish(t, event("staging/1"))
	tries, done := make(chan int, 1), make(chan struct{})
	tries <- 0
	run(t, s, func(ctx context.Context, _ string) error {
		n := <-tries
		tries <- n + 1
		if n == 0 {
			<-ctx.Done()
			return postern.ErrStorageUnavailable.WithRetryAfter(time.Millisecond).WithCause(ctx.Err())
		}
		close(done)
		return nil
	})
	<-done
}

func TestDelayedMessageIsOldWhenItIsWorkedOn(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	const delay = 300 * time.Millisecond
	began := time.Now()
	s.publish(t, event("staging/1"))
	done := make(chan time.Duration, 10)
	stop := run(t, s, func(context.Context, string) error { done <- time.Since(began); return nil }, natsevents.WithDelay(delay))
	require.GreaterOrEqual(t, <-done, delay)
	stop()
	require.Equal(t, [2]int{0, 0}, s.left(t))
	require.Empty(t, done)
}

func TestWorkBegunIsFinishedWhenTheConsumerStops(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	s.publish(t, event("staging/1"))
	begun, end := make(chan struct{}), make(chan struct{})
	var ended error
	consumer, err := natsevents.New(s.Consumer, completer(func(ctx context.Context, _ string) error {
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
	require.Equal(t, [2]int{0, 0}, s.left(t))
}

func TestWorkAtOnceIsBounded(t *testing.T) {
	s := newStream(t, shared, jetstream.ConsumerConfig{})
	const n, limit = 12, 3
	for i := range n {
		s.publish(t, event(fmt.Sprint("staging/", i)))
	}
	var mutex sync.Mutex
	working, most, left := 0, 0, n
	full, done := make(chan struct{}), make(chan struct{})
	fill := sync.OnceFunc(func() { close(full) })
	run(t, s, func(context.Context, string) error {
		mutex.Lock()
		working++
		if most = max(most, working); working == limit {
			fill()
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
	}, natsevents.WithConcurrency(limit))
	<-done
	require.Equal(t, limit, most)
}

// The server dies while one message is being worked on and others wait. All of them are
// completed in the end, by two consumers, and none waits for ever.
func TestNothingIsLostWhenTheServerDies(t *testing.T) {
	server, err := servertest.NewNATS()
	require.NoError(t, err)
	t.Cleanup(server.Remove)
	s := newStream(t, server, jetstream.ConsumerConfig{AckWait: 2 * time.Second})
	const n = 20
	for i := range n {
		s.publish(t, event(fmt.Sprint("staging/", i)))
	}
	var mutex sync.Mutex
	completed := map[string]int{}
	begun, restarted, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	work := func(_ context.Context, key string) error {
		begin()
		<-restarted
		mutex.Lock()
		defer mutex.Unlock()
		if completed[key]++; len(completed) == n && completed[key] == 1 {
			close(done)
		}
		return nil
	}
	run(t, s, work, natsevents.WithConcurrency(2))
	run(t, s, work, natsevents.WithConcurrency(2))
	<-begun
	server.Stop(syscall.SIGKILL)
	require.NoError(t, server.Start())
	close(restarted)
	<-done
	// What was completed while the server was away is delivered again, and acknowledged.
	require.Eventually(t, func() bool {
		info, err := s.Info(t.Context())
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0
	}, time.Minute, 10*time.Millisecond)
}

func TestIdleConsumerOutlivesItsServer(t *testing.T) {
	server, err := servertest.NewNATS()
	require.NoError(t, err)
	t.Cleanup(server.Remove)
	s := newStream(t, server, jetstream.ConsumerConfig{})
	got, failed := make(chan string), make(chan events.Report, 100)
	run(t, s, func(_ context.Context, key string) error { got <- key; return nil }, natsevents.WithConcurrency(1),
		natsevents.WithObserver(func(_ context.Context, r events.Report) {
			if r.Outcome == events.Failed {
				failed <- r
			}
		}))
	s.publish(t, event("staging/1"))
	require.Equal(t, "staging/1", <-got)
	require.Eventually(t, func() bool { return s.left(t) == [2]int{0, 0} }, time.Minute, time.Millisecond)
	server.Stop(syscall.SIGKILL)
	require.ErrorContains(t, (<-failed).Err, "natsevents: fetch")
	require.NoError(t, server.Start())
	s.publish(t, event("staging/2"))
	require.Equal(t, "staging/2", <-got)
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	_, err := natsevents.New(nil, nil, natsevents.WithConcurrency(0), natsevents.WithDelay(-1), natsevents.WithObserver(nil))
	for _, want := range []string{"Consumer", "Completer", "WithConcurrency", "WithDelay", "WithObserver"} {
		require.ErrorContains(t, err, want)
	}
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
}
