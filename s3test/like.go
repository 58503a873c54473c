package s3test

import (
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/s3err"
)

// profile is how a provider differs from the server as it is. What is ignored has
// no effect, as if it had not been sent; what is refused is 501 NotImplemented.
type profile struct {
	// Of If-None-Match and If-Match on PutObject, of the same on
	// CompleteMultipartUpload.
	ignorePutConditions, refusePutConditions           bool
	ignoreCompleteConditions, refuseCompleteConditions bool
	// Of the conditions on the source of CopyObject and UploadPartCopy.
	ignoreCopySource bool
	// Of If-Match on DeleteObject.
	ignoreDeleteConditions bool
	// UploadPartCopy is refused.
	refusePartCopy bool
	// UploadPartCopy into an upload with a checksum algorithm is InvalidArgument.
	noCopySums bool
	// ListParts tells no SHA-256.
	noPartSums bool
	// x-amz-mp-object-size has no effect.
	ignoreObjectSize bool
	// HEAD tells no CRC-64/NVME.
	noCRC64 bool
}

// nothing is a server that takes no condition for anything.
var nothing = profile{
	ignorePutConditions: true, ignoreCompleteConditions: true, ignoreCopySource: true, ignoreDeleteConditions: true,
	ignoreObjectSize: true, noCRC64: true, noCopySums: true, noPartSums: true,
}

var ceph = func() profile {
	p := nothing
	p.ignorePutConditions, p.noCopySums = false, false
	return p
}()

// profiles are the providers by their names in the root package.
var profiles = map[string]profile{
	"amazon-s3": {},
	"versitygw": {},
	"seaweedfs": {ignoreObjectSize: true, noPartSums: true, noCRC64: true},
	"rustfs":    {ignoreObjectSize: true, ignoreDeleteConditions: true},
	"minio":     {ignoreObjectSize: true, ignoreDeleteConditions: true, noCopySums: true, noCRC64: true},
	"garage": {
		ignorePutConditions: true, ignoreCompleteConditions: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true,
	},
	"cloudflare-r2": {ignoreDeleteConditions: true, ignoreObjectSize: true, ignoreCopySource: true},
	"backblaze-b2": {
		refusePutConditions: true, refuseCompleteConditions: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true, noCopySums: true,
	},
	"digitalocean-spaces": {
		ignoreCompleteConditions: true, ignoreCopySource: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true, noCopySums: true,
	},
	"hetzner": {
		ignoreCompleteConditions: true, ignoreCopySource: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true, noCopySums: true,
	},
	"scaleway":             {ignoreDeleteConditions: true, ignoreObjectSize: true, ignoreCopySource: true},
	"ovhcloud":             {ignoreDeleteConditions: true, ignoreObjectSize: true, ignoreCopySource: true},
	"supabase":             {ignorePutConditions: true, ignoreCompleteConditions: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true, noCopySums: true},
	"ibm-cloud":            {ignorePutConditions: true, ignoreCompleteConditions: true, ignoreDeleteConditions: true, ignoreObjectSize: true},
	"google-cloud-storage": {ignorePutConditions: true, ignoreCompleteConditions: true, ignoreDeleteConditions: true, ignoreObjectSize: true, noCRC64: true, refusePartCopy: true},
	"ceph-rgw":             ceph,
	"wasabi":               nothing,
	"tigris":               nothing,
	"linode":               nothing,
	"idrive-e2":            nothing,
	"oracle-cloud":         nothing,
	"alibaba-oss":          nothing,
	"tencent-cos":          nothing,
	"generic":              nothing,
}

// Like makes the server ignore or refuse what a provider does, by its name, such as
// postern.CloudflareR2, so that a program can be tried for it: conditions, copies of
// parts, checksums. What is not known of a provider is ignored. It does not make the
// server accept what it refuses: unsigned headers are rejected always, and POST forms
// are taken. The name of a provider that is not known is an error of [New].
func Like[Provider ~string](p Provider) Option {
	return func(c *config) {
		known, ok := profiles[string(p)]
		if !ok {
			c.errs = append(c.errs, fmt.Errorf("s3test: no provider %q is known", string(p)))
		}
		c.profile = known
	}
}

var errNotImplemented = s3err.GetAPIError(s3err.ErrNotImplemented)

// conditions holds the conditions of a write to a profile.
func conditions(ignore, refuse bool, fields ...**string) error {
	for _, field := range fields {
		if *field == nil {
			continue
		}
		if refuse {
			return errNotImplemented
		}
		if ignore {
			*field = nil
		}
	}
	return nil
}

// summed remembers the multipart uploads that were begun with a checksum algorithm.
type summed struct{ ids sync.Map }

func (s *summed) begin(id string, algorithm string) {
	if algorithm != "" {
		s.ids.Store(strings.Clone(id), true)
	}
}

// checkCopy refuses what a profile does not copy.
func (b *rootedBackend) checkCopy(id *string) error {
	if b.profile.refusePartCopy {
		return errNotImplemented
	}
	if _, sums := b.summed.ids.Load(aws.ToString(id)); sums && b.profile.noCopySums {
		return s3err.GetAPIError(s3err.ErrInvalidRequest)
	}
	return nil
}
