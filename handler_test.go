package postern_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestHandlerAnswersAGrantInTheNativeProtocol(t *testing.T) {
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{slug}{ext}")))
	w := send(h, photo)

	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	g := granted(t, w)
	fields := g.Fields
	require.NotEmpty(t, g.Ticket)
	g.Fields, g.Ticket = nil, ""
	require.Equal(t, grant{
		Mode:      "post",
		Key:       "acme/2026-02-28/photo.png",
		Method:    "POST",
		URL:       "https://acme-uploads.s3.eu-central-1.amazonaws.com/",
		Location:  "https://acme-uploads.s3.eu-central-1.amazonaws.com/acme/2026-02-28/photo.png",
		Expires:   "2026-02-28T12:05:00Z",
		ExpiresIn: 300,
	}, g)

	require.NotEmpty(t, fields["policy"])
	require.Regexp(t, `^[0-9a-f]{64}$`, fields["x-amz-signature"])
	delete(fields, "policy")
	delete(fields, "x-amz-signature")
	require.Regexp(t, `^[0-9a-f]{32}$`, fields["x-amz-meta-postern-id"])
	delete(fields, "x-amz-meta-postern-id")
	require.Equal(t, map[string]string{
		"key":                   "acme/2026-02-28/photo.png",
		"Content-Type":          "image/png",
		"Content-Disposition":   `attachment; filename="photo.png"`,
		"success_action_status": "201",
		"x-amz-algorithm":       "AWS4-HMAC-SHA256",
		"x-amz-credential":      accessKeyID + "/20260228/eu-central-1/s3/aws4_request",
		"x-amz-date":            "20260228T120000Z",
	}, fields)
}

func TestGrantHasItsMembersInAStableOrder(t *testing.T) {
	decoder := json.NewDecoder(send(newHandler(t), photo).Body)
	var names []string
	for depth := 0; ; {
		token, err := decoder.Token()
		require.NoError(t, err)
		if token == json.Delim('{') {
			depth++
		} else if token == json.Delim('}') {
			if depth--; depth == 0 {
				break
			}
		} else {
			names = append(names, token.(string))
			if _, err = decoder.Token(); depth == 1 && names[len(names)-1] == "fields" {
				depth++
			}
			require.NoError(t, err)
		}
	}
	require.Equal(t, []string{
		"mode", "key", "method", "url", "fields",
		"key", "Content-Type", "Content-Disposition", "x-amz-meta-postern-id", "success_action_status",
		"x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature",
		"location", "expires", "expires_in", "complete", "ticket",
	}, names)
}

func TestPolicyBindsEveryFieldAndTheExactSize(t *testing.T) {
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{slug}{ext}")))
	g := granted(t, send(h, photo))
	p := policyOf(t, g.Fields["policy"])
	require.Equal(t, "2026-02-28T12:05:00.000Z", p.Expiration)
	require.Equal(t, []any{
		map[string]any{"bucket": "acme-uploads"},
		map[string]any{"key": "acme/photo.png"},
		map[string]any{"Content-Type": "image/png"},
		map[string]any{"Content-Disposition": `attachment; filename="photo.png"`},
		map[string]any{"x-amz-meta-postern-id": g.Fields["x-amz-meta-postern-id"]},
		map[string]any{"success_action_status": "201"},
		[]any{"content-length-range", 1000.0, 1000.0},
		map[string]any{"x-amz-algorithm": "AWS4-HMAC-SHA256"},
		map[string]any{"x-amz-credential": accessKeyID + "/20260228/eu-central-1/s3/aws4_request"},
		map[string]any{"x-amz-date": "20260228T120000Z"},
	}, p.Conditions)
}

func TestEveryFieldOfAGrantHasItsCondition(t *testing.T) {
	b := bucket
	b.Credentials = provides(aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: sessionToken}, nil)
	h := newHandlerFor(t, b,
		postern.WithClientMetadata("album"),
		postern.WithAttributes(postern.Attributes{CacheControl: "no-cache", Tags: map[string]string{"a": "b"}}))
	g := granted(t, send(h, `{"filename":"Größe $1.png","type":"image/png","size":5,"metadata":{"album":"x"},
		"checksum":{"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}`))
	conditions := policyOf(t, g.Fields["policy"]).exact(t)
	for name, value := range g.Fields {
		if name != "policy" && name != "x-amz-signature" {
			require.Equal(t, value, conditions[name], name)
		}
		delete(conditions, name)
	}
	require.Equal(t, map[string]string{"bucket": "acme-uploads"}, conditions)
	require.Equal(t, sessionToken, g.Fields["x-amz-security-token"])
}

func TestChecksumIsBoundInTheGrant(t *testing.T) {
	const sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyTemplate("{sha256}")))
	g := granted(t, send(h, `{"filename":"a","size":5,"checksum":{"sha256":"`+sum+`"}}`))
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", g.Key)
	require.Equal(t, "SHA256", g.Fields["x-amz-checksum-algorithm"])
	require.Equal(t, sum, g.Fields["x-amz-checksum-sha256"])
}

func TestTypeIsRebuiltByTheServer(t *testing.T) {
	for declared, stored := range map[string]string{
		``:                                "application/octet-stream",
		`IMAGE/PNG`:                       "image/png",
		`image/png; name="<script>"`:      "image/png",
		`text/plain;charset=UTF-8;x=y`:    "text/plain; charset=utf-8",
		`application/json; charset=utf-7`: "application/json",
	} {
		body, err := json.Marshal(map[string]any{"filename": "a", "type": declared, "size": 1})
		require.NoError(t, err)
		require.Equal(t, stored, granted(t, send(newHandler(t), string(body))).Fields["Content-Type"], declared)
	}
}

func TestFileNameIsCleanedBeforeItIsStored(t *testing.T) {
	for name, want := range map[string]string{
		`../../etc/passwd`:     `attachment; filename="passwd"`,
		`C:\fakepath\a.png`:    `attachment; filename="a.png"`,
		"a\r\nX-Evil: 1.png":   `attachment; filename="aX-Evil: 1.png"`,
		`a";filename=evil.exe`: `attachment; filename="a_;filename=evil.exe"; filename*=UTF-8''a%22%3Bfilename%3Devil.exe`,
		"\u202egnp.exe":        `attachment; filename="gnp.exe"`,
	} {
		body, err := json.Marshal(map[string]any{"filename": name, "size": 1})
		require.NoError(t, err)
		require.Equal(t, want, granted(t, send(newHandler(t), string(body))).Fields["Content-Disposition"])
	}
}

func TestUnknownMembersOfARequestAreIgnored(t *testing.T) {
	g := granted(t, send(newHandler(t), `{"filename":"a","size":1,"Subject":"root","tenant":"globex","key":"x","expires":9}`))
	require.True(t, strings.HasPrefix(g.Key, "acme/"), g.Key)
	require.Equal(t, 300, g.ExpiresIn)
}

func TestDefaultKeyIsRandomAndUnderTheTenant(t *testing.T) {
	h := newHandler(t)
	first, second := granted(t, send(h, photo)), granted(t, send(h, photo))
	const uuidV7 = `^acme/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.png$`
	require.Regexp(t, uuidV7, first.Key)
	require.Regexp(t, uuidV7, second.Key)
	require.NotEqual(t, first.Key, second.Key)
}

func TestDefaultKeyWithoutTenantIsRandomAlone(t *testing.T) {
	h := newHandler(t, postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		u.Subject = "ada"
		return nil
	}))
	require.Regexp(t, `^[0-9a-f-]{36}\.png$`, granted(t, send(h, photo)).Key)
}

func TestAnonymousUploadsNeedNoAuthorizer(t *testing.T) {
	h, err := postern.New(bucket, postern.AllowAnonymous())
	require.NoError(t, err)
	granted(t, send(h, photo))
}

func TestGrantOfAFractionOfASecondLivesItsWholeLife(t *testing.T) {
	h := newHandler(t, postern.WithClock(func() time.Time { return noon.Add(300 * time.Millisecond) }))
	g := granted(t, send(h, photo))
	require.Equal(t, 300, g.ExpiresIn)
	require.Equal(t, "2026-02-28T12:05:01Z", g.Expires)
}

func TestGrantLifetimeCanBeSet(t *testing.T) {
	g := granted(t, send(newHandler(t, postern.WithGrantLifetime(90*time.Second)), photo))
	require.Equal(t, 90, g.ExpiresIn)
	require.Equal(t, "2026-02-28T12:01:30.000Z", policyOf(t, g.Fields["policy"]).Expiration)
}

func TestHandlerServesManyRequestsAtOnce(t *testing.T) {
	h := newHandler(t)
	keys := make(chan string)
	for range 50 {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, newRequest(photo))
			var g grant
			_ = json.Unmarshal(w.Body.Bytes(), &g)
			keys <- g.Key
		}()
	}
	seen := map[string]bool{}
	for range 50 {
		seen[<-keys] = true
	}
	require.Len(t, seen, 50)
	require.NotContains(t, seen, "")
}

func TestIssuerOfAHandlerPresignsReading(t *testing.T) {
	url, err := newHandler(t).Issuer().PresignGet(t.Context(), "acme/a b.png", time.Minute)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(url, "https://acme-uploads.s3.eu-central-1.amazonaws.com/acme/a%20b.png?X-Amz-Algorithm="), url)
	require.Contains(t, url, "&X-Amz-Expires=60&")
}
