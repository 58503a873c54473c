package s3_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/sigv4"
)

// sdkSignature is what the SDK's own signer makes of the same request.
func sdkSignature(t testing.TB, creds sigv4.Credentials, now time.Time, region string, r sigv4.Request) string {
	request, err := http.NewRequest(r.Method, r.Endpoint+"/", nil)
	require.NoError(t, err)
	request.URL.Path, request.URL.RawPath = r.Path, sigv4.EscapePath(r.Path)
	query := url.Values{"X-Amz-Expires": {fmt.Sprint(int(r.Expires.Seconds()))}}
	for _, q := range r.Query {
		query.Add(q.Name, q.Value)
	}
	request.URL.RawQuery = query.Encode()
	for _, h := range r.Header {
		request.Header.Set(h.Name, h.Value)
		if strings.EqualFold(h.Name, "Content-Length") {
			_, err := fmt.Sscan(h.Value, &request.ContentLength)
			require.NoError(t, err)
		}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
		o.DisableHeaderHoisting = true
	})
	signed, _, err := signer.PresignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken,
	}, request, "UNSIGNED-PAYLOAD", "s3", region, now)
	require.NoError(t, err)
	u, err := url.Parse(signed)
	require.NoError(t, err)
	return u.Query().Get("X-Amz-Signature")
}

func TestPresignedURLsHaveTheSDKsSignature(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abcXYZ019-._~ +&%'\"$\\/=?#;,:@!*()[]{}<>|^`éß日本語😀")
	text := func(longest int) string {
		var b strings.Builder
		for range 1 + rnd.IntN(longest) {
			b.WriteRune(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	signer := map[string]*sigv4.Signer{}
	for _, region := range []string{"us-east-1", "eu-central-1", "auto"} {
		signer[region] = sigv4.NewSigner(region)
	}
	for n := range 3000 {
		creds := sigv4.Credentials{AccessKeyID: fmt.Sprintf("AKIA%04d", rnd.IntN(3)), SecretAccessKey: text(40)}
		if rnd.IntN(2) == 0 {
			creds.SessionToken = text(200)
		}
		regions := []string{"us-east-1", "eu-central-1", "auto"}
		region := regions[rnd.IntN(len(regions))]
		now := time.Date(2020+rnd.IntN(20), time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(60), rnd.IntN(60), 0, time.UTC)
		r := sigv4.Request{
			Method:   []string{"GET", "PUT", "HEAD", "DELETE", "POST"}[rnd.IntN(5)],
			Endpoint: []string{"https://acme.s3.eu-central-1.amazonaws.com", "http://127.0.0.1:9000"}[rnd.IntN(2)],
			Path:     "/" + text(80),
			Expires:  time.Duration(1+rnd.IntN(604800)) * time.Second,
		}
		names := map[string]bool{}
		for range rnd.IntN(5) {
			name := []string{"uploadId", "partNumber", "response-content-type", "x-id", "A", "a-b", "Z", "~t", "0"}[rnd.IntN(9)]
			if !names[name] {
				names[name] = true
				r.Query = append(r.Query, sigv4.Field{Name: name, Value: text(20)})
			}
		}
		if rnd.IntN(2) == 0 {
			r.Header = append(r.Header, sigv4.Field{Name: "Content-Length", Value: fmt.Sprint(1 + rnd.IntN(1<<30))})
		}
		for _, name := range []string{"content-type", "if-none-match", "x-amz-meta-a", "x-amz-checksum-sha256", "Cache-Control"} {
			if rnd.IntN(3) == 0 {
				r.Header = append(r.Header, sigv4.Field{Name: name, Value: "v" + strings.Map(func(c rune) rune {
					if c > 0x7e {
						return 'x'
					}
					return c
				}, text(30)) + "  w"})
			}
		}
		got, err := signer[region].Presign(creds, now, r)
		require.NoError(t, err)
		_, signature, _ := strings.Cut(got, "&X-Amz-Signature=")
		require.Equal(t, sdkSignature(t, creds, now, region, r), signature, "case %d: %+v", n, r)
	}
}

func FuzzPresignLikeTheSDK(f *testing.F) {
	f.Add("a b", "uploadId", "x")
	f.Add("日/+%", "Z", "&=")
	f.Fuzz(func(t *testing.T, key, name, value string) {
		r := sigv4.Request{Method: "GET", Endpoint: "https://h.example", Path: "/" + key,
			Query: []sigv4.Field{{Name: name, Value: value}}, Expires: time.Minute}
		creds := sigv4.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		got, err := sigv4.NewSigner("us-east-1").Presign(creds, now, r)
		if err != nil {
			return
		}
		_, signature, _ := strings.Cut(got, "&X-Amz-Signature=")
		require.Equal(t, sdkSignature(t, creds, now, "us-east-1", r), signature)
	})
}

func TestPresignedURLsOfAnyMethodAreAccepted(t *testing.T) {
	srv := foreign.Embedded(t)
	signer := sigv4.NewSigner(srv.Region)
	creds := sigv4.Credentials{AccessKeyID: srv.AccessKeyID, SecretAccessKey: srv.SecretAccessKey}
	presign := func(method, key string, header ...sigv4.Field) string {
		u, err := signer.Presign(creds, time.Now(), sigv4.Request{
			Method: method, Endpoint: srv.Endpoint, Path: "/" + srv.Bucket + "/" + key, Header: header, Expires: time.Minute,
		})
		require.NoError(t, err)
		return u
	}
	for _, key := range oddKeys() {
		sum := sha256.Sum256([]byte(key))
		header := []sigv4.Field{{Name: "content-type", Value: "text/plain"}, {Name: "if-none-match", Value: "*"},
			{Name: "x-amz-meta-sum", Value: hex.EncodeToString(sum[:])}}
		sent := http.Header{}
		for _, h := range header {
			sent.Set(h.Name, h.Value)
		}
		answer := do(t, "PUT", presign("PUT", key, header...), strings.NewReader(key), sent)
		require.Equal(t, http.StatusOK, answer.Status, "%q: %s", key, answer.Body)
		require.Equal(t, http.StatusPreconditionFailed, do(t, "PUT", presign("PUT", key, header...), strings.NewReader(key), sent).Status)
		require.Equal(t, key, do(t, "GET", presign("GET", key), nil, nil).Body)
		require.Equal(t, http.StatusOK, do(t, "HEAD", presign("HEAD", key), nil, nil).Status)
	}
	stored := keys(t, srv)
	sort.Strings(stored)
	require.Len(t, stored, len(oddKeys()))
	for _, key := range stored {
		require.Equal(t, http.StatusNoContent, do(t, "DELETE", presign("DELETE", key), nil, nil).Status, key)
	}
}
