package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// markCutOff makes every answer that breaks off [io.ErrUnexpectedEOF], as one over
// HTTP/1.1 is: net/http does not export what a reset stream of HTTP/2 ends with.
func markCutOff(o *s3.Options) {
	mark := middleware.DeserializeMiddlewareFunc("MarkCutOff", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil && response.Body != nil {
			response.Body = markedBody{response.Body}
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(mark, middleware.After)
	})
}

type markedBody struct{ io.ReadCloser }

func (b markedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}

// errNotS3 is an answer that somebody else gave in S3's place.
var errNotS3 = errors.New("not an answer of S3's")

// refusePages makes an error of a page that a proxy, a portal or a front end answers
// with, whatever its status says.
func refusePages(o *s3.Options) {
	refuse := middleware.DeserializeMiddlewareFunc("RefusePages", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && isPage(response.Response) {
			err = errNotS3
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(refuse, middleware.After)
	})
}

// isPage reports whether an answer is certainly not S3's. Its own redirects, and what it
// says of objects that are text, have headers by which it is known.
func isPage(r *http.Response) bool {
	switch {
	case bearsS3(r):
		return false
	case r.StatusCode >= 500, r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden:
		return false // which means the same whoever says it
	case r.StatusCode/100 == 3 && r.Header.Get("Content-Type") == "":
		return true
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == "text/html" || t == "text/plain"
}

// bearsS3 reports whether an answer has a header of S3's own, such as the id of a
// request.
func bearsS3(r *http.Response) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "X-Goog-") {
			return true
		}
	}
	return false
}

// notS3 is the error of a call whose answer lacks what S3 always says.
func (s *Store) notS3(op string, metadata middleware.Metadata) error {
	e := &Error{Op: op, Kind: ErrUnavailable, Bucket: s.bucket, Err: errNotS3}
	if r := answer(metadata); r != nil {
		e.Status = r.StatusCode
	}
	return e
}

// answer is what a call was answered with.
func answer(metadata middleware.Metadata) *http.Response {
	if r, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
		return r.Response
	}
	return nil
}

// deleted reports whether an answer says that something was deleted: 204, or what else
// is certainly S3's.
func deleted(metadata middleware.Metadata) bool {
	r := answer(metadata)
	return r != nil && (r.StatusCode == http.StatusNoContent || bearsS3(r))
}
