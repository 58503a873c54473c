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

	"github.com/postern-go/postern/internal/claim"
)

// claimOfParts is an upload of ten parts.
func claimOfParts() *claim.Claim {
	return &claim.Claim{
		ID: "00112233445566778899aabbccddeeff", Mode: claim.Multipart, Issued: time.Unix(1772323200, 0).UTC(),
		Key: "acme/a.bin", StagingKey: "staging/1", Size: 9*minPart + 1, MinSize: 9*minPart + 1, MaxSize: 9*minPart + 1,
		Type: "application/octet-stream", Filename: "a.bin", Subject: "ada", Tenant: "acme", UploadID: "upload", PartSize: minPart,
	}
}

func fuzzIssuer(f *testing.F) *Issuer {
	i, err := NewIssuer(Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
	})})
	require.NoError(f, err)
	return i
}

// readDetails reads a body as an endpoint does. What is refused is refused as a
// problem of the client's.
func readDetails(t *testing.T, body []byte, action Action) *TicketDetails {
	r := httptest.NewRequest(http.MethodPost, "/"+string(action), bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, ticketBodyLimits[action])
	q, err := Native().ReadTicket(httptest.NewRecorder(), r, action)
	var details *TicketDetails
	if err == nil {
		details, err = q.Details()
	}
	if err != nil {
		var p *Problem
		require.True(t, errors.As(err, &p), "%v", err)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, p.Status())
		return nil
	}
	require.True(t, json.Valid(body), "one JSON value and nothing after it")
	require.LessOrEqual(t, int64(len(body)), ticketBodyLimits[action])
	return details
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
		q := readDetails(t, body, ActionParts)
		if q == nil {
			return
		}
		c := claimOfParts()
		c.PartChecksums = checksums
		urls, err := issuer.home.signParts(context.Background(), time.Minute, &Upload{ticket: &openedTicket{claim: c}, issuer: issuer}, q)
		if err != nil {
			var p *Problem
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, http.StatusBadRequest, p.Status())
			return
		}
		w := httptest.NewRecorder()
		Native().WriteParts(w, nil, urls)
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
		q := readDetails(t, body, ActionComplete)
		if q == nil {
			return
		}
		require.LessOrEqual(t, len(q.Parts), maxParts)
	})
}
