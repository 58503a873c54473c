package postern

import (
	"context"
	"time"

	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/store"
)

// Instrument is what sees a Handler at work: [WithInstrument] takes it. Each of its
// functions may be nil, must be quick, and is called by many goroutines at once. A panic in
// one is logged, and costs nothing else. None of what they see holds a secret, signature,
// policy or ticket. The modules observe/prometheus and observe/otel make one each.
type Instrument struct {
	// Attach is given the Issuer when it is made, to ask it for its [Issuer.Stats]
	// whenever somebody wants to know. It is called once, also where the Issuer speaks
	// several dialects.
	Attach func(i *Issuer)
	// Decision sees what [WithObserver] sees, with the context of the step in which it was
	// decided.
	Decision func(ctx context.Context, d Decision)
	// Step is told that a step begins. The context that it returns is that of everything
	// in the step, the calls of S3 included; the function is called at the end. Either may
	// be nil.
	Step func(ctx context.Context, s Step) (context.Context, func(StepEnd))
	// Trace returns what the ticket of a grant remembers of the context in which it is
	// signed, such as a W3C traceparent: 1 to 128 bytes of printable ASCII, or "" for
	// nothing. Whoever acts with the ticket later finds it in [Decision] and [Step]: the
	// page, an event, or the reconciler of another replica. The page cannot read it, and
	// the object in staging has it sealed. Of several the first that is not empty counts.
	//
	// A replica of a version that does not know it cannot open such tickets: roll a new
	// version out before it is turned on.
	Trace func(ctx context.Context) string
}

// StepKind is what kind of work a [Step] is.
type StepKind string

// The kinds. StepRequest is a request, from the beginning of its chain to the end of its
// answer; StepFile one of several files of such a request; StepCompletion a completion,
// which may outlive the request that has begun it; StepHook a function of the
// application's; StepReconciliation one of a bucket; StepCall a call of S3 with all its
// attempts.
const (
	StepRequest        StepKind = "request"
	StepFile           StepKind = "file"
	StepCompletion     StepKind = "completion"
	StepHook           StepKind = "hook"
	StepReconciliation StepKind = "reconciliation"
	StepCall           StepKind = "call"
)

// The names of hooks in a [Step]: that of [WithOnComplete], and each of [WithInspector].
const (
	HookOnComplete = "on_complete"
	HookInspector  = "inspector"
)

// Step is work that takes time, as an [Instrument] sees it begin.
type Step struct {
	Kind StepKind
	// Name is the [Action] of a request or a file, HookOnComplete or HookInspector of a
	// hook, S3's own name of a call, such as "HeadObject", and else "".
	Name string
	// Trigger is who has begun a completion.
	Trigger Trigger
	// Bucket is the name of the bucket of a call, a completion, a hook or a
	// reconciliation.
	Bucket string
	// ID and Key are the upload's, of a completion or a hook.
	ID, Key string
	// Trace is what the ticket of a completion remembers: see [Instrument.Trace].
	Trace string
	// DryRun is that of a reconciliation.
	DryRun bool
}

// StepEnd is how a [Step] has ended. How a request and a completion have ended, their
// [Decision] says before.
type StepEnd struct {
	// Err is why the step has failed, or nil.
	Err error
	// Code is "" where Err is nil. Of a call it is one of CallCodes, and else that of the
	// problem, which for an error of the application's may be any.
	Code string
	// Attempts is how often a call was tried.
	Attempts int
	// Reconciled is the report of a reconciliation, also of one that has failed. It must
	// not be changed.
	Reconciled *ReconcileReport
}

// CallCodes returns the codes of calls of S3 that have failed, as [StepEnd] has them. That
// something is not there, or there already, is what many calls ask: the first four are no
// faults. "canceled" is a call that nobody waited for any more.
func CallCodes() []string {
	return []string{
		"not_found", "precondition_failed", "upload_gone", "canceled",
		"bucket_missing", "conflict", "parts_invalid", "range_invalid", "denied", "unavailable", "unexpected",
	}
}

// callCodes are the codes of the errors of calls.
var callCodes = map[error]string{
	store.ErrNotFound: "not_found", store.ErrExists: "precondition_failed", store.ErrChanged: "precondition_failed",
	store.ErrNoUpload: "upload_gone", store.ErrNoBucket: "bucket_missing", store.ErrConflict: "conflict",
	store.ErrParts: "parts_invalid", store.ErrRange: "range_invalid", store.ErrDenied: "denied",
	store.ErrUnavailable: "unavailable", store.ErrUnexpected: "unexpected",
}

// observed reports whether anybody sees steps.
func (e *environment) observed() bool { return len(e.steps) > 0 }

// step begins a step. Where nobody sees steps it costs nothing.
func (e *environment) step(ctx context.Context, s Step) (context.Context, func(StepEnd)) {
	if !e.observed() {
		return ctx, unseen
	}
	return e.beginStep(ctx, &s)
}

func unseen(StepEnd) {}

func (e *environment) beginStep(ctx context.Context, s *Step) (context.Context, func(StepEnd)) {
	logger := e.loggerOf(ctx)
	ends := make([]func(StepEnd), 0, len(e.steps))
	for _, begin := range e.steps {
		err := hook.GuardAll(func() error {
			inner, end := begin(ctx, *s)
			if inner != nil {
				ctx = inner
			}
			if end != nil {
				ends = append(ends, end)
			}
			return nil
		})
		if err != nil {
			logPanic(logger, err)
		}
	}
	return ctx, func(how StepEnd) {
		for k := len(ends) - 1; k >= 0; k-- {
			if err := hook.GuardAll(func() error { ends[k](how); return nil }); err != nil {
				logPanic(logger, err)
			}
		}
	}
}

// endOf is the end of a step whose error may be a problem.
func endOf(err error) StepEnd {
	if err == nil {
		return StepEnd{}
	}
	return StepEnd{Err: err, Code: problemOf(err).code}
}

// traceCalls shows the calls of a bucket, if anybody sees steps.
func (e *environment) traceCalls(bucket string) store.Trace {
	if !e.observed() {
		return nil
	}
	return func(ctx context.Context, op string) (context.Context, func(store.Outcome)) {
		ctx, end := e.beginStep(ctx, &Step{Kind: StepCall, Name: op, Bucket: bucket})
		return ctx, func(o store.Outcome) {
			how := StepEnd{Attempts: o.Attempts}
			if o.Err != nil {
				how.Err, how.Code = o.Err, callCodes[o.Err.Kind]
			}
			if o.Canceled {
				how.Code = "canceled"
			}
			end(how)
		}
	}
}

const maxTrace = 128

// ticketTrace is what a ticket remembers of a context.
func (e *environment) ticketTrace(ctx context.Context) (trace string) {
	for _, of := range e.traces {
		err := hook.GuardAll(func() error {
			trace = of(ctx)
			return nil
		})
		if err != nil {
			logPanic(e.loggerOf(ctx), err)
		}
		if trace != "" && len(trace) <= maxTrace && printableASCII(trace) {
			return trace
		}
	}
	return ""
}

// attach shows an Issuer that was made to those who want to ask it.
func (i *Issuer) attach() {
	for _, attach := range i.config.attachments {
		if err := hook.GuardAll(func() error { attach(i); return nil }); err != nil {
			logPanic(i.loggerOf(context.Background()), err)
		}
	}
}

// Stats is how an Issuer is doing at this moment.
type Stats struct {
	// Completing is how many completions go on, Waiting how many wait for one of the
	// Slots, which [WithMaxCompletions] sets.
	Completing, Waiting, Slots int
	// Signing and Service are about the credentials that sign grants, and those of the
	// Issuer's own calls, which may be the same. Of several buckets they are about those
	// that end first.
	Signing, Service CredentialStats
}

// CredentialStats is about what a provider of credentials has given.
type CredentialStats struct {
	// Obtained is when it has given those that are in use, or zero while there are none.
	Obtained time.Time
	// Expires is when they end, or zero where they do not.
	Expires time.Time
	// Failures is how often it has failed since, or had nothing better, when it was time
	// to renew them.
	Failures int
}

// Stats returns how the Issuer is doing, in all its dialects. It asks nobody.
func (i *Issuer) Stats() Stats {
	s := Stats{Slots: i.config.maxCompletions}
	s.Completing, s.Waiting = i.activity.flights.Count()
	s.Signing, s.Service = i.home.signing.stats(), i.home.service.stats()
	for _, p := range i.places.ofNow() {
		s.Signing, s.Service = s.Signing.worse(p.signing.stats()), s.Service.worse(p.service.stats())
	}
	return s
}

// worse returns those that end first.
func (c CredentialStats) worse(d CredentialStats) CredentialStats {
	failures := max(c.Failures, d.Failures)
	if c.Obtained.IsZero() || !d.Expires.IsZero() && (c.Expires.IsZero() || d.Expires.Before(c.Expires)) {
		c = d
	}
	c.Failures = failures
	return c
}

// ofNow returns the buckets that are kept ready.
func (ps *places) ofNow() []*place {
	ps.mutex.Lock()
	defer ps.mutex.Unlock()
	all := make([]*place, 0, len(ps.kept))
	for _, k := range ps.kept {
		all = append(all, k.place)
	}
	return all
}

// stats tells about the credentials that are held.
func (i *identity) stats() CredentialStats {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	s := CredentialStats{Obtained: i.obtained, Failures: i.failures}
	if c := i.held.Load(); c != nil && c.CanExpire {
		s.Expires = c.Expires
	}
	return s
}
