package natsevents

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postern-go/postern/events"
)

const (
	// fetchWait is how long the server is waited for to have messages.
	fetchWait = 20 * time.Second
	// firstPause and maxPause bound the pauses of a consumer whose server fails.
	firstPause = 250 * time.Millisecond
	maxPause   = 15 * time.Second
	// heartbeat is how often the server says that it is there meanwhile.
	heartbeat = 2 * time.Second
	// usualAckWait is JetStream's, where a consumer has none of its own.
	usualAckWait = 30 * time.Second
	// patience bounds what is told to the server of a message: it may take as long
	// when ctx has ended.
	patience = 10 * time.Second
)

// Consumer reads messages of one JetStream consumer. It is safe for concurrent use and
// does not change.
type Consumer struct {
	consumer  jetstream.Consumer
	completer events.Completer
	slots     chan struct{}
	delay     time.Duration
	limit     time.Duration // of work on one message
	observe   events.Observer
}

// New returns a Consumer of messages of a JetStream pull consumer, which should be
// durable and acknowledge explicitly. Work on a message ends when three quarters of its
// AckWait have passed, and the message is to come again; a completion goes on meanwhile,
// and the message finds it done. A mistake is a [*postern.ConfigError]; several are
// joined.
func New(consumer jetstream.Consumer, completer events.Completer, options ...Option) (*Consumer, error) {
	c := &Consumer{
		consumer:  consumer,
		completer: completer,
		slots:     make(chan struct{}, defaultConcurrency),
		limit:     usualAckWait * 3 / 4,
	}
	if err := c.configure(options); err != nil {
		return nil, err
	}
	if info := consumer.CachedInfo(); info != nil && info.Config.AckWait > 0 {
		c.limit = info.Config.AckWait * 3 / 4
	}
	return c, nil
}

// Run reads messages until ctx ends, and returns when it has finished what it has begun
// by then, which takes no longer than the AckWait. While the server is away, it asks
// again with growing pauses, and tells the observer; the connection is to reconnect for
// ever (nats.MaxReconnects(-1)). It may run several times, here and in other processes.
func (c *Consumer) Run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	pause := firstPause
	for {
		n := c.reserve(ctx)
		if n == 0 {
			return
		}
		err := c.fetch(ctx, n, func(m jetstream.Msg) {
			working.Go(func() {
				defer func() { <-c.slots }()
				c.work(context.WithoutCancel(ctx), m)
			})
		})
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause = firstPause
		default:
			c.failed(ctx, "fetch", err)
			if !sleep(ctx, pause/2+rand.N(pause/2)) {
				return
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// reserve takes all slots that there are, and waits for the first one. It takes none if
// ctx has ended.
func (c *Consumer) reserve(ctx context.Context) (n int) {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; ; n++ {
		select {
		case c.slots <- struct{}{}:
		default:
			return n
		}
	}
}

// fetch begins work on up to n messages, as they come, and gives back the slots of
// those that do not.
func (c *Consumer) fetch(ctx context.Context, n int, begin func(jetstream.Msg)) error {
	defer func() {
		for range n {
			<-c.slots
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := c.consumer.Fetch(n, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	for m := range batch.Messages() {
		n--
		begin(m)
	}
	if err := batch.Error(); !errors.Is(err, context.DeadlineExceeded) { // nothing has come
		return err
	}
	return nil
}

// work completes what a message tells of, and tells the server what is to become of it.
func (c *Consumer) work(ctx context.Context, m jetstream.Msg) {
	delivered, age := 1, c.delay
	if meta, err := m.Metadata(); err == nil {
		delivered, age = int(meta.NumDelivered), time.Since(meta.Timestamp)
	}
	if delivered == 1 && age < c.delay {
		c.failed(ctx, "delay", m.NakWithDelay(min(c.delay-age, c.delay)))
		return
	}
	limited, cancel := context.WithTimeout(ctx, c.limit)
	err := events.Deliver(limited, c.completer, m.Data(), c.observe)
	cancel()
	var again *events.PostponedError
	switch {
	case err == nil:
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		c.failed(ctx, "acknowledge", m.DoubleAck(ctx)) // or it comes again, and does no harm
	case errors.As(err, &again):
		c.failed(ctx, "postpone", m.NakWithDelay(again.Pause(delivered))) // or it comes after the AckWait
	default:
		c.failed(ctx, "terminate", m.TermWithReason("not a notification of S3"))
	}
}

// failed reports an error of the server, if it is one.
func (c *Consumer) failed(ctx context.Context, what string, err error) {
	if err != nil {
		c.observe.Observe(ctx, events.Report{Outcome: events.Failed, Err: fmt.Errorf("natsevents: %s: %w", what, err)})
	}
}

// sleep reports whether ctx has lasted for d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
