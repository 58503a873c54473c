package postern

import "slices"

// Codes returns the codes of all problems of this package, and those for which
// [ReconcileReport] counts what is no problem of a browser's, sorted. Problems of your own
// have others.
func Codes() []string {
	codes := make([]string, 0, len(problems)+len(reasons))
	for _, p := range problems {
		codes = append(codes, p.code)
	}
	for _, r := range reasons {
		codes = append(codes, r.code)
	}
	slices.Sort(codes)
	return codes
}

// problems are those of problem.go.
var problems = []*Problem{
	ErrMalformedRequest,
	ErrBodyTooLarge,
	ErrUnsupportedMediaType,
	ErrNotFound,
	ErrMethodNotAllowed,
	ErrCrossOrigin,
	ErrUnauthenticated,
	ErrForbidden,
	ErrFilenameRequired,
	ErrSizeRequired,
	ErrSizeInvalid,
	ErrSizeTooSmall,
	ErrSizeTooLarge,
	ErrTypeInvalid,
	ErrTypeNotAllowed,
	ErrChecksumInvalid,
	ErrChecksumRequired,
	ErrMetadataInvalid,
	ErrCredentialsUnavailable,
	ErrPrincipalInvalid,
	ErrKeyInvalid,
	ErrAttributesInvalid,
	ErrChainIncomplete,
	ErrSubjectMissing,
	ErrInternal,
	ErrTooManyFiles,
	ErrQuotaExceeded,
	ErrFilesExceeded,
	ErrUploadsExceeded,
	ErrRateExceeded,
	ErrQuotaUnavailable,
	ErrUnexpected,
	ErrRedirectInvalid,
	ErrBucketInvalid,
	ErrBucketMissing,
	ErrBucketChanged,
	ErrModeUnsupported,
	ErrCompletionRequired,
	ErrPartSizeInvalid,
	ErrChecksumUnsupported,
	ErrTicketInvalid,
	ErrTicketExpired,
	ErrTicketForeign,
	ErrPartsInvalid,
	ErrPartsMissing,
	ErrNotMultipart,
	ErrUploadGone,
	ErrObjectMissing,
	ErrObjectConflict,
	ErrObjectChanged,
	ErrReplayable,
	ErrSizeMismatch,
	ErrTypeMismatch,
	ErrAttributesMismatch,
	ErrChecksumMismatch,
	ErrContentMismatch,
	ErrContentRejected,
	ErrInspectionFailed,
	ErrInspectionPending,
	ErrAlreadyReleased,
	ErrAlreadyRejected,
	ErrCompletionFailed,
	ErrBusy,
	ErrShuttingDown,
	ErrStorageUnavailable,
	ErrStorageDenied,
}
