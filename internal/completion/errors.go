package completion

import (
	"errors"
	"fmt"
)

// Why an upload is not complete. Faults of S3 are errors of the package store.
var (
	// ErrPending: the completion goes on.
	ErrPending = errors.New("the completion goes on")
	// ErrBusy: too many completions go on, and no slot was free in time.
	ErrBusy = errors.New("too many completions at once")
	// ErrShuttingDown: no completions are begun any more.
	ErrShuttingDown = errors.New("the process is shutting down")
	// ErrReplayable: the grant could change the object after a receipt.
	ErrReplayable = errors.New("the grant can be used again after its receipt")
	// ErrPartsMissing and ErrPartsInvalid: the parts are not all there, or are not
	// those that the browser names.
	ErrPartsMissing = errors.New("parts are missing")
	ErrPartsInvalid = errors.New("the parts are others")
	// ErrGone: S3 knows neither the multipart upload nor its object.
	ErrGone = errors.New("the upload is gone")
	// ErrConflict: the object at the key is another upload.
	ErrConflict = errors.New("the object is another upload")
	// ErrUndecided: the object waits for a verdict of the application.
	ErrUndecided = errors.New("the object waits for a verdict")
	// ErrReleased and ErrRejected: it was decided before.
	ErrReleased = errors.New("the upload was released before")
	ErrRejected = errors.New("the upload was rejected before")
	// ErrTicketInvalid: an object in staging has no ticket that opens.
	ErrTicketInvalid = errors.New("there is no ticket that opens here")
)

// NotInspected is the error of an inspector that has not found anything out.
type NotInspected struct{ Err error }

// Error returns the inspector's.
func (e *NotInspected) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *NotInspected) Unwrap() error { return e.Err }

// GivenUp is what Accept returns of an upload that was given up while it was completed:
// its object is deleted.
type GivenUp struct{ Err error }

// Error returns what whoever waits is told.
func (e *GivenUp) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *GivenUp) Unwrap() error { return e.Err }

// NotAccepted is the error of an application that has not taken a receipt.
type NotAccepted struct{ Err error }

// Error returns the application's.
func (e *NotAccepted) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *NotAccepted) Unwrap() error { return e.Err }

// What is stored is not what was granted; see [Rejected].
var (
	ErrSizeMismatch       = errors.New("the object has another size")
	ErrTypeMismatch       = errors.New("the object has another type")
	ErrAttributesMismatch = errors.New("the object has other attributes")
	ErrChecksumMismatch   = errors.New("the object has another checksum")
	ErrContentMismatch    = errors.New("the content is of another type")
)

// Rejected is the verdict that what arrived is not what was granted, or not what the
// application accepts. It alone has a final object deleted.
type Rejected struct {
	Kind   error  // one of the above, or an error of the application's
	Detail string // for a person; may be empty
	Cause  error  // for the log; may be nil
}

// Error returns the kind and the cause.
func (r *Rejected) Error() string {
	if r.Cause != nil {
		return r.Kind.Error() + ": " + r.Cause.Error()
	}
	return r.Kind.Error()
}

// Unwrap returns the kind.
func (r *Rejected) Unwrap() error { return r.Kind }

// discarded is a verdict by which an upload comes to nothing. What it has in staging
// goes when the verdict was told: a process that dies before leaves it to another.
type discarded struct{ verdict error }

func (d *discarded) Error() string { return d.verdict.Error() }

func (d *discarded) Unwrap() error { return d.verdict }

// PartSizeError is a part that has not the size for which it was signed. It is an
// [ErrPartsInvalid].
type PartSizeError struct{ Number int32 }

// Error names the part.
func (e *PartSizeError) Error() string { return fmt.Sprintf("part %d has another size", e.Number) }

// Unwrap returns ErrPartsInvalid.
func (e *PartSizeError) Unwrap() error { return ErrPartsInvalid }

// SizeError is an upload of unknown size that did not stay within its limits, in
// bytes.
type SizeError struct{ Size, Min, Max int64 }

// Error names the sizes.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%d bytes are not from %d to %d", e.Size, e.Min, e.Max)
}
