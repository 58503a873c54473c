package postern

import (
	"net/url"
	"strings"
)

// Provider names an S3 implementation, whose abilities differ. It is detected
// from the endpoint's host; set [Bucket.Provider] where the host does not tell.
type Provider string

// The providers that Postern knows. Any other server is Generic: it is taken to
// do what Amazon S3 does, but not to reject what a browser adds to a grant.
const (
	Generic            Provider = "generic"
	AmazonS3           Provider = "amazon-s3"
	VersityGW          Provider = "versitygw"
	MinIO              Provider = "minio"
	CephRGW            Provider = "ceph-rgw"
	Garage             Provider = "garage"
	Wasabi             Provider = "wasabi"
	DigitalOceanSpaces Provider = "digitalocean-spaces"
	CloudflareR2       Provider = "cloudflare-r2"
	BackblazeB2        Provider = "backblaze-b2"
	GoogleCloudStorage Provider = "google-cloud-storage"
)

// abilities are what a provider can do. What its documentation does not say, and
// nobody was seen to try, counts as no.
type abilities struct {
	// hosts are the suffixes of its endpoints' hosts.
	hosts []string
	// post: it takes POST policies.
	post bool
	// putIfAbsent and completeIfAbsent: it honours If-None-Match: * on PutObject
	// and on CompleteMultipartUpload.
	putIfAbsent, completeIfAbsent bool
	// copyIfMatch: it honours x-amz-copy-source-if-match on UploadPartCopy.
	copyIfMatch bool
	// deleteIfMatch: it honours If-Match on DeleteObject.
	deleteIfMatch bool
	// strict: it rejects x-amz-* headers and form fields that were not signed, so
	// that a grant does no more than it says.
	strict bool
}

// freezes reports whether promotion is possible.
func (a abilities) freezes() bool { return a.copyIfMatch && a.completeIfAbsent }

var providers = map[Provider]abilities{
	Generic: {post: true, putIfAbsent: true, completeIfAbsent: true, copyIfMatch: true},

	// S3 API Reference: POST Policy, UploadPartCopy; User Guide: "How to prevent
	// object overwrites with conditional writes", "How to perform conditional
	// deletes". Unsigned headers: the answer
	// "There were headers present in the request which were not signed".
	AmazonS3: {
		hosts: []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".c2s.ic.gov", ".sc2s.sgov.gov", ".csp.hci.ic.gov", ".cloud.adc-e.uk"},
		post:  true, putIfAbsent: true, completeIfAbsent: true, copyIfMatch: true, deleteIfMatch: true, strict: true,
	},

	// Tried on 1.8.0, the server of s3test.
	VersityGW: {post: true, putIfAbsent: true, completeIfAbsent: true, copyIfMatch: true, deleteIfMatch: true, strict: true},

	// Tried; minio/minio cmd/signature-v4-utils.go checks x-amz-meta-* headers
	// only, and unsigned x-amz-copy-source copies any object.
	MinIO: {post: true, putIfAbsent: true, completeIfAbsent: true, copyIfMatch: true},

	// docs.ceph.com "RADOS Gateway S3 API"; conditional writes and the check of
	// unsigned headers came with late releases, and ceph/s3-tests marks a copy
	// from a source with another ETag as failing.
	CephRGW: {post: true},

	// garagehq.deuxfleurs.fr "S3 Compatibility status"; Garage's
	// src/api/s3/{put,multipart}.rs ignore If-None-Match, copy.rs honours the
	// source's, src/api/common/signature/payload.rs refuses unsigned headers.
	Garage: {post: true, copyIfMatch: true, strict: true},

	// docs.wasabi.com "Service URLs for Wasabi's Storage Regions". Nothing is said
	// of conditions.
	Wasabi: {hosts: []string{".wasabisys.com"}, post: true},

	// docs.digitalocean.com "Spaces S3 Compatibility". Nothing is said of
	// conditions.
	DigitalOceanSpaces: {hosts: []string{".digitaloceanspaces.com"}, post: true},

	// developers.cloudflare.com/r2/api/s3: "Presigned URLs" (no POST), "S3 API
	// compatibility" (no conditions on UploadPartCopy), "Extensions" (conditional
	// PutObject). The region is "auto".
	CloudflareR2: {hosts: []string{".r2.cloudflarestorage.com"}, putIfAbsent: true},

	// backblaze.com "Call the S3-Compatible API": POST Object is not in the list;
	// users report NotImplemented for it and for If-None-Match.
	BackblazeB2: {hosts: []string{".backblazeb2.com"}},

	// cloud.google.com/storage/docs/xml-api: forms have x-goog-* fields, and the
	// condition is x-goog-if-generation-match; needs HMAC keys.
	GoogleCloudStorage: {hosts: []string{".storage.googleapis.com"}},
}

// detect finds the provider of an endpoint by its host.
func detect(endpoint string) Provider {
	u, err := url.Parse(endpoint)
	if err != nil {
		return Generic
	}
	host := "." + strings.ToLower(u.Hostname())
	for name, p := range providers {
		for _, suffix := range p.hosts {
			if strings.HasSuffix(host, suffix) {
				return name
			}
		}
	}
	return Generic
}
