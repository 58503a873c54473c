package store

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// unsigned are headers that the SDK signs and need not be: front ends, such as
// Google's, and proxies change them on the way, and then every call fails
// (SignatureDoesNotMatch). S3 asks for host, content-md5 and x-amz-* alone ("S3 API:
// Authenticating Requests").
var unsigned = []string{"Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"}

type keptHeader struct{}

// signLittle takes the headers away before a request is signed, and puts them back.
func signLittle(o *s3.Options) {
	header := func(in middleware.FinalizeInput) http.Header { return in.Request.(*smithyhttp.Request).Header }
	take := middleware.FinalizeMiddlewareFunc("TakeUnsignedHeaders", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		h, kept := header(in), http.Header{}
		for _, name := range unsigned {
			if values, ok := h[name]; ok {
				kept[name] = values
				delete(h, name)
			}
		}
		return next.HandleFinalize(context.WithValue(ctx, keptHeader{}, kept), in)
	})
	put := middleware.FinalizeMiddlewareFunc("PutUnsignedHeaders", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		kept, _ := ctx.Value(keptHeader{}).(http.Header)
		for name, values := range kept {
			header(in)[name] = values
		}
		return next.HandleFinalize(ctx, in)
	})
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		if err := stack.Finalize.Insert(take, "Signing", middleware.Before); err != nil {
			return err
		}
		return stack.Finalize.Insert(put, "Signing", middleware.After)
	})
}
