package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-go/postern"
)

// GuardDutyOption configures [GuardDuty].
type GuardDutyOption func(map[string]postern.Verdict)

// The statuses of objects that GuardDuty could not scan ("Amazon GuardDuty: S3 object
// potential malware scan result status values").
const (
	// Unsupported: such an object is not scanned. It has a password, for example.
	Unsupported = "UNSUPPORTED"
	// AccessDenied: GuardDuty may not read the object.
	AccessDenied = "ACCESS_DENIED"
	// Failed: GuardDuty has failed.
	Failed = "FAILED"
)

// guardDutyTag is the tag that holds the status.
const guardDutyTag = "GuardDutyMalwareScanStatus"

// GuardDutyStatus sets the verdict of objects that were not scanned: of the status
// [Unsupported], [AccessDenied] or [Failed]. By default it is an error.
func GuardDutyStatus(status string, v postern.Verdict) GuardDutyOption {
	check("GuardDutyStatus", status == Unsupported || status == AccessDenied || status == Failed,
		errors.New("the status is Unsupported, AccessDenied or Failed"))
	checkVerdict("GuardDutyStatus", v)
	return func(verdicts map[string]postern.Verdict) { verdicts[status] = v }
}

// GuardDuty looks at the tag with which Amazon GuardDuty Malware Protection for S3 marks
// what it has scanned: the protection plan of the bucket must tag objects, and cover the
// final keys. Objects in which it finds threats are rejected as [ErrMalware], and one
// without the tag is undecided, so that its upload is completed when somebody asks
// again. It needs s3:GetObjectTagging. Nobody but GuardDuty may be able to set that tag.
func GuardDuty(opts ...GuardDutyOption) Inspector {
	verdicts := map[string]postern.Verdict{
		"":                 postern.Undecided(),
		"NO_THREATS_FOUND": postern.Accepted(),
		"THREATS_FOUND":    postern.Rejected(ErrMalware),
	}
	for _, opt := range opts {
		opt(verdicts)
	}
	return func(ctx context.Context, o *postern.Object) (postern.Verdict, error) {
		tags, err := o.Tags(ctx)
		if err != nil {
			return postern.Verdict{}, err
		}
		status, tagged := tags[guardDutyTag]
		v, known := verdicts[status]
		if !known || tagged && status == "" {
			return postern.Verdict{}, fmt.Errorf("the tag %s is %q", guardDutyTag, status)
		}
		return v, nil
	}
}
