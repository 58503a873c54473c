package s3test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/versity/versitygw/s3event"
)

// What a server has unless an option says otherwise.
const (
	DefaultRegion          = "us-east-1"
	DefaultBucket          = "uploads"
	DefaultAccessKeyID     = "S3TESTROOT"
	DefaultSecretAccessKey = "s3test-root-secret"
)

// Option changes how [Start] and [New] set a server up.
type Option func(*config)

type config struct {
	region, bucket, accessKeyID, secretAccessKey string

	origins    []string
	originsSet bool

	profile     profile
	maxRequests int
	events      []func() (s3event.S3EventSender, error)
	errs        []error
}

// WithRegion names the region that signatures must be made for.
// The default is [DefaultRegion].
func WithRegion(region string) Option {
	return func(c *config) { c.region = region }
}

// WithBucket names the bucket that exists once the server runs. S3's rules for
// bucket names apply: 3 to 63 of a-z, 0-9, '-' and '.'. The default is
// [DefaultBucket].
func WithBucket(name string) Option {
	return func(c *config) { c.bucket = name }
}

// WithCredentials sets the root credentials, which may do everything. The
// defaults, [DefaultAccessKeyID] and [DefaultSecretAccessKey], are public.
// Data that was written under one pair can be served under another only if
// the access key ID stays: it owns the buckets.
func WithCredentials(accessKeyID, secretAccessKey string) Option {
	return func(c *config) { c.accessKeyID, c.secretAccessKey = accessKeyID, secretAccessKey }
}

// WithCORSOrigins names the origins whose pages may use the buckets, such as
// "https://app.example.com". The default is "*", any. No origin at all leaves
// buckets without CORS rules.
//
// A bucket kept from an earlier run keeps its own rules unless this option is
// given.
func WithCORSOrigins(origins ...string) Option {
	origins = slices.Clone(origins)
	return func(c *config) { c.origins, c.originsSet = origins, true }
}

func newConfig(opts []Option) (*config, error) {
	c := &config{
		region:          DefaultRegion,
		bucket:          DefaultBucket,
		accessKeyID:     DefaultAccessKeyID,
		secretAccessKey: DefaultSecretAccessKey,
		origins:         []string{"*"},
		maxRequests:     maxConnections,
	}
	for _, opt := range opts {
		opt(c)
	}
	errs := c.errs
	for name, value := range map[string]string{
		"region": c.region, "bucket": c.bucket,
		"access key ID": c.accessKeyID, "secret access key": c.secretAccessKey,
	} {
		if value == "" {
			errs = append(errs, fmt.Errorf("s3test: empty %s", name))
		}
	}
	return c, errors.Join(errs...)
}
