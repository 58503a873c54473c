package claim_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/object"
)

func FuzzParse(f *testing.F) {
	for _, tc := range sealed {
		f.Add(tc.claim.Append(nil))
	}
	elsewhere := sealed[0].claim
	elsewhere.Bucket = "acme-uploads\x00https://s3.example.com/acme-uploads/"
	f.Add(elsewhere.Append(nil))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := claim.Parse(b)
		if err != nil {
			require.ErrorIs(t, err, claim.ErrInvalid)
			require.Nil(t, c)
			return
		}
		again, err := claim.Parse(c.Append(nil))
		require.NoError(t, err)
		require.Equal(t, c, again)
		for cut := range b {
			part, err := claim.Parse(b[:cut])
			require.True(t, err != nil || c.Bucket != "" && part.Bucket == "", "a beginning is not the whole")
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("id", uint8(2), int64(1772323200), "acme/a", "staging/1", int64(1), int64(0), int64(9), "text/plain", true, "ada", "acme", "k", "v", "upload", int64(5<<20))
	f.Add("", uint8(0), int64(-1), "", "", int64(-1), int64(-9), int64(1<<62), "", false, "", "", "", "", "", int64(0))
	f.Add("id", uint8(2), int64(1772323200), "acme/a", "", int64(-1), int64(0), int64(9), "text/plain", false, "ada", "acme", "k", "v", "upload", int64(5<<20))
	modes := []claim.Mode{claim.Post, claim.Put, claim.Multipart}
	f.Fuzz(func(t *testing.T, id string, mode uint8, issued int64, key, staging string, size, min, max int64, text string, flag bool,
		subject, tenant, name, value, uploadID string, partSize int64) {
		m := map[string]string{name: value, name + "2": text}
		c := &claim.Claim{
			ID: id, Mode: modes[int(mode)%len(modes)], Issued: time.Unix(issued, 0).UTC(), Key: key, StagingKey: staging, Bucket: tenant,
			Size: size, MinSize: min, MaxSize: max, Type: text, Filename: text, Subject: subject, Tenant: tenant,
			Metadata: m, UploadID: uploadID, PartSize: partSize, PartChecksums: flag,
			Attributes: object.Attributes{Tags: m, Metadata: m, Values: object.Values{
				object.ACL: text, object.CacheControl: value, object.ContentEncoding: name, object.ContentDisposition: text,
				object.StorageClass: tenant, object.WebsiteRedirect: subject, object.Encryption: key, object.KMSKeyID: id,
			}},
		}
		if flag {
			c.SHA256 = new([32]byte)
			copy(c.SHA256[:], text)
			c.Attributes.Values[object.BucketKey] = "true"
		}
		got, err := claim.Parse(c.Append(nil))
		if key == "" || size < claim.UnknownSize || c.Mode == claim.Multipart && (uploadID == "" || partSize <= 0 || size == 0) {
			require.ErrorIs(t, err, claim.ErrInvalid)
			return
		}
		require.NoError(t, err)
		require.Equal(t, c, got)
	})
}
