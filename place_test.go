package postern_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// pointer is a provider that a map can have as a key.
type pointer struct{ id string }

func (p *pointer) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: p.id, SecretAccessKey: secretKey}, nil
}

var (
	american = postern.Bucket{Name: "acme-us", Region: "us-east-1", Credentials: &pointer{"AKIAUS"}}
	regions  = map[string]string{"globex": "us"}
)

// byRegion puts the uploads of some tenants into another bucket.
func byRegion(_ context.Context, u *postern.Upload) (postern.Bucket, error) {
	if regions[u.Tenant] == "us" {
		return american, nil
	}
	return postern.Bucket{}, nil
}

// inBuckets returns a handler of several buckets for a tenant.
func inBuckets(t *testing.T, tenant string, f postern.BucketsFunc, opts ...postern.HandlerOption) *postern.Handler {
	t.Helper()
	return newHandler(t, append(opts, postern.WithBuckets(f), postern.WithAuthorizer(as("ada", tenant)))...)
}

func TestEachUploadGoesIntoItsBucket(t *testing.T) {
	g := granted(t, send(inBuckets(t, "globex", byRegion), photo))
	require.Equal(t, "https://acme-us.s3.us-east-1.amazonaws.com/", g.URL)
	require.Equal(t, g.URL+g.Key, g.Location)
	require.Equal(t, "acme-us", policyOf(t, g.Fields["policy"]).exact(t)["bucket"])
	require.Contains(t, g.Fields["x-amz-credential"], "AKIAUS/20260228/us-east-1/")

	require.Equal(t, "https://acme-us.s3.us-east-1.amazonaws.com", rulesOf(t, get(inBuckets(t, "globex", byRegion))).Origin)

	g = granted(t, send(inBuckets(t, "acme", byRegion), photo))
	require.Equal(t, "https://acme-uploads.s3.eu-central-1.amazonaws.com/", g.URL)
	require.Equal(t, home, rulesOf(t, get(inBuckets(t, "acme", byRegion))).Origin)
}

func TestBucketIsDecidedOnceItIsKnownWhoUploads(t *testing.T) {
	asked := 0
	h := inBuckets(t, "acme", func(_ context.Context, u *postern.Upload) (postern.Bucket, error) {
		asked++
		require.Equal(t, "acme", u.Tenant)
		require.Empty(t, u.Bucket)
		return postern.Bucket{}, nil
	})
	granted(t, send(h, photo))
	refused(t, send(h, photo, withHeader("Sec-Fetch-Site", "cross-site")))
	require.Equal(t, 1, asked)
}

func TestTicketSealsTheBucket(t *testing.T) {
	for name, tc := range map[string]struct {
		tenant string
		later  postern.BucketsFunc
		code   string
	}{
		"the same one":              {"globex", byRegion, "not_multipart"},
		"the Issuer's own":          {"acme", byRegion, "not_multipart"},
		"another than the Issuer's": {"acme", func(context.Context, *postern.Upload) (postern.Bucket, error) { return american, nil }, "bucket_changed"},
		"the Issuer's own instead":  {"globex", func(context.Context, *postern.Upload) (postern.Bucket, error) { return postern.Bucket{}, nil }, "bucket_changed"},
		"of this name somewhere else": {"globex", func(context.Context, *postern.Upload) (postern.Bucket, error) {
			b := american
			b.Region = "us-west-2"
			return b, nil
		}, "bucket_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			g := granted(t, send(inBuckets(t, tc.tenant, byRegion), photo))
			var told string
			h := inBuckets(t, tc.tenant, func(ctx context.Context, u *postern.Upload) (postern.Bucket, error) {
				told = u.Bucket
				return tc.later(ctx, u)
			})
			w := send(h, `{"ticket":`+strconv.Quote(g.Ticket)+`,"numbers":[1]}`, at("/uploads/parts"))
			require.Equal(t, tc.code, refused(t, w).Code)
			require.Equal(t, map[string]string{"acme": "acme-uploads", "globex": "acme-us"}[tc.tenant], told)
		})
	}
}

func TestTicketOfABucketIsNothingToAHandlerOfOne(t *testing.T) {
	g := granted(t, send(inBuckets(t, "globex", byRegion), photo))
	h := newHandler(t, postern.WithAuthorizer(as("ada", "globex")))
	require.Equal(t, "bucket_changed", refused(t, send(h, `{"ticket":`+strconv.Quote(g.Ticket)+`,"numbers":[1]}`, at("/uploads/parts"))).Code)
}

func TestBucketsThatAreWrongAreClearErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		buckets postern.BucketsFunc
		code    string
		logged  string
	}{
		"a bucket that New would refuse": {func(context.Context, *postern.Upload) (postern.Bucket, error) {
			return postern.Bucket{Name: "acme-us", Credentials: credentials, Region: "u s"}, nil
		}, "bucket_invalid", "Bucket.Region"},
		"a bucket that the options do not fit": {func(context.Context, *postern.Upload) (postern.Bucket, error) {
			return postern.Bucket{Name: "acme", Endpoint: "https://minio.example.com", Credentials: credentials, Provider: postern.MinIO}, nil
		}, "bucket_invalid", "Bucket.ServiceCredentials"},
		"a problem": {func(context.Context, *postern.Upload) (postern.Bucket, error) {
			return postern.Bucket{}, postern.ErrForbidden
		}, "forbidden", ""},
		"an error": {func(context.Context, *postern.Upload) (postern.Bucket, error) {
			return postern.Bucket{}, errors.New("no database")
		}, "internal", "no database"},
		"a panic": {func(context.Context, *postern.Upload) (postern.Bucket, error) { panic("at the disco") }, "internal", "at the disco"},
	} {
		t.Run(name, func(t *testing.T) {
			var decision postern.Decision
			h := inBuckets(t, "acme", tc.buckets, postern.WithPromotion("staging/"),
				postern.WithObserver(func(_ context.Context, d postern.Decision) { decision = d }))
			require.Equal(t, tc.code, refused(t, send(h, photo)).Code)
			require.Contains(t, decision.Err.Error(), tc.logged)
		})
	}
	_, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithBuckets(nil))
	require.Equal(t, []string{"WithBuckets"}, options(t, err))
}

func TestBucketsWithOneCredentialsFunctionEachWork(t *testing.T) {
	h := inBuckets(t, "acme", func(context.Context, *postern.Upload) (postern.Bucket, error) {
		return postern.Bucket{Name: "acme-us", Region: "us-east-1", Credentials: credentials}, nil
	})
	for range 2 {
		require.True(t, strings.HasPrefix(granted(t, send(h, photo)).URL, "https://acme-us."))
	}
}

func TestOneBucketIsMadeReadyOnce(t *testing.T) {
	calls := 0
	counting := &counter{&calls}
	h := inBuckets(t, "acme", func(context.Context, *postern.Upload) (postern.Bucket, error) {
		return postern.Bucket{Name: "acme-us", Region: "us-east-1", Credentials: counting}, nil
	})
	for range 3 {
		granted(t, send(h, photo))
	}
	require.Equal(t, 1, calls)
}

// counter is a provider that counts how often it is asked.
type counter struct{ calls *int }

func (c *counter) Retrieve(ctx context.Context) (aws.Credentials, error) {
	*c.calls++
	return credentials.Retrieve(ctx)
}

func TestStagingHasABucketOfItsOwn(t *testing.T) {
	b := bucket
	b.StagingName = "acme-incoming"
	g := granted(t, send(newHandlerFor(t, b, postern.WithPromotion("staging/")), photo))
	require.Equal(t, "https://acme-incoming.s3.eu-central-1.amazonaws.com/", g.URL)
	require.Equal(t, "acme-incoming", policyOf(t, g.Fields["policy"]).exact(t)["bucket"])
	require.Equal(t, "https://acme-uploads.s3.eu-central-1.amazonaws.com/"+g.Key, g.Location)

	_, err := postern.New(b, postern.WithAuthorizer(asAda))
	require.Equal(t, []string{"Bucket.StagingName"}, options(t, err), "without promotion")
	b.Endpoint = "https://acme-uploads.s3.eu-central-1.amazonaws.com"
	_, err = postern.New(b, postern.WithAuthorizer(asAda), postern.WithPromotion("staging/"))
	require.Equal(t, []string{"Bucket.StagingName"}, options(t, err), "at an endpoint of one bucket")
}

func TestPresignedGetOfOneOfSeveralBuckets(t *testing.T) {
	i := newIssuer(t, postern.WithBuckets(postern.BucketsFunc(byRegion)))
	address, err := i.PresignGetIn(t.Context(), american, "a.png", 60e9)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(address, "https://acme-us.s3.us-east-1.amazonaws.com/a.png?"), address)
	_, err = i.PresignGetIn(t.Context(), postern.Bucket{Name: "x"}, "a.png", 60e9)
	require.ErrorIs(t, err, postern.ErrBucketInvalid)
}

func TestOriginOfOneOfSeveralBuckets(t *testing.T) {
	i := newIssuer(t, postern.WithBuckets(postern.BucketsFunc(byRegion)))
	origin, err := i.OriginIn(american)
	require.NoError(t, err)
	require.Equal(t, "https://acme-us.s3.us-east-1.amazonaws.com", origin)
	_, err = i.OriginIn(postern.Bucket{Name: "x"})
	require.ErrorIs(t, err, postern.ErrBucketInvalid)
}
