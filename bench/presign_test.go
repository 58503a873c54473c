package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/sigv4"
)

// BenchmarkPresignPart signs the URL of one UploadPart, for a part of an exact
// length.
func BenchmarkPresignPart(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		signer := sigv4.NewSigner(region)
		number := 0
		fixture.Measure(b, func() error {
			number = number%10_000 + 1
			_, err := signer.Presign(signingCredentials, time.Now(), sigv4.Request{
				Method:   "PUT",
				Endpoint: endpoint,
				Path:     "/" + key,
				Query: []sigv4.Field{
					{Name: "partNumber", Value: strconv.Itoa(number)},
					{Name: "uploadId", Value: uploadID},
				},
				Header:  []sigv4.Field{{Name: "content-length", Value: strconv.Itoa(partSize)}},
				Expires: lifetime,
			})
			return err
		})
	})

	b.Run("aws-sdk-go-v2", func(b *testing.B) {
		presigner := fixture.Presigner()
		number := int32(0)
		fixture.Measure(b, func() error {
			number = number%10_000 + 1
			_, err := fixture.PresignPart(b, presigner, number)
			return err
		})
	})

	// The signer under the SDK alone, with a request that it is given ready made:
	// it copies the request and adds the signature.
	b.Run("aws-signer-v4", func(b *testing.B) {
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		r, err := http.NewRequest("PUT", endpoint+"/"+key+"?"+url.Values{
			"partNumber": {"17"}, "uploadId": {uploadID}, "X-Amz-Expires": {strconv.Itoa(int(lifetime / time.Second))},
		}.Encode(), nil)
		require.NoError(b, err)
		r.ContentLength = partSize
		creds := aws.Credentials{AccessKeyID: fixture.AccessKeyID, SecretAccessKey: fixture.SecretKey}
		fixture.Measure(b, func() error {
			_, _, err := signer.PresignHTTP(b.Context(), creds, r, "UNSIGNED-PAYLOAD", "s3", region, time.Now())
			return err
		})
	})

	// PresignHeader is Presign with headers that are signed too.
	b.Run("minio-go", func(b *testing.B) {
		client := minioClient(b)
		number := 0
		fixture.Measure(b, func() error {
			number = number%10_000 + 1
			_, err := client.PresignHeader(b.Context(), "PUT", bucket, key, lifetime,
				url.Values{"partNumber": {strconv.Itoa(number)}, "uploadId": {uploadID}},
				http.Header{"Content-Length": {strconv.Itoa(partSize)}})
			return err
		})
	})

	// The floor: the hash of the canonical request, and one HMAC over the string
	// to sign.
	b.Run("floor", func(b *testing.B) {
		canonicalRequest := []byte("PUT\n/" + key + "\n" +
			"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + fixture.AccessKeyID + "%2F20260228%2F" + region + "%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20260228T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=content-length%3Bhost" +
			"&partNumber=1700&uploadId=" + uploadID + "\n" +
			"content-length:8388608\nhost:" + bucket + ".s3." + region + ".amazonaws.com\n\n" +
			"content-length;host\nUNSIGNED-PAYLOAD")
		toSign := []byte("AWS4-HMAC-SHA256\n20260228T120000Z\n20260228/" + region + "/s3/aws4_request\n")
		hash, mac := sha256.New(), hmac.New(sha256.New, make([]byte, sha256.Size))
		var sum, text, signature []byte
		fixture.Measure(b, func() error {
			hash.Reset()
			hash.Write(canonicalRequest)
			sum = hash.Sum(sum[:0])
			text = hex.AppendEncode(append(text[:0], toSign...), sum)
			mac.Reset()
			mac.Write(text)
			sum = mac.Sum(sum[:0])
			signature = hex.AppendEncode(signature[:0], sum)
			return nil
		})
	})
}
