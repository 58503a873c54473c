package events_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	natsevents "github.com/postern-go/postern/events/nats"
	"github.com/postern-go/postern/internal/servertest"
	"github.com/postern-go/postern/s3test"
)

// The server publishes to NATS, which dies and comes back; so does the application's
// database.
func TestUploadOfAClosedPageIsCompletedByNATS(t *testing.T) {
	server, err := servertest.NewNATS()
	require.NoError(t, err)
	t.Cleanup(server.Remove)
	conn, err := nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "UPLOADS", Subjects: []string{"uploads"}})
	require.NoError(t, err)
	durable, err := js.CreateConsumer(t.Context(), "UPLOADS", jetstream.ConsumerConfig{
		Durable: "postern", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 2 * time.Second,
	})
	require.NoError(t, err)

	s := newSite(t, postern.ModePost, s3test.WithNATS(server.URL(), "uploads"))
	consumer, err := natsevents.New(durable, s.Issuer(), natsevents.WithObserver(s.observe))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		consumer.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})

	s.upload(t, "calm")
	s.requireComplete(t, <-s.receipts, "calm")

	s.broken.Store(true)
	s.upload(t, "without a database")
	s.await("postponed")
	s.broken.Store(false)
	s.requireComplete(t, <-s.receipts, "without a database")

	server.Stop(syscall.SIGKILL)
	s.upload(t, "without NATS") // the server's client keeps the event until it is back
	require.NoError(t, server.Start())
	s.requireComplete(t, <-s.receipts, "without NATS")

	require.Eventually(t, func() bool {
		info, err := durable.Info(t.Context())
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0
	}, time.Minute, 10*time.Millisecond)
	require.Empty(t, s.keys(t, "staging/"))
}
