package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

var content = []byte("hello, bucket")

var textFile = map[string]any{"filename": "hello.txt", "type": "text/plain", "size": len(content)}

func TestGrantUploadsOneObjectWithEveryAttribute(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newHandler(t, srv,
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{uuid}{ext}")),
		postern.WithClientMetadata("caption"),
		postern.WithAttributes(postern.Attributes{
			CacheControl: "private, max-age=60",
			Tags:         map[string]string{"kind": "a +-=._:/@ é", "by": "postern"},
			Metadata:     map[string]string{"origin": "web"},
		}))
	g := ask(t, h, map[string]any{
		"filename": "naïve $5.txt", "type": "text/plain; charset=UTF-8", "size": len(content),
		"metadata": map[string]string{"caption": "a $ and a \\", "other": "dropped"},
	})
	require.True(t, strings.HasSuffix(g.URL, "/"+srv.Bucket+"/"), g.URL)
	require.Equal(t, g.URL+g.Key, g.Location)

	answer := postForm(t, g.URL, g.Fields, content)
	require.Equal(t, http.StatusCreated, answer.Status, answer.Body)

	out, stored := object(t, srv, g.Key)
	require.Equal(t, content, stored)
	require.Equal(t, "text/plain; charset=utf-8", aws.ToString(out.ContentType))
	require.Equal(t, `attachment; filename="na_ve $5.txt"; filename*=UTF-8''na%C3%AFve%20$5.txt`, aws.ToString(out.ContentDisposition))
	require.Equal(t, "private, max-age=60", aws.ToString(out.CacheControl))
	require.Equal(t, "a $ and a \\", out.Metadata["caption"])
	require.Equal(t, "web", out.Metadata["origin"])
	require.Regexp(t, "^[0-9a-f]{32}$", out.Metadata["postern-id"])
	require.Len(t, out.Metadata, 3)
	tags, err := srv.Client().GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: &srv.Bucket, Key: &g.Key})
	require.NoError(t, err)
	require.ElementsMatch(t, []types.Tag{
		{Key: aws.String("kind"), Value: aws.String("a +-=._:/@ é")}, {Key: aws.String("by"), Value: aws.String("postern")},
	}, tags.TagSet)
}

func TestOddKeysAreAcceptedAndReadBack(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	bucket := bucketOf(t, srv)
	bucket.Credentials = srv.Credentials()
	for _, key := range oddKeys() {
		t.Run(key[:min(len(key), 20)], func(t *testing.T) {
			issuer, err := postern.NewIssuer(bucket)
			require.NoError(t, err)
			g, err := issuer.Issue(context.Background(), &postern.Upload{
				Subject: "ada", Filename: "hello.txt", Type: "text/plain", Size: int64(len(content)), Key: key,
			})
			require.NoError(t, err)
			answer := postForm(t, g.URL, g.Fields, content)
			require.Equal(t, http.StatusCreated, answer.Status, answer.Body)

			url, err := issuer.PresignGet(context.Background(), key, time.Minute)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(url, g.Location+"?"), "%s is not at %s", url, g.Location)
			got := do(t, "GET", url, nil, nil)
			require.Equal(t, http.StatusOK, got.Status, got.Body)
			require.Equal(t, string(content), got.Body)
		})
	}
}

func TestCredentialsThatOnlyPutCannotRead(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newHandler(t, srv)
	g := ask(t, h, textFile)
	require.Equal(t, http.StatusCreated, postForm(t, g.URL, g.Fields, content).Status)
	url, err := h.Issuer().PresignGet(context.Background(), g.Key, time.Minute)
	require.NoError(t, err)
	require.Equal(t, "AccessDenied", do(t, "GET", url, nil, nil).Code)
}

// Each abuse of a grant is refused by the server itself, with S3's own code.
func TestServerRefusesEveryAbuseOfAGrant(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newHandler(t, srv)
	require.NoError(t, srv.CreateBucket(context.Background(), "another"))

	for _, tc := range []struct {
		name  string
		abuse func(*grant, *[]byte)
		code  string
	}{
		{"another key", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("key", "acme/other.txt") }, "AccessDenied"},
		{"a key with the file's name", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("key", g.Key+"${filename}") }, "AccessDenied"},
		{"another type", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("Content-Type", "text/html") }, "AccessDenied"},
		{"another disposition", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("Content-Disposition", "inline") }, "AccessDenied"},
		{"another status", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("success_action_status", "200") }, "AccessDenied"},
		{"a larger body", func(_ *grant, b *[]byte) { *b = append(bytes.Clone(*b), 'x') }, "EntityTooLarge"},
		{"a smaller body", func(_ *grant, b *[]byte) { *b = (*b)[1:] }, "EntityTooSmall"},
		{"an empty body", func(_ *grant, b *[]byte) { *b = nil }, "EntityTooSmall"},
		{"an extra field", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("x-amz-meta-extra", "1") }, "AccessDenied"},
		{"an acl", func(g *grant, _ *[]byte) { g.Fields = g.Fields.with("acl", "public-read") }, "AccessDenied"},
		{"a redirect", func(g *grant, _ *[]byte) {
			g.Fields = g.Fields.with("success_action_redirect", "https://evil.example/")
		}, "AccessDenied"},
		{"a tampered policy", func(g *grant, _ *[]byte) {
			policy, err := base64.StdEncoding.DecodeString(g.Fields.get("policy"))
			require.NoError(t, err)
			policy = bytes.Replace(policy, []byte("text/plain"), []byte("text/html "), 1)
			g.Fields = g.Fields.with("policy", base64.StdEncoding.EncodeToString(policy))
		}, "SignatureDoesNotMatch"},
		{"a tampered signature", func(g *grant, _ *[]byte) {
			s := g.Fields.get("x-amz-signature")
			g.Fields = g.Fields.with("x-amz-signature", strings.Map(func(r rune) rune {
				if r == '0' {
					return '1'
				}
				return '0'
			}, s))
		}, "SignatureDoesNotMatch"},
		{"another bucket", func(g *grant, _ *[]byte) { g.URL = srv.Endpoint + "/another/" }, "AccessDenied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, body := ask(t, h, textFile), content
			tc.abuse(&g, &body)
			answer := postForm(t, g.URL, g.Fields, body)
			require.Equal(t, tc.code, answer.Code, "%d %s", answer.Status, answer.Body)
		})
	}
	require.Empty(t, keys(t, srv), "nothing was stored")
}

func TestServerRefusesAnExpiredGrant(t *testing.T) {
	srv := foreign.Embedded(t)
	past := time.Now().Add(-6 * time.Minute)
	g := ask(t, newHandler(t, srv, postern.WithClock(func() time.Time { return past })), textFile)
	answer := postForm(t, g.URL, g.Fields, content)
	require.Equal(t, "AccessDenied", answer.Code, answer.Body)
	require.Contains(t, strings.ToLower(answer.Body), "expired")
}

func TestChecksumBindsTheBytes(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newHandler(t, srv, postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{sha256}{ext}")))
	sum := sha256.Sum256(content)
	request := map[string]any{
		"filename": "hello.txt", "type": "text/plain", "size": len(content),
		"checksum": map[string]string{"sha256": base64.StdEncoding.EncodeToString(sum[:])},
	}
	g := ask(t, h, request)
	other := bytes.ToUpper(content)
	require.Equal(t, "BadDigest", postForm(t, g.URL, g.Fields, other).Code)
	require.Empty(t, keys(t, srv))
	answer := postForm(t, g.URL, g.Fields, content)
	require.Equal(t, http.StatusCreated, answer.Status, answer.Body)
}

func TestUnknownSizeIsBoundedByTheLimits(t *testing.T) {
	srv := foreign.Embedded(t)
	issuer, err := postern.NewIssuer(bucketOf(t, srv), postern.WithSizeLimit(5, 20))
	require.NoError(t, err)
	for size, code := range map[int]string{4: "EntityTooSmall", 5: "", 20: "", 21: "EntityTooLarge"} {
		g, err := issuer.Issue(context.Background(), &postern.Upload{
			Subject: "ada", Filename: "a.bin", Size: postern.UnknownSize,
		})
		require.NoError(t, err)
		require.Equal(t, code, postForm(t, g.URL, fields(g.Fields), make([]byte, size)).Code, "%d bytes", size)
	}
}

func TestRedirectSendsAFormBack(t *testing.T) {
	srv := foreign.Embedded(t)
	issuer, err := postern.NewIssuer(bucketOf(t, srv))
	require.NoError(t, err)
	g, err := issuer.Issue(context.Background(), &postern.Upload{
		Subject: "ada", Filename: "a.txt", Type: "text/plain", Size: 13,
		SuccessRedirect: "http://127.0.0.1:1/done?id=1",
	})
	require.NoError(t, err)
	client := *http.DefaultClient
	http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { *http.DefaultClient = client }()
	answer := postForm(t, g.URL, g.Fields, content)
	require.Equal(t, http.StatusSeeOther, answer.Status, answer.Body)
	at, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1/done", at.Scheme+"://"+at.Host+at.Path)
	// The application's query stays, and S3 adds its own (getmoto/moto issue 3667).
	require.Equal(t, "1", at.Query().Get("id"))
	require.Equal(t, g.Key, at.Query().Get("key"))
}
