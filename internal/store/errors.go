package store

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	Op     string // as S3 calls it
	Kind   error  // one of the above
	Bucket string // the one that was asked
	Code   string // S3's code, if it sent one
	// What S3 says for a person, at most 256 bytes, and the ids by which its operator
	// finds the request: x-amz-request-id and x-amz-id-2. Each may be empty.
	Message, RequestID, HostID string
	Status                     int // of HTTP; 0 if there was no answer
	// RetryAfter is when S3 wants to be asked again, at most 5 minutes; 0 if it does
	// not say.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.Error()
	if e.Kind == ErrNoBucket && e.Bucket != "" {
		s += " " + strconv.Quote(e.Bucket)
	}
	var said []string
	if what := strings.Trim(e.Code+": "+e.Message, ": "); what != "" {
		said = append(said, what)
	}
	if errors.Is(e.Err, errNotS3) {
		said = append(said, errNotS3.Error())
	}
	if e.Status != 0 {
		said = append(said, "HTTP "+strconv.Itoa(e.Status))
	} else if e.Err != nil {
		said = append(said, clip(rootOf(e.Err)))
	}
	if e.RequestID != "" {
		said = append(said, "request "+e.RequestID)
	}
	if e.HostID != "" {
		said = append(said, "host "+e.HostID)
	}
	if len(said) == 0 {
		return s
	}
	return s + " (" + strings.Join(said, ", ") + ")"
}

// rootOf says why there was no answer.
func rootOf(err error) string {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
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
	"TemporaryRedirect":          ErrUnavailable,
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
func (s *Store) fail(op string, err error) error {
	err = Sort(op, err)
	var e *Error
	if errors.As(err, &e) {
		e.Bucket = s.bucket
	}
	return err
}

// Sort makes an error of this package of one of the SDK's; nil stays nil.
func Sort(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Err: err}
	e.read(err)
	e.Kind = e.kind(err)
	return e
}

// read takes what S3 says from an error of the SDK.
func (e *Error) read(err error) {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
		e.RetryAfter = retryAfter(response.Response.Header.Get("Retry-After"))
	}
	var ids s3.ResponseError
	if errors.As(err, &ids) {
		e.RequestID, e.HostID = clip(ids.ServiceRequestID()), clip(ids.ServiceHostID())
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message = clip(api.ErrorCode()), clip(api.ErrorMessage())
	}
	if e.Message == http.StatusText(e.Status) || e.Message == e.Code { // the SDK's own words
		e.Message = ""
	}
}

// kind sorts an error of the SDK that was read.
func (e *Error) kind(err error) error {
	known, isKnown := codes[e.Code]
	byStatus := statuses[e.Status]
	var unreadable *smithy.DeserializationError
	switch {
	case errors.Is(err, errNotS3):
		return ErrUnavailable
	case isKnown:
		return known
	case temporary(e.Code), cutOff(err):
		return ErrUnavailable
	case byStatus != nil:
		return byStatus
	case e.Status == http.StatusBadRequest && e.Code == "BadRequest" && strings.HasPrefix(e.Op, "Head"):
		// An answer to HEAD has no code, and what S3 says most often with 400 is that a
		// token has expired.
		return ErrUnavailable
	case e.Status/100 == 2 && errors.As(err, &unreadable), unreachable(err):
		return ErrUnavailable
	}
	return ErrUnexpected
}

// maxRetryAfter bounds what S3 asks for.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 §10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(time.Until(at), maxRetryAfter))
}

// maxText is how much of what S3 says is kept, in bytes.
const maxText = 256

// secrets are what no message of S3's should hold: a signature or another hash of 256
// bits, and a session token.
var secrets = regexp.MustCompile(`[0-9A-Fa-f]{64,}|[0-9A-Za-z+/=_-]{100,}`)

// clip makes text of S3's fit for a log.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return ' '
	}, s)
	s = strings.Join(strings.Fields(secrets.ReplaceAllString(s, "…")), " ")
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
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
