package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/sigv4"
)

// BenchmarkSignPost signs one POST policy: bucket, key, type, disposition,
// status and length range, with the credential, algorithm and date of the
// signature.
func BenchmarkSignPost(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		signer := sigv4.NewSigner(region)
		fixture.Measure(b, func() error {
			_, err := signPost(signer)
			return err
		})
	})

	b.Run("aws-sdk-go-v2", func(b *testing.B) {
		presigner := fixture.Presigner()
		fixture.Measure(b, func() error {
			_, err := presigner.PresignPostObject(b.Context(),
				&s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)},
				func(o *s3.PresignPostOptions) {
					o.Expires = lifetime
					o.Conditions = []any{
						map[string]string{"Content-Type": contentType},
						map[string]string{"Content-Disposition": disposition},
						map[string]string{"success_action_status": "201"},
						[]any{"content-length-range", 1, maxSize},
					}
				})
			return err
		})
	})

	b.Run("minio-go", func(b *testing.B) {
		client := minioClient(b)
		fixture.Measure(b, func() error {
			policy := minio.NewPostPolicy()
			for _, err := range []error{
				policy.SetExpires(time.Now().Add(lifetime)),
				policy.SetBucket(bucket),
				policy.SetKey(key),
				policy.SetContentType(contentType),
				policy.SetContentDisposition(disposition),
				policy.SetSuccessStatusAction("201"),
				policy.SetContentLengthRange(1, maxSize),
			} {
				if err != nil {
					return err
				}
			}
			_, _, err := client.PresignedPostPolicy(b.Context(), policy)
			return err
		})
	})

	// The floor: base64 of a policy of the same length, and one HMAC over it.
	b.Run("floor", func(b *testing.B) {
		form, err := signPost(sigv4.NewSigner(region))
		require.NoError(b, err)
		policy, err := base64.StdEncoding.DecodeString(form.Get("policy"))
		require.NoError(b, err)
		mac := hmac.New(sha256.New, make([]byte, sha256.Size))
		var encoded, signature, sum []byte
		fixture.Measure(b, func() error {
			encoded = base64.StdEncoding.AppendEncode(encoded[:0], policy)
			mac.Reset()
			mac.Write(encoded)
			sum = mac.Sum(sum[:0])
			signature = hex.AppendEncode(signature[:0], sum)
			return nil
		})
	})
}

func signPost(signer *sigv4.Signer) (sigv4.Form, error) {
	now := time.Now()
	return signer.SignPost(signingCredentials, now, sigv4.Policy{
		Expires: now.Add(lifetime),
		Conditions: []sigv4.Condition{
			sigv4.Exact("bucket", bucket),
			sigv4.Exact("key", key),
			sigv4.Exact("Content-Type", contentType),
			sigv4.Exact("Content-Disposition", disposition),
			sigv4.Exact("success_action_status", "201"),
			sigv4.ContentLengthRange(1, maxSize),
		},
	})
}
