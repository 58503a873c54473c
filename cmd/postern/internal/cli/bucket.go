package cli

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/ticket"
)

// variables are those of the environment, for help.
var variables = []struct{ name, means string }{
	{"POSTERN_BUCKET", "the bucket: a name, or its URL at another server than Amazon's (-bucket)"},
	{"POSTERN_REGION, AWS_REGION", "its region (-region)"},
	{"POSTERN_PROVIDER", "the S3 implementation, such as minio (-provider)"},
	{"POSTERN_PUBLIC_ENDPOINT", "where browsers find S3, if elsewhere (-public-endpoint)"},
	{"POSTERN_STAGING", "the prefix of WithPromotion, or none (-staging)"},
	{"POSTERN_ORIGIN", "the origin of the page (-origin)"},
	{"POSTERN_NAME", "what WithName says (-name)"},
	{"POSTERN_SIGNING_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY", "the signing identity; also …_SESSION_TOKEN"},
	{"AWS_ACCESS_KEY_ID, AWS_PROFILE, …", "the service identity, as every tool of AWS finds it"},
	{"POSTERN_TICKET_KEYS", "the keys of tickets, base64 or hex, the current one first, with commas (-ticket-key-file)"},
}

// bucketOptions name the bucket.
type bucketOptions struct {
	bucket, region, provider, public, staging, origin string
	pathStyle                                         bool
}

func (b *bucketOptions) flags(set *flag.FlagSet) {
	set.StringVar(&b.bucket, "bucket", os.Getenv("POSTERN_BUCKET"), "the bucket: `name`, or URL such as https://minio.example.com/uploads")
	set.StringVar(&b.region, "region", os.Getenv("POSTERN_REGION"), "its `region`; AWS_REGION or that of the profile")
	set.StringVar(&b.provider, "provider", os.Getenv("POSTERN_PROVIDER"), "the S3 `implementation`, such as amazon-s3, minio, ceph-rgw, cloudflare-r2; by the host if it tells")
	set.StringVar(&b.public, "public-endpoint", os.Getenv("POSTERN_PUBLIC_ENDPOINT"), "the `URL` at which browsers find S3, if that is another")
	set.BoolVar(&b.pathStyle, "path-style", false, "the bucket stands in the path, not in the host's name")
	staging, ok := os.LookupEnv("POSTERN_STAGING")
	if !ok {
		staging = "staging/"
	}
	set.StringVar(&b.staging, "staging", staging, "the `prefix` of WithPromotion; empty for a handler without")
}

func (b *bucketOptions) originFlag(set *flag.FlagSet) {
	set.StringVar(&b.origin, "origin", os.Getenv("POSTERN_ORIGIN"), "the `origin` of the page, such as https://app.example.com")
}

var errNoBucket = errors.New("name the bucket: -bucket or POSTERN_BUCKET")

// address splits a bucket's URL.
func (b *bucketOptions) address() (name, endpoint string, err error) {
	switch {
	case b.bucket == "":
		return "", "", errNoBucket
	case !strings.Contains(b.bucket, "://"):
		return b.bucket, "", nil
	case strings.HasPrefix(b.bucket, "s3://"):
		return strings.Trim(strings.TrimPrefix(b.bucket, "s3://"), "/"), "", nil
	}
	u, err := url.Parse(b.bucket)
	if err != nil || u.User != nil {
		return "", "", errors.New("-bucket is no URL, or has a user in it")
	}
	path := strings.Trim(u.Path, "/")
	before, name := "", path
	if k := strings.LastIndexByte(path, '/'); k >= 0 {
		before, name = "/"+path[:k], path[k+1:]
	}
	if name == "" {
		return "", "", fmt.Errorf("-bucket names no bucket: its URL ends in it, as in %s://%s/uploads", u.Scheme, u.Host)
	}
	return name, u.Scheme + "://" + u.Host + before, nil
}

// resolve makes the bucket, with its credentials.
func (b *bucketOptions) resolve(ctx context.Context) (postern.Bucket, aws.Config, error) {
	name, endpoint, err := b.address()
	if err != nil {
		return postern.Bucket{}, aws.Config{}, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return postern.Bucket{}, cfg, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	bucket := postern.Bucket{
		Name: name, Endpoint: endpoint, PublicEndpoint: b.public, PathStyle: b.pathStyle,
		Region: cmp.Or(b.region, cfg.Region), Provider: postern.Provider(b.provider), Credentials: cfg.Credentials,
	}
	id, secret := os.Getenv("POSTERN_SIGNING_ACCESS_KEY_ID"), os.Getenv("POSTERN_SIGNING_SECRET_ACCESS_KEY")
	switch {
	case id != "" && secret != "":
		signing := credentials.NewStaticCredentialsProvider(id, secret, os.Getenv("POSTERN_SIGNING_SESSION_TOKEN"))
		bucket.Credentials, bucket.ServiceCredentials = signing, cfg.Credentials
	case id != "" || secret != "":
		return bucket, cfg, errors.New("POSTERN_SIGNING_ACCESS_KEY_ID and POSTERN_SIGNING_SECRET_ACCESS_KEY go together")
	}
	return bucket, cfg, nil
}

// issuer makes an Issuer of the bucket, as the handler's is.
func (o *options) issuer(ctx context.Context, opts ...postern.Option) (*postern.Issuer, error) {
	bucket, _, err := o.bucket.resolve(ctx)
	if err != nil {
		return nil, err
	}
	// What sharing means at this provider is for the doctor to say.
	opts = append(opts, postern.AllowSharedCredentials())
	if o.bucket.staging != "" {
		opts = append(opts, postern.WithPromotion(o.bucket.staging))
	}
	if o.name != "" {
		opts = append(opts, postern.WithName(o.name))
	}
	return postern.NewIssuer(bucket, opts...)
}

func (o *options) keyFlags(set *flag.FlagSet) {
	set.StringVar(&o.keyFile, "ticket-key-file", os.Getenv("POSTERN_TICKET_KEY_FILE"), "a `file` with the keys of tickets, one a line, the current one first; else POSTERN_TICKET_KEYS")
	set.StringVar(&o.name, "name", os.Getenv("POSTERN_NAME"), "the handler's `name`, as WithName has it")
}

var errNoKeys = errors.New("the keys of tickets are needed: POSTERN_TICKET_KEYS or -ticket-key-file")

// ticketKeys reads the keys, which are never printed.
func (o *options) ticketKeys() (postern.Option, error) {
	text := os.Getenv("POSTERN_TICKET_KEYS")
	if o.keyFile != "" {
		content, err := os.ReadFile(o.keyFile)
		if err != nil {
			return nil, err
		}
		text = string(content)
	}
	var keys [][]byte
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' }) {
		key, err := hex.DecodeString(word)
		if err != nil || len(key) != ticket.KeySize {
			key, err = base64.StdEncoding.DecodeString(word)
		}
		if err != nil || len(key) != ticket.KeySize {
			return nil, fmt.Errorf("key %d of the tickets is not %d bytes in base64 or hex", len(keys)+1, ticket.KeySize)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return postern.WithTicketKeys(keys[0], keys[1:]...), nil
}
