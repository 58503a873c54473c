package postern

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
)

// Outcome is how a request ended.
type Outcome string

// The outcomes: the request got what it asked for; a rule refused; the server
// failed.
const (
	OutcomeGranted Outcome = "granted"
	OutcomeRefused Outcome = "refused"
	OutcomeFailed  Outcome = "failed"
)

// Decision is what [WithObserver] sees: one for each request that the chain
// decided. It holds no secret, signature, policy or ticket.
type Decision struct {
	Action  Action
	Outcome Outcome
	// Code is that of the problem, or "".
	Code string
	// Status is the HTTP status of the answer in [Native]. Another dialect may
	// have 200 for every success.
	Status          int
	Subject, Tenant string
	Key             string
	// Size is in bytes, or UnknownSize.
	Size int64
	Type string
	// Mode is that of the grant, or "".
	Mode Mode
	// Duration is from the beginning of the chain to the decision.
	Duration time.Duration
	// Err is why, with causes that are never sent; nil for a grant.
	Err error
}

// decide logs a decision about an upload, of which there may be none yet, and shows
// it to the observers.
func (e *environment) decide(r *http.Request, u *Upload, d Decision) {
	d.Size = UnknownSize
	if u != nil {
		d.Action, d.Subject, d.Tenant, d.Key = u.Action, u.Subject, u.Tenant, u.Key
		d.Size, d.Type = u.Size, u.Type
		d.Duration = time.Since(u.start)
	}
	switch {
	case d.Status >= 500:
		d.Outcome = OutcomeFailed
	case d.Status >= 400:
		d.Outcome = OutcomeRefused
	default:
		d.Outcome = OutcomeGranted
	}
	ctx := r.Context()
	logger := e.loggerOf(ctx)
	logDecision(logger, &d)
	for _, observe := range e.observers {
		if err := hook.Guard(func() error { observe(ctx, d); return nil }); err != nil {
			logPanic(logger, err)
		}
	}
}

// logEnd says how a completion has ended that may have outlived its request.
func (e *environment) logEnd(ctx context.Context, c *claim.Claim, end *completion.End) {}

// loggerOf returns the logger of a context, or WithLogger's where it has none.
func (e *environment) loggerOf(ctx context.Context) *zerolog.Logger {
	if e.logger != nil && noLogger(ctx) {
		return e.logger
	}
	return zerolog.Ctx(ctx)
}

// maxLogged bounds in bytes what one field of a log line takes from outside.
const maxLogged = 256

func logDecision(logger *zerolog.Logger, d *Decision) {
	var e *zerolog.Event
	switch d.Outcome {
	case OutcomeGranted:
		e = logger.Info()
	case OutcomeRefused:
		e = logger.Warn()
	default:
		e = logger.Error()
	}
	if e == nil {
		return
	}
	field := func(name, value string) {
		if value != "" {
			e.Str(name, clip(value))
		}
	}
	field("action", string(d.Action))
	field("outcome", string(d.Outcome))
	field("code", d.Code)
	e.Int("status", d.Status)
	field("tenant", d.Tenant)
	field("subject", d.Subject)
	field("key", d.Key)
	e.Int64("size", d.Size)
	field("type", d.Type)
	field("mode", string(d.Mode))
	e.Dur("duration", d.Duration)
	if d.Err != nil {
		field("error", d.Err.Error())
		addStack(e, d.Err)
	}
	e.Msg("upload")
}

func logPanic(logger *zerolog.Logger, err error) {
	e := logger.Error().Err(err)
	addStack(e, err)
	e.Msg("hook")
}

// addStack adds the stack of a panic.
func addStack(e *zerolog.Event, err error) {
	var p *hook.PanicError
	if errors.As(err, &p) {
		e.Bytes("stack", p.Stack)
	}
}

func clip(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}
