package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/postern-go/postern/internal/documents"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// signerRights looks whether the signing identity may do more than put objects under the
// prefix: whoever holds a grant can do what it can.
func (e *exam) signerRights(ctx context.Context) {
	if e.Shared {
		if e.RejectsUnsigned {
			e.ok("signer", "one identity does everything; the server rejects what was not signed")
		} else {
			e.add("signer", Warning, "one identity does everything, at a server that is not known to reject what was not signed",
				"Sign by an identity of its own: Bucket.Credentials beside Bucket.ServiceCredentials.", e.signingPolicy())
		}
		return
	}
	target := e.key("target")
	if err := e.Uploads.Put(ctx, target, []byte(content)); err != nil {
		e.skip("signer.read", "there is nothing to try it with: "+err.Error())
		return
	}
	e.mayNot("signer.read", "read objects", func() error {
		_, err := e.Signed.Read(ctx, target, 1<<10)
		return err
	})
	e.mayNot("signer.list", "list the bucket", func() error { return probe(ctx, e.Signed, "") })
	e.mayNot("signer.delete", "delete objects", func() error {
		if err := e.Signed.Delete(ctx, target, ""); err != nil {
			return err
		}
		// A delete may be answered well and do nothing.
		if _, err := e.Uploads.Head(ctx, target); err == nil {
			return store.ErrDenied
		}
		return nil
	})
	if e.Prefix == "" {
		e.skip("signer.elsewhere", "grants write anywhere in the bucket")
		return
	}
	e.mayNot("signer.elsewhere", "put objects outside of "+e.Prefix, func() error {
		e.made[e.outside] = e.Uploads
		url, header, err := e.grantPut(ctx, e.outside)
		if err != nil {
			return err
		}
		if a := e.send(ctx, http.MethodPut, url, header, content); a.status/100 != 2 {
			delete(e.made, e.outside)
			return fmt.Errorf("%w: %s", store.ErrDenied, a.String())
		}
		return nil
	})
}

// mayNot tries what the signing identity must not be able to do.
func (e *exam) mayNot(check, what string, try func() error) {
	err := try()
	switch {
	case err == nil && e.Provider == "cloudflare-r2":
		e.add(check, Warning, "the signing identity may "+what, "R2 has no policies that forbid it: keep its bucket for uploads alone.", e.signingPolicy())
	case err == nil:
		e.add(check, Failed, "the signing identity may "+what+", and so may whoever holds a grant, where the server takes what was not signed",
			"Let it put objects where grants write, and nothing else.", e.signingPolicy())
	case errors.Is(err, store.ErrDenied):
		e.ok(check, "the signing identity may not %s", what)
	default:
		e.add(check, Warning, "it could not be tried: "+err.Error(), "", "")
	}
}

// serviceRights does what the handler does.
func (e *exam) serviceRights(ctx context.Context) {
	final, staged := e.prefix+"final", e.key("staged")
	if e.Staging {
		final = e.outside + "-final"
	}
	e.made[final] = e.Final
	if err := e.Uploads.Put(ctx, staged, []byte(content)); err != nil {
		e.service("service.put", err)
	}
	for _, right := range []struct {
		check string
		try   func() error
	}{
		{"service.put", func() error { return e.Final.Put(ctx, final, []byte(content)) }},
		{"service.read", func() error {
			got, err := e.Final.Read(ctx, final, 1<<10)
			if err == nil && string(got) != content {
				return errStored
			}
			return err
		}},
		{"service.missing", func() error {
			_, err := e.Final.Head(ctx, final+"-missing")
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}},
		{"service.parts", func() error {
			id, err := e.Final.CreateMultipart(ctx, final, object.Header{}, false)
			if err != nil {
				return err
			}
			e.uploads = append(e.uploads, begun{final, id, e.Final})
			if _, err := e.Final.Parts(ctx, final, id); err != nil {
				return err
			}
			if err := e.Final.Abort(ctx, final, id); err != nil {
				return err
			}
			e.uploads = e.uploads[:len(e.uploads)-1]
			return nil
		}},
		{"service.uploads", func() error {
			_, _, err := e.Uploads.Uploads(ctx, e.prefix, store.Marker{})
			return err
		}},
		{"service.delete", func() error {
			if err := e.Final.Delete(ctx, final, ""); err != nil {
				return err
			}
			if err := e.Uploads.Delete(ctx, staged, ""); err != nil {
				return err
			}
			delete(e.made, final)
			delete(e.made, staged)
			return nil
		}},
	} {
		e.service(right.check, right.try())
	}
}

func (e *exam) service(check string, err error) {
	if err == nil {
		e.ok(check, "the handler may")
		return
	}
	if !e.Calls {
		e.skip(check, "the handler makes no calls of its own: "+err.Error())
		return
	}
	advice, document := e.advise(err, "service")
	e.add(check, Failed, err.Error(), advice, document)
}

// rules looks for what keeps the bucket tidy.
func (e *exam) rules(ctx context.Context) {
	versions := e.versioning(ctx)
	out, err := e.Uploads.Client().GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &e.UploadBucket})
	document, has := documents.Lifecycle(e.Provider, e.Prefix, e.Days)
	if !has {
		e.skip("lifecycle", "the server has no lifecycle rules; the reconciler (WithReconciler) empties the staging prefix")
		return
	}
	advice := "Put these rules on the bucket: postern lifecycle -apply. They replace those that there are; until then the reconciler (WithReconciler) tidies up alone."
	if err := store.Sort("GetBucketLifecycleConfiguration", err); err != nil {
		verdict := Warning
		if !e.Calls {
			verdict = Skipped
		}
		e.add("lifecycle", verdict, err.Error(), advice, document)
		return
	}
	expires, aborts, old := tidies(out.Rules, e.Prefix)
	var missing []string
	if e.Staging && !expires {
		missing = append(missing, "nothing expires under "+e.Prefix)
	}
	if !aborts && e.Provider != "minio" {
		missing = append(missing, "uploads in parts that nobody completes are kept")
	}
	if versions && e.Staging && !old {
		missing = append(missing, "the bucket keeps versions, and no rule removes old ones under "+e.Prefix)
	}
	if len(missing) > 0 {
		e.add("lifecycle", Warning, strings.Join(missing, "; "), advice, document)
		return
	}
	e.ok("lifecycle", "rules remove what is given up")
}

func (e *exam) versioning(ctx context.Context) bool {
	out, err := e.Uploads.Client().GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &e.UploadBucket})
	switch err := store.Sort("GetBucketVersioning", err); {
	case err != nil:
		e.skip("versioning", err.Error())
	case out.Status == types.BucketVersioningStatusEnabled:
		e.add("versioning", Warning, "the bucket keeps versions: what is deleted and replaced stays, and is paid for",
			"Let a rule remove old versions under "+e.Prefix+", or turn versioning off.",
			`"NoncurrentVersionExpiration": { "NoncurrentDays": 1 }`)
		return true
	default:
		e.ok("versioning", "the bucket keeps no versions")
	}
	return false
}

// tidies reports what rules do under a prefix.
func tidies(rules []types.LifecycleRule, prefix string) (expires, aborts, old bool) {
	for _, rule := range rules {
		of := ""
		if rule.Filter != nil {
			of = aws.ToString(rule.Filter.Prefix)
		}
		if rule.Status != types.ExpirationStatusEnabled || !strings.HasPrefix(prefix, of) {
			continue
		}
		expires = expires || rule.Expiration != nil && of != ""
		aborts = aborts || rule.AbortIncompleteMultipartUpload != nil
		old = old || rule.NoncurrentVersionExpiration != nil
	}
	return expires, aborts, old
}

// errStored is that of an object that is not what was sent.
var errStored = errors.New("the object is not what was sent")
