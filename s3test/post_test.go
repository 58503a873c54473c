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
			contentType, body := form(t, srv.Region, srv.Bucket, user, tc.max, [][2]string{{"key", tc.key}}, []byte("data"))
			resp, err := http.Post(srv.Endpoint+"/"+srv.Bucket, contentType, body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tc.status, resp.StatusCode)
		})
	}
}

// form makes a POST form with these fields for a file of at most max bytes.
func form(t testing.TB, region, bucket string, signer aws.Credentials, max int, fields [][2]string, content []byte) (contentType string, body *bytes.Buffer) {
	now := time.Now().UTC()
	day := now.Format("20060102")
	fields = append(fields, [][2]string{
		{"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-date", now.Format("20060102T150405Z")},
		{"x-amz-credential", signer.AccessKeyID + "/" + day + "/" + region + "/s3/aws4_request"},
	}...)
	conditions := []any{map[string]string{"bucket": bucket}, []any{"content-length-range", 1, max}}
	for _, f := range fields {
		conditions = append(conditions, map[string]string{f[0]: f[1]})
	}
	doc, err := json.Marshal(map[string]any{"expiration": now.Add(time.Minute).Format(time.RFC3339), "conditions": conditions})
	require.NoError(t, err)
	policy := base64.StdEncoding.EncodeToString(doc)
	key := []byte("AWS4" + signer.SecretAccessKey)
	for _, part := range []string{day, region, "s3", "aws4_request", policy} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}

	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range append(fields, [2]string{"policy", policy}, [2]string{"x-amz-signature", hex.EncodeToString(key)}) {
		require.NoError(t, w.WriteField(f[0], f[1]))
	}
	file, err := w.CreateFormFile("file", "k")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return w.FormDataContentType(), body
}
