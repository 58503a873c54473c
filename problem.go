package postern

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/internal/store"
)

// Problem is a refusal that the browser may see: an RFC 9457 problem document
// with a stable code. Two problems are the same to [errors.Is] when their codes
// are. A Problem does not change; its With methods return copies.
type Problem struct {
	status           int
	code, detail     string
	minSize, maxSize int64
	allowedTypes     []string
	used, limit      int64
	counted          bool // used and limit mean something
	retryAfter       time.Duration
	ended            bool
	cause            error
}

// NewProblem returns a Problem of your own. status is the HTTP status; one below
// 400 or above 599 becomes 500. code is stable and meant for programs, such as
// "quota_exceeded". detail is meant for a person, and sent as it is: it must hold
// no secret.
func NewProblem(status int, code, detail string) *Problem {
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	return &Problem{status: status, code: code, detail: detail}
}

// The problems that Postern answers with. Authorizers and rules return
// [ErrUnauthenticated], [ErrForbidden] or a Problem of their own.
var (
	ErrMalformedRequest       = NewProblem(400, "malformed_request", "The request is not the JSON object that is expected here.")
	ErrBodyTooLarge           = NewProblem(413, "body_too_large", "The request is too large.")
	ErrUnsupportedMediaType   = NewProblem(415, "unsupported_media_type", "The request must have the Content-Type application/json.")
	ErrNotFound               = NewProblem(404, "not_found", "There is nothing at this address.")
	ErrMethodNotAllowed       = NewProblem(405, "method_not_allowed", "This address answers POST requests only.")
	ErrCrossOrigin            = NewProblem(403, "cross_origin", "Requests from this origin are refused. The server can admit it with postern.WithTrustedOrigins.")
	ErrUnauthenticated        = NewProblem(401, "unauthenticated", "Sign in to upload files.")
	ErrForbidden              = NewProblem(403, "forbidden", "You may not upload this file here.")
	ErrFilenameRequired       = NewProblem(400, "filename_required", "The file needs a name.")
	ErrSizeRequired           = NewProblem(400, "size_required", "The size of the file in bytes is needed.")
	ErrSizeInvalid            = NewProblem(400, "size_invalid", "The size of the file is not a number of bytes.")
	ErrSizeTooSmall           = NewProblem(400, "size_too_small", "The file is too small.")
	ErrSizeTooLarge           = NewProblem(413, "size_too_large", "The file is too large.")
	ErrTypeInvalid            = NewProblem(400, "type_invalid", "The type of the file is not a media type such as image/png.")
	ErrTypeNotAllowed         = NewProblem(415, "type_not_allowed", "Files of this type are not accepted.")
	ErrChecksumInvalid        = NewProblem(400, "checksum_invalid", "The checksum is not the base64 of a SHA-256.")
	ErrChecksumRequired       = NewProblem(400, "checksum_required", "The SHA-256 of the file is needed.")
	ErrMetadataInvalid        = NewProblem(400, "metadata_invalid", "The metadata is too large or has characters that cannot be stored.")
	ErrCredentialsUnavailable = NewProblem(503, "credentials_unavailable", "Uploads are not possible right now. Try again in a moment.").WithRetryAfter(retryAfter)
	ErrPrincipalInvalid       = NewProblem(500, "principal_invalid", "The server cannot name a place for your uploads.")
	ErrKeyInvalid             = NewProblem(500, "key_invalid", "The server could not name the file.")
	ErrAttributesInvalid      = NewProblem(500, "attributes_invalid", "The server could not describe the file.")
	ErrChainIncomplete        = NewProblem(500, "chain_incomplete", "The server is not set up to decide about this upload.")
	ErrSubjectMissing         = NewProblem(500, "subject_missing", "The server let this request pass without saying whose it is.")
	ErrInternal               = NewProblem(500, "internal", "Something went wrong on the server.")
	ErrTooManyFiles           = NewProblem(400, "too_many_files", "There are too many files in one request.")
	ErrUnexpected             = NewProblem(500, "unexpected", "The server has answered something else than was expected.")
	ErrRedirectInvalid        = NewProblem(500, "redirect_invalid", "The server's redirect is not possible here.")

	ErrBucketInvalid = NewProblem(500, "bucket_invalid", "The server has no good place for your uploads.")
	ErrBucketMissing = NewProblem(500, "bucket_missing", "The place for your uploads is not there.")
	ErrBucketChanged = NewProblem(409, "bucket_changed", "Your uploads have another place now. Begin this one again.").end()

	ErrQuotaExceeded    = NewProblem(413, "quota_exceeded", "There is no room for this file.")
	ErrFilesExceeded    = NewProblem(413, "files_exceeded", "There is no room for another file.")
	ErrUploadsExceeded  = NewProblem(429, "uploads_exceeded", "Too many uploads are under way. Try again when one has ended.")
	ErrRateExceeded     = NewProblem(429, "rate_exceeded", "Too many uploads were begun. Try again in a moment.")
	ErrQuotaUnavailable = NewProblem(503, "quota_unavailable", "Uploads are not possible right now. Try again in a moment.").WithRetryAfter(retryAfter)

	ErrModeUnsupported     = NewProblem(400, "mode_unsupported", "Files cannot be uploaded in this way here.")
	ErrCompletionRequired  = NewProblem(400, "completion_required", "Uploads must be completed here, which this way of uploading cannot do.")
	ErrPartSizeInvalid     = NewProblem(400, "part_size_invalid", "The file cannot be uploaded in parts of this size.")
	ErrChecksumUnsupported = NewProblem(400, "checksum_unsupported", "A file that is uploaded in parts has no checksum as a whole. Send one of each part instead.")
	ErrTicketInvalid       = NewProblem(400, "ticket_invalid", "This upload is not known here. Begin it again.")
	ErrTicketExpired       = NewProblem(410, "ticket_expired", "The upload took too long. Begin it again.").end()
	ErrTicketForeign       = NewProblem(403, "ticket_foreign", "This upload was begun by someone else.")
	ErrPartsInvalid        = NewProblem(400, "parts_invalid", "These are not parts of this upload.")
	ErrPartsMissing        = NewProblem(409, "parts_missing", "Not all of the file has arrived.")
	ErrNotMultipart        = NewProblem(400, "not_multipart", "This upload is not made of parts.")
	ErrUploadGone          = NewProblem(404, "upload_gone", "This upload was completed, given up, or has expired.").end()
	ErrObjectMissing       = NewProblem(404, "object_missing", "The file has not arrived.")
	ErrObjectConflict      = NewProblem(409, "object_conflict", "Another file is in this one's place. Upload it again.").end()
	ErrObjectChanged       = NewProblem(409, "object_changed", "The file was replaced while it was being checked. Try again.")
	ErrReplayable          = NewProblem(409, "replayable", "This upload cannot be completed: nothing keeps the file from being replaced afterwards.")
	ErrSizeMismatch        = NewProblem(422, "size_mismatch", "The file that arrived has another size than was declared.").end()
	ErrTypeMismatch        = NewProblem(422, "type_mismatch", "The file that arrived has another type than was declared.").end()
	ErrAttributesMismatch  = NewProblem(422, "attributes_mismatch", "The file that arrived is not stored as was agreed.").end()
	ErrChecksumMismatch    = NewProblem(422, "checksum_mismatch", "The file that arrived is not the file that was declared.").end()
	ErrContentMismatch     = NewProblem(422, "content_mismatch", "The content of the file is not of the type that was declared.").end()
	ErrContentRejected     = NewProblem(422, "content_rejected", "The file was looked at, and is not accepted.").end()
	ErrInspectionFailed    = NewProblem(503, "inspection_failed", "The upload is there, but the server could not look at it. Try again in a moment.").WithRetryAfter(retryAfter)
	ErrInspectionPending   = NewProblem(503, "inspection_pending", "The file is being looked at. Ask again in a while.").WithRetryAfter(undecidedRetryAfter)
	ErrAlreadyReleased     = NewProblem(409, "already_released", "This upload was accepted before.")
	ErrAlreadyRejected     = NewProblem(409, "already_rejected", "This upload was rejected before.")
	ErrCompletionFailed    = NewProblem(503, "completion_failed", "The upload is there, but the server could not take note of it. Try again in a moment.").WithRetryAfter(retryAfter)
	ErrBusy                = NewProblem(503, "busy", "Too many uploads are being completed. Try again in a moment.").WithRetryAfter(retryAfter)
	ErrShuttingDown        = NewProblem(503, "shutting_down", "The server is being restarted. Try again in a moment.").WithRetryAfter(restartRetryAfter)
	ErrStorageUnavailable  = NewProblem(503, "storage_unavailable", "The storage does not answer. Try again in a moment.").WithRetryAfter(retryAfter)
	ErrStorageDenied       = NewProblem(500, "storage_denied", "The server may not do this in its storage.")
)

// retryAfter is when trying again may help against what passes by itself.
const retryAfter = 5 * time.Second

// restartRetryAfter is when another replica, or this one, may take what this one does
// not take any more.
const restartRetryAfter = 2 * time.Second

// Status returns the HTTP status, from 400 to 599.
func (p *Problem) Status() int { return p.status }

// Code returns the code, which is stable and meant for programs.
func (p *Problem) Code() string { return p.code }

// Detail returns what a person is told.
func (p *Problem) Detail() string { return p.detail }

// MinSize returns the limit in bytes that was not reached, or 0.
func (p *Problem) MinSize() int64 { return p.minSize }

// MaxSize returns the limit in bytes that was exceeded, or 0.
func (p *Problem) MaxSize() int64 { return p.maxSize }

// AllowedTypes returns the patterns of which the type met none, if any.
func (p *Problem) AllowedTypes() []string { return slices.Clone(p.allowedTypes) }

// Usage returns how much of a limit was used, if the problem is about one: bytes, or a
// number of files, of uploads, or of grants in a minute, as its code tells.
func (p *Problem) Usage() (used, limit int64, ok bool) { return p.used, p.limit, p.counted }

// RetryAfter returns when trying again may help, or 0. It is sent in whole seconds.
func (p *Problem) RetryAfter() time.Duration { return p.retryAfter }

// Ended reports whether the upload has come to its end: a client may forget what it
// kept of it. After a lost answer, upload_gone of [ListHandler] may mean that it was
// completed: [CompleteHandler] tells.
func (p *Problem) Ended() bool { return p.ended }

// Error returns the code, the detail, and the cause if there is one. The cause
// is for logs: it is never sent.
func (p *Problem) Error() string {
	if p == nil {
		return "nil problem"
	}
	s := p.code + ": " + p.detail
	if p.cause != nil {
		s += " (" + p.cause.Error() + ")"
	}
	return s
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error {
	if p == nil {
		return nil
	}
	return p.cause
}

// Is reports whether target is a Problem with the same code.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && p != nil && t != nil && t.code == p.code
}

// WithDetail returns a copy that says something else to the person.
func (p *Problem) WithDetail(detail string) *Problem {
	c := *p
	c.detail = detail
	return &c
}

// WithCause returns a copy that remembers why, for the log and for [errors.Is].
func (p *Problem) WithCause(err error) *Problem {
	c := *p
	c.cause = err
	return &c
}

// WithLimits returns a copy that names the limits in bytes that were missed; 0
// names none.
func (p *Problem) WithLimits(minSize, maxSize int64) *Problem {
	c := *p
	c.minSize, c.maxSize = minSize, maxSize
	return &c
}

// WithAllowedTypes returns a copy that names the patterns of which the type met
// none.
func (p *Problem) WithAllowedTypes(patterns ...string) *Problem {
	c := *p
	c.allowedTypes = slices.Clone(patterns)
	return &c
}

// WithUsage returns a copy that names how much of a limit was used.
func (p *Problem) WithUsage(used, limit int64) *Problem {
	c := *p
	c.used, c.limit, c.counted = used, limit, true
	return &c
}

// WithRetryAfter returns a copy that tells when trying again may help.
func (p *Problem) WithRetryAfter(d time.Duration) *Problem {
	c := *p
	c.retryAfter = d
	return &c
}

func (p *Problem) end() *Problem {
	c := *p
	c.ended = true
	return &c
}

// MarshalJSON writes the problem document (RFC 9457 §3). There is no type member,
// so the title is that of the status.
func (p *Problem) MarshalJSON() ([]byte, error) { return p.appendJSON(nil), nil }

func (p *Problem) appendJSON(b []byte) []byte {
	b = append(b, `{"title":`...)
	b = jsontext.AppendString(b, http.StatusText(p.status))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.status), 10)
	b = append(b, `,"code":`...)
	b = jsontext.AppendString(b, p.code)
	b = append(b, `,"detail":`...)
	b = jsontext.AppendString(b, p.detail)
	if p.minSize > 0 {
		b = append(b, `,"min_size":`...)
		b = strconv.AppendInt(b, p.minSize, 10)
	}
	if p.maxSize > 0 {
		b = append(b, `,"max_size":`...)
		b = strconv.AppendInt(b, p.maxSize, 10)
	}
	if len(p.allowedTypes) > 0 {
		b = append(b, `,"allowed_types":[`...)
		for i, t := range p.allowedTypes {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendString(b, t)
		}
		b = append(b, ']')
	}
	if p.counted {
		b = strconv.AppendInt(append(b, `,"used":`...), p.used, 10)
		b = strconv.AppendInt(append(b, `,"limit":`...), p.limit, 10)
	}
	if p.ended {
		b = append(b, `,"ended":true`...)
	}
	return append(b, '}')
}

// SetHeader sets the headers that go with the problem document, for a [Dialect]
// that writes one itself: Content-Type, Cache-Control, X-Content-Type-Options,
// Retry-After where there is one and, unless they are there, the challenge of a 401
// (RFC 9110 §15.5.2) and Allow of a 405.
func (p *Problem) SetHeader(h http.Header) {
	setHeader(h, "application/problem+json")
	if p.status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.status == http.StatusMethodNotAllowed && h.Get("Allow") == "" {
		h.Set("Allow", http.MethodPost)
	}
	if p.retryAfter > 0 {
		seconds := (p.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}

// Refuse answers with the problem in err, in the dialect of the request, logs it,
// and shows it to the observers. It is the one place that does: middleware of your
// own calls it too. An error without a [Problem] is a 500 whose text is logged and
// never sent. Before [Decode] the answer is in [Native].
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	u := UploadFrom(r.Context())
	u.environment().refuse(w, r, u, err)
}

func (e *environment) refuse(w http.ResponseWriter, r *http.Request, u *Upload, err error) {
	p := problemOf(err)
	e.decide(r, u, Decision{Status: p.status, Code: p.code, Err: err})
	e.dialect.WriteProblem(w, r, p)
}

// problemOf finds the Problem in an error. Any other error is internal, and
// nothing of its text is sent.
func problemOf(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) || p == nil || p.status == 0 {
		return ErrInternal
	}
	return p
}

// engineProblems are what the errors of completion and S3 are to a browser.
var engineProblems = []struct {
	err     error
	problem *Problem
}{
	{completion.ErrBusy, ErrBusy},
	{completion.ErrShuttingDown, ErrShuttingDown},
	{completion.ErrReplayable, ErrReplayable},
	{completion.ErrPartsMissing, ErrPartsMissing},
	{completion.ErrPartsInvalid, ErrPartsInvalid},
	{completion.ErrGone, ErrUploadGone},
	{completion.ErrConflict, ErrObjectConflict},
	{completion.ErrUndecided, ErrInspectionPending},
	{completion.ErrReleased, ErrAlreadyReleased},
	{completion.ErrRejected, ErrAlreadyRejected},
	{completion.ErrTicketInvalid, ErrTicketInvalid},
	{completion.ErrSizeMismatch, ErrSizeMismatch},
	{completion.ErrTypeMismatch, ErrTypeMismatch},
	{completion.ErrAttributesMismatch, ErrAttributesMismatch},
	{completion.ErrChecksumMismatch, ErrChecksumMismatch},
	{completion.ErrContentMismatch, ErrContentMismatch},

	{store.ErrNoBucket, ErrBucketMissing},
	{store.ErrNotFound, ErrObjectMissing},
	{store.ErrNoUpload, ErrUploadGone},
	{store.ErrExists, ErrObjectConflict},
	{store.ErrChanged, ErrObjectChanged},
	{store.ErrConflict, ErrObjectChanged},
	{store.ErrParts, ErrPartsInvalid},
	{store.ErrDenied, ErrStorageDenied},
	{store.ErrUnavailable, ErrStorageUnavailable},
}

// engineProblem makes a problem of an error of completion or S3; nil stays nil.
func engineProblem(err error) error {
	var own *Problem
	var rejected *completion.Rejected
	var part *completion.PartSizeError
	var size *completion.SizeError
	var s3 *store.Error
	switch {
	case err == nil, errors.As(err, &own):
		return err
	case errors.As(err, &size):
		return limits{size.Min, size.Max}.admit(size.Size)
	}
	for _, known := range engineProblems {
		if !errors.Is(err, known.err) {
			continue
		}
		p := known.problem.WithCause(err)
		switch {
		case errors.As(err, &part):
			p = p.WithDetail("Part " + strconv.Itoa(int(part.Number)) + " has the wrong size.")
		case errors.As(err, &rejected) && rejected.Detail != "":
			p = p.WithDetail(rejected.Detail)
		case p.retryAfter > 0 && errors.As(err, &s3) && s3.RetryAfter > 0:
			p = p.WithRetryAfter(s3.RetryAfter)
		}
		return p
	}
	return err
}
