package sigv4

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPresignSortsQueryAndHeaders(t *testing.T) {
	creds := vectorCredentials
	creds.SessionToken = "a+b"
	got, err := NewSigner("us-east-1").Presign(creds, noon, Request{
		Method:   "PUT",
		Endpoint: "http://127.0.0.1:9000",
		Path:     "/bucket/a b+c&d%e'f\"g$h\\i/日/😀",
		Query:    []Field{{"uploadId", "x/y="}, {"partNumber", "2"}, {"A", "1"}, {"X-Amz-Foo", "f"}},
		Header:   []Field{{"If-None-Match", "*"}, {"content-length", " 5  6 "}},
		Expires:  5 * time.Minute,
	})
	require.NoError(t, err)
	path, query, _ := strings.Cut(got, "?")
	require.Equal(t, "http://127.0.0.1:9000/bucket/a%20b%2Bc%26d%25e%27f%22g%24h%5Ci/%E6%97%A5/%F0%9F%98%80", path)
	query, signature, _ := strings.Cut(query, "&X-Amz-Signature=")
	require.Len(t, signature, 64)
	require.Equal(t, "A=1&X-Amz-Algorithm=AWS4-HMAC-SHA256"+
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260228%2Fus-east-1%2Fs3%2Faws4_request"+
		"&X-Amz-Date=20260228T120000Z&X-Amz-Expires=300&X-Amz-Foo=f&X-Amz-Security-Token=a%2Bb"+
		"&X-Amz-SignedHeaders=content-length%3Bhost%3Bif-none-match&partNumber=2&uploadId=x%2Fy%3D", query)
}

func TestPresignRefusesWhatCannotBeSigned(t *testing.T) {
	good := Request{Method: "GET", Endpoint: "https://h", Path: "/k", Expires: time.Minute}
	for name, tc := range map[string]struct {
		change func(*Request)
		want   error
	}{
		"no life":                    {func(r *Request) { r.Expires = 0 }, ErrExpiry},
		"half a second":              {func(r *Request) { r.Expires = 1500 * time.Millisecond }, ErrExpiry},
		"more than seven days":       {func(r *Request) { r.Expires = MaxExpires + time.Second }, ErrExpiry},
		"no method":                  {func(r *Request) { r.Method = "" }, ErrValue},
		"a method with a line break": {func(r *Request) { r.Method = "GET\n" }, ErrValue},
		"a relative path":            {func(r *Request) { r.Path = "k" }, ErrValue},
		"an endpoint with a path":    {func(r *Request) { r.Endpoint = "https://h/p" }, ErrValue},
		"an endpoint with a user":    {func(r *Request) { r.Endpoint = "https://u@h" }, ErrValue},
		"a host without a scheme":    {func(r *Request) { r.Endpoint = "h" }, ErrValue},
		"a header with a line break": {func(r *Request) { r.Header = []Field{{"a", "b\r\nc: d"}} }, ErrValue},
		"a header twice":             {func(r *Request) { r.Header = []Field{{"a", "1"}, {"A", "2"}} }, ErrValue},
		"a second host":              {func(r *Request) { r.Header = []Field{{"Host", "x"}} }, ErrValue},
		"a parameter of ours":        {func(r *Request) { r.Query = []Field{{"x-amz-expires", "9"}} }, ErrValue},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			tc.change(&r)
			_, err := NewSigner("us-east-1").Presign(vectorCredentials, noon, r)
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestSigningKeysRotateAndStayBounded(t *testing.T) {
	signer := NewSigner("us-east-1")
	sign := func(creds Credentials, now time.Time) string {
		got, err := signer.Presign(creds, now, Request{Method: "GET", Endpoint: "https://h", Path: "/k", Expires: time.Minute})
		require.NoError(t, err)
		return got
	}
	beforeMidnight := time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC)
	require.Contains(t, sign(vectorCredentials, beforeMidnight), "%2F20260228%2F")
	require.Contains(t, sign(vectorCredentials, beforeMidnight.Add(time.Second)), "%2F20260301%2F")
	inTokyo := time.FixedZone("JST", 9*3600)
	require.Equal(t, sign(vectorCredentials, beforeMidnight), sign(vectorCredentials, beforeMidnight.In(inTokyo)))

	rotated := vectorCredentials
	rotated.SecretAccessKey = "another"
	require.NotEqual(t, sign(vectorCredentials, noon), sign(rotated, noon), "same id, new secret")

	for _, token := range []string{"first", "second", ""} {
		refreshed := vectorCredentials
		refreshed.SessionToken = token
		require.Equal(t, token != "", strings.Contains(sign(refreshed, noon), "&X-Amz-Security-Token="+token+"&"), "same key, new token")
	}
	broken := vectorCredentials
	broken.SessionToken = "a\nb"
	_, err := signer.Presign(broken, noon, Request{Method: "GET", Endpoint: "https://h", Path: "/k", Expires: time.Minute})
	require.ErrorIs(t, err, ErrCredentials, "a key that was derived does not vouch for a token")

	for i := range 3 * maxKeys {
		sign(vectorCredentials, noon.AddDate(0, 0, i))
	}
	require.Len(t, *signer.keys.keys.Load(), maxKeys)
}

func TestSignerServesManyGoroutines(t *testing.T) {
	signer := NewSigner("us-east-1")
	one := func(n int) string {
		creds := vectorCredentials
		creds.AccessKeyID = fmt.Sprint("AKIA", n%5)
		form, err := signer.SignPost(creds, noon.AddDate(0, 0, n%3), Policy{
			Expires:    noon.AddDate(0, 0, 9),
			Conditions: []Condition{Exact("bucket", "b"), Exact("key", fmt.Sprint(n))},
		})
		require.NoError(t, err)
		return form.Get("x-amz-signature")
	}
	want := make([]string, 64)
	for n := range want {
		want[n] = one(n)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range want {
				if got := one(n); got != want[n] {
					t.Errorf("signature %d differs under concurrency", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestPresignAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	signer := NewSigner("eu-central-1")
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := signer.Presign(vectorCredentials, noon, benchmarkRequest()); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, allocs, 1.0)

	buffer := make([]byte, 0, 1024)
	allocs = testing.AllocsPerRun(1000, func() {
		if _, err := signer.AppendPresign(buffer, vectorCredentials, noon, benchmarkRequest()); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, allocs, "into a buffer")
}

func benchmarkRequest() Request {
	return Request{
		Method:   "PUT",
		Endpoint: "https://acme-uploads.s3.eu-central-1.amazonaws.com",
		Path:     "/acme/2026-02-28/019c9f2e-3b1c-7c5e-9d43-6a1f0c2b7e88.mp4",
		Query:    []Field{{"partNumber", "17"}, {"uploadId", "VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA"}},
		Header:   []Field{{"content-length", "8388608"}},
		Expires:  5 * time.Minute,
	}
}

func BenchmarkPresignPart(b *testing.B) {
	signer := NewSigner("eu-central-1")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = signer.Presign(vectorCredentials, noon, benchmarkRequest())
	}
}

func FuzzPresignedURLDecodesToWhatWasSigned(f *testing.F) {
	f.Add("/a b+c", "uploadId", "x&y")
	f.Add("/%2F//..", "~", "é\x00")
	f.Fuzz(func(t *testing.T, path, name, value string) {
		signed, err := NewSigner("us-east-1").Presign(vectorCredentials, noon, Request{
			Method: "GET", Endpoint: "https://h", Path: path, Query: []Field{{name, value}}, Expires: time.Minute,
		})
		if err != nil {
			require.ErrorIs(t, err, ErrValue)
			return
		}
		u, err := url.Parse(signed)
		require.NoError(t, err)
		require.Equal(t, path, u.Path)
		require.Equal(t, value, u.Query().Get(name))
		require.Equal(t, "/"+strings.TrimPrefix(u.EscapedPath(), "/"), EscapePath(path))
	})
}
