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

// Outcome is how a request or a completion ended.
type Outcome string

// The outcomes: the request got what it asked for, which for [ActionComplete] is a
// receipt; the completion that it asked for goes on; a completion has ended well; a rule
// or a verification refused; the server failed; a browser says that the bucket refused.
const (
	OutcomeGranted   Outcome = "granted"
	OutcomePending   Outcome = "pending"
	OutcomeCompleted Outcome = "completed"
	OutcomeRefused   Outcome = "refused"
	OutcomeFailed    Outcome = "failed"
	OutcomeReported  Outcome = "reported"
)

// Trigger is who has begun a completion.
type Trigger string

// The triggers: a request of the browser, the reconciler, an event of S3, and a call of
// the application.
const (
	TriggerBrowser     Trigger = "browser"
	TriggerReconciler  Trigger = "reconciler"
	TriggerEvent       Trigger = "event"
	TriggerApplication Trigger = "application"
)

// Decision is what [WithObserver] sees: one for each request that the chain decided, and
// one for the end of each completion, whether a request still waits for it or not. It
// holds no secret, signature, policy or ticket.
type Decision struct {
	// Action is [ActionComplete] for a completion.
	Action  Action
	Outcome Outcome
	// Trigger is who has begun the completion that has ended; "" means that this is about
	// a request.
	Trigger Trigger
	// Code is that of the problem, or "".
	Code string
	// Status is the HTTP status of the answer in [Native], and 0 of a completion. Another
	// dialect may have 200 for every success.
	Status          int
	Subject, Tenant string
	// ID is the upload's, as its [Receipt] has it, or "" before there is a grant.
	ID string
	// Bucket is the name of the upload's, or "" before there is a grant.
	Bucket string
	Key    string
	// Size is in bytes, or UnknownSize.
	Size int64
	Type string
	// Mode is that of the grant, or "".
	Mode Mode
	// Duration is from the beginning of the chain to the decision, or that of the
	// completion.
	Duration time.Duration
	// Received is how many bytes were there when a completion began, which the same browser
	// may have brought to one before; 0 of a request, and where only the object was left
	// that an earlier one has made.
	Received int64
	// Replayed and Duplicate are as in the [Receipt], of a completion.
	Replayed, Duplicate bool
	// Trace is what the ticket remembers of its signing: see [Instrument.Trace].
	Trace string
	// Report is what the browser says, of [ActionReport]; else nil. Do not count by what
	// stands in it: a user can make up any number of codes.
	Report *Report
	// Err is why, with causes that are never sent; nil where nothing was refused and
	// nothing has failed.
	Err error
}

// decide logs a decision about an upload, of which there may be none yet, and shows
// it to the observers.
func (e *environment) decide(r *http.Request, u *Upload, d Decision) {
	d.Size = UnknownSize
	if u != nil {
		d.Action, d.Subject, d.Tenant, d.ID, d.Key = u.Action, u.Subject, u.Tenant, u.id, u.Key
		d.Size, d.Type = u.Size, u.Type
		if d.Bucket == "" {
			d.Bucket = u.Bucket
		}
		if u.ticket != nil {
			d.Trace = u.ticket.claim.Trace
		}
		d.Duration = time.Since(u.start)
	}
	switch {
	case d.Status >= 400:
		d.Outcome = outcomeOf(d.Status)
	case d.Report != nil:
		d.Outcome = OutcomeReported
	case d.Status == http.StatusAccepted:
		d.Outcome = OutcomePending
	default:
		d.Outcome = OutcomeGranted
	}
	e.show(r.Context(), &d)
}

// outcomeOf returns the outcome of a problem.
func outcomeOf(status int) Outcome {
	if status >= 500 {
		return OutcomeFailed
	}
	return OutcomeRefused
}

// logEnd logs how a completion has ended, and shows it to the observers. err is its
// error as a problem. It runs where no connection is served, which a panic would end.
func (e *environment) logEnd(ctx context.Context, bucket string, c *claim.Claim, end *completion.End, err error) {
	d := Decision{
		Action: ActionComplete, Outcome: OutcomeCompleted, Trigger: Trigger(end.Trigger),
		Subject: c.Subject, Tenant: c.Tenant, ID: c.ID, Bucket: bucket, Key: c.Key, Size: c.Size, Type: c.Type, Mode: Mode(c.Mode),
		Duration: end.Duration, Received: end.Received, Trace: c.Trace, Err: err,
	}
	if end.Result != nil {
		d.Size, d.Replayed, d.Duplicate = end.Result.Size, end.Result.Replayed, end.Result.Duplicate
	}
	switch {
	case errors.Is(err, completion.ErrUndecided): // which is no failure
		d.Outcome, d.Err = OutcomePending, nil
	case err != nil:
		p := problemOf(err)
		d.Code, d.Outcome = p.code, outcomeOf(p.status)
	}
	_ = hook.GuardAll(func() error {
		e.show(ctx, &d)
		return nil
	})
}

// show logs a decision, and shows it to the observers.
func (e *environment) show(ctx context.Context, d *Decision) {
	logger := e.loggerOf(ctx)
	logDecision(logger, d)
	for _, observe := range e.observers {
		if err := hook.Guard(func() error { observe(ctx, *d); return nil }); err != nil {
			logPanic(logger, err)
		}
	}
}

// ownLogger gives what may outlive its request a copy of the request's logger, to which
// both may add fields.
func (e *environment) ownLogger(ctx context.Context) context.Context {
	logger := e.loggerOf(ctx).With().Logger()
	return logger.WithContext(ctx)
}

// loggerOf returns the logger of a context, or WithLogger's where it has none.
func (e *environment) loggerOf(ctx context.Context) *zerolog.Logger {
	if e.logger != nil && noLogger(ctx) {
		return e.logger
	}
	return zerolog.Ctx(ctx)
}

// What one field of a log line takes from outside, in bytes. An error may end in what
// S3 said.
const (
	maxLogged      = 256
	maxLoggedError = 1024
)

func logDecision(logger *zerolog.Logger, d *Decision) {
	var e *zerolog.Event
	switch d.Outcome {
	case OutcomeGranted, OutcomePending, OutcomeCompleted:
		e = logger.Info()
	case OutcomeRefused, OutcomeReported:
		e = logger.Warn()
	default:
		e = logger.Error()
	}
	if e == nil {
		return
	}
	field := func(name, value string) {
		if value != "" {
			e.Str(name, clip(value, maxLogged))
		}
	}
	field("action", string(d.Action))
	field("outcome", string(d.Outcome))
	field("code", d.Code)
	message := "completion"
	if d.Trigger == "" {
		message = "upload"
		e.Int("status", d.Status)
	}
	field("trigger", string(d.Trigger))
	field("tenant", d.Tenant)
	field("subject", d.Subject)
	field("id", d.ID)
	field("key", d.Key)
	e.Int64("size", d.Size)
	field("type", d.Type)
	field("mode", string(d.Mode))
	e.Dur("duration", d.Duration)
	if d.Report != nil {
		field("reported_stage", d.Report.Stage)
		e.Int("reported_status", d.Report.Status)
		field("reported_code", d.Report.Code)
		e.Str("reported_detail", d.Report.Detail)
		field("reported_request_id", d.Report.RequestID)
		field("cause", d.Report.Cause)
		field("advice", d.Report.Advice)
		e.Int("dropped", d.Report.Dropped)
	}
	if d.Err != nil {
		e.Str("error", clip(d.Err.Error(), maxLoggedError))
		addStack(e, d.Err)
	}
	e.Msg(message)
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

func clip(s string, max int) string {
	if len(s) > max {
		return s[:max] + "…"
	}
	return s
}
