package claim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/object"
)

func TestSessionComesBackAsItWas(t *testing.T) {
	s := claim.Session{
		ID: "000102030405060708090a0b0c0d0e0f", Issued: noon, Bucket: "b", Subject: "ada", Tenant: "acme", Types: []string{"image/*", "text/plain"},
		MinSize: 1, MaxSize: 2, MaxFiles: 3, MaxBytes: 4, Quota: "ts", Trace: "trace",
		Attributes: object.Attributes{
			Values:   object.Values{object.ACL: "private", object.ContentLanguage: "de", object.LockMode: "GOVERNANCE", object.BucketKey: "true"},
			Metadata: map[string]string{"a": "b"},
		},
	}
	encoded := s.Append(nil)
	got, err := claim.ParseSession(encoded)
	require.NoError(t, err)
	require.Equal(t, &s, got)
	for n := range encoded {
		_, err := claim.ParseSession(encoded[:n])
		require.ErrorIs(t, err, claim.ErrInvalid, n)
	}
	_, err = claim.ParseSession(append(encoded, 0))
	require.ErrorIs(t, err, claim.ErrInvalid)
}
