package postern

import (
	"maps"
	"slices"
	"strings"
)

// Provider names an S3 implementation, whose abilities differ. It is detected
// from the endpoint's host; set [Bucket.Provider] where the host does not tell.
type Provider string

// The providers that Postern knows. Any other server is Generic: nothing is relied
// upon that not every server does. Probe finds out what one does.
const (
	Generic            Provider = "generic"
	AmazonS3           Provider = "amazon-s3"
	VersityGW          Provider = "versitygw"
	MinIO              Provider = "minio"
	CephRGW            Provider = "ceph-rgw"
	Garage             Provider = "garage"
	SeaweedFS          Provider = "seaweedfs"
	RustFS             Provider = "rustfs"
	CloudflareR2       Provider = "cloudflare-r2"
	BackblazeB2        Provider = "backblaze-b2"
	Wasabi             Provider = "wasabi"
	DigitalOceanSpaces Provider = "digitalocean-spaces"
	GoogleCloudStorage Provider = "google-cloud-storage"
	Tigris             Provider = "tigris"
	Scaleway           Provider = "scaleway"
	Hetzner            Provider = "hetzner"
	Linode             Provider = "linode"
	OVHcloud           Provider = "ovhcloud"
	Supabase           Provider = "supabase"
	IDriveE2           Provider = "idrive-e2"
	OracleCloud        Provider = "oracle-cloud"
	IBMCloud           Provider = "ibm-cloud"
	AlibabaOSS         Provider = "alibaba-oss"
	TencentCOS         Provider = "tencent-cos"
)

// Abilities are what a server can do. The zero value relies on nothing but the
// plain operations of S3.
type Abilities struct {
	// PostForms: it takes POST policies, and they hold: what they name is stored, and
	// what they do not name is refused.
	PostForms bool
	// PutIfAbsent and CompleteIfAbsent: it honours If-None-Match: * on PutObject
	// and on CompleteMultipartUpload.
	PutIfAbsent, CompleteIfAbsent bool
	// CompleteIfMatch: it honours If-Match on CompleteMultipartUpload, so that an
	// upload can replace an object: see [Upload.Replace].
	CompleteIfMatch bool
	// CopyPartIfMatch: it honours x-amz-copy-source-if-match on UploadPartCopy.
	CopyPartIfMatch bool
	// PartSums: it holds parts against their SHA-256, and lists it.
	PartSums bool
	// CopyPartSums: it copies parts into an upload that was begun with a checksum
	// algorithm, and computes their sums.
	CopyPartSums bool
	// NoPartCopy: it has no UploadPartCopy, so that no more than 5 GiB can be
	// copied.
	NoPartCopy bool
	// DeleteIfMatch: it honours If-Match on DeleteObject.
	DeleteIfMatch bool
	// CompleteSize: it holds the size of a multipart upload against
	// x-amz-mp-object-size.
	CompleteSize bool
	// RejectsUnsigned: it rejects x-amz-* headers that were not signed, so that a
	// grant does no more than it says.
	RejectsUnsigned bool
	// MaxParts is how many parts an upload may have; 0 is 10,000.
	MaxParts int
}

// maxParts is the number of parts that an upload may have.
func (a *Abilities) maxParts() int64 {
	if a.MaxParts > 0 {
		return min(int64(a.MaxParts), maxParts)
	}
	return maxParts
}

// provider is what is known of an implementation.
type provider struct {
	// hosts are its endpoints: labels, where {region} is one label that is taken
	// for the region, and a leading * any labels.
	hosts []string
	// region is the only one that it has.
	region string
	// pathStyle: it takes the bucket in the path only.
	pathStyle bool
	abilities Abilities
}

// providers is the table. What a provider's documentation does not say, and nobody
// was seen to try, counts as no.
var providers = map[Provider]provider{
	// Forms fail where they are not taken; nothing else is relied upon.
	Generic: {abilities: Abilities{PostForms: true}},

	// S3 API Reference: POST Policy, PutObject, UploadPartCopy,
	// CompleteMultipartUpload (If-Match, If-None-Match, x-amz-mp-object-size), DeleteObject
	// (If-Match). Unsigned headers: the answer "There were headers present in the
	// request which were not signed".
	AmazonS3: {
		hosts: []string{
			"*.s3.{region}.amazonaws.com", "*.s3.dualstack.{region}.amazonaws.com", "*.s3-fips.{region}.amazonaws.com",
			"*.s3.{region}.amazonaws.com.cn", "*.s3.{region}.amazonaws.eu",
			"*.amazonaws.com", "*.amazonaws.com.cn", "*.amazonaws.eu", "*.c2s.ic.gov", "*.sc2s.sgov.gov", "*.csp.hci.ic.gov", "*.cloud.adc-e.uk",
		},
		abilities: Abilities{
			PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true,
			PartSums: true, CopyPartSums: true, DeleteIfMatch: true, CompleteSize: true, RejectsUnsigned: true,
		},
	},

	// Tried on 1.8.0, the server of s3test.
	VersityGW: {abilities: Abilities{
		PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true,
		PartSums: true, CopyPartSums: true, DeleteIfMatch: true, CompleteSize: true, RejectsUnsigned: true,
	}},

	// Tried. minio/minio cmd/signature-v4-utils.go checks x-amz-meta-* headers only,
	// and unsigned x-amz-copy-source copies any object. UploadPartCopy into an upload
	// with a checksum algorithm is InvalidArgument.
	MinIO: {abilities: Abilities{
		PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true, PartSums: true,
	}},

	// Tried on 16.2 and 18.2. Its forms drop Content-Disposition, so that browsers
	// would show what should be downloaded; its checksums are ignored. The check of
	// unsigned headers (CVE-2026-54330) came with late releases.
	CephRGW: {abilities: Abilities{PutIfAbsent: true}},

	// garagehq.deuxfleurs.fr "S3 Compatibility status"; Garage's
	// src/api/s3/{put,multipart}.rs ignore If-None-Match, copy.rs honours the
	// source's, src/api/common/signature/payload.rs refuses unsigned headers.
	Garage: {abilities: Abilities{PostForms: true, CopyPartIfMatch: true, RejectsUnsigned: true}},

	// Tried on 4.53. Its forms take fields that the policy does not name, and no tags;
	// ListParts tells no sums. What is put as application/octet-stream gets the type of
	// its key's extension, and then earns no receipt.
	SeaweedFS: {abilities: Abilities{
		PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true, DeleteIfMatch: true,
		RejectsUnsigned: true,
	}},

	// rustfs/rustfs 1.0.0-rc.3: storage/options.rs, ecstore/set_disk/ops
	// (conditions). No check of unsigned headers was found.
	RustFS: {abilities: Abilities{PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CopyPartIfMatch: true}},

	// developers.cloudflare.com/r2/api/s3: "Presigned URLs" (no POST), "Conditional
	// operations" (PutObject, CompleteMultipartUpload), "S3 API compatibility" (no
	// conditions on UploadPartCopy). Jurisdictions have hosts of their own.
	CloudflareR2: {
		hosts: []string{"*.r2.cloudflarestorage.com"}, region: "auto",
		abilities: Abilities{PutIfAbsent: true, CompleteIfAbsent: true},
	},

	// backblaze.com "Call the S3-Compatible API": POST Object is not in the list;
	// users report NotImplemented for it and for If-None-Match.
	BackblazeB2: {hosts: []string{"*.s3.{region}.backblazeb2.com"}},

	// docs.wasabi.com "Service URLs for Wasabi's Storage Regions". Users report that
	// conditions are ignored.
	Wasabi: {hosts: []string{"*.s3.{region}.wasabisys.com", "*.wasabisys.com"}},

	// docs.digitalocean.com "Spaces S3 Compatibility". Nothing is said of forms and
	// conditions.
	DigitalOceanSpaces: {hosts: []string{"*.{region}.digitaloceanspaces.com"}},

	// docs.cloud.google.com/storage/docs: "Simple migration from Amazon S3" (HMAC
	// keys with the AWS signature), "XML API multipart uploads" (no UploadPartCopy).
	// Its conditions and forms need the signature GOOG4-HMAC-SHA256.
	GoogleCloudStorage: {
		hosts: []string{"*.storage.googleapis.com", "*.storage.{region}.rep.googleapis.com"}, region: "auto",
		abilities: Abilities{NoPartCopy: true},
	},

	// www.tigrisdata.com/docs: "HTML forms", "Conditionals": conditions are as strong
	// as the bucket's location type, so that they are not relied upon.
	Tigris: {
		hosts: []string{"*.t3.storage.dev", "*.fly.storage.tigris.dev"}, region: "auto",
		abilities: Abilities{PostForms: true},
	},

	// www.scaleway.com/en/docs/object-storage: "POST Object", "Using conditional
	// writes"; 1,000 parts by rclone's Scaleway.yaml.
	Scaleway: {
		hosts:     []string{"*.s3.{region}.scw.cloud"},
		abilities: Abilities{PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, MaxParts: 1000},
	},

	// docs.hetzner.com/storage/object-storage: "List of supported actions".
	Hetzner: {hosts: []string{"*.{region}.your-objectstorage.com"}},

	// techdocs.akamai.com "Endpoint types".
	Linode: {hosts: []string{"*.{region}.linodeobjects.com"}},

	// help.ovhcloud.com: "POST Object", "Conditional writes" (2026). If-Match wants
	// the ETag without its quotes.
	OVHcloud: {
		hosts: []string{
			"*.s3.{region}.io.cloud.ovh.net", "*.s3.{region}.perf.cloud.ovh.net", "*.s3.{region}.io.cloud.ovh.us",
		},
		abilities: Abilities{PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true},
	},

	// supabase/storage src/http/routes/s3: path style only; POST policies are
	// enforced from 1.66.3 on; no conditions on writes.
	Supabase: {
		hosts: []string{"*.supabase.co"}, pathStyle: true,
		abilities: Abilities{PostForms: true, CopyPartIfMatch: true},
	},

	// idrive.com "S3 Developer Guide".
	IDriveE2: {hosts: []string{"*.s3.{region}.idrivee2.com", "*.idrivee2.com"}},

	// docs.oracle.com "Amazon S3 Compatibility API".
	OracleCloud: {hosts: []string{"*.compat.objectstorage.{region}.oraclecloud.com"}, pathStyle: true},

	// cloud.ibm.com/docs/cloud-object-storage.
	IBMCloud: {hosts: []string{"*.s3.{region}.cloud-object-storage.appdomain.cloud"}, abilities: Abilities{CopyPartIfMatch: true}},

	// alibabacloud.com "S3 API on OSS".
	AlibabaOSS: {hosts: []string{"*.{region}.aliyuncs.com"}},

	// tencentcloud.com "Accessing COS with AWS S3 SDK".
	TencentCOS: {hosts: []string{"*.cos.{region}.myqcloud.com"}},
}

// hostPattern is one of the providers' hosts, taken apart.
type hostPattern struct {
	provider Provider
	labels   []string // the last one first
}

// hostPatterns are all of them, the longest first: it says most.
var hostPatterns = func() (all []hostPattern) {
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		for _, host := range providers[name].hosts {
			labels := strings.Split(strings.TrimPrefix(host, "*."), ".")
			slices.Reverse(labels)
			all = append(all, hostPattern{name, labels})
		}
	}
	slices.SortStableFunc(all, func(a, b hostPattern) int { return len(b.labels) - len(a.labels) })
	return all
}()

// detect finds the provider of an endpoint by its host in lower case, and the region
// if the host has it.
func detect(host string) (Provider, string) {
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	for _, p := range hostPatterns {
		if region, ok := p.match(labels); ok {
			return p.provider, region
		}
	}
	return Generic, ""
}

func (p hostPattern) match(labels []string) (region string, ok bool) {
	if len(labels) < len(p.labels) {
		return "", false
	}
	for k, want := range p.labels {
		switch {
		case want == "{region}":
			region = labels[k]
		case want != labels[k]:
			return "", false
		}
	}
	return region, true
}
