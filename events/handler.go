package events

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-go/postern"
)

const (
	defaultConcurrency = 16
	defaultHeader      = "X-Api-Key"
	// defaultTimeout is below the 15 seconds after which SNS takes a delivery for
	// failed.
	defaultTimeout = 10 * time.Second
)

// Handler is a webhook for notifications of S3. It answers without a body:
//
//	204  the message is done with
//	400  the message is not a notification of S3
//	401  the secret is missing or wrong
//	405  the method is not POST
//	413  the message is larger than MaxBody
//	502  SNS could not be told that its subscription is confirmed
//	503  the message is to be sent again, after Retry-After in seconds
//
// It may be mounted at any path, behind no authentication but its own, since servers
// send no cookies. It is safe for concurrent use and does not change.
type Handler struct {
	completer Completer
	secrets   secrets
	header    string
	observe   Observer
	slots     chan struct{}
	timeout   time.Duration
	client    *http.Client
}

// NewHandler returns a Handler. Each request must have the secret, which is 16 bytes
// or longer, in one of these places, by what its sender can do:
//
//   - as a bearer token: Authorization: Bearer SECRET (MinIO, as auth_token);
//   - as the password of Basic authentication, for any user (SNS, as
//     https://any:SECRET@app.example.com/events);
//   - in the header X-Api-Key, or another by [WithHeader] (EventBridge, by a
//     connection with an API key);
//   - in the query, as ?token=SECRET, for a sender that can do nothing else
//     (versitygw): addresses stand in the logs of proxies, so take one of the others
//     if you can.
//
// A mistake is a [*postern.ConfigError]; several are joined.
func NewHandler(c Completer, secret string, opts ...HandlerOption) (*Handler, error) {
	h := &Handler{
		completer: c,
		header:    defaultHeader,
		timeout:   defaultTimeout,
		slots:     make(chan struct{}, defaultConcurrency),
		client:    &http.Client{},
	}
	var errs []error
	fail := func(option string, err error) {
		if err != nil {
			errs = append(errs, &postern.ConfigError{Option: option, Err: err})
		}
	}
	if c == nil {
		fail("Completer", errNil)
	}
	fail("secret", h.secrets.add(secret))
	for _, o := range opts {
		fail(o.name, o.apply(h))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	h.client = bounded(h.client)
	return h, nil
}

// HandlerOption changes how [NewHandler] sets a Handler up.
type HandlerOption struct {
	name  string
	apply func(*Handler) error
}

var (
	errNil     = errors.New("the argument is nil")
	errNoTime  = errors.New("a timeout is positive")
	errNoSlots = errors.New("at least one message at once is needed")
	errHeader  = errors.New("not the name of a header")
)

// WithSecret accepts a further secret, as while one is being replaced. It may be given
// several times.
func WithSecret(secret string) HandlerOption {
	return HandlerOption{"WithSecret", func(h *Handler) error { return h.secrets.add(secret) }}
}

// WithHeader names the header that may have the secret: X-Api-Key by default.
func WithHeader(name string) HandlerOption {
	return HandlerOption{"WithHeader", func(h *Handler) error {
		if !isToken(name) {
			return errHeader
		}
		h.header = name
		return nil
	}}
}

// WithObserver sets what sees the reports.
func WithObserver(o Observer) HandlerOption {
	return HandlerOption{"WithObserver", func(h *Handler) error {
		if o == nil {
			return errNil
		}
		h.observe = o
		return nil
	}}
}

// WithConcurrency bounds how many messages are worked on at once: 16 by default. What
// comes beyond is to be sent again.
func WithConcurrency(n int) HandlerOption {
	return HandlerOption{"WithConcurrency", func(h *Handler) error {
		if n < 1 {
			return errNoSlots
		}
		h.slots = make(chan struct{}, n)
		return nil
	}}
}

// WithTimeout bounds how long a message is worked on: 10 seconds by default, since SNS
// waits for 15. Then it is to be sent again. A completion that takes longer goes on
// meanwhile, and the message finds it done.
func WithTimeout(d time.Duration) HandlerOption {
	return HandlerOption{"WithTimeout", func(h *Handler) error {
		if d <= 0 {
			return errNoTime
		}
		h.timeout = d
		return nil
	}}
}

// WithClient sets the client that confirms subscriptions of SNS, for those that reach
// Amazon by a proxy. Its timeout and redirects are the Handler's.
func WithClient(c *http.Client) HandlerOption {
	return HandlerOption{"WithClient", func(h *Handler) error {
		if c == nil {
			return errNil
		}
		h.client = c
		return nil
	}}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !h.authentic(r) {
		// SNS sends the password of its address only when it is asked for it.
		w.Header().Set("WWW-Authenticate", `Basic realm="events", charset="UTF-8"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		postpone(w, time.Second)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		w.WriteHeader(status)
		return
	}
	// A sender that hangs up may not send again: versitygw waits for three seconds.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.timeout)
	defer cancel()
	h.answer(w, h.receive(ctx, body))
}

// receive is [Deliver], and confirms subscriptions.
func (h *Handler) receive(ctx context.Context, body []byte) error {
	m, err := Parse(body)
	if err != nil {
		h.observe.Observe(ctx, Report{Outcome: Malformed, Err: err})
		return err
	}
	if m.SubscribeURL != "" {
		if err = h.confirm(ctx, m.SubscribeURL); err != nil {
			h.observe.Observe(ctx, Report{Outcome: Failed, Err: err})
		}
		return err
	}
	return complete(ctx, h.completer, m.Created, h.observe)
}

func (h *Handler) answer(w http.ResponseWriter, err error) {
	var again *PostponedError
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.As(err, &again):
		postpone(w, again.After)
	case errors.Is(err, errUnconfirmed):
		w.WriteHeader(http.StatusBadGateway)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

func postpone(w http.ResponseWriter, after time.Duration) {
	seconds := int64((after + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	w.WriteHeader(http.StatusServiceUnavailable)
}
