package sqsevents

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/postern-go/postern/events"
)

const (
	// longPoll is the longest time that SQS waits for messages, in seconds, and
	// maxBatch how many it gives at once.
	longPoll = 20
	maxBatch = 10
	// firstPause and maxPause bound the pauses of a consumer whose queue fails.
	firstPause = time.Second
	maxPause   = time.Minute
	// receivePatience bounds a request for messages, and patience what is told to the
	// queue of one: it may take as long when ctx has ended.
	receivePatience = (longPoll + 10) * time.Second
	patience        = 10 * time.Second
)

// Consumer reads one queue. It is safe for concurrent use and does not change.
type Consumer struct {
	client     *sqs.Client
	queue      string
	completer  events.Completer
	slots      chan struct{}
	visibility time.Duration
	observe    events.Observer
}

// New returns a Consumer of the queue with a URL. The client's credentials need
// sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility. A mistake is a
// [*postern.ConfigError]; several are joined.
func New(client *sqs.Client, queueURL string, completer events.Completer, options ...Option) (*Consumer, error) {
	c := &Consumer{
		client:     client,
		queue:      queueURL,
		completer:  completer,
		slots:      make(chan struct{}, defaultConcurrency),
		visibility: defaultVisibility,
	}
	if err := c.configure(options); err != nil {
		return nil, err
	}
	return c, nil
}

// Run reads messages until ctx ends, and returns when it has finished what it has begun
// by then, which takes no longer than the visibility timeout. While the queue fails, it
// asks again with growing pauses, and tells the observer. It may run several times, here
// and in other processes.
func (c *Consumer) Run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	pause := firstPause
	for {
		n := c.reserve(ctx)
		if n == 0 {
			return
		}
		messages, err := c.receive(ctx, n)
		for range n - len(messages) {
			<-c.slots
		}
		for _, m := range messages {
			working.Go(func() {
				defer func() { <-c.slots }()
				c.work(context.WithoutCancel(ctx), m)
			})
		}
		switch {
		case err == nil:
			pause = firstPause
		case ctx.Err() != nil:
			return
		default:
			c.failed(ctx, "receive", err)
			if !sleep(ctx, pause/2+rand.N(pause/2)) {
				return
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// reserve takes as many slots as there are, up to a batch, and waits for the first one.
// It takes none if ctx has ended.
func (c *Consumer) reserve(ctx context.Context) (n int) {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; n < maxBatch; n++ {
		select {
		case c.slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

func (c *Consumer) receive(ctx context.Context, n int) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, receivePatience)
	defer cancel()
	out, err := c.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &c.queue,
		MaxNumberOfMessages:         int32(n),
		WaitTimeSeconds:             longPoll,
		VisibilityTimeout:           int32(c.visibility / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages[:min(n, len(out.Messages))], nil
}

// work completes what a message tells of, and tells the queue what is to become of it.
func (c *Consumer) work(ctx context.Context, m types.Message) {
	limited, cancel := context.WithTimeout(ctx, c.visibility*3/4)
	err := events.Deliver(limited, c.completer, []byte(aws.ToString(m.Body)), c.observe)
	cancel()
	ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	var again *events.PostponedError
	if errors.As(err, &again) {
		_, err := c.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl:          &c.queue,
			ReceiptHandle:     m.ReceiptHandle,
			VisibilityTimeout: seconds(again.Pause(received(m))),
		})
		c.failed(ctx, "postpone", err) // then it comes when its visibility timeout has passed
		return
	}
	_, err = c.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &c.queue, ReceiptHandle: m.ReceiptHandle})
	c.failed(ctx, "delete", err) // then it comes again, and does no harm
}

// failed reports an error of the queue, if it is one.
func (c *Consumer) failed(ctx context.Context, what string, err error) {
	if err != nil {
		c.observe.Observe(ctx, events.Report{Outcome: events.Failed, Err: fmt.Errorf("sqsevents: %s: %w", what, err)})
	}
}

// received is how often a message was received, this time included.
func received(m types.Message) int {
	n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if err != nil {
		return 1
	}
	return n
}

// seconds rounds up.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

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
