// Package documents writes what a bucket needs: its CORS rule, the policies of the two
// identities, and its lifecycle rules. docs/bucket.md and docs/lifecycle show the same,
// which a test demands.
package documents

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// quote writes a string as JSON, without the escapes for HTML.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

// AllowedHeaders are those that a CORS rule must allow: what a PUT may have.
var AllowedHeaders = []string{"content-type", "content-disposition", "content-encoding", "cache-control", "if-none-match", "x-amz-*"}

// namedHeaders are what stands for x-amz-* where a rule has no wildcards: all that a PUT
// of postern has, but metadata of the application's own.
var namedHeaders = []string{"x-amz-checksum-sha256", "x-amz-meta-postern-id", "x-amz-meta-postern-owner", "x-amz-meta-postern-ticket", "x-amz-storage-class"}

// CORS is the rule of a provider, by its name, for pages of some origins, as aws s3api
// put-bucket-cors takes it.
func CORS(provider string, origins ...string) string {
	allowed := AllowedHeaders
	if provider == "cloudflare-r2" {
		allowed = append(slices.Clone(allowed[:len(allowed)-1]), namedHeaders...)
	}
	quoted := make([]string, len(origins))
	for k, origin := range origins {
		quoted[k] = quote(origin)
	}
	headers := make([]string, len(allowed))
	for k, name := range allowed {
		headers[k] = "        " + quote(name)
	}
	return `{
  "CORSRules": [
    {
      "AllowedOrigins": [` + strings.Join(quoted, ", ") + `],
      "AllowedMethods": ["POST", "PUT", "GET"],
      "AllowedHeaders": [
` + strings.Join(headers, ",\n") + `
      ],
      "ExposeHeaders": ["ETag", "Location", "Retry-After"],
      "MaxAgeSeconds": 3600
    }
  ]
}
`
}

// SigningPolicy is the policy of the identity that signs grants, whose keys begin with
// a prefix.
func SigningPolicy(bucket, prefix string) string {
	return `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "s3:PutObject",
      "Resource": ` + quote("arn:aws:s3:::"+bucket+"/"+prefix+"*") + `
    }
  ]
}
`
}

// ServicePolicy is the policy of the identity that makes the handler's own calls.
func ServicePolicy(buckets ...string) string {
	return `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts"
      ],
      "Resource": ` + resources("/*", buckets) + `
    },
    {
      "Effect": "Allow",
      "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ` + resources("", buckets) + `
    }
  ]
}
`
}

func resources(suffix string, buckets []string) string {
	quoted := make([]string, len(buckets))
	for k, bucket := range buckets {
		quoted[k] = quote("arn:aws:s3:::" + bucket + suffix)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// BucketPolicy is for Ceph, where an object is its writer's: it gives both users their
// rights in the bucket, and denies the one that signs what an owner may do.
func BucketPolicy(bucket, prefix, signer, service string) string {
	principal := func(user string) string { return `{ "AWS": ` + quote("arn:aws:iam:::user/"+user) + ` }` }
	return `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": ` + principal(signer) + `,
      "Action": "s3:PutObject",
      "Resource": ` + resources("/"+prefix+"*", []string{bucket}) + `
    },
    {
      "Effect": "Deny",
      "Principal": ` + principal(signer) + `,
      "Action": [
        "s3:GetObject",
        "s3:GetObjectAcl",
        "s3:GetObjectTagging",
        "s3:DeleteObject",
        "s3:DeleteObjectTagging",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts"
      ],
      "Resource": ` + resources("/*", []string{bucket}) + `
    },
    {
      "Effect": "Allow",
      "Principal": ` + principal(service) + `,
      "Action": "s3:*",
      "Resource": [` + quote("arn:aws:s3:::"+bucket) + `, ` + quote("arn:aws:s3:::"+bucket+"/*") + `]
    }
  ]
}
`
}

// Lifecycle are the rules of a provider, by its name, that expire what lies under the
// staging prefix and abort uploads in parts, after days. ok is false for a provider that
// has no rules; one that is not known gets those of Amazon.
func Lifecycle(provider, staging string, days int) (document string, ok bool) {
	first := fmt.Sprintf(`    {
      "ID": "postern-staging",
      "Filter": { "Prefix": %s },
      "Status": "Enabled",
      "Expiration": { "Days": %d }`, quote(staging), days)
	abort := fmt.Sprintf(`"AbortIncompleteMultipartUpload": { "DaysAfterInitiation": %d }`, days)
	switch provider {
	case "versitygw":
		return "", false
	case "minio":
		first += "\n    }"
	case "backblaze-b2":
		first += ",\n" + `      "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },` + "\n      " + abort + "\n    }"
	default:
		first += `
    },
    {
      "ID": "postern-parts",
      "Filter": { "Prefix": "" },
      "Status": "Enabled",
      ` + abort + `
    }`
	}
	return "{\n  \"Rules\": [\n" + first + "\n  ]\n}\n", true
}

// R2Token says how to make credentials at Cloudflare R2, which has no policies.
func R2Token(bucket string) string {
	return "R2 > Manage API tokens > Create Account API token: Object Read & Write, for the bucket " + bucket + " alone.\n" +
		"R2 has no policies: a token cannot be kept to a prefix or to writing.\n"
}

// CORSAtMinIO is the setting of a MinIO server, which has one for all buckets.
func CORSAtMinIO(origins ...string) string {
	return "MINIO_API_CORS_ALLOW_ORIGIN=" + strings.Join(origins, ",") + "\n"
}
