package store

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Kinds of errors; test for them with [errors.Is].
var (
	ErrNotFound    = errors.New("no such object")
	ErrNoBucket    = errors.New("no such bucket")
	ErrNoUpload    = errors.New("no such multipart upload")
	ErrExists      = errors.New("the object exists")
	ErrChanged     = errors.New("the object has changed")
	ErrConflict    = errors.New("another request is at the same object")
	ErrParts       = errors.New("the parts are not those that were uploaded")
	ErrRange       = errors.New("the object is shorter")
	ErrDenied      = errors.New("access denied")
	ErrUnavailable = errors.New("S3 is unavailable")
	ErrUnexpected  = errors.New("unexpected answer")
)

// Error is a call that failed.
type Error struct {
	Op   string // as S3 calls it
	Kind error  // one of the above
	Code string // S3's code, if it sent one
	Err  error
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.Error()
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	return s
}

// Is reports whether target is the kind.
func (e *Error) Is(target error) bool { return target == e.Kind }

// Unwrap returns what the SDK said.
func (e *Error) Unwrap() error { return e.Err }

// codes are S3's own words ("S3 API: Error Responses").
var codes = map[string]error{
	"NoSuchKey":                  ErrNotFound,
	"NotFound":                   ErrNotFound,
	"NoSuchBucket":               ErrNoBucket,
	"NoSuchUpload":               ErrNoUpload,
	"PreconditionFailed":         ErrExists,
	"ConditionalRequestConflict": ErrConflict,
	"OperationAborted":           ErrConflict,
	"InvalidPart":                ErrParts,
	"InvalidPartOrder":           ErrParts,
	"EntityTooSmall":             ErrParts,
	"InvalidRange":               ErrRange,
	"AccessDenied":               ErrDenied,
	"Forbidden":                  ErrDenied,
	"InvalidAccessKeyId":         ErrDenied,
	"SignatureDoesNotMatch":      ErrDenied,
	"ExpiredToken":               ErrUnavailable, // until the provider has new ones
	"ServiceUnavailable":         ErrUnavailable,
	"InternalError":              ErrUnavailable,
}

// temporary reports whether the SDK takes a code for throttling or a timeout.
func temporary(code string) bool {
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, retryable := retry.DefaultRetryableErrorCodes[code]
	return throttled || retryable
}

// statuses are for answers without a body, such as those to HEAD.
var statuses = map[int]error{
	http.StatusNotFound:            ErrNotFound,
	http.StatusPreconditionFailed:  ErrExists,
	http.StatusConflict:            ErrConflict,
	http.StatusForbidden:           ErrDenied,
	http.StatusUnauthorized:        ErrDenied,
	http.StatusTooManyRequests:     ErrUnavailable,
	http.StatusInternalServerError: ErrUnavailable,
	http.StatusBadGateway:          ErrUnavailable,
	http.StatusServiceUnavailable:  ErrUnavailable,
	http.StatusGatewayTimeout:      ErrUnavailable,
}

// fail sorts an error of the SDK; nil stays nil.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Kind: ErrUnexpected, Err: err}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code = api.ErrorCode()
	}
	var response *awshttp.ResponseError
	hasResponse := errors.As(err, &response)
	switch kind, known := codes[e.Code]; {
	case known:
		e.Kind = kind
	case temporary(e.Code), cutOff(err):
		e.Kind = ErrUnavailable
	case hasResponse && statuses[response.HTTPStatusCode()] != nil:
		e.Kind = statuses[response.HTTPStatusCode()]
	case unreachable(err):
		e.Kind = ErrUnavailable
	}
	return e
}

// ifChanged sorts a 412 that is about an ETag: something is there, and is another.
func ifChanged(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Kind == ErrExists {
		e.Kind = ErrChanged
	}
	return err
}

// cutOff reports whether an answer ended in the middle.
func cutOff(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }

// unreachable reports whether S3 gave no answer at all.
func unreachable(err error) bool {
	var netErr net.Error
	var sendErr *awshttp.ResponseError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.As(err, &netErr) || !errors.As(err, &sendErr)
}

// Interrupted makes an error of an object that could not be read to its end.
func Interrupted(err error) error { return &Error{Op: "GetObject", Kind: ErrUnavailable, Err: err} }

// Sort makes an error of this package of one of the SDK's; nil stays nil.
func Sort(op string, err error) error { return fail(op, err) }
