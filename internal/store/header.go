package store

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/postern-go/postern/internal/object"
)

// storing gives a request the headers that store h: what is stored has one list,
// and it is not the SDK's.
func storing(h *object.Header) func(*s3.Options) {
	fields := h.AppendFields(nil)
	set := middleware.BuildMiddlewareFunc("StoredHeader", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
		middleware.BuildOutput, middleware.Metadata, error,
	) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("not an HTTP request: %T", in.Request)
		}
		for _, f := range fields {
			request.Header.Set(f.Name, f.Value)
		}
		return next.HandleBuild(ctx, in)
	})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Build.Add(set, middleware.Before) })
}
