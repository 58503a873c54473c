package s3_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// A process that ends is no reason to give up what has ended.
func TestReconcilerGivesNothingUpWhileItsProcessEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	ended := newReplica(t, s.bucket, s.options(inDays(2))...)
	require.NoError(t, ended.Shutdown(context.Background()))
	report := reconcile(t, ended)
	require.Equal(t, postern.ReconcileReport{Left: 1, Why: map[string]int{"shutting_down": 1}}, report)
	require.Equal(t, 1, reconcile(t, newReplica(t, s.bucket, s.options(inDays(2))...)).Completed)
	require.Equal(t, 1, s.got.count())
}

// The reconciler puts parts together after the end of their ticket, and dies before the
// object is at its key.
func TestPartsThatWerePutTogetherAfterTheEndOfTheirTicketAreCompleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true, inParts...)
	const rest = 6 * time.Second
	short := []postern.HandlerOption{
		postern.WithTicketLifetime(time.Minute), postern.WithGrantLifetime(time.Minute),
		postern.WithClock(func() time.Time { return time.Now().Add(rest - time.Minute) }),
	}
	browser := newReplica(t, s.bucket, s.options(append(short, inParts...)...)...)
	g := ask(t, browser, fileOf(big(6<<20)))
	ended := time.Now().Add(rest + time.Second)
	upload(t, browser, g, big(6<<20))
	time.Sleep(time.Until(ended))

	h := newReplica(t, s.bucket, s.options(inParts...)...)
	s.proxy.on("UploadPartCopy final", func(x *exchange) { x.say(http.StatusServiceUnavailable, "SlowDown") })
	require.Equal(t, map[string]int{"storage_unavailable": 1}, reconcile(t, h).Why)
	s.proxy.with(nil)
	report := reconcile(t, h)
	require.Equal(t, 1, report.Completed, "%+v", report)
	require.Equal(t, 1, s.got.count())
	require.Empty(t, s.left(t))
}
