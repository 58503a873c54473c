package claim_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/ticket"
)

var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

func sum() *[32]byte {
	s := new([32]byte)
	for k := range s {
		s[k] = byte(k)
	}
	return s
}

// The claims of tickets that were sealed before their encoding had a package. What
// was issued once opens for as long as it lives, whatever the code has become.
var sealed = []struct {
	name           string
	claim          claim.Claim
	encoded, token string
}{
	{
		"a form",
		claim.Claim{
			ID: "000102030405060708090a0b0c0d0e0f", Mode: claim.Post, Issued: noon, Key: "acme/a.png",
			Size: 1000, MinSize: 1000, MaxSize: 1000, Type: "image/png", Filename: "a.png", Subject: "ada", Tenant: "acme",
		},
		"2030303031303230333034303530363037303830393061306230633064306530660080e3969a0d0a61636d652f612e706e6700d00fd00fd00f09696d6167652f706e6700000000000000000000000005612e706e6700036164610461636d65000000",
		"ATX-U3SArgsbJpOY8iMtNZLcgdV5cjvj1Np7uBrwtqn95Ac19D6-9INm7HjoWlD1wMgSnuL8BQDOFBNfWs6cbOIgEm1h5Yf8ReliyCsNtnlcnjOo37lI1G7zfhy9xJb3x33kng860piN8SmJVs8g1RIVi8JtX0snw_7vEy_CDYYr5RweGYXqVQzFP88IFcIIH161JUqfxw",
	},
	{
		"a PUT with everything",
		claim.Claim{
			ID: "101112131415161718191a1b1c1d1e1f", Mode: claim.Put, Issued: noon, Key: "acme/b.txt",
			StagingKey: "staging/101112131415161718191a1b1c1d1e1f",
			Size:       7, MinSize: 7, MaxSize: 7, Type: "text/plain; charset=utf-8", SHA256: sum(), Filename: "b – ü.txt",
			Metadata: map[string]string{"album": "x"}, Subject: "ada",
			Attributes: object.Attributes{
				Values: object.Values{
					object.ACL: "public-read", object.CacheControl: "max-age=60", object.ContentEncoding: "gzip",
					object.ContentDisposition: "inline", object.StorageClass: "STANDARD_IA", object.Encryption: "aws:kms",
					object.KMSKeyID: "alias/k", object.WebsiteRedirect: "/x", object.BucketKey: "true",
				},
				Tags:     map[string]string{"a": "1", "b": "2"},
				Metadata: map[string]string{"album": "x", "by": "server"},
			},
		},
		"2031303131313231333134313531363137313831393161316231633164316531660180e3969a0d0a61636d652f622e7478742873746167696e672f31303131313231333134313531363137313831393161316231633164316531660e0e0e19746578742f706c61696e3b20636861727365743d7574662d3801000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0b7075626c69632d726561640a6d61782d6167653d363004677a697006696e6c696e650b5354414e444152445f4941076177733a6b6d7307616c6961732f6b022f78010201610131016201320205616c62756d0178026279067365727665720c6220e2809320c3bc2e7478740105616c62756d01780361646100000000",
		"ATX-U3TGoTJk2VAudSh6-jyMeUk6z1lhsJCoCtE0r06niCx4pvVv2iCMXgab8HkFnhPAvzirGCX6luDH0QkKD5kcccVseJCHM_GNUX6iaVIikrr4LdrbsBrbn0RCt92xIbeS4PfUrbCUCibp78Z2FxIpc4s0qkP4rLEfeqGZ1b-LrOCBCroOAfO5ZrlNeAbgV34CRz3DDgEmA7-ik6vSM2N5MoYtwOaUM1BUZ0OAwCLfJc5se-_cLhK0GdaD9iccfhSMCgrSf7dOQbQP38NwW1H7TLzOvJ_z_105XDkb3Z40J6Ys7pxj_QdLTwx6DaqQK1hsYxXQWYcOYZPs5zeJn8_TQBZVDTKyo-G3YPT9i_o-nMWBP5CV8GRGD9UimzoATkNGtlegZPAG9YpNzSr17vfYd3iHJFrIutBq6e98oUkzAZE2OTchCNNZQw",
	},
	{
		"an upload in parts of unknown size",
		claim.Claim{
			ID: "202122232425262728292a2b2c2d2e2f", Mode: claim.Multipart, Issued: noon, Key: "acme/c.mp4",
			StagingKey: "staging/202122232425262728292a2b2c2d2e2f",
			Size:       claim.UnknownSize, MinSize: 1, MaxSize: 5 << 40, Type: "video/mp4", Filename: "c.mp4",
			Subject: "ada", Tenant: "acme", UploadID: "upload-1", PartSize: 5 << 20, PartChecksums: true,
			Attributes: object.Attributes{Values: object.Values{
				object.ContentDisposition: "none", object.Encryption: "AES256",
			}},
		},
		"2032303231323232333234323532363237323832393261326232633264326532660280e3969a0d0a61636d652f632e6d70342873746167696e672f323032313232323332343235323632373238323932613262326332643265326601028080808080c00209766964656f2f6d703400000000046e6f6e650006414553323536000000000005632e6d703400036164610461636d650875706c6f61642d318080800501",
		"ATX-U3Sud1qZB-AfagCMQDhX5oPoKqvT46rS7QeMDL5Mfy7whqu6PW8u_yfuiaaKnOZRVa3sbfbirlYR1aNZCMKoenBhV2uue1AVghzFvXu52mUiRhMcsu9PNUcCX-sADHu7NZk5p4wav_GUyN6I8e3Ca32d6EWIzzUlyyKgvitgreboh6OMCtAjP1iG7UPkK3UG8CyS9hYO_E9D4k86Ex0gA72ra-QhZUj2mS8MK51kjusMYze1zDZSpR-jZfJKHCS05q3qeGOB74Tt4S5D58IJvpEh2QE",
	},
}

func TestEncodingStaysAsItIs(t *testing.T) {
	for _, tc := range sealed {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.encoded, hex.EncodeToString(tc.claim.Append(nil)))
		})
	}
}

func TestOldTicketsOpen(t *testing.T) {
	keys, err := ticket.NewKeyring(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	const context = "\x00https://acme-uploads.s3.eu-central-1.amazonaws.com/\x00acme-uploads"
	for _, tc := range sealed {
		t.Run(tc.name, func(t *testing.T) {
			content, _, err := keys.Open(tc.token, []byte(context), noon.Add(23*time.Hour))
			require.NoError(t, err)
			c, err := claim.Parse(content)
			require.NoError(t, err)
			require.Equal(t, &tc.claim, c)
		})
	}
}

func TestPartsOfAClaim(t *testing.T) {
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		claim claim.Claim
		parts int32
		last  int64
	}{
		"whole parts":       {claim.Claim{Size: 20 * mib, PartSize: 5 * mib}, 4, 5 * mib},
		"a remainder":       {claim.Claim{Size: 20*mib + 1, PartSize: 5 * mib}, 5, 1},
		"less than a part":  {claim.Claim{Size: 7, PartSize: 5 * mib}, 1, 7},
		"the largest there": {claim.Claim{Size: 5 << 40, PartSize: 525 * mib}, 9987, 5<<40 - 9986*525*mib},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.parts, tc.claim.Parts())
			require.Equal(t, tc.last, tc.claim.PartLength(tc.parts))
		})
	}
	unknown := claim.Claim{Size: claim.UnknownSize, MaxSize: 5 << 40}
	require.Equal(t, int32(10_000), unknown.Parts())
}

func TestOwnerOfAnUnstagedUploadIsItsSubject(t *testing.T) {
	owner := func(tenant, subject string) string {
		c := claim.Claim{SHA256: sum(), Tenant: tenant, Subject: subject}
		return c.Header().Owner
	}
	require.Equal(t, owner("acme", "ada"), owner("acme", "ada"))
	require.NotEqual(t, owner("acme", "ada"), owner("acme", "bob"))
	require.NotEqual(t, owner("acme", "ada"), owner("globex", "ada"))
}

func TestOwnerOfAStagedUploadIsTheTenantOrElseTheSubject(t *testing.T) {
	owner := func(tenant, subject string) string {
		c := claim.Claim{SHA256: sum(), Tenant: tenant, Subject: subject, StagingKey: "staging/1"}
		return c.Header().Owner
	}
	require.Equal(t, owner("acme", "ada"), owner("acme", "bob"))
	require.NotEqual(t, owner("acme", "ada"), owner("globex", "ada"))
	require.NotEqual(t, owner("", "ada"), owner("", "bob"))
	require.NotEqual(t, owner("", "acme"), owner("acme", ""))
}

func TestTraceIsAnExtension(t *testing.T) {
	c := sealed[0].claim
	before := len(c.Append(nil))
	c.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	read, err := claim.Parse(c.Append(nil))
	require.NoError(t, err)
	require.Equal(t, &c, read)
	require.Len(t, c.Append(nil), before+2+len(c.Trace))
}

func TestWhatAnUploadCountsAgainstIsBound(t *testing.T) {
	c := claim.Claim{ID: "0123", Mode: claim.Put, Issued: noon, Key: "a", Size: 1, Type: "text/plain", Subject: "ada", Quota: "tsn203.0.113.7"}
	got, err := claim.Parse(c.Append(nil))
	require.NoError(t, err)
	require.Equal(t, c.Quota, got.Quota)
	c.Quota = "" // as tickets had it before there were quotas
	got, err = claim.Parse(c.Append(nil))
	require.NoError(t, err)
	require.Empty(t, got.Quota)
}
