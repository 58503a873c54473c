package postern_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func at5GiB() postern.Option { return postern.WithSizeLimit(1, 5<<30) }

func onComplete() postern.Option {
	return postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil })
}

func TestModeFollowsTheProvider(t *testing.T) {
	for _, tc := range []struct {
		name     string
		provider postern.Provider
		endpoint string
		opts     []postern.HandlerOption
		want     string
	}{
		{"Amazon takes forms", "", "", nil, "post"},
		{"Amazon by PUT on request", "", "", []postern.HandlerOption{postern.WithMode(postern.ModePut)}, "put"},
		{"Amazon by PUT where a form could be used again", "", "", []postern.HandlerOption{onComplete()}, "put"},
		{"Amazon by form where promotion freezes", "", "", []postern.HandlerOption{onComplete(), postern.WithPromotion("staging/")}, "post"},
		{"R2 takes no forms", "", "https://account.r2.cloudflarestorage.com", nil, "put"},
		{"B2 takes no forms", "", "https://s3.us-west-004.backblazeb2.com", nil, "put"},
		{"Google takes no forms of Amazon's", "", "https://storage.googleapis.com", nil, "put"},
		{"Wasabi says nothing of forms", "", "https://s3.eu-central-1.wasabisys.com", nil, "put"},
		{"Scaleway takes forms", "", "https://s3.fr-par.scw.cloud", nil, "post"},
		{"Ceph's forms forget what makes a browser download", postern.CephRGW, "https://s3.example.com", nil, "put"},
		{"SeaweedFS takes forms with anything in them", postern.SeaweedFS, "https://s3.example.com", nil, "put"},
		{"an unknown server takes forms", "", "https://s3.example.com", nil, "post"},
		{"the table can be overruled", postern.CloudflareR2, "https://s3.example.com", nil, "put"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := bucket
			b.Endpoint, b.Provider = tc.endpoint, tc.provider
			h, err := postern.New(b, append(tc.opts, postern.WithAuthorizer(asAda), postern.WithTicketKeys(ticketKey), postern.AllowSharedCredentials())...)
			require.NoError(t, err)
			require.Contains(t, send(h, photo).Body.String(), `"mode":"`+tc.want+`"`)
		})
	}
}

func TestPutGrantSignsEverythingThatIsStored(t *testing.T) {
	h := newHandler(t, postern.WithMode(postern.ModePut), postern.WithClientMetadata("album"),
		postern.WithAttributes(postern.Attributes{
			ACL: "private", CacheControl: "no-cache", StorageClass: "STANDARD_IA",
			Tags: map[string]string{"a b": "c+d"}, Metadata: map[string]string{"origin": "web"},
			Encryption: postern.Encryption{Algorithm: "aws:kms", KMSKeyID: "key-1", BucketKey: true},
		}))
	body := send(h, withMetadata).Body.String()
	signed := "content-disposition%3Bcontent-length%3Bcontent-type%3Bhost%3Bif-none-match%3B" +
		"x-amz-acl%3Bx-amz-meta-album%3Bx-amz-meta-origin%3Bx-amz-meta-postern-id%3Bx-amz-server-side-encryption%3B" +
		"x-amz-server-side-encryption-aws-kms-key-id%3Bx-amz-server-side-encryption-bucket-key-enabled%3B" +
		"x-amz-storage-class%3Bx-amz-tagging\\u0026"
	require.Contains(t, body, "X-Amz-SignedHeaders=cache-control%3B"+signed)
	for _, header := range []string{`"if-none-match":"*"`, `"x-amz-tagging":"a%20b=c%2Bd"`, `"x-amz-acl":"private"`, `"x-amz-meta-album":"holiday"`} {
		require.Contains(t, body, header)
	}
	require.NotContains(t, body, `"content-length"`, "no script may set it")
	require.NotContains(t, body, `"host"`)
}

func TestWhatDoesNotGoTogetherIsAMistake(t *testing.T) {
	minio := "https://minio.example.com"
	for _, tc := range []struct {
		name, endpoint string
		provider       postern.Provider
		opts           []postern.HandlerOption
		want           []string
	}{
		{"forms at a provider without", "https://x.r2.cloudflarestorage.com", "", []postern.HandlerOption{postern.WithMode(postern.ModePost)}, []string{"WithMode"}},
		{"promotion of more than a provider can copy", "https://storage.googleapis.com", "", []postern.HandlerOption{postern.WithPromotion("s/"), postern.WithSizeLimit(1, 6<<30), postern.AllowSharedCredentials()}, []string{"WithPromotion"}},
		{"receipts without promotion at a lenient server", minio, postern.MinIO, []postern.HandlerOption{onComplete(), postern.AllowSharedCredentials()}, []string{"WithOnComplete"}},
		{"receipts without promotion at a provider without conditions", minio, postern.Garage, []postern.HandlerOption{onComplete()}, []string{"WithOnComplete"}},
		{"receipts of parts at a server that completes them again", minio, postern.Garage, []postern.HandlerOption{onComplete(), postern.WithMode(postern.ModePost), at5GiB()}, []string{"WithOnComplete"}},
		{"one identity for receipts at a lenient server", minio, postern.MinIO, []postern.HandlerOption{onComplete(), postern.WithPromotion("s/")}, []string{"Bucket.ServiceCredentials"}},
		{"one identity for parts at a lenient server", minio, "", []postern.HandlerOption{at5GiB()}, []string{"Bucket.ServiceCredentials"}},
		{"one identity for limits that nobody knows", minio, "", []postern.HandlerOption{postern.WithSizeLimitFunc(nil)}, []string{"WithSizeLimitFunc"}},
		{"strangers with parts", "", "", []postern.HandlerOption{postern.AllowAnonymous(), at5GiB()}, []string{"AllowAnonymous"}},
		{"strangers with receipts", "", "", []postern.HandlerOption{postern.AllowAnonymous(), onComplete()}, []string{"AllowAnonymous"}},
		{"a key that is too short", "", "", []postern.HandlerOption{postern.WithTicketKeys(ticketKey[1:])}, []string{"WithTicketKeys"}},
		{"a key twice", "", "", []postern.HandlerOption{postern.WithTicketKeys(ticketKey, ticketKey)}, []string{"WithTicketKeys"}},
		{"a ticket of a second", "", "", []postern.HandlerOption{postern.WithTicketLifetime(time.Second)}, []string{"WithTicketLifetime"}},
		{"a mode that the size decides", "", "", []postern.HandlerOption{postern.WithMode(postern.ModeMultipart)}, []string{"WithMode"}},
		{"parts below 5 MiB", "", "", []postern.HandlerOption{postern.WithPartSize(1 << 20)}, []string{"WithPartSize"}},
		{"a threshold above 5 GiB", "", "", []postern.HandlerOption{postern.WithMultipartThreshold(5<<30 + 1)}, []string{"WithMultipartThreshold"}},
		{"staging without a slash", "", "", []postern.HandlerOption{postern.WithPromotion("staging")}, []string{"WithPromotion"}},
		{"staging everywhere", "", "", []postern.HandlerOption{postern.WithPromotion("/")}, []string{"WithPromotion"}},
		{"a hook of no time", "", "", []postern.HandlerOption{postern.WithHookTimeout(time.Second - 1)}, []string{"WithHookTimeout"}},
		{"a hook of a day", "", "", []postern.HandlerOption{postern.WithHookTimeout(time.Hour + 1)}, []string{"WithHookTimeout"}},
		{"a completion of a second", "", "", []postern.HandlerOption{postern.WithCompletionTimeout(time.Minute - 1)}, []string{"WithCompletionTimeout"}},
		{"a completion of a week", "", "", []postern.HandlerOption{postern.WithCompletionTimeout(24*time.Hour + 1)}, []string{"WithCompletionTimeout"}},
		{"a hook that outlives its completion", "", "", []postern.HandlerOption{postern.WithHookTimeout(2 * time.Minute), postern.WithCompletionTimeout(time.Minute)}, []string{"WithHookTimeout"}},
		{"no completion", "", "", []postern.HandlerOption{postern.WithMaxCompletions(0)}, []string{"WithMaxCompletions"}},
		{"a hook of nil", "", "", []postern.HandlerOption{postern.WithOnComplete(nil)}, []string{"WithOnComplete"}},
		{"a name with a line break", "", "", []postern.HandlerOption{postern.WithName("a\n")}, []string{"WithName"}},
		{"a provider that nobody knows", minio, "acme", nil, []string{"Bucket.Provider"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := bucket
			b.Endpoint, b.Provider = tc.endpoint, tc.provider
			_, err := postern.New(b, append([]postern.HandlerOption{postern.WithAuthorizer(asAda)}, tc.opts...)...)
			require.Equal(t, tc.want, options(t, err))
		})
	}
}

func TestTwoIdentitiesAreFineAnywhere(t *testing.T) {
	b := bucket
	b.Endpoint, b.Provider = "https://minio.example.com", postern.MinIO
	b.ServiceCredentials = accessKey("SERVICE")
	_, err := postern.New(b, postern.WithAuthorizer(asAda), onComplete(), postern.WithPromotion("staging/"), at5GiB())
	require.NoError(t, err)

	b.Credentials = b.ServiceCredentials
	_, err = postern.New(b, postern.WithAuthorizer(asAda), onComplete(), postern.WithPromotion("staging/"))
	require.Equal(t, []string{"Bucket.ServiceCredentials"}, options(t, err), "the same identity twice")
}

func TestFormsThatCouldBeUsedAgainNeedAChecksum(t *testing.T) {
	h := newHandler(t, postern.WithMode(postern.ModePost), onComplete())
	require.Equal(t, "checksum_required", refused(t, send(h, photo)).Code)
	granted(t, send(h, strings.TrimSuffix(photo, "}")+`,"checksum":{"sha256":"`+strings.Repeat("A", 43)+`="}}`))
}

func TestKeysNeverLieInStaging(t *testing.T) {
	h := newHandler(t, postern.WithPromotion("acme/"), postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{uuid}")))
	require.Equal(t, "key_invalid", refused(t, send(h, photo)).Code)
}

func TestPromotionLetsGrantsWriteInStagingOnly(t *testing.T) {
	g := granted(t, send(newHandler(t, postern.WithPromotion("staging/")), photo))
	require.Equal(t, "staging/"+g.Fields["x-amz-meta-postern-id"], g.Fields["key"])
	require.True(t, strings.HasPrefix(g.Key, "acme/"), g.Key)
	require.Equal(t, "https://acme-uploads.s3.eu-central-1.amazonaws.com/"+g.Key, g.Location)
	require.True(t, g.Complete)
}

func TestNobodyKnowsAboutTicketsOfThisProcessUnwarned(t *testing.T) {
	var log bytes.Buffer
	h, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithLogger(zerolog.New(&log)), at5GiB())
	require.NoError(t, err)
	for range 3 {
		granted(t, send(h, photo))
	}
	require.Equal(t, 1, strings.Count(log.String(), "WithTicketKeys"))
}

// accessKey is a provider that can be compared, as those of the SDK can.
type accessKey string

func (id accessKey) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: string(id), SecretAccessKey: "secret"}, nil
}
