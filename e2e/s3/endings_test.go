package s3_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
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

// wrongSum is what a browser may say of its file.
var wrongSum = map[string]string{"crc64nvme": base64.StdEncoding.EncodeToString([]byte("anything"))}

// Whoever holds a grant cannot take back what the application has a receipt of.
func TestWrongSumAfterTheReceiptDeletesNothing(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for _, promotion := range []bool{true, false} {
		s := newSite(t, srv, promotion)
		g := ask(t, s, picture())
		upload(t, s, g, pngFile())
		r := complete(t, s, g.Ticket)
		upload(t, s, g, pngFile()) // once more, into staging
		request := ticketOf(g)
		request["checksum"] = wrongSum
		a := call(t, s, "complete", request)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s", a.Body)
		s.isRight(t, r, pngFile())
	}
}

// Whoever joins a completion that an event has begun gets its own sum compared.
func TestSumIsComparedAlsoByWhoeverJoinsACompletion(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	g := ask(t, s, picture())
	upload(t, s, g, pngFile())
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.got.before = func() {
		once.Do(func() { close(begun) })
		<-goOn
	}
	event := make(chan error)
	key := writeKey(t, s)
	go func() {
		_, err := s.Issuer().CompleteObject(context.Background(), key)
		event <- err
	}()
	<-begun
	joined := make(chan answer)
	request := ticketOf(g)
	request["checksum"] = map[string]string{"crc64nvme": base64.StdEncoding.EncodeToString([]byte("anything"))}
	go func() { joined <- call(t, s, "complete", request) }()
	time.Sleep(300 * time.Millisecond)
	close(goOn)
	require.NoError(t, <-event)
	a := <-joined
	require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s", a.Body)
}

// lostList is a list of buckets that cannot be had.
type lostList struct{}

func (lostList) For(context.Context, *postern.Upload) (postern.Bucket, error) {
	return postern.Bucket{}, nil
}

func (lostList) List(context.Context) ([]postern.Bucket, error) {
	return nil, errors.New("the database is down")
}

func TestOwnBucketIsReconciledWhateverBecomesOfTheList(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	received := make(chan struct{})
	s.got.before = sync.OnceFunc(func() { close(received) })
	h := s.replica(t, postern.WithBuckets(lostList{}), postern.WithReconciler(time.Second),
		postern.WithClock(func() time.Time { return time.Now().Add(2 * time.Minute) }))
	<-received
	require.NoError(t, h.Shutdown(context.Background()))
}
