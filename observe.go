package postern

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
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
// decided. It holds no secret, signature or policy.
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
	// Duration is from the first link of ours to the decision.
	Duration time.Duration
	// Err is why, with causes that are never sent; nil for a grant.
	Err error
}

// decide logs a decision and shows it to the observers.
func decide(r *http.Request, u *Upload, mode Mode, status int, p *Problem, err error) {
	d := Decision{Outcome: OutcomeGranted, Mode: mode, Status: status, Size: UnknownSize, Err: err}
	if u != nil {
		d.Action, d.Subject, d.Tenant, d.Key = u.Action, u.Subject, u.Tenant, u.Key
		d.Size, d.Type = u.Size, u.Type
		d.Duration = time.Since(u.start)
	}
	if p != nil {
		d.Outcome, d.Code = OutcomeRefused, p.Code
		if p.Status >= 500 {
			d.Outcome = OutcomeFailed
		}
	}
	s := u.settingsOrDefault()
	ctx := r.Context()
	logger := contextLogger(ctx, s)
	logDecision(logger, &d)
	for _, observe := range s.observers {
		if err := guard(func() error { observe(ctx, d); return nil }); err != nil {
			logPanic(logger, err)
		}
	}
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
		var p *panicError
		if errors.As(d.Err, &p) {
			e.Bytes("stack", p.stack)
		}
	}
	e.Msg("upload")
}

func logPanic(logger *zerolog.Logger, err error) {
	e := logger.Error().Err(err)
	var p *panicError
	if errors.As(err, &p) {
		e = e.Bytes("stack", p.stack)
	}
	e.Msg("hook")
}

func clip(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}

// panicError is a panic in a hook.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprint("panic: ", p.value) }

// guard runs a hook, and makes an error of a panic, so that it costs one
// request. http.ErrAbortHandler goes on: it is how a handler hangs up.
func guard(hook func() error) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return hook()
}

// guardAll is guard for a goroutine of ours, which nobody could hang up.
func guardAll(hook func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return hook()
}
