package postern

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/store"
)

// openAny opens a ticket that was found in a bucket, also one that has ended.
func (o *opener) openAny(bucket, token string) (*claim.Claim, error) {
	c, err := o.open(token, time.Time{})
	if err != nil || c.Bucket != bucket {
		return nil, completion.ErrTicketInvalid
	}
	return c, nil
}

// UploadBucket returns the name of the bucket that browsers write to: that of the
// staging prefix, whose events complete uploads.
func (i *Issuer) UploadBucket() string { return i.home.uploadName() }

// CompleteObject completes the upload that has arrived at a key under the prefix of
// [WithPromotion], as a browser with its ticket would: the object carries its own. It is
// for the events of S3, which are hints: whatever they say, what counts is the object,
// and a key that is no upload's is refused with a [Problem]. A file of [WithSessions]
// carries none, and is held against the ticket of its session. Who may upload was decided
// when the grant was signed; nobody is asked again. It returns the receipt when the hook
// of [WithOnComplete] has taken it, and may be called for one upload as often as one
// likes, everywhere. If ctx ends before, the completion goes on.
func (i *Issuer) CompleteObject(ctx context.Context, key string) (*Receipt, error) {
	return i.completeObject(ctx, i.home, key)
}

// CompleteObjectIn is [Issuer.CompleteObject] for one of the buckets of [WithBuckets].
func (i *Issuer) CompleteObjectIn(ctx context.Context, b Bucket, key string) (*Receipt, error) {
	p, err := i.places.get(b)
	if err != nil {
		return nil, err
	}
	return i.completeObject(ctx, p, key)
}

func (i *Issuer) completeObject(ctx context.Context, p *place, key string) (*Receipt, error) {
	if err := i.config.reconciles(); err != nil {
		return nil, err
	}
	c, err := p.engine.Find(ctx, key, completion.Event)
	if err == nil && !i.clock().Before(c.Expires) {
		err = ErrTicketExpired
	}
	if err != nil {
		return nil, engineProblem(err)
	}
	result, err := p.engine.Complete(ctx, c, completion.Request{Trigger: completion.Event, Wait: completionWait})
	if err != nil {
		return nil, engineProblem(err)
	}
	return p.receipt(c, result), nil
}

// reconciles returns the [ConfigError] that says why uploads cannot be completed without
// their browsers, if they cannot.
func (c *config) reconciles() error {
	switch {
	case c.staging == "":
		return &ConfigError{Option: "WithReconciler", Err: errReconcileStaging}
	case c.ticketKeys == nil:
		return &ConfigError{Option: "WithReconciler", Err: errReconcileKeys}
	}
	return nil
}

var (
	errReconcileStaging = errors.New("uploads are completed without their browsers with WithPromotion only")
	errReconcileKeys    = errors.New("uploads are completed without their browsers with WithTicketKeys only, by which any process opens their tickets")
)

// ReconcileOptions bound a reconciliation. The zero value has the defaults.
type ReconcileOptions struct {
	// Bucket is one of those of [WithBuckets]; zero is the Issuer's own.
	Bucket Bucket
	// MinAge is how long an upload is left to its browser: a minute if it is 0.
	MinAge time.Duration
	// CallsPerSecond bounds how often S3 is called: 50 if it is 0.
	CallsPerSecond int
	// DryRun counts and logs what would be done.
	DryRun bool
	// Sweep completes nothing: it gives up and removes what comes to nothing, and leaves
	// the rest to a reconciliation that completes uploads. No hook is called.
	Sweep bool
	// Each is called for everything that was found, by one goroutine at a time, if it is
	// not nil: what was done ("completed", "aborted", "removed", "left"), the key in
	// staging, and the code of why it was not completed, or "".
	Each func(done, key, why string)
}

// ReconcileReport is what a reconciliation has done.
type ReconcileReport struct {
	// Completed: uploads whose receipt the application has taken.
	Completed int
	// Aborted: uploads in parts whose ticket has ended before they were whole.
	Aborted int
	// Removed: what comes to nothing, and what a crash has left.
	Removed int
	// Left is what another reconciliation will look at.
	Left int
	// Why counts the codes of the problems by which something was not completed.
	Why map[string]int
}

// Reconcile goes through the staging prefix and does what browsers have not: it
// completes every upload that is whole, gives up what has not become whole until the end
// of its ticket, and removes what crashes have left, copies to final keys included. A
// hook that fails is asked again by the reconciliations that follow, after pauses that
// grow to an hour, and once after the end of the ticket; then an error is logged with
// all that is needed to repair it by hand. It needs [WithPromotion] and
// [WithTicketKeys], and s3:ListBucket and s3:ListBucketMultipartUploads.
//
// Any number of replicas may do it at the same time. [WithReconciler] has a Handler do
// it by itself. The error tells that not everything was looked at.
func (i *Issuer) Reconcile(ctx context.Context, o ReconcileOptions) (ReconcileReport, error) {
	report := ReconcileReport{Why: map[string]int{}}
	if err := i.config.reconciles(); err != nil {
		return report, err
	}
	if err := o.check(); err != nil {
		return report, err
	}
	p := i.home
	if o.Bucket.Name != "" {
		var err error
		if p, err = i.places.get(o.Bucket); err != nil {
			return report, err
		}
	}
	var mutex sync.Mutex
	ctx, end := i.step(ctx, Step{Kind: StepReconciliation, Bucket: p.Name, DryRun: o.DryRun})
	ctx = store.Paced(ctx, store.NewPace(float64(o.CallsPerSecond)).Wait)
	err := p.engine.Reconcile(ctx, completion.Reconciliation{
		MinAge: o.MinAge,
		DryRun: o.DryRun,
		Sweep:  o.Sweep,
		Tell: func(done completion.Done, key string, err error) {
			i.logReconciled(ctx, p, done, key, err, o.DryRun)
			mutex.Lock()
			defer mutex.Unlock()
			*report.of(done)++
			why := ""
			if err != nil {
				why = codeOf(err)
				report.Why[why]++
			}
			if o.Each != nil {
				o.Each(string(done), key, why)
			}
		},
	})
	err = engineProblem(err)
	how := endOf(err)
	how.Reconciled = &report
	end(how)
	return report, err
}

const (
	defaultMinAge         = time.Minute
	defaultCallsPerSecond = 50
)

// check fills in the defaults.
func (o *ReconcileOptions) check() error {
	if o.MinAge == 0 {
		o.MinAge = defaultMinAge
	}
	if o.CallsPerSecond == 0 {
		o.CallsPerSecond = defaultCallsPerSecond
	}
	if o.MinAge < 0 || o.CallsPerSecond < 0 {
		return fmt.Errorf("postern: Reconcile: MinAge and CallsPerSecond are not negative")
	}
	return nil
}

func (r *ReconcileReport) of(done completion.Done) *int {
	switch done {
	case completion.Completed:
		return &r.Completed
	case completion.Aborted:
		return &r.Aborted
	case completion.Removed:
		return &r.Removed
	default:
		return &r.Left
	}
}

// reasons are the codes of what is no problem of a browser's.
var reasons = []struct {
	err  error
	code string
}{
	{completion.ErrForeign, "foreign"},
	{completion.ErrResting, "resting"},
	{completion.ErrBegun, "crashed"},
	{completion.ErrOld, "old"},
	{completion.ErrWhole, "whole"},
}

// codeOf is the code of why something was not completed.
func codeOf(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return problemOf(engineProblem(err)).code
}

// logReconciled says what became of something in staging. Completions are logged by
// themselves.
func (i *Issuer) logReconciled(ctx context.Context, p *place, done completion.Done, key string, err error, dry bool) {
	logger := i.loggerOf(ctx)
	e := logger.Debug()
	if done == completion.Aborted || done == completion.Removed && !errors.Is(err, completion.ErrOld) {
		e = logger.Warn()
	}
	if e == nil {
		return
	}
	e.Str("bucket", p.Name).Str("key", clip(key, maxLogged)).Str("done", string(done)).Bool("dry_run", dry)
	if err != nil {
		e.Str("code", codeOf(err)).Str("error", clip(err.Error(), maxLoggedError))
	}
	e.Msg("reconcile")
}

// logGaveUp says of an upload that has arrived, and that the application does not know,
// what is needed to repair that by hand.
func (c *config) logGaveUp(ctx context.Context, p *place, cl *claim.Claim, err error) {
	c.loggerOf(ctx).Error().
		Str("id", cl.ID).Str("bucket", p.Name).Str("key", cl.Key).Str("filename", cl.Filename).
		Str("type", cl.Type).Int64("size", cl.Size).Str("subject", cl.Subject).Str("tenant", cl.Tenant).
		Interface("metadata", cl.Metadata).Str("code", codeOf(err)).Str("error", clip(err.Error(), maxLoggedError)).
		Msg("postern: an upload is given up: the application has not taken its receipt until the end of its ticket")
}

// keepReconciling is what [WithReconciler] asks for. Replicas that were started together
// do not stay together.
func (i *Issuer) keepReconciling(ctx context.Context) {
	logger := i.loggerOf(ctx)
	for {
		every := i.config.reconcileEvery
		select {
		case <-time.After(every/2 + rand.N(every)):
		case <-ctx.Done():
			return
		}
		err := hook.GuardAll(func() error { return i.reconcileAll(ctx) })
		if err != nil && ctx.Err() == nil {
			e := logger.Error().Str("error", clip(err.Error(), maxLoggedError))
			addStack(e, err)
			e.Msg("postern: the reconciler has not seen everything")
		}
	}
}

func (i *Issuer) reconcileAll(ctx context.Context) error {
	// The own bucket waits for no list.
	errs := []error{i.reconcileOne(ctx, Bucket{})}
	if lister, ok := i.config.buckets.(BucketLister); ok {
		more, err := lister.List(ctx)
		errs = append(errs, err)
		for _, b := range more {
			if p, err := i.places.get(b); ctx.Err() == nil && (err != nil || p.id != "") {
				errs = append(errs, i.reconcileOne(ctx, b))
			}
		}
	}
	return errors.Join(errs...)
}

// reconcileOne names the bucket of which not everything was seen.
func (i *Issuer) reconcileOne(ctx context.Context, b Bucket) error {
	_, err := i.Reconcile(ctx, ReconcileOptions{Bucket: b})
	if err != nil && b.Name != "" {
		err = fmt.Errorf("bucket %q: %w", b.Name, err)
	}
	return err
}

// completionWait is longer than a completion may take.
const completionWait = 24 * time.Hour
