package s3test_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

func TestAnUploadThatIsCutOffStoresNothing(t *testing.T) {
	srv := s3test.Start(t)
	ctx, client := context.Background(), srv.Client()
	presign := s3.NewPresignClient(client)
	// send declares more than it sends, and waits until the server has noticed.
	send := func(address string) {
		u, err := url.Parse(address)
		require.NoError(t, err)
		c, err := net.Dial("tcp", u.Host)
		require.NoError(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n\r\n%0300000d", u.RequestURI(), u.Host, 0)
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		require.NotContains(t, string(answer), "HTTP/1.1 200")
	}

	put, err := presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &srv.Bucket, Key: aws.String("a"), ContentLength: aws.Int64(1_000_000)})
	require.NoError(t, err)
	send(put.URL)
	objects, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	require.Empty(t, objects.Contents)

	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &srv.Bucket, Key: aws.String("b")})
	require.NoError(t, err)
	part, err := presign.PresignUploadPart(ctx, &s3.UploadPartInput{
		Bucket: &srv.Bucket, Key: aws.String("b"), UploadId: upload.UploadId, PartNumber: aws.Int32(1), ContentLength: aws.Int64(1_000_000),
	})
	require.NoError(t, err)
	send(part.URL)
	parts, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &srv.Bucket, Key: aws.String("b"), UploadId: upload.UploadId})
	require.NoError(t, err)
	require.Empty(t, parts.Parts)
}
