package s3test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3event"
)

// WithWebhook has the server send an event of each change to an object to a URL, by
// POST: JSON as Amazon's S3 has it, with one record, but with a key that is not
// URL-encoded. Somebody must listen there when the server starts, since it begins with
// a test event. It does not look at answers, waits for none longer than three seconds,
// and sends nothing twice.
func WithWebhook(url string) Option {
	return func(c *config) {
		c.events = append(c.events, func() (s3event.S3EventSender, error) {
			return s3event.InitWebhookEventSender(url, nil)
		})
	}
}

// WithNATS has the server publish the events of [WithWebhook] on a subject of a NATS
// server, which must run when this one starts. A stream that keeps the subject makes
// messages of them that are delivered until they are acknowledged.
func WithNATS(url, subject string) Option {
	return func(c *config) {
		c.events = append(c.events, func() (s3event.S3EventSender, error) {
			return s3event.InitNatsEventService(url, subject, nil)
		})
	}
}

// senders send each event to all of them.
type senders []s3event.S3EventSender

func newSenders(cfg *config) (all senders, err error) {
	for _, connect := range cfg.events {
		one, err := connect()
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, one)
	}
	return all, nil
}

// sender is nil if nobody wants events: the server asks no more than that.
func (all senders) sender() s3event.S3EventSender {
	if all == nil {
		return nil
	}
	return all
}

// SendEvent implements [s3event.S3EventSender].
func (all senders) SendEvent(ctx fiber.Ctx, meta s3event.EventMeta) {
	kept := keep(ctx)
	for _, one := range all {
		one.SendEvent(kept, meta)
	}
}

// Close implements [s3event.S3EventSender].
func (all senders) Close() error {
	errs := make([]error, 0, len(all))
	for _, one := range all {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// request is what an event tells of a request. The server sends events after it has
// answered, when the request's own memory may be another request's already.
type request struct {
	fiber.Ctx
	path, ip string
	headers  map[string]string
}

func keep(ctx fiber.Ctx) *request {
	r := &request{Ctx: ctx, path: strings.Clone(ctx.Path()), ip: strings.Clone(ctx.IP()), headers: map[string]string{}}
	for _, name := range []string{"X-Amz-Request-Id", "X-Amz-Id-2"} {
		r.headers[name] = strings.Clone(ctx.Get(name))
	}
	bucket, key, _ := strings.Cut(strings.Trim(r.path, "/"), "/")
	if ctx.Method() == http.MethodPost && key == "" {
		r.path = "/" + bucket + "/" + postedKey(bucket, string(ctx.Response().Header.Peek("Location")))
	}
	return r
}

// postedKey is the key of an object that came by a form, of the answer's Location. The
// server takes keys of events from the path, where a form has none.
func postedKey(bucket, location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	if key := u.Query().Get("key"); key != "" { // of success_action_redirect
		return key
	}
	key, _ := strings.CutPrefix(u.Path, "/"+bucket+"/")
	return key
}

func (r *request) Path(...string) string { return r.path }

func (r *request) IP() string { return r.ip }

func (r *request) Get(name string, _ ...string) string { return r.headers[name] }
