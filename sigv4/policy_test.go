package sigv4

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

func policyOf(t testing.TB, form Form) string {
	document, err := base64.StdEncoding.DecodeString(form.Get("policy"))
	require.NoError(t, err)
	return string(document)
}

func TestSignPostWritesConditionsAndFieldsInOrder(t *testing.T) {
	creds := vectorCredentials
	creds.SessionToken = "token/+="
	form, err := NewSigner("eu-central-1").SignPost(creds, noon, Policy{
		Expires: noon.Add(5*time.Minute + 999*time.Millisecond),
		Conditions: []Condition{
			Exact("bucket", "acme"),
			Exact("key", `a/$b"c\d/日😀`),
			StartsWith("x-amz-meta-note", ""),
			ContentLengthRange(1, 10<<20),
			Exact("success_action_status", "201"),
		},
	})
	require.NoError(t, err)

	credential := "AKIAIOSFODNN7EXAMPLE/20260228/eu-central-1/s3/aws4_request"
	require.Equal(t, `{"expiration":"2026-02-28T12:05:00.000Z","conditions":[`+
		`{"bucket":"acme"},`+
		`{"key":"a/\u0024b\"c\\d/\u65e5\ud83d\ude00"},`+
		`["starts-with","$x-amz-meta-note",""],`+
		`["content-length-range",1,10485760],`+
		`{"success_action_status":"201"},`+
		`{"x-amz-algorithm":"AWS4-HMAC-SHA256"},`+
		`{"x-amz-credential":"`+credential+`"},`+
		`{"x-amz-date":"20260228T120000Z"},`+
		`{"x-amz-security-token":"token/+="}]}`, policyOf(t, form))
	require.Equal(t, Form{
		{"key", `a/$b"c\d/日😀`},
		{"success_action_status", "201"},
		{"x-amz-algorithm", "AWS4-HMAC-SHA256"},
		{"x-amz-credential", credential},
		{"x-amz-date", "20260228T120000Z"},
		{"x-amz-security-token", "token/+="},
		{"policy", form.Get("policy")},
		{"x-amz-signature", form.Get("x-amz-signature")},
	}, form)

	want := mac(deriveKey(creds.SecretAccessKey, "eu-central-1", day([]byte("20260228"))), []byte(form.Get("policy")))
	require.Equal(t, hex.EncodeToString(want), form.Get("x-amz-signature"))
}

func TestSignPostRefusesWhatS3WouldRefuse(t *testing.T) {
	good := []Condition{Exact("bucket", "acme"), Exact("key", "k")}
	with := func(more ...Condition) []Condition { return append(good[:2:2], more...) }
	for name, tc := range map[string]struct {
		conditions []Condition
		want       error
	}{
		"no bucket":                {[]Condition{Exact("key", "k")}, ErrField},
		"no key":                   {[]Condition{Exact("bucket", "acme")}, ErrField},
		"the zero condition":       {with(Condition{}), ErrField},
		"an unknown field":         {with(Exact("x-minio-fanout-list", "{}")), ErrField},
		"another spelling":         {with(Exact("content-type", "image/png")), ErrField},
		"a field of the signature": {with(Exact("x-amz-date", "20260228T120000Z")), ErrField},
		"metadata without a name":  {with(Exact("x-amz-meta-", "v")), ErrField},
		"metadata with a quote":    {with(Exact(`x-amz-meta-a"b`, "v")), ErrField},
		"a field twice":            {with(Exact("acl", "private"), StartsWith("acl", "")), ErrField},
		"a line break":             {with(Exact("acl", "private\r\nx: y")), ErrValue},
		"text that is not UTF-8":   {with(Exact("acl", "\xff")), ErrValue},
		"a negative size":          {with(ContentLengthRange(-1, 1)), ErrValue},
		"an empty range":           {with(ContentLengthRange(2, 1)), ErrValue},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSigner("us-east-1").SignPost(vectorCredentials, noon,
				Policy{Expires: noon.Add(time.Minute), Conditions: tc.conditions})
			require.ErrorIs(t, err, tc.want)
		})
	}
	t.Run("an expired policy", func(t *testing.T) {
		_, err := NewSigner("us-east-1").SignPost(vectorCredentials, noon, Policy{Expires: noon, Conditions: good})
		require.ErrorIs(t, err, ErrExpiry)
	})
	t.Run("no credentials", func(t *testing.T) {
		_, err := NewSigner("us-east-1").SignPost(Credentials{}, noon, Policy{Expires: noon.Add(1), Conditions: good})
		require.ErrorIs(t, err, ErrCredentials)
	})
}

func TestEveryDocumentedFieldCanBeSigned(t *testing.T) {
	for _, field := range strings.Fields(`acl Content-Type Content-Disposition Content-Encoding Cache-Control
		Expires success_action_status success_action_redirect tagging x-amz-meta-a x-amz-storage-class
		x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id
		x-amz-server-side-encryption-context x-amz-server-side-encryption-bucket-key-enabled
		x-amz-server-side-encryption-customer-algorithm x-amz-checksum-algorithm x-amz-checksum-sha256
		x-amz-website-redirect-location`) {
		form, err := NewSigner("us-east-1").SignPost(vectorCredentials, noon, Policy{
			Expires:    noon.Add(time.Minute),
			Conditions: []Condition{Exact("bucket", "b"), Exact("key", "k"), Exact(field, "v")},
		})
		require.NoError(t, err, field)
		require.Equal(t, "v", form.Get(field))
	}
}

func TestSignPostAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	signer := NewSigner("eu-central-1")
	allocs := testing.AllocsPerRun(1000, func() {
		_, err := signer.SignPost(vectorCredentials, noon, benchmarkPolicy())
		if err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, allocs, 3.0) // one of them is the conditions
}

func benchmarkPolicy() Policy {
	return Policy{Expires: noon.Add(5 * time.Minute), Conditions: []Condition{
		Exact("bucket", "acme-uploads"),
		Exact("key", "acme/2026-02-28/019c9f2e-3b1c-7c5e-9d43-6a1f0c2b7e88.png"),
		Exact("Content-Type", "image/png"),
		Exact("Content-Disposition", `attachment; filename="photo.png"`),
		Exact("success_action_status", "201"),
		ContentLengthRange(1, 10<<20),
	}}
}

func BenchmarkSignPost(b *testing.B) {
	signer := NewSigner("eu-central-1")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = signer.SignPost(vectorCredentials, noon, benchmarkPolicy())
	}
}

// BenchmarkSignPostFloor is what no signer can save: base64 and one HMAC.
func BenchmarkSignPostFloor(b *testing.B) {
	signer := NewSigner("eu-central-1")
	form, _ := signer.SignPost(vectorCredentials, noon, benchmarkPolicy())
	document := []byte(policyOf(b, form))
	key, err := signer.keys.get(vectorCredentials, "eu-central-1", day([]byte("20260228")))
	require.NoError(b, err)
	sc := key.scratch.get()
	b.ReportAllocs()
	for b.Loop() {
		sc.buf = base64.StdEncoding.AppendEncode(sc.buf[:0], document)
		sc.buf = sc.appendSignature(sc.buf, sc.buf)
	}
}

func FuzzPolicyStringsDecodeToWhatWasEncoded(f *testing.F) {
	for _, s := range []string{"", "plain", `"\$`, "${filename}", "日本語", "😀", "\u2028</script>", "a\x7fb", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded, ok := appendText([]byte{'"'}, s)
		require.Equal(t, utf8.ValidString(s) && printable(s), ok)
		if !ok {
			return
		}
		encoded = append(encoded, '"')
		for _, c := range encoded {
			require.True(t, c >= ' ' && c < 0x7f && c != '$', "byte %#x in %q", c, encoded)
		}
		var decoded string
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		require.Equal(t, s, decoded)
	})
}

func FuzzPolicyHoldsEveryFieldExactly(f *testing.F) {
	f.Add("acme/a.png", "image/png", "note")
	f.Add(`$"\`, "日本;=", "")
	f.Fuzz(func(t *testing.T, key, contentType, meta string) {
		form, err := NewSigner("us-east-1").SignPost(vectorCredentials, noon, Policy{
			Expires: noon.Add(time.Minute),
			Conditions: []Condition{Exact("bucket", "b"), Exact("key", key),
				Exact("Content-Type", contentType), Exact("x-amz-meta-note", meta)},
		})
		if err != nil {
			require.ErrorIs(t, err, ErrValue)
			return
		}
		var document struct{ Conditions []map[string]string }
		require.NoError(t, json.Unmarshal([]byte(policyOf(t, form)), &document))
		got := map[string]string{}
		for _, c := range document.Conditions {
			for name, value := range c {
				got[name] = value
			}
		}
		require.Equal(t, key, got["key"])
		require.Equal(t, contentType, got["Content-Type"])
		require.Equal(t, meta, got["x-amz-meta-note"])
	})
}
