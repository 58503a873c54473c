package promobserve_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	promobserve "github.com/postern-go/postern/observe/prometheus"
)

// has requires that some metrics are exactly these.
func (s *site) has(t *testing.T, want string, names ...string) {
	t.Helper()
	require.NoError(t, testutil.GatherAndCompare(s.registry, strings.NewReader(want), names...))
}

// value is that of one series, whose labels are in the order of their names.
func (s *site) value(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if !slices.Equal(values, labels) {
				continue
			}
			if h := m.GetHistogram(); h != nil {
				return float64(h.GetSampleCount())
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

func TestUploadIsCountedOnItsWholeRoad(t *testing.T) {
	s := newSite(t, promobserve.WithTenantClass(func(tenant string) string { return "plan-" + tenant[:1] }, 5))
	ticket := s.arrive("ada@acme", "text/plain", []byte("hello"))
	for range 2 { // the second is a repetition, which brings no byte more
		status, answer := send(s, "ada@acme", "complete", ticket)
		require.Equal(t, 200, status, answer)
	}
	s.has(t, `
# HELP postern_requests_total Requests that were decided; each file of a batch is one.
# TYPE postern_requests_total counter
postern_requests_total{action="complete",class="plan-a",code="none",outcome="granted"} 2
postern_requests_total{action="sign",class="plan-a",code="none",outcome="granted"} 1
# HELP postern_completions_total Completions that have ended.
# TYPE postern_completions_total counter
postern_completions_total{class="plan-a",code="none",outcome="completed",trigger="browser"} 2
# HELP postern_granted_bytes_total Bytes of grants whose size was declared.
# TYPE postern_granted_bytes_total counter
postern_granted_bytes_total{class="none"} 0
postern_granted_bytes_total{class="plan-a"} 5
# HELP postern_received_bytes_total Bytes of what had arrived when it was accepted or refused.
# TYPE postern_received_bytes_total counter
postern_received_bytes_total{class="none"} 0
postern_received_bytes_total{class="plan-a"} 5
# HELP postern_completed_bytes_total Bytes of uploads whose receipt the application has taken.
# TYPE postern_completed_bytes_total counter
postern_completed_bytes_total{class="none"} 0
postern_completed_bytes_total{class="plan-a"} 5
`, "postern_requests_total", "postern_completions_total", "postern_granted_bytes_total", "postern_received_bytes_total", "postern_completed_bytes_total")
	require.Equal(t, 1.0, s.value(t, "postern_request_duration_seconds", "sign", "granted"))
	require.Equal(t, 2.0, s.value(t, "postern_completion_duration_seconds", "completed", "browser"))
	require.Equal(t, 2.0, s.value(t, "postern_hook_duration_seconds", "on_complete", "succeeded"))
	require.GreaterOrEqual(t, s.value(t, "postern_s3_calls_total", "HeadObject", "ok"), 2.0)
	require.GreaterOrEqual(t, s.value(t, "postern_s3_calls_total", "HeadObject", "not_found"), 1.0)
	require.GreaterOrEqual(t, s.value(t, "postern_s3_attempts_total", "HeadObject"), s.value(t, "postern_s3_call_duration_seconds", "HeadObject"))
}

func TestRefusedFileWasReceivedAndNotCompleted(t *testing.T) {
	s := newSite(t)
	require.Equal(t, 422, s.upload("ada@acme", "image/png", []byte("<html>no picture</html>")))
	require.Equal(t, 23.0, s.value(t, "postern_received_bytes_total", "none"))
	require.Equal(t, 0.0, s.value(t, "postern_completed_bytes_total", "none"))
	require.Equal(t, 1.0, s.value(t, "postern_completions_total", "none", "content_mismatch", "refused", "browser"))
}

func TestHookThatFailsIsCounted(t *testing.T) {
	s := newSite(t)
	s.hookFail.Store(true)
	require.Equal(t, 503, s.upload("ada@acme", "text/plain", []byte("hello")))
	require.Equal(t, 1.0, s.value(t, "postern_hook_duration_seconds", "on_complete", "failed"))
	require.Equal(t, 1.0, s.value(t, "postern_completions_total", "none", "completion_failed", "failed", "browser"))
	require.Equal(t, 0.0, s.value(t, "postern_received_bytes_total", "none"), "it is tried again")
}

func TestReconciliationIsCounted(t *testing.T) {
	s := newSite(t)
	s.arrive("ada@acme", "text/plain", []byte("hello"))
	require.Equal(t, -1.0, s.value(t, "postern_reconcile_success_timestamp_seconds"))
	reconcile := func(h *postern.Handler, o postern.ReconcileOptions) {
		_, err := h.Issuer().Reconcile(t.Context(), o)
		require.NoError(t, err)
	}
	reconcile(s.Handler, postern.ReconcileOptions{DryRun: true, MinAge: time.Nanosecond})
	require.Equal(t, 0.0, s.value(t, "postern_reconciliations_total", "succeeded"))
	require.Equal(t, 0.0, s.value(t, "postern_reconciled_total", "completed"))
	s.hookFail.Store(true)
	reconcile(s.Handler, postern.ReconcileOptions{MinAge: time.Nanosecond})
	require.Equal(t, 1.0, s.value(t, "postern_reconcile_left"))
	require.Equal(t, 1.0, s.value(t, "postern_reconcile_problems_total", "completion_failed"))
	s.hookFail.Store(false)
	reconcile(s.handler(s.bucket), postern.ReconcileOptions{MinAge: time.Nanosecond}) // another, which need not wait
	require.Equal(t, 0.0, s.value(t, "postern_reconcile_left"))
	require.Equal(t, 1.0, s.value(t, "postern_reconciled_total", "completed"))
	require.Equal(t, 2.0, s.value(t, "postern_reconciliations_total", "succeeded"))
	require.Equal(t, 2.0, s.value(t, "postern_reconciliation_duration_seconds"))
	require.Equal(t, 1.0, s.value(t, "postern_completions_total", "none", "none", "completed", "reconciler"))
	require.InDelta(t, float64(time.Now().Unix()), s.value(t, "postern_reconcile_success_timestamp_seconds"), 600)
}

func TestFaultsOfS3AreCountedByTheirKind(t *testing.T) {
	s := newSite(t)
	denied := s.bucket
	denied.ServiceCredentials = wrongSecret(s.srv.AccessKeyID)
	away := s.bucket
	away.Endpoint, away.PublicEndpoint = "http://"+nobody(t), s.bucket.Endpoint
	for _, h := range []*postern.Handler{s.handler(denied), s.handler(away)} {
		_, err := h.Issuer().Reconcile(t.Context(), postern.ReconcileOptions{})
		require.Error(t, err)
	}
	families, err := s.registry.Gather()
	require.NoError(t, err)
	results := map[string]bool{}
	for _, f := range families {
		if f.GetName() == "postern_s3_calls_total" {
			for _, m := range f.GetMetric() {
				results[m.GetLabel()[1].GetValue()] = true
			}
		}
	}
	require.Equal(t, map[string]bool{"denied": true, "unavailable": true}, results)
	require.Greater(t, s.value(t, "postern_s3_attempts_total", "ListObjectsV2"), s.value(t, "postern_s3_call_duration_seconds", "ListObjectsV2"))
	require.GreaterOrEqual(t, s.value(t, "postern_reconciliations_total", "failed"), 2.0)
}

func wrongSecret(id string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: "another"}, nil
	})
}

// nobody is an address at which nobody listens.
func nobody(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestMomentIsAskedWhenSomebodyScrapes(t *testing.T) {
	s := newSite(t)
	require.Equal(t, 64.0, s.value(t, "postern_completion_slots"))
	require.Equal(t, -1.0, s.value(t, "postern_credentials_obtained_timestamp_seconds", "signing"), "nobody has asked for any yet")
	entered, leave := make(chan struct{}), make(chan struct{})
	other := s.handler(s.bucket, postern.WithMaxCompletions(2), postern.WithInspector(func(_ context.Context, _ *postern.Object) (postern.Verdict, error) {
		entered <- struct{}{}
		<-leave
		return postern.Accepted(), nil
	}))
	require.Equal(t, 66.0, s.value(t, "postern_completion_slots"), "of both")
	ticket := s.arrive("ada@acme", "text/plain", []byte("hello"))
	done := make(chan int)
	go func() {
		status, _ := send(other, "ada@acme", "complete", ticket)
		done <- status
	}()
	<-entered
	require.Equal(t, 1.0, s.value(t, "postern_completions_in_flight"))
	require.Equal(t, 0.0, s.value(t, "postern_completions_waiting"))
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), s.value(t, "postern_credentials_expiry_timestamp_seconds", "signing"), 600)
	require.InDelta(t, time.Now().Unix(), s.value(t, "postern_credentials_obtained_timestamp_seconds", "service"), 600)
	require.Equal(t, 0.0, s.value(t, "postern_credentials_renewal_failures", "service"))
	close(leave)
	require.Equal(t, 200, <-done)
	require.Equal(t, 1.0, s.value(t, "postern_hook_duration_seconds", "inspector", "succeeded"))
}

// Whatever somebody outside sends, the series stay few, and say nothing of whom.
func TestSeriesAreBounded(t *testing.T) {
	s := newSite(t,
		promobserve.WithTenantClass(func(tenant string) string { return tenant }, 3),
		promobserve.WithCodes("too_late"))
	h := s.handler(s.bucket, postern.WithMiddleware(postern.Rule(func(_ *http.Request, u *postern.Upload) error {
		switch {
		case strings.HasPrefix(u.Filename, "late"):
			return postern.NewProblem(429, "too_late", "Too late.")
		case strings.HasPrefix(u.Filename, "odd"):
			return postern.NewProblem(429, "odd_"+u.Filename, "Odd.")
		}
		return errors.New("no " + u.Filename)
	})))
	before := 0
	for round := range 2 {
		for n := range 200 {
			for _, name := range []string{"late", "odd", "bad"} {
				user := fmt.Sprintf("user-%d-%d@tenant-%d-%d", round, n, round, n)
				send(h, user, "sign", map[string]any{"filename": fmt.Sprintf("%s-%d-%d", name, round, n), "type": "text/plain", "size": 5})
			}
			send(h, "a@b", fmt.Sprintf("action-%d-%d", round, n), nil)
		}
		series, err := testutil.GatherAndCount(s.registry)
		require.NoError(t, err)
		if round == 0 {
			before = series
		}
		require.Equal(t, before, series, "more requests make no more series")
	}
	families, err := s.registry.Gather()
	require.NoError(t, err)
	values := map[string]map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if values[l.GetName()] == nil {
					values[l.GetName()] = map[string]bool{}
				}
				values[l.GetName()][l.GetValue()] = true
			}
		}
	}
	require.Equal(t, map[string]bool{"tenant-0-0": true, "tenant-0-1": true, "tenant-0-2": true, "other": true, "none": true}, values["class"])
	require.Equal(t, map[string]bool{"too_late": true, "other": true, "internal": true, "not_found": true}, values["code"])
	require.Equal(t, map[string]bool{"sign": true, "none": true}, values["action"])
}

func TestClassIsShortText(t *testing.T) {
	s := newSite(t, promobserve.WithTenantClass(func(tenant string) string {
		return map[string]string{"a": strings.Repeat("é", 40), "b": "\xff\xfe", "c": "other"}[tenant]
	}, 5))
	for _, tenant := range []string{"a", "b", "c", "d"} {
		s.sign("ada@"+tenant, "a.txt", "text/plain", 7)
	}
	require.Equal(t, 7.0, s.value(t, "postern_granted_bytes_total", strings.Repeat("é", 32)))
	require.Equal(t, 14.0, s.value(t, "postern_granted_bytes_total", "none"))
	require.Equal(t, 7.0, s.value(t, "postern_granted_bytes_total", "other"))
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	s := newSite(t)
	require.Equal(t, 200, s.upload("ada@acme", "text/plain", []byte("hello")))
	problems, err := testutil.GatherAndLint(s.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMetricsAreRegisteredAllOrNone(t *testing.T) {
	r := prometheus.NewRegistry()
	taken := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_s3_attempts_total", Help: "Attempts of calls of S3.",
	}, []string{"operation"})
	require.NoError(t, r.Register(taken))
	_, err := promobserve.New(r)
	require.ErrorAs(t, err, new(prometheus.AlreadyRegisteredError))
	require.True(t, r.Unregister(taken))
	_, err = promobserve.New(r)
	require.NoError(t, err, "nothing was left of the first")
	_, err = promobserve.New(r)
	require.ErrorAs(t, err, new(prometheus.AlreadyRegisteredError))
}

func TestWrongOptionsPanic(t *testing.T) {
	of := func(string) string { return "" }
	for _, wrong := range []func(){
		func() { promobserve.WithTenantClass(nil, 1) },
		func() { promobserve.WithTenantClass(of, 0) },
		func() { promobserve.WithTenantClass(of, 1001) },
	} {
		require.Panics(t, wrong)
	}
}

func TestManyAtOnceAreAllCounted(t *testing.T) {
	s := newSite(t, promobserve.WithTenantClass(func(tenant string) string { return tenant }, 4))
	var running sync.WaitGroup
	for k := range 8 {
		running.Go(func() {
			for n := range 25 {
				s.sign(fmt.Sprintf("ada@t%d", (k+n)%8), "a.txt", "text/plain", 1)
				_, _ = s.registry.Gather()
			}
		})
	}
	running.Wait()
	sum := s.value(t, "postern_granted_bytes_total", "other")
	for k := range 8 {
		sum += max(0, s.value(t, "postern_granted_bytes_total", fmt.Sprintf("t%d", k)))
	}
	require.Equal(t, 200.0, sum)
}
