package s3test_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/postern-go/postern/s3test"
	"github.com/stretchr/testify/require"
)

func TestPostFormIsJudgedByItsSigner(t *testing.T) {
	srv := s3test.Start(t)
	creds, err := srv.PutOnlyUser(t.Context(), "staging/")
	require.NoError(t, err)
	user, err := creds.Retrieve(t.Context())
	require.NoError(t, err)

	stored, err := srv.Client().GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	deny := `"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":["arn:aws:s3:::uploads/staging/closed/*"]},`
	_, err = srv.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: &srv.Bucket,
		Policy: aws.String(strings.Replace(aws.ToString(stored.Policy), `"Statement":[`, deny, 1)),
	})
	require.NoError(t, err)

	tests := []struct {
		name, key string
		max       int
		status    int
	}{
		{"under the prefix", "staging/k", 4, http.StatusNoContent},
		{"elsewhere", "final/k", 4, http.StatusForbidden},
		{"denied within the prefix", "staging/closed/k", 4, http.StatusForbidden},
		{"out of the prefix", "staging/../final/k", 4, http.StatusForbidden},
		{"too large", "staging/k", 3, http.StatusBadRequest},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Now().UTC()
			day, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
			credential := user.AccessKeyID + "/" + day + "/" + srv.Region + "/s3/aws4_request"
			doc, err := json.Marshal(map[string]any{
				"expiration": now.Add(time.Minute).Format(time.RFC3339),
				"conditions": []any{
					map[string]string{"bucket": srv.Bucket}, map[string]string{"key": tc.key},
					map[string]string{"x-amz-algorithm": "AWS4-HMAC-SHA256"},
					map[string]string{"x-amz-credential": credential}, map[string]string{"x-amz-date": stamp},
					[]any{"content-length-range", 1, tc.max},
				},
			})
			require.NoError(t, err)
			policy := base64.StdEncoding.EncodeToString(doc)
			key := []byte("AWS4" + user.SecretAccessKey)
			for _, part := range []string{day, srv.Region, "s3", "aws4_request", policy} {
				mac := hmac.New(sha256.New, key)
				mac.Write([]byte(part))
				key = mac.Sum(nil)
			}

			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			for _, field := range [][2]string{
				{"key", tc.key}, {"policy", policy}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"},
				{"x-amz-credential", credential}, {"x-amz-date", stamp}, {"x-amz-signature", hex.EncodeToString(key)},
			} {
				require.NoError(t, form.WriteField(field[0], field[1]))
			}
			file, err := form.CreateFormFile("file", "k")
			require.NoError(t, err)
			_, err = file.Write([]byte("data"))
			require.NoError(t, err)
			require.NoError(t, form.Close())
			resp, err := http.Post(srv.Endpoint+"/"+srv.Bucket, form.FormDataContentType(), &body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tc.status, resp.StatusCode)
		})
	}
}
