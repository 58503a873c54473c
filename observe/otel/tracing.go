package otelobserve

import (
	"context"

	"github.com/postern-go/postern"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names where the spans are from.
const scope = "github.com/postern-go/postern/observe/otel"

// Tracing makes the spans of a handler, or of several. It is safe for concurrent use.
type Tracing struct {
	provider   trace.TracerProvider
	tracer     trace.Tracer
	links      bool
	principals bool
}

// Option changes what [New] makes.
type Option func(*Tracing)

// WithTracerProvider sets whose spans they are; by default those of the global one, of
// when [New] is called or later.
func WithTracerProvider(p trace.TracerProvider) Option { return func(t *Tracing) { t.provider = p } }

// WithTicketLinks has tickets remember in which span they were made, if that is sampled,
// and links later spans about the upload to it. It makes a ticket some 80 bytes longer, and
// with it the metadata of what lies in staging. All replicas must be of a version that
// knows it before it is turned on: see [postern.Instrument.Trace].
func WithTicketLinks() Option { return func(t *Tracing) { t.links = true } }

// WithPrincipals adds the tenant, the subject and the key to spans: postern.tenant,
// postern.subject and postern.key. By default a span tells no person and no name.
func WithPrincipals() Option { return func(t *Tracing) { t.principals = true } }

// New returns a Tracing.
func New(opts ...Option) *Tracing {
	t := &Tracing{}
	for _, opt := range opts {
		opt(t)
	}
	if t.provider == nil {
		t.provider = otel.GetTracerProvider()
	}
	t.tracer = t.provider.Tracer(scope)
	return t
}

// Instrument is what [postern.WithInstrument] takes. It may be given to several handlers.
func (t *Tracing) Instrument() postern.Instrument {
	in := postern.Instrument{Step: t.begin, Decision: t.decided}
	if t.links {
		in.Trace = traceParent
	}
	return in
}

// own is the span of a step in its context. That of a context without one is somebody
// else's.
type own struct{}

// begin begins the span of a step.
func (t *Tracing) begin(ctx context.Context, s postern.Step) (context.Context, func(postern.StepEnd)) {
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(t.attributes(s)...)}
	switch {
	case s.Kind == postern.StepCall:
		opts[0] = trace.WithSpanKind(trace.SpanKindClient)
	case s.Kind == postern.StepRequest && !trace.SpanContextFromContext(ctx).IsValid():
		opts[0] = trace.WithSpanKind(trace.SpanKindServer)
	}
	if link, ok := linkTo(s.Trace); ok {
		opts = append(opts, trace.WithLinks(link))
	}
	ctx, span := t.tracer.Start(ctx, nameOf(s), opts...)
	ctx = context.WithValue(ctx, own{}, span)
	return ctx, func(e postern.StepEnd) {
		if s.Kind == postern.StepCall {
			span.SetAttributes(attribute.Int("postern.s3.attempts", e.Attempts))
		}
		if e.Err != nil {
			span.SetAttributes(attribute.String("error.type", e.Code))
			if !usual[e.Code] && s.Kind != postern.StepCompletion { // of which the Decision tells
				span.SetStatus(codes.Error, e.Code)
			}
		}
		if r := e.Reconciled; r != nil {
			span.SetAttributes(
				attribute.Int("postern.reconcile.completed", r.Completed), attribute.Int("postern.reconcile.aborted", r.Aborted),
				attribute.Int("postern.reconcile.removed", r.Removed), attribute.Int("postern.reconcile.left", r.Left),
			)
		}
		span.End()
	}
}

// usual are the codes with which S3 answers a question.
var usual = map[string]bool{"not_found": true, "precondition_failed": true, "upload_gone": true, "canceled": true}

// nameOf is the name of a span. There are as many as there are actions, hooks and
// operations.
func nameOf(s postern.Step) string {
	switch s.Kind {
	case postern.StepCall:
		return "S3." + s.Name
	case postern.StepCompletion:
		return "postern completion"
	case postern.StepReconciliation:
		return "postern reconcile"
	case postern.StepHook:
		return "postern hook " + s.Name
	case postern.StepFile:
		return "postern " + s.Name + " file"
	}
	return "postern " + s.Name
}

// attributes are those that are known at the beginning.
func (t *Tracing) attributes(s postern.Step) (all []attribute.KeyValue) {
	text := func(name, value string) {
		if value != "" {
			all = append(all, attribute.String(name, value))
		}
	}
	switch s.Kind {
	case postern.StepCall:
		text("rpc.system", "aws-api")
		text("rpc.service", "S3")
		text("rpc.method", s.Name)
		text("aws.s3.bucket", s.Bucket)
		return all
	case postern.StepRequest, postern.StepFile:
		text("postern.action", s.Name)
	case postern.StepReconciliation:
		all = append(all, attribute.Bool("postern.dry_run", s.DryRun))
	}
	text("postern.trigger", string(s.Trigger))
	text("postern.bucket", s.Bucket)
	text("postern.upload.id", s.ID)
	if t.principals {
		text("postern.key", s.Key)
	}
	return all
}

// decided tells the span of a request, a file or a completion what was decided in it.
func (t *Tracing) decided(ctx context.Context, d postern.Decision) {
	span, ok := ctx.Value(own{}).(trace.Span)
	if !ok || !span.IsRecording() {
		return
	}
	text := func(name, value string) {
		if value != "" {
			span.SetAttributes(attribute.String(name, value))
		}
	}
	text("postern.outcome", string(d.Outcome))
	text("postern.code", d.Code)
	text("postern.upload.id", d.ID)
	text("postern.bucket", d.Bucket)
	text("postern.mode", string(d.Mode))
	text("postern.type", d.Type)
	if d.Size != postern.UnknownSize {
		span.SetAttributes(attribute.Int64("postern.size", d.Size))
	}
	if d.Replayed {
		span.SetAttributes(attribute.Bool("postern.replayed", true))
	}
	if t.principals {
		text("postern.tenant", d.Tenant)
		text("postern.subject", d.Subject)
		text("postern.key", d.Key)
	}
	if d.Trigger == "" { // a completion has its link from the beginning
		if link, ok := linkTo(d.Trace); ok {
			span.AddLink(link)
		}
	}
	if d.Outcome == postern.OutcomeFailed {
		span.SetStatus(codes.Error, d.Code)
	}
}

// header is that of the W3C's Trace Context.
const header = "traceparent"

// traceParent is what a ticket remembers: the span that it is made in, if that is sampled.
func traceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[header]
}

// linkTo links to the span that a ticket remembers.
func linkTo(parent string) (trace.Link, bool) {
	if parent == "" {
		return trace.Link{}, false
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{header: parent})
	granted := trace.SpanContextFromContext(ctx)
	return trace.Link{SpanContext: granted, Attributes: []attribute.KeyValue{attribute.String("postern.link", "granted")}}, granted.IsValid()
}
