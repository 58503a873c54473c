package postern

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Problem is a refusal that the browser may see: an RFC 9457 problem document
// with a stable code. Two problems are the same to [errors.Is] when their codes
// are. A Problem does not change; its With methods return copies.
type Problem struct {
	// Status is the HTTP status. One that is no error's, such as 0, becomes 500.
	Status int
	// Code is stable and meant for programs: "size_too_large".
	Code string
	// Detail is meant for a person. It is sent as it is: it must hold no secret.
	Detail string
	// MinSize and MaxSize are the limits in bytes that were missed, if any.
	MinSize, MaxSize int64
	// AllowedTypes are the patterns of which the type met none, if any.
	AllowedTypes []string
	// RetryAfter tells when trying again may help. It is sent in whole seconds.
	RetryAfter time.Duration

	cause error
}

// The problems that Postern answers with. Authorizers and rules return
// [ErrUnauthenticated], [ErrForbidden] or a Problem of their own.
var (
	ErrMalformed         = &Problem{Status: 400, Code: "malformed_request", Detail: "The request is not the JSON object that is expected here."}
	ErrBodyTooLarge      = &Problem{Status: 413, Code: "body_too_large", Detail: "The request is too large."}
	ErrNotJSON           = &Problem{Status: 415, Code: "unsupported_media_type", Detail: "The request must have the Content-Type application/json."}
	ErrNotFound          = &Problem{Status: 404, Code: "not_found", Detail: "There is nothing at this address."}
	ErrMethodNotAllowed  = &Problem{Status: 405, Code: "method_not_allowed", Detail: "This address answers POST requests only."}
	ErrCrossOrigin       = &Problem{Status: 403, Code: "cross_origin", Detail: "Requests from this origin are refused. The server can admit it with postern.WithTrustedOrigins."}
	ErrUnauthenticated   = &Problem{Status: 401, Code: "unauthenticated", Detail: "Sign in to upload files."}
	ErrForbidden         = &Problem{Status: 403, Code: "forbidden", Detail: "You may not upload this file here."}
	ErrFilenameRequired  = &Problem{Status: 400, Code: "filename_required", Detail: "The file needs a name."}
	ErrSizeRequired      = &Problem{Status: 400, Code: "size_required", Detail: "The size of the file in bytes is needed."}
	ErrSizeInvalid       = &Problem{Status: 400, Code: "size_invalid", Detail: "The size of the file is not a number of bytes."}
	ErrSizeTooSmall      = &Problem{Status: 400, Code: "size_too_small", Detail: "The file is too small."}
	ErrSizeTooLarge      = &Problem{Status: 413, Code: "size_too_large", Detail: "The file is too large."}
	ErrTypeInvalid       = &Problem{Status: 400, Code: "type_invalid", Detail: "The type of the file is not a media type such as image/png."}
	ErrTypeNotAllowed    = &Problem{Status: 415, Code: "type_not_allowed", Detail: "Files of this type are not accepted."}
	ErrChecksumInvalid   = &Problem{Status: 400, Code: "checksum_invalid", Detail: "The checksum is not the base64 of a SHA-256."}
	ErrChecksumRequired  = &Problem{Status: 400, Code: "checksum_required", Detail: "The SHA-256 of the file is needed."}
	ErrMetadataInvalid   = &Problem{Status: 400, Code: "metadata_invalid", Detail: "The metadata is too large or has characters that cannot be stored."}
	ErrCredentials       = &Problem{Status: 503, Code: "credentials_unavailable", Detail: "Uploads are not possible right now. Try again in a moment.", RetryAfter: 5 * time.Second}
	ErrPrincipalInvalid  = &Problem{Status: 500, Code: "principal_invalid", Detail: "The server cannot name a place for your uploads."}
	ErrKeyInvalid        = &Problem{Status: 500, Code: "key_invalid", Detail: "The server could not name the file."}
	ErrAttributesInvalid = &Problem{Status: 500, Code: "attributes_invalid", Detail: "The server could not describe the file."}
	ErrChainIncomplete   = &Problem{Status: 500, Code: "chain_incomplete", Detail: "The server is not set up to decide about this upload."}
	ErrSubjectMissing    = &Problem{Status: 500, Code: "subject_missing", Detail: "The server let this request pass without saying whose it is."}
	ErrInternal          = &Problem{Status: 500, Code: "internal", Detail: "Something went wrong on the server."}
	ErrRedirectInvalid   = &Problem{Status: 500, Code: "redirect_invalid", Detail: "The server's redirect is not possible here."}

	ErrModeUnsupported     = &Problem{Status: 400, Code: "mode_unsupported", Detail: "Files cannot be uploaded in this way here."}
	ErrCompletionRequired  = &Problem{Status: 400, Code: "completion_required", Detail: "Uploads must be completed here, which this way of uploading cannot do."}
	ErrPartSizeInvalid     = &Problem{Status: 400, Code: "part_size_invalid", Detail: "The file cannot be uploaded in parts of this size."}
	ErrChecksumUnsupported = &Problem{Status: 400, Code: "checksum_unsupported", Detail: "A file that is uploaded in parts has no checksum as a whole. Send one of each part instead."}
	ErrTicketInvalid       = &Problem{Status: 400, Code: "ticket_invalid", Detail: "This upload is not known here. Begin it again."}
	ErrTicketExpired       = &Problem{Status: 410, Code: "ticket_expired", Detail: "The upload took too long. Begin it again."}
	ErrTicketForeign       = &Problem{Status: 403, Code: "ticket_foreign", Detail: "This upload was begun by someone else."}
	ErrPartsInvalid        = &Problem{Status: 400, Code: "parts_invalid", Detail: "These are not parts of this upload."}
	ErrPartsMissing        = &Problem{Status: 409, Code: "parts_missing", Detail: "Not all of the file has arrived."}
	ErrNotMultipart        = &Problem{Status: 400, Code: "not_multipart", Detail: "This upload is not made of parts."}
	ErrUploadGone          = &Problem{Status: 404, Code: "upload_gone", Detail: "This upload was completed, given up, or has expired."}
	ErrObjectMissing       = &Problem{Status: 404, Code: "object_missing", Detail: "The file has not arrived."}
	ErrObjectConflict      = &Problem{Status: 409, Code: "object_conflict", Detail: "Another file is in this one's place. Upload it again."}
	ErrObjectChanged       = &Problem{Status: 409, Code: "object_changed", Detail: "The file was replaced while it was being checked. Try again."}
	ErrNotSealed           = &Problem{Status: 409, Code: "not_sealed", Detail: "This upload cannot be completed: nothing keeps it from changing."}
	ErrSizeMismatch        = &Problem{Status: 422, Code: "size_mismatch", Detail: "The file that arrived has another size than was declared."}
	ErrTypeMismatch        = &Problem{Status: 422, Code: "type_mismatch", Detail: "The file that arrived has another type than was declared."}
	ErrAttributesMismatch  = &Problem{Status: 422, Code: "attributes_mismatch", Detail: "The file that arrived is not stored as was agreed."}
	ErrChecksumMismatch    = &Problem{Status: 422, Code: "checksum_mismatch", Detail: "The file that arrived is not the file that was declared."}
	ErrContentMismatch     = &Problem{Status: 422, Code: "content_mismatch", Detail: "The content of the file is not of the type that was declared."}
	ErrHookFailed          = &Problem{Status: 503, Code: "completion_failed", Detail: "The upload is there, but the server could not take note of it. Try again in a moment.", RetryAfter: 5 * time.Second}
	ErrBusy                = &Problem{Status: 503, Code: "busy", Detail: "Too many uploads are being completed. Try again in a moment.", RetryAfter: 5 * time.Second}
	ErrStorage             = &Problem{Status: 503, Code: "storage_unavailable", Detail: "The storage does not answer. Try again in a moment.", RetryAfter: 5 * time.Second}
	ErrStorageDenied       = &Problem{Status: 500, Code: "storage_denied", Detail: "The server may not do this in its storage."}
)

// Error returns the code, the detail, and the cause if there is one. The cause
// is for logs: it is never sent.
func (p *Problem) Error() string {
	if p == nil {
		return "a nil *Problem is an error all the same"
	}
	s := p.Code + ": " + p.Detail
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
	return ok && p != nil && t != nil && t.Code == p.Code
}

// WithDetail returns a copy that says something else to the person.
func (p *Problem) WithDetail(detail string) *Problem {
	c := *p
	c.Detail = detail
	return &c
}

// WithCause returns a copy that remembers why, for the log and for [errors.Is].
func (p *Problem) WithCause(err error) *Problem {
	c := *p
	c.cause = err
	return &c
}

// problemOf finds the Problem in an error. Any other error is internal, and
// nothing of its text is sent.
func problemOf(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) || p == nil {
		return ErrInternal
	}
	if p.Status < 400 || p.Status > 599 {
		c := *p
		c.Status = http.StatusInternalServerError
		return &c
	}
	return p
}

// appendJSON appends the problem document (RFC 9457 §3). There is no type
// member, so the title is that of the status.
func (p *Problem) appendJSON(b []byte) []byte {
	b = append(b, `{"title":`...)
	b = appendJSONString(b, http.StatusText(p.Status))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = append(b, `,"code":`...)
	b = appendJSONString(b, p.Code)
	b = append(b, `,"detail":`...)
	b = appendJSONString(b, p.Detail)
	if p.MinSize > 0 {
		b = append(b, `,"min_size":`...)
		b = strconv.AppendInt(b, p.MinSize, 10)
	}
	if p.MaxSize > 0 {
		b = append(b, `,"max_size":`...)
		b = strconv.AppendInt(b, p.MaxSize, 10)
	}
	if len(p.AllowedTypes) > 0 {
		b = append(b, `,"allowed_types":[`...)
		for i, t := range p.AllowedTypes {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, t)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// writeProblem answers with the problem document.
func writeProblem(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch p.Status {
	case http.StatusUnauthorized:
		// RFC 9110 §15.5.2 wants a challenge; middleware may have set its own.
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", "Bearer")
		}
	case http.StatusMethodNotAllowed:
		if h.Get("Allow") == "" {
			h.Set("Allow", http.MethodPost)
		}
	}
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.appendJSON(nil))
}
