package postern

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// ticketOfParts is an upload of ten parts.
func ticketOfParts() *ticketData {
	return &ticketData{
		id: "00112233445566778899aabbccddeeff", mode: ModeMultipart, issued: time.Unix(1772323200, 0).UTC(),
		key: "acme/a.bin", object: "staging/1", size: 9*minPart + 1, least: 9*minPart + 1, most: 9*minPart + 1,
		typ: "application/octet-stream", filename: "a.bin", subject: "ada", tenant: "acme", uploadID: "upload", partSize: minPart,
	}
}

func fuzzIssuer(f *testing.F) *Issuer {
	i, err := NewIssuer(Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
	})})
	require.NoError(f, err)
	return i
}

// decodeTicketRequest decodes a body as a road does. What is refused is refused as a problem of
// the client's.
func decodeTicketRequest(t *testing.T, body []byte, action Action) *TicketRequest {
	r := httptest.NewRequest(http.MethodPost, "/"+string(action), bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	q, err := Native().ReadTicket(httptest.NewRecorder(), r, action)
	if err != nil {
		var p *Problem
		require.True(t, errors.As(err, &p), "%v", err)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, p.Status)
		return nil
	}
	require.True(t, json.Valid(body), "one JSON value and nothing after it")
	require.LessOrEqual(t, int64(len(body)), ticketLimits[action])
	return q
}

func FuzzPartsRequest(f *testing.F) {
	for _, seed := range []string{
		`{"ticket":"x","numbers":[1,2,10]}`, `{"numbers":[0]}`, `{"numbers":[11]}`, `{"numbers":[-1]}`, `{"numbers":[1e9]}`,
		`{"numbers":[2147483648]}`, `{"numbers":[1,1,1]}`, `{"numbers":null}`, `{"numbers":{"1":1}}`, `null`, `[]`, `{}{}`,
		`{"numbers":[1],"checksums":{"1":"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="}}`, `{"numbers":[1],"checksums":{"x":""}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	issuer := fuzzIssuer(f)
	f.Fuzz(func(t *testing.T, body []byte, checksums bool) {
		q := decodeTicketRequest(t, body, ActionParts)
		if q == nil {
			return
		}
		data := ticketOfParts()
		data.partChecksums = checksums
		signer, err := issuer.partSigner(context.Background(), &Upload{ticket: &openedTicket{ticketData: data, request: q}, settings: &issuer.config.settings})
		if err != nil {
			var p *Problem
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, http.StatusBadRequest, p.Status)
			return
		}
		w := httptest.NewRecorder()
		Native().WriteParts(w, nil, &PartURLs{Expires: signer.expires, signer: signer})
		var answer struct{ URLs map[string]string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), "%s", w.Body)
		wanted := map[string]bool{}
		for _, n := range q.Numbers {
			wanted[strconv.Itoa(int(n))] = true
		}
		require.Len(t, answer.URLs, len(wanted))
		for number, address := range answer.URLs {
			require.True(t, wanted[number])
			n, err := strconv.Atoi(number)
			require.NoError(t, err)
			require.True(t, 1 <= n && n <= 10)
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.Equal(t, "/staging/1", u.Path)
			require.Equal(t, number, u.Query().Get("partNumber"))
			require.Equal(t, "upload", u.Query().Get("uploadId"))
			require.Contains(t, u.Query().Get("X-Amz-SignedHeaders"), "content-length")
			require.Equal(t, checksums, strings.Contains(u.Query().Get("X-Amz-SignedHeaders"), "x-amz-checksum-sha256"))
		}
	})
}

func FuzzCompleteRequest(f *testing.F) {
	for _, seed := range []string{
		`{"ticket":"x"}`, `{"ticket":"x","parts":[{"number":1,"etag":"\"a\""}]}`, `{"parts":null}`, `{"parts":[null]}`,
		`{"parts":[{"number":"1"}]}`, `{"parts":[{"number":1.5}]}`, `{"parts":{}}`, `null`, `"x"`, `{} `, `{}x`, "\xff",
		`{"parts":[` + strings.Repeat(`{"number":1,"etag":"x"},`, 100) + `{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q := decodeTicketRequest(t, body, ActionComplete)
		if q == nil {
			return
		}
		for _, p := range q.Parts {
			trimmed := trimETag(p.ETag)
			require.Contains(t, p.ETag, trimmed)
			require.LessOrEqual(t, len(p.ETag)-len(trimmed), 2)
		}
	})
}

func FuzzTicketDataOfAnyBytes(f *testing.F) {
	f.Add(ticketOfParts().append(nil))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseTicketData(b)
		if err != nil {
			require.Nil(t, d)
			return
		}
		again, err := parseTicketData(d.append(nil))
		require.NoError(t, err)
		require.Equal(t, d, again)
		for cut := range b {
			_, err := parseTicketData(b[:cut])
			require.Error(t, err, "a beginning is not the whole")
		}
	})
}

func FuzzTicketDataRoundTrip(f *testing.F) {
	f.Add("id", uint8(2), int64(1772323200), "acme/a", "staging/1", int64(1), int64(0), int64(9), "text/plain", true, "ada", "acme", "k", "v", "upload", int64(5<<20))
	f.Add("", uint8(0), int64(-1), "", "", int64(-1), int64(-9), int64(1<<62), "", false, "", "", "", "", "", int64(0))
	f.Fuzz(func(t *testing.T, id string, mode uint8, issued int64, key, object string, size, least, most int64, text string, flag bool,
		subject, tenant, name, value, uploadID string, partSize int64) {
		m := map[string]string{name: value, name + "2": text}
		d := &ticketData{
			id: id, mode: modes[int(mode)%len(modes)], issued: time.Unix(issued, 0).UTC(), key: key, object: object,
			size: size, least: least, most: most, typ: text, filename: text, subject: subject, tenant: tenant,
			metadata: m, uploadID: uploadID, partSize: partSize, partChecksums: flag,
			attributes: Attributes{
				ACL: text, CacheControl: value, ContentEncoding: name, Disposition: Disposition(text), StorageClass: tenant,
				WebsiteRedirect: subject, Encryption: Encryption{Algorithm: key, KMSKeyID: id, BucketKey: flag}, Tags: m, Metadata: m,
			},
		}
		if flag {
			d.sha256 = new([32]byte)
			copy(d.sha256[:], text)
		}
		got, err := parseTicketData(d.append(nil))
		if key == "" || d.mode == ModeMultipart && (uploadID == "" || partSize <= 0 || size <= 0) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		if object == "" {
			d.object = key
		}
		require.Equal(t, d, got)
	})
}
