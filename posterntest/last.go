package posterntest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// lastCases look at what the others have left.
func lastCases() []Case {
	all := slices.Concat(
		family("left", SecretsHome, "what stands in an answer stands in logs, caches and screenshots",
			namedRun{"no refusal has a ticket, a policy or a signature", func(a *attack) error {
				for _, got := range a.answers {
					if got.Status < 400 {
						continue
					}
					for _, secret := range []string{`"ticket"`, `"policy"`, "X-Amz-Signature", "x-amz-signature"} {
						if bytes.Contains(got.Body, []byte(secret)) {
							return fmt.Errorf("%s is in a refusal: %s", secret, got)
						}
					}
				}
				return nil
			}},
			namedRun{"no answer has a secret key", func(a *attack) error {
				for _, got := range a.answers {
					if bytes.Contains(got.Body, []byte(a.S3.SecretAccessKey)) {
						return fmt.Errorf("%s has the secret key of S3's root", got.Road)
					}
				}
				return nil
			}},
			namedRun{"no cache keeps a grant", func(a *attack) error {
				for _, got := range a.answers {
					grants := got.Status == 201 || got.Status == 200 && got.Road == "parts"
					if grants && !strings.Contains(got.Header.Get("Cache-Control"), "no-store") {
						return fmt.Errorf("%s may be cached: Cache-Control is %q", got.Road, got.Header.Get("Cache-Control"))
					}
				}
				return nil
			}},
		),
		family("left", CleanFailure, "a request that fails inside has found something that nobody has thought of",
			namedRun{"no answer was a failure of the server", func(a *attack) error {
				for _, got := range a.answers {
					if got.Status == 500 || got.Status == 502 {
						return errors.New(got.String())
					}
				}
				return nil
			}}),
		family("left", OneKey, whyNoMore,
			namedRun{"nothing was written but where grants write", func(a *attack) error {
				return a.everyObject(func(key string, _ *s3.GetObjectOutput, _ []byte) error {
					if key == a.secret || a.granted[key] || a.writes[key] {
						return nil
					}
					for staging := range maps.Keys(a.writes) {
						// Beside staging objects stand what belongs to them.
						if dir := staging[:strings.LastIndex(staging, "/")+1]; dir != "" && !a.granted[staging] && strings.HasPrefix(key, dir) {
							return nil
						}
					}
					return fmt.Errorf("no grant names %s", key)
				})
			}}),
		family("left", NoMore, whyNoMore,
			namedRun{"the object of somebody else is as it was, and has no copy", func(a *attack) error {
				_, content, err := a.object(a.secret)
				if err != nil || !bytes.Equal(content, a.canary) {
					return errors.Join(fmt.Errorf("it was changed: %.80q", content), err)
				}
				return a.everyObject(func(key string, _ *s3.GetObjectOutput, content []byte) error {
					if key != a.secret && bytes.Contains(content, a.canary) {
						return fmt.Errorf("it is at %s too", key)
					}
					return nil
				})
			}}),
	)
	for n := range all {
		all[n].last = true
	}
	return all
}

// everyObject looks at what the bucket has; the larger ones are not read.
func (a *attack) everyObject(look func(key string, out *s3.GetObjectOutput, content []byte) error) error {
	pages := s3.NewListObjectsV2Paginator(a.S3.Client(), &s3.ListObjectsV2Input{Bucket: &a.S3.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(a.ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			var out *s3.GetObjectOutput
			var content []byte
			if aws.ToInt64(o.Size) == int64(len(a.canary)) {
				if out, content, err = a.object(key); err != nil {
					return err
				}
			}
			if err := look(key, out, content); err != nil {
				return err
			}
		}
	}
	return nil
}
