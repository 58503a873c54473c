package otelobserve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/postern-go/postern"
	otelobserve "github.com/postern-go/postern/observe/otel"
	"github.com/postern-go/postern/s3test"
)

// site is a handler at a real S3 server, whose spans the SDK records.
type site struct {
	*postern.Handler
	t        *testing.T
	recorder *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
	bucket   postern.Bucket
	hook     func(ctx context.Context) error
}

func newSite(t *testing.T, opts ...otelobserve.Option) *site {
	srv := s3test.Start(t)
	s := &site{t: t, recorder: tracetest.NewSpanRecorder()}
	s.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.recorder))
	signing, err := srv.PutOnlyUser(t.Context(), "")
	require.NoError(t, err)
	s.bucket = postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Credentials: signing, ServiceCredentials: srv.Credentials(),
	}
	s.Handler = s.replica(opts...)
	return s
}

// replica is another handler of the same uploads.
func (s *site) replica(opts ...otelobserve.Option) *postern.Handler {
	tracing := otelobserve.New(append(opts, otelobserve.WithTracerProvider(s.provider))...)
	h, err := postern.New(s.bucket,
		postern.WithInstrument(tracing.Instrument()),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada-lovelace", "acme-tenant"
			return nil
		}),
		postern.WithMode(postern.ModePut),
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(bytes.Repeat([]byte{7}, 32)),
		postern.WithOnComplete(func(ctx context.Context, _ *postern.Receipt) error {
			if s.hook != nil {
				return s.hook(ctx)
			}
			return nil
		}))
	require.NoError(s.t, err)
	return h
}

// send posts JSON to an action.
func send(ctx context.Context, h http.Handler, action string, body any) (int, map[string]any) {
	encoded, _ := json.Marshal(body)
	r := httptest.NewRequest("POST", "/uploads/"+action, bytes.NewReader(encoded)).WithContext(ctx)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

// arrive signs and uploads a file, and returns its ticket.
func (s *site) arrive() map[string]any {
	status, g := send(s.t.Context(), s, "sign", map[string]any{"filename": "a.txt", "type": "text/plain", "size": 5})
	require.Equal(s.t, 201, status, g)
	r, err := http.NewRequest("PUT", g["url"].(string), strings.NewReader("hello"))
	require.NoError(s.t, err)
	for name, value := range g["headers"].(map[string]any) {
		r.Header.Set(name, value.(string))
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	require.Equal(s.t, 200, res.StatusCode)
	return map[string]any{"ticket": g["ticket"]}
}

type span = sdktrace.ReadOnlySpan

// named are the spans of a name that have ended, in the order in which they did.
func (s *site) named(name string) (all []span) {
	for _, sp := range s.recorder.Ended() {
		if sp.Name() == name {
			all = append(all, sp)
		}
	}
	return all
}

// the is the only span of a name.
func (s *site) the(name string) span {
	s.t.Helper()
	all := s.named(name)
	require.Len(s.t, all, 1, name)
	return all[0]
}

func value(sp span, name string) string {
	for _, a := range sp.Attributes() {
		if a.Key == attribute.Key(name) {
			return a.Value.String()
		}
	}
	return ""
}

func requireChild(t *testing.T, child, parent span) {
	t.Helper()
	require.Equal(t, parent.SpanContext().SpanID(), child.Parent().SpanID(), child.Name())
	require.Equal(t, parent.SpanContext().TraceID(), child.SpanContext().TraceID())
}

// requireLink requires the one link of a span, to that in which its upload was granted.
func requireLink(t *testing.T, from, to span) {
	t.Helper()
	require.Len(t, from.Links(), 1, from.Name())
	require.Equal(t, to.SpanContext().TraceID(), from.Links()[0].SpanContext.TraceID())
	require.Equal(t, to.SpanContext().SpanID(), from.Links()[0].SpanContext.SpanID())
	require.NotEqual(t, to.SpanContext().TraceID(), from.SpanContext().TraceID(), "a trace of its own")
}

func TestTraceGoesFromTheRequestThroughS3ToTheHook(t *testing.T) {
	s := newSite(t)
	var inHook trace.SpanContext
	s.hook = func(ctx context.Context) error {
		inHook = trace.SpanContextFromContext(ctx)
		return nil
	}
	ticket := s.arrive()
	outer, web := s.provider.Tracer("test").Start(t.Context(), "otelhttp")
	status, receipt := send(outer, s, "complete", ticket)
	require.Equal(t, 200, status, receipt)
	web.End()

	sign, complete, completion, hook := s.the("postern sign"), s.the("postern complete"), s.the("postern completion"), s.the("postern hook on_complete")
	require.Equal(t, trace.SpanKindServer, sign.SpanKind())
	require.Equal(t, trace.SpanKindInternal, complete.SpanKind(), "within another's")
	requireChild(t, complete, s.the("otelhttp"))
	requireChild(t, completion, complete)
	requireChild(t, hook, completion)
	require.Equal(t, hook.SpanContext(), inHook)

	byParent := map[trace.SpanID][]string{}
	for _, sp := range s.recorder.Ended() {
		if sp.SpanKind() != trace.SpanKindClient {
			continue
		}
		byParent[sp.Parent().SpanID()] = append(byParent[sp.Parent().SpanID()], sp.Name())
		require.Equal(t, s.bucket.Name, value(sp, "aws.s3.bucket"))
		require.Equal(t, "1", value(sp, "postern.s3.attempts"))
		require.Equal(t, codes.Unset, sp.Status().Code, "what is not there is no error: %s", value(sp, "error.type"))
	}
	require.Len(t, byParent, 2, "calls before the completion, and in it")
	require.Contains(t, byParent[complete.SpanContext().SpanID()], "S3.HeadObject")
	require.Contains(t, byParent[completion.SpanContext().SpanID()], "S3.DeleteObject")
	for _, sp := range []span{sign, complete, completion, hook} {
		require.Equal(t, receipt["id"], value(sp, "postern.upload.id"), sp.Name())
		require.Empty(t, sp.Links(), "nobody has asked for them")
	}
	require.Equal(t, "granted", value(sign, "postern.outcome"))
	require.Equal(t, "completed", value(completion, "postern.outcome"))
	require.Equal(t, "browser", value(completion, "postern.trigger"))
	require.Equal(t, "5", value(completion, "postern.size"))
}

func TestCompletionAfter202IsLinkedToItsGrant(t *testing.T) {
	s := newSite(t, otelobserve.WithTicketLinks())
	entered, leave := make(chan struct{}), make(chan struct{})
	s.hook = func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}
	ticket := s.arrive()
	ctx, hangUp := context.WithCancel(t.Context())
	answered := make(chan int)
	go func() {
		status, _ := send(ctx, s, "complete", ticket)
		answered <- status
	}()
	<-entered
	hangUp()
	require.Equal(t, 202, <-answered)
	first := s.the("postern complete")
	require.Equal(t, "pending", value(first, "postern.outcome"))
	require.Empty(t, s.named("postern completion"), "which goes on")
	close(leave)
	s.hook = nil
	require.NoError(t, s.Shutdown(t.Context()))
	status, _ := send(t.Context(), s.replica(otelobserve.WithTicketLinks()), "complete", ticket)
	require.Equal(t, 200, status)

	sign, completions, requests := s.the("postern sign"), s.named("postern completion"), s.named("postern complete")
	require.Len(t, completions, 2)
	require.Len(t, requests, 2)
	requireChild(t, completions[0], first)
	for _, sp := range append(completions, requests...) {
		requireLink(t, sp, sign)
	}
	require.Equal(t, "true", value(completions[1], "postern.replayed"))
}

func TestReconcilerOfAnotherReplicaIsLinkedToTheGrant(t *testing.T) {
	s := newSite(t, otelobserve.WithTicketLinks())
	s.arrive()
	report, err := s.replica(otelobserve.WithTicketLinks()).Issuer().Reconcile(t.Context(), postern.ReconcileOptions{MinAge: time.Nanosecond})
	require.NoError(t, err)
	require.Equal(t, 1, report.Completed)
	reconcile, completion := s.the("postern reconcile"), s.the("postern completion")
	requireChild(t, completion, reconcile)
	requireLink(t, completion, s.the("postern sign"))
	require.Equal(t, "reconciler", value(completion, "postern.trigger"))
	require.Equal(t, "1", value(reconcile, "postern.reconcile.completed"))
}

func TestEachFileOfABatchIsASpan(t *testing.T) {
	s := newSite(t, otelobserve.WithTicketLinks())
	file := map[string]any{"filename": "a.txt", "type": "text/plain", "size": 5}
	status, _ := send(t.Context(), s, "sign", map[string]any{"files": []any{file, file}})
	require.Equal(t, 200, status)
	files := s.named("postern sign file")
	require.Len(t, files, 2)
	require.NotEqual(t, value(files[0], "postern.upload.id"), value(files[1], "postern.upload.id"))
	for _, f := range files {
		requireChild(t, f, s.the("postern sign"))
		require.Equal(t, "granted", value(f, "postern.outcome"))
	}
}

func TestSpanThatIsNotSampledIsNotRemembered(t *testing.T) {
	s := newSite(t, otelobserve.WithTicketLinks())
	s.provider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	_, long := send(t.Context(), s, "sign", map[string]any{"filename": "a.txt", "type": "text/plain", "size": 5})
	_, short := send(t.Context(), s.replica(otelobserve.WithTicketLinks()), "sign", map[string]any{"filename": "a.txt", "type": "text/plain", "size": 5})
	difference := len(long["ticket"].(string)) - len(short["ticket"].(string))
	require.InDelta(t, 76, difference, 2, "57 bytes in base64")
}

func TestFailuresAreErrorsAndRefusalsAreNot(t *testing.T) {
	s := newSite(t)
	s.hook = func(context.Context) error { return errors.New("the database is away") }
	status, _ := send(t.Context(), s, "complete", s.arrive())
	require.Equal(t, 503, status)
	for _, name := range []string{"postern complete", "postern completion", "postern hook on_complete"} {
		require.Equal(t, codes.Error, s.the(name).Status().Code, name)
		require.Equal(t, "completion_failed", s.the(name).Status().Description, name)
	}
	status, _ = send(t.Context(), s, "abort", map[string]any{"ticket": "nonsense"})
	require.Equal(t, 400, status)
	abort := s.the("postern abort")
	require.Equal(t, codes.Unset, abort.Status().Code)
	require.Equal(t, "ticket_invalid", value(abort, "postern.code"))
}

func TestSpansTellNoPersonAndNoSecret(t *testing.T) {
	s := newSite(t, otelobserve.WithTicketLinks())
	ticket := s.arrive()
	_, receipt := send(t.Context(), s, "complete", ticket)
	var told strings.Builder
	for _, sp := range s.recorder.Ended() {
		told.WriteString(sp.Name())
		for _, a := range sp.Attributes() {
			told.WriteString(" " + string(a.Key) + "=" + a.Value.String())
		}
		for _, e := range sp.Events() {
			for _, a := range e.Attributes {
				told.WriteString(" " + a.Value.String())
			}
		}
	}
	c, err := s.bucket.Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for _, secret := range []string{
		"ada-lovelace", "acme-tenant", receipt["key"].(string), ticket["ticket"].(string), c.SecretAccessKey, c.AccessKeyID, "Signature", "a.txt",
	} {
		require.NotContains(t, told.String(), secret)
	}
	require.Contains(t, told.String(), receipt["id"].(string))

	all := newSite(t, otelobserve.WithPrincipals())
	_, receipt = send(t.Context(), all, "complete", all.arrive())
	completion := all.the("postern completion")
	require.Equal(t, "ada-lovelace", value(completion, "postern.subject"))
	require.Equal(t, "acme-tenant", value(completion, "postern.tenant"))
	require.Equal(t, receipt["key"], value(completion, "postern.key"))
}

// What is refused before a chain has begun belongs to no span of ours.
func TestSpansOfOthersAreLeftAlone(t *testing.T) {
	s := newSite(t)
	ctx, web := s.provider.Tracer("test").Start(t.Context(), "otelhttp")
	status, _ := send(ctx, s, "nothing", nil)
	require.Equal(t, 404, status)
	web.End()
	require.Empty(t, s.the("otelhttp").Attributes())
}
