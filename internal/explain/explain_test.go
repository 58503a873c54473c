package explain_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/explain"
)

// What servers say, each in its own words: those of versitygw were collected from it, those
// of MinIO stand in cmd/postpolicyform.go and cmd/api-errors.go, and those of Amazon in
// "S3 API: Error Responses".
func TestWhatServersSay(t *testing.T) {
	for _, tc := range []struct{ code, message, more, in, name string }{
		{"AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "$key", "in/f"]`, "", "field", "key"},
		{"AccessDenied", `Invalid according to Policy: Policy Condition failed: [eq, $x-amz-meta-postern-id, 1]`, "", "field", "x-amz-meta-postern-id"},
		{"AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "$content-disposition", "attachment; filename="a.png""]`, "", "field", "content-disposition"},
		{"AccessDenied", `Invalid according to Policy: Extra input fields: cache-control`, "", "field", "cache-control"},
		{"AccessDenied", `Each form field that you specify in a form must appear in the list of policy conditions. "X-Amz-Meta-More" not specified in the policy.`, "", "field", "x-amz-meta-more"},
		{"InvalidArgument", `Bucket POST must contain a field named 'policy'.  If it is specified, please check the order of the fields.`, `<ArgumentName>policy</ArgumentName>`, "field", "policy"},
		{"EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", "<ProposedSize>6</ProposedSize><MaxSizeAllowed>5</MaxSizeAllowed>", "size", ""},
		{"EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.", "", "size", ""},
		{"AccessDenied", "There were headers present in the request which were not signed", "<HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>", "header", "x-amz-copy-source"},
		{"AccessDenied", "There were headers present in the request which were not signed", "", "header", ""},
		{"AuthorizationQueryParametersError", `Error parsing the X-Amz-Credential parameter; the region "eu-west-1" is wrong; expecting "us-east-1"`, "", "region", ""},
		{"AuthorizationHeaderMalformed", `The authorization header is malformed; the region is wrong; expecting 'us-east-1'.`, "<Region>us-east-1</Region>", "region", ""},
		{"AccessDenied", "Request has expired", "", "time", ""},
		{"AccessDenied", "Invalid according to Policy: Policy expired.", "", "time", ""},
		{"AccessDenied", "Request is not valid yet", "", "clock", ""},
		{"RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "<RequestTime>20261127T170000Z</RequestTime>", "clock", ""},
		{"InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "", "access key", ""},
		{"ExpiredToken", "The provided token has expired.", "", "access key", "session token"},
		{"NoSuchBucket", "The specified bucket does not exist", "<BucketName>b</BucketName>", "bucket", "b"},
		{"PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "<Condition>If-None-Match</Condition>", "key", ""},
		{"NoSuchUpload", "The specified upload does not exist.", "", "upload", ""},
		{"BadDigest", "The Content-MD5 you specified did not match what we received.", "", "checksum", ""},
		{"AccessDenied", "Access Denied", "", "permission", "s3:PutObject"},
	} {
		text, err := json.Marshal(tc.message)
		require.NoError(t, err)
		message := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(tc.message)
		d, ok := explain.Parse([]byte("HTTP/1.1 403\r\n\r\n<?xml version=\"1.0\"?><Error><Code>" + tc.code + "</Code><Message>" + message + "</Message>" + tc.more + "</Error> and more"))
		require.True(t, ok, string(text))
		e := explain.Explain(explain.Input{Document: d, Status: 403})
		require.Len(t, e.Differs, 1, tc.message)
		require.Equal(t, []string{tc.in, tc.name}, []string{string(e.Differs[0].In), e.Differs[0].Name}, tc.message)
		require.NotEmpty(t, e.Cause)
		require.NotEmpty(t, e.Advice)
	}
}

// A signature that says nothing of itself is not guessed at.
func TestASignatureAloneIsNotGuessedAt(t *testing.T) {
	all, err := explain.Read([]byte(`{"code":"SignatureDoesNotMatch","from":"bucket","status":403,"detail":"…"}`))
	require.NoError(t, err)
	e := explain.Explain(all[0])
	require.Empty(t, e.Differs)
	require.Contains(t, e.Advice, "HAR")
}

// What S3 has read tells of a host that a proxy has changed.
func TestTheCanonicalRequestTellsOfTheHost(t *testing.T) {
	granted := &explain.Request{Method: "PUT", URL: "https://s3.example.com/b/k?X-Amz-SignedHeaders=content-type%3Bhost&X-Amz-Signature=0", Header: []explain.Field{{Name: "content-type", Value: "image/png"}}, Size: explain.UnknownSize}
	d := explain.Document{Code: "SignatureDoesNotMatch", CanonicalRequest: "PUT\n/b/k\nX-Amz-SignedHeaders=content-type%3Bhost\ncontent-type:image/png\nhost:minio:9000\n\ncontent-type;host\nUNSIGNED-PAYLOAD"}
	e := explain.Explain(explain.Input{Document: d, Granted: granted})
	require.Equal(t, []explain.Difference{{In: explain.Host, Granted: "s3.example.com", Sent: "minio:9000"}}, e.Differs)
	d.CanonicalRequest = strings.Replace(d.CanonicalRequest, "minio:9000", "s3.example.com", 1)
	e = explain.Explain(explain.Input{Document: d, Granted: granted})
	require.Equal(t, explain.Secret, e.Differs[0].In)
}

// A form that was saved without its grant contradicts its own policy.
func TestAFormTellsOfItselfWithoutItsGrant(t *testing.T) {
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2026-11-27T18:00:00Z","conditions":[{"bucket":"b"},{"key":"k"},["starts-with","$Content-Type","image/"],["content-length-range",1,5]]}`))
	fields := []explain.Field{{Name: "key", Value: "k"}, {Name: "Content-Type", Value: "text/html"}, {Name: "x-amz-signature", Value: "0"}, {Name: "x-amz-credential", Value: "a"}, {Name: "x-amz-date", Value: "b"}, {Name: "x-amz-algorithm", Value: "c"}, {Name: "policy", Value: policy}}
	e := explain.Explain(explain.Input{Sent: &explain.Request{Method: "POST", Fields: fields, Size: 6}, Status: 403})
	var names []string
	for _, d := range e.Differs {
		names = append(names, string(d.In)+" "+d.Name)
	}
	require.Equal(t, []string{"field Content-Type", "field x-amz-credential", "field x-amz-date", "field x-amz-algorithm", "size "}, names)
}

func TestNothingToExplain(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", "hello", `{"log":{"entries":[]}}`, "<Error></Error>", "<Error><Code>"} {
		_, err := explain.Read([]byte(text))
		require.ErrorIs(t, err, explain.ErrNothing, text)
	}
}

func TestWhatIsShownHoldsNoSecret(t *testing.T) {
	require.Equal(t, "a … b", explain.Clean("a "+strings.Repeat("0a", 32)+" b"))
	require.Equal(t, "…", explain.Clean(strings.Repeat("xyz", 40)))
	require.LessOrEqual(t, len(explain.Clean(strings.Repeat("é ", 500))), 210)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`<Error><Code>AccessDenied</Code><Message>Policy Condition failed: [eq, $key]</Message><CanonicalRequest>PUT&#10;/a&#10;b&#10;host:x</CanonicalRequest></Error>`))
	f.Add([]byte(`{"code":"AccessDenied","status":403,"detail":"Request has expired"}`))
	f.Add([]byte(`{"log":{"entries":[{"request":{"method":"POST","url":"http://h/sign","postData":{"mimeType":"application/json","text":"{\"size\":1}"}},"response":{"status":201,"headers":[{"name":"Content-Type","value":"application/json"}],"content":{"text":"{\"ticket\":\"t\",\"method\":\"POST\",\"url\":\"http://h/b/\",\"fields\":{\"policy\":\"e30=\",\"key\":\"k\"}}"}}},{"request":{"method":"POST","url":"http://h/b/","bodySize":9,"postData":{"mimeType":"multipart/form-data; boundary=x","text":"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x--\r\n"}},"response":{"status":403}}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := explain.Read(text)
		if err != nil {
			return
		}
		for _, in := range all {
			if e := explain.Explain(in); e.Cause == "" || e.Advice == "" {
				t.Errorf("nothing is said of %q", text)
			}
		}
	})
}
