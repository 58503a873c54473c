package bench

import (
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/sigv4"
)

const (
	bucket      = fixture.Bucket
	key         = fixture.Key
	region      = fixture.Region
	endpoint    = fixture.Endpoint
	contentType = fixture.ContentType
	disposition = fixture.Disposition
	maxSize     = fixture.MaxSize
	lifetime    = fixture.Lifetime
	uploadID    = fixture.UploadID
	partSize    = fixture.PartSize
)

var signingCredentials = sigv4.Credentials{AccessKeyID: fixture.AccessKeyID, SecretAccessKey: fixture.SecretKey}

// minioClient is made once. The region is given, so that the client need not ask
// the server where the bucket is.
func minioClient(b *testing.B) *minio.Client {
	client, err := minio.New("s3."+region+".amazonaws.com", &minio.Options{
		Creds:  credentials.NewStaticV4(fixture.AccessKeyID, fixture.SecretKey, ""),
		Secure: true,
		Region: region,
	})
	require.NoError(b, err)
	return client
}
