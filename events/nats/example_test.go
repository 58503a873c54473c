package natsevents_test

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	natsevents "github.com/postern-go/postern/events/nats"
)

func ExampleNew() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	conn, err := nats.Connect(shared.URL(), nats.MaxReconnects(-1)) // in a program, of its configuration
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The stream keeps what MinIO or versitygw publishes.
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "UPLOADS", Subjects: []string{"uploads"}, MaxAge: 24 * time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	durable, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "postern", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		fmt.Println(err)
		return
	}
	consumer, err := natsevents.New(durable, uploads, natsevents.WithDelay(5*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	stop() // in a program, SIGTERM
	consumer.Run(ctx)
	// Output:
}

// In a program, this is handler.Issuer(), of the handler that postern.New made.
var uploads = completer(func(context.Context, string) error { return nil })
