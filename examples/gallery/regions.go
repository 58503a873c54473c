package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// site is what flags say of a region.
type site struct{ s3Addr, bucket, awsRegion *string }

// sites are the regions by their IDs, of which each organisation has one.
var sites = map[string]site{
	"eu": newSite("eu", "127.0.0.1:9000", "eu-central-1"),
	"us": newSite("us", "127.0.0.1:9001", "us-east-1"),
}

func newSite(id, s3Addr, awsRegion string) site {
	return site{
		s3Addr: flag.String(id+"-s3-addr", s3Addr, "`address` of the S3 server that comes along"),
		bucket: flag.String(id+"-bucket", "", "`name` of a real bucket to use instead: credentials and an endpoint come from the AWS environment (AWS_ENDPOINT_URL, …), "+
			"the credentials that sign uploads from POSTERN_SIGNING_ACCESS_KEY_ID, POSTERN_SIGNING_SECRET_ACCESS_KEY and POSTERN_SIGNING_SESSION_TOKEN"),
		awsRegion: flag.String(id+"-region", awsRegion, "`region` of the real bucket"),
	}
}

// region is where the photos of some organisations are.
type region struct {
	bucket  postern.Bucket
	objects *s3.Client
}

// openRegions opens the bucket of each region.
func (a *app) openRegions(ctx context.Context) (err error) {
	a.regions = map[string]*region{}
	for id, s := range sites {
		open := s.startServer
		if *s.bucket != "" {
			open = s.findBucket
		}
		if a.regions[id], err = open(ctx, id); err != nil {
			return fmt.Errorf("region %s: %w", id, err)
		}
	}
	return nil
}

// startServer starts an S3 server, whose secrets last as long as the program.
func (s site) startServer(ctx context.Context, id string) (*region, error) {
	server, err := s3test.New(*dir+"/s3-"+id, *s.s3Addr, s3test.WithBucket("gallery-"+id), s3test.WithRegion(*s.awsRegion),
		s3test.WithCredentials("GALLERY", rand.Text()))
	if err != nil {
		return nil, err
	}
	r := newRegion(server.Bucket, server.Client())
	r.bucket.Provider = postern.VersityGW
	// The last run's signing user may do no more.
	_, _ = r.objects.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &server.Bucket})
	r.bucket.Credentials, err = server.PutOnlyUser(ctx, staging)
	return r, err
}

// findBucket finds a real bucket, whose CORS rules must allow POST from the page's
// origin.
func (s site) findBucket(ctx context.Context, _ string) (*region, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(*s.awsRegion))
	if err != nil {
		return nil, err
	}
	r := newRegion(*s.bucket, s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }))
	r.bucket.Credentials = cfg.Credentials
	if id := os.Getenv("POSTERN_SIGNING_ACCESS_KEY_ID"); id != "" {
		r.bucket.Credentials = credentials.NewStaticCredentialsProvider(id, os.Getenv("POSTERN_SIGNING_SECRET_ACCESS_KEY"), os.Getenv("POSTERN_SIGNING_SESSION_TOKEN"))
	}
	return r, nil
}

func newRegion(bucket string, objects *s3.Client) *region {
	o := objects.Options()
	return &region{objects: objects, bucket: postern.Bucket{
		Name: bucket, Region: o.Region, Endpoint: aws.ToString(o.BaseEndpoint), PathStyle: o.UsePathStyle,
		ServiceCredentials: o.Credentials,
	}}
}

// regionOf finds where a photo is by the name of its bucket: its organisation may have
// moved since.
func (a *app) regionOf(bucket string) (*region, error) {
	for _, r := range a.regions {
		if r.bucket.Name == bucket {
			return r, nil
		}
	}
	return nil, fmt.Errorf("bucket %q is of no region", bucket)
}

// origins lists where browsers find the buckets, for the page's policy.
func (a *app) origins() (string, error) {
	var list []string
	for _, r := range a.regions {
		origin, err := a.uploads.Issuer().OriginIn(r.bucket)
		if err != nil {
			return "", err
		}
		list = append(list, origin)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " "), nil
}
