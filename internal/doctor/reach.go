package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/postern-go/postern/internal/store"
)

// reach looks whether S3 is there, has the bucket, and knows both identities. A list has
// an error document, which HEAD has not.
func (e *exam) reach(ctx context.Context) bool {
	all := true
	look := func(check, who string, s *store.Store, denied bool) {
		err := probe(ctx, s, e.Prefix)
		switch {
		case err == nil:
			e.ok(check, "%s answers, and has the bucket %s", e.Server, s.Bucket())
		case errors.Is(err, store.ErrDenied) && isAccessDenied(err) && denied:
			e.ok(check, "%s knows the access key, and does not let it list %s", e.Server, s.Bucket())
		default:
			advice, document := e.advise(err, who)
			e.add(check, Failed, err.Error(), advice, document)
			all = all && isAccessDenied(err)
		}
	}
	if e.Shared {
		look("reach", "signing", e.Signed, !e.Calls)
		return all
	}
	look("reach.service", "service", e.Final, false)
	if e.UploadBucket != e.Bucket {
		look("reach.staging", "service", e.Uploads, false)
	}
	look("reach.signing", "signing", e.Signed, true)
	return all
}

// probe makes the smallest signed call that has an error document.
func probe(ctx context.Context, s *store.Store, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, store.Limits.Call)
	defer cancel()
	_, err := s.Client().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(s.Bucket()), Prefix: &prefix, MaxKeys: aws.Int32(1)})
	return store.Sort("ListObjectsV2", err)
}

// isAccessDenied reports whether S3 knows who asks, and does not let them.
func isAccessDenied(err error) bool {
	var failed *store.Error
	return errors.As(err, &failed) && errors.Is(err, store.ErrDenied) && (failed.Code == "AccessDenied" || failed.Code == "Forbidden")
}

const (
	maxSkew  = 15 * time.Minute // what Amazon takes ("S3 API: RequestTimeTooSkewed")
	mostSkew = time.Minute
)

// clock compares the server's Date with ours.
func (e *exam) clock() {
	if len(e.dates) == 0 {
		e.skip("clock", "the server has told no time")
		return
	}
	// The reading that took least: what is in it beside the skew is the way.
	skew := e.dates[0].own.Sub(e.dates[0].server)
	for _, r := range e.dates[1:] {
		if d := r.own.Sub(r.server); d.Abs() < skew.Abs() {
			skew = d
		}
	}
	e.findings = append(e.findings, clockFinding(skew))
}

func clockFinding(skew time.Duration) Finding {
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	seen := "this machine's clock is " + skew.Abs().Truncate(time.Second).String() + " " + ahead + " the server's"
	advice := "Set the clock of this machine; grants are signed by it, and S3 refuses what is too old or too new."
	switch {
	case skew.Abs() <= mostSkew:
		return Finding{"clock", OK, "this machine's clock and the server's differ by less than " + mostSkew.String(), "", ""}
	case skew.Abs() < maxSkew/3:
		return Finding{"clock", Warning, seen, advice, "timedatectl set-ntp true"}
	}
	return Finding{"clock", Failed, seen, advice, "timedatectl set-ntp true"}
}
