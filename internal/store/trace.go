package store

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Trace is told that a call begins, by S3's name of it. It returns the context of the call
// with all its attempts, and what is told how it has ended.
type Trace func(ctx context.Context, op string) (context.Context, func(Outcome))

// Outcome is how a call has ended.
type Outcome struct {
	// Err is nil where S3 has done what was asked.
	Err *Error
	// Canceled: whoever has called did not wait for the answer.
	Canceled bool
	Attempts int
}

// traced shows all calls of a client; without anybody who looks, it changes nothing.
func traced(trace Trace) func(*s3.Options) {
	return func(o *s3.Options) {
		if trace == nil {
			return
		}
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			op := stack.ID()
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Trace", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
				middleware.InitializeOutput, middleware.Metadata, error,
			) {
				ctx, end := trace(ctx, op)
				out, metadata, err := next.HandleInitialize(ctx, in)
				outcome := Outcome{Canceled: errors.Is(err, context.Canceled)}
				errors.As(Sort(op, err), &outcome.Err)
				if results, ok := retry.GetAttemptResults(metadata); ok {
					outcome.Attempts = len(results.Results)
				}
				end(outcome)
				return out, metadata, err
			}), middleware.Before)
		})
	}
}
