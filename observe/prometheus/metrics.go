package promobserve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postern-go/postern"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of a handler, or of several. They are safe for concurrent use.
type Metrics struct {
	classes classes
	codes   map[string]bool

	requests          *prometheus.CounterVec
	requestTime       *prometheus.HistogramVec
	completions       *prometheus.CounterVec
	completionTime    *prometheus.HistogramVec
	granted           *prometheus.CounterVec
	received          *prometheus.CounterVec
	completed         *prometheus.CounterVec
	hookTime          *prometheus.HistogramVec
	reconciliations   *prometheus.CounterVec
	reconcileTime     prometheus.Histogram
	reconciled        *prometheus.CounterVec
	reconcileProblems *prometheus.CounterVec
	calls             *prometheus.CounterVec
	callTime          *prometheus.HistogramVec
	attempts          *prometheus.CounterVec

	moment moment
}

// The bounds of the histograms, in seconds.
var (
	quick = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60}
	calls = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300}
	long  = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}
)

// New returns Metrics that are registered with r. The error is that of r, which has then
// none of them.
func New(r prometheus.Registerer, opts ...Option) (*Metrics, error) {
	m := &Metrics{codes: map[string]bool{}}
	for _, code := range postern.Codes() {
		m.codes[code] = true
	}
	for _, opt := range opts {
		opt(m)
	}
	var all []prometheus.Collector
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		all = append(all, c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		c := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		all = append(all, c)
		return c
	}
	m.requests = counter("postern_requests_total", "Requests that were decided; each file of a batch is one.", "action", "outcome", "code", "class")
	m.requestTime = histogram("postern_request_duration_seconds", "From the beginning of a request's chain to its decision.", quick, "action", "outcome")
	m.completions = counter("postern_completions_total", "Completions that have ended.", "trigger", "outcome", "code", "class")
	m.completionTime = histogram("postern_completion_duration_seconds", "How long completions took.", long, "trigger", "outcome")
	m.granted = counter("postern_granted_bytes_total", "Bytes of grants whose size was declared.", "class")
	m.received = counter("postern_received_bytes_total", "Bytes of what had arrived when it was accepted or refused.", "class")
	m.completed = counter("postern_completed_bytes_total", "Bytes of uploads whose receipt the application has taken.", "class")
	m.hookTime = histogram("postern_hook_duration_seconds", "How long functions of the application took.", quick, "hook", "outcome")
	m.reconciliations = counter("postern_reconciliations_total", "Reconciliations of a bucket that have ended.", "outcome")
	m.reconcileTime = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "postern_reconciliation_duration_seconds", Help: "How long reconciliations took.", Buckets: long,
	})
	m.reconciled = counter("postern_reconciled_total", "What reconciliations have done with what they have found.", "done")
	m.reconcileProblems = counter("postern_reconcile_problems_total", "Why reconciliations have not completed something.", "code")
	m.calls = counter("postern_s3_calls_total", "Calls of S3 with all their attempts.", "operation", "result")
	m.callTime = histogram("postern_s3_call_duration_seconds", "How long calls of S3 took with all their attempts.", calls, "operation")
	m.attempts = counter("postern_s3_attempts_total", "Attempts of calls of S3.", "operation")
	all = append(all, m.reconcileTime, &m.moment)

	// What is always there is zero before it happens, so that its first increase is one.
	for _, outcome := range []string{succeeded, failed} {
		m.reconciliations.WithLabelValues(outcome)
	}
	for _, done := range []string{"completed", "aborted", "removed"} {
		m.reconciled.WithLabelValues(done)
	}
	for _, c := range []*prometheus.CounterVec{m.granted, m.received, m.completed} {
		c.WithLabelValues(none)
	}
	return m, register(r, all)
}

// register registers all, or none.
func register(r prometheus.Registerer, all []prometheus.Collector) error {
	for k, c := range all {
		if err := r.Register(c); err != nil {
			for _, registered := range all[:k] {
				r.Unregister(registered)
			}
			return fmt.Errorf("promobserve: %w", err)
		}
	}
	return nil
}

// The outcomes of what is no decision.
const (
	succeeded = "succeeded"
	failed    = "failed"
)

func outcomeOf(err error) string {
	if err != nil {
		return failed
	}
	return succeeded
}

// Instrument is what [postern.WithInstrument] takes. It may be given to several handlers.
func (m *Metrics) Instrument() postern.Instrument {
	return postern.Instrument{Attach: m.moment.attach, Decision: m.decided, Step: m.begun}
}

// decided counts a request, or a completion.
func (m *Metrics) decided(_ context.Context, d postern.Decision) {
	class, code, outcome := m.classes.class(d.Tenant), m.code(d.Code), string(d.Outcome)
	if d.Trigger == "" {
		a := action(d.Action)
		m.requests.WithLabelValues(a, outcome, code, class).Inc()
		m.requestTime.WithLabelValues(a, outcome).Observe(d.Duration.Seconds())
		if d.Action == postern.ActionSign && d.Outcome == postern.OutcomeGranted && d.Size > 0 {
			m.granted.WithLabelValues(class).Add(float64(d.Size))
		}
		return
	}
	m.completions.WithLabelValues(string(d.Trigger), outcome, code, class).Inc()
	m.completionTime.WithLabelValues(string(d.Trigger), outcome).Observe(d.Duration.Seconds())
	ended := d.Outcome == postern.OutcomeCompleted
	if ended && !d.Replayed {
		m.completed.WithLabelValues(class).Add(float64(d.Size))
	}
	if ended || d.Outcome == postern.OutcomeRefused {
		m.received.WithLabelValues(class).Add(float64(d.Received))
	}
}

// begun times what has no decision.
func (m *Metrics) begun(_ context.Context, s postern.Step) (context.Context, func(postern.StepEnd)) {
	start := time.Now()
	switch s.Kind {
	case postern.StepCall:
		return nil, func(e postern.StepEnd) {
			result := "ok"
			if e.Err != nil {
				result = e.Code
			}
			m.calls.WithLabelValues(s.Name, result).Inc()
			m.callTime.WithLabelValues(s.Name).Observe(time.Since(start).Seconds())
			m.attempts.WithLabelValues(s.Name).Add(float64(e.Attempts))
		}
	case postern.StepHook:
		return nil, func(e postern.StepEnd) {
			m.hookTime.WithLabelValues(s.Name, outcomeOf(e.Err)).Observe(time.Since(start).Seconds())
		}
	case postern.StepReconciliation:
		if s.DryRun {
			return nil, nil
		}
		return nil, func(e postern.StepEnd) { m.wentThrough(s.Bucket, e, time.Since(start)) }
	}
	return nil, nil
}

// wentThrough counts a reconciliation. One that Shutdown has ended is none.
func (m *Metrics) wentThrough(bucket string, e postern.StepEnd, took time.Duration) {
	if r := e.Reconciled; r != nil {
		m.reconciled.WithLabelValues("completed").Add(float64(r.Completed))
		m.reconciled.WithLabelValues("aborted").Add(float64(r.Aborted))
		m.reconciled.WithLabelValues("removed").Add(float64(r.Removed))
		for code, n := range r.Why {
			m.reconcileProblems.WithLabelValues(m.code(code)).Add(float64(n))
		}
		m.moment.left(bucket, r.Left, e.Err == nil)
	}
	if errors.Is(e.Err, context.Canceled) {
		return
	}
	m.reconciliations.WithLabelValues(outcomeOf(e.Err)).Inc()
	m.reconcileTime.Observe(took.Seconds())
}

// moment is what is asked for when somebody scrapes.
type moment struct {
	mutex     sync.Mutex
	issuers   []*postern.Issuer
	leftIn    map[string]int // by bucket
	completed time.Time      // the last reconciliation that has seen everything
}

// maxBuckets bounds of how many buckets it is known what was left.
const maxBuckets = 1024

func (m *moment) attach(i *postern.Issuer) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.issuers = append(m.issuers, i)
}

func (m *moment) left(bucket string, n int, whole bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.leftIn == nil || len(m.leftIn) >= maxBuckets {
		m.leftIn = map[string]int{}
	}
	m.leftIn[bucket] = n
	if whole {
		m.completed = time.Now()
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descFlying   = desc("postern_completions_in_flight", "Completions that go on.")
	descWaiting  = desc("postern_completions_waiting", "Completions that wait for a slot.")
	descSlots    = desc("postern_completion_slots", "How many completions may go on at once.")
	descLeft     = desc("postern_reconcile_left", "What the last reconciliation of each bucket has left to the next one.")
	descSeen     = desc("postern_reconcile_success_timestamp_seconds", "When a reconciliation has last seen a whole bucket.")
	descObtained = desc("postern_credentials_obtained_timestamp_seconds", "When the credentials in use were obtained.", "identity")
	descExpires  = desc("postern_credentials_expiry_timestamp_seconds", "When the credentials in use expire, if they do.", "identity")
	descFailures = desc("postern_credentials_renewal_failures", "How often in a row the credentials could not be renewed.", "identity")
)

// Describe tells what there is.
func (m *moment) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descFlying, descWaiting, descSlots, descLeft, descSeen, descObtained, descExpires, descFailures,
	} {
		out <- d
	}
}

// Collect asks the Issuers.
func (m *moment) Collect(out chan<- prometheus.Metric) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	var all postern.Stats
	for k, i := range m.issuers {
		s := i.Stats()
		all.Completing += s.Completing
		all.Waiting += s.Waiting
		all.Slots += s.Slots
		if k == 0 {
			all.Signing, all.Service = s.Signing, s.Service
		}
		all.Signing, all.Service = worse(all.Signing, s.Signing), worse(all.Service, s.Service)
	}
	gauge(descFlying, float64(all.Completing))
	gauge(descWaiting, float64(all.Waiting))
	gauge(descSlots, float64(all.Slots))
	left := 0
	for _, n := range m.leftIn {
		left += n
	}
	gauge(descLeft, float64(left))
	if !m.completed.IsZero() {
		gauge(descSeen, seconds(m.completed))
	}
	for identity, c := range map[string]postern.CredentialStats{"signing": all.Signing, "service": all.Service} {
		gauge(descFailures, float64(c.Failures), identity)
		if !c.Obtained.IsZero() {
			gauge(descObtained, seconds(c.Obtained), identity)
		}
		if !c.Expires.IsZero() {
			gauge(descExpires, seconds(c.Expires), identity)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// worse returns what is there of both, and ends first.
func worse(a, b postern.CredentialStats) postern.CredentialStats {
	if a.Obtained.IsZero() || !b.Expires.IsZero() && (a.Expires.IsZero() || b.Expires.Before(a.Expires)) {
		a, b = b, a
	}
	a.Failures = max(a.Failures, b.Failures)
	return a
}
