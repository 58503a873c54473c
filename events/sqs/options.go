package sqsevents

import (
	"errors"
	"fmt"
	"time"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
)

const (
	defaultConcurrency = 8
	defaultVisibility  = time.Minute
	minVisibility      = time.Second
	maxVisibility      = 12 * time.Hour
)

// Option changes how [New] sets a Consumer up.
type Option struct {
	name  string
	apply func(*Consumer) error
}

var (
	errNil     = errors.New("the argument is nil")
	errEmpty   = errors.New("the argument is empty")
	errNoSlots = errors.New("at least one message at once is needed")
)

// WithConcurrency bounds how many messages are worked on at once: 8 by default.
func WithConcurrency(n int) Option {
	return Option{"WithConcurrency", func(c *Consumer) error {
		if n < 1 {
			return errNoSlots
		}
		c.slots = make(chan struct{}, n)
		return nil
	}}
}

// WithVisibility sets for how long nobody else gets a message that is being worked on:
// a minute by default, one second to 12 hours. It is asked for with every message,
// whatever the queue's own timeout is. When three quarters of it have passed, work on
// the message ends, and it is to come again; a completion goes on meanwhile, and the
// message finds it done.
func WithVisibility(d time.Duration) Option {
	return Option{"WithVisibility", func(c *Consumer) error {
		if d < minVisibility || d > maxVisibility {
			return fmt.Errorf("a visibility timeout has %s to %s, not %s", minVisibility, maxVisibility, d)
		}
		c.visibility = d.Truncate(time.Second)
		return nil
	}}
}

// WithObserver sets what sees the reports, those of the queue's failures included.
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
	if c.client == nil {
		fail("Client", errNil)
	}
	if c.queue == "" {
		fail("queue URL", errEmpty)
	}
	if c.completer == nil {
		fail("Completer", errNil)
	}
	for _, o := range options {
		fail(o.name, o.apply(c))
	}
	return errors.Join(errs...)
}
