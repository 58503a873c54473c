package natsevents

import (
	"errors"
	"time"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
)

const defaultConcurrency = 8

// Option changes how [New] sets a Consumer up.
type Option struct {
	name  string
	apply func(*Consumer) error
}

var (
	errNil     = errors.New("the argument is nil")
	errNoSlots = errors.New("at least one message at once is needed")
	errPast    = errors.New("a delay is not negative")
)

// WithConcurrency bounds how many messages are worked on at once: 8 by default. A
// MaxAckPending of the JetStream consumer that is lower bounds them, too.
func WithConcurrency(n int) Option {
	return Option{"WithConcurrency", func(c *Consumer) error {
		if n < 1 {
			return errNoSlots
		}
		c.slots = make(chan struct{}, n)
		return nil
	}}
}

// WithDelay leaves a message alone until it is so old: 0 by default. A younger one is
// delivered again when it is old enough, which counts as a delivery where the JetStream
// consumer has a MaxDeliver. Ages are told by the clocks of both machines, and a message
// is sent back once only, whatever they say.
func WithDelay(d time.Duration) Option {
	return Option{"WithDelay", func(c *Consumer) error {
		if d < 0 {
			return errPast
		}
		c.delay = d
		return nil
	}}
}

// WithObserver sets what sees the reports, those of the server's failures included.
func WithObserver(o events.Observer) Option {
	return Option{"WithObserver", func(c *Consumer) error {
		if o == nil {
			return errNil
		}
		c.observe = o
		return nil
	}}
}

func (c *Consumer) configure(options []Option) error {
	var errs []error
	fail := func(option string, err error) {
		if err != nil {
			errs = append(errs, &postern.ConfigError{Option: option, Err: err})
		}
	}
	if c.consumer == nil {
		fail("Consumer", errNil)
	}
	if c.completer == nil {
		fail("Completer", errNil)
	}
	for _, o := range options {
		fail(o.name, o.apply(c))
	}
	return errors.Join(errs...)
}
