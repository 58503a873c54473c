package sqsevents_test

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/postern-go/postern/events"
	sqsevents "github.com/postern-go/postern/events/sqs"
)

func ExampleNew() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	client := sqs.New(sqs.Options{ // in a program, sqs.NewFromConfig(cfg)
		Region:      "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	})
	consumer, err := sqsevents.New(client, "https://sqs.eu-central-1.amazonaws.com/111122223333/uploads", uploads,
		sqsevents.WithObserver(func(_ context.Context, r events.Report) {
			if r.Outcome == events.Failed {
				fmt.Println(r.Err) // in a program, to its log
			}
		}),
	)
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
