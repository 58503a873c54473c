package object_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/sigv4"
)

// all is an object with every attribute that we set.
var all = object.Attributes{
	Values: object.Values{
		object.ACL: "public-read", object.CacheControl: "max-age=60", object.ContentEncoding: "gzip", object.StorageClass: "STANDARD_IA",
		object.Encryption: "aws:kms", object.KMSKeyID: "alias/k", object.WebsiteRedirect: "/x", object.BucketKey: "true",
	},
	Tags:     map[string]string{"a": "1 +2", "b": "<x>"},
	Metadata: map[string]string{"by": "server"},
}

func header(a object.Attributes) object.Header {
	h := a.Header("text/plain", "a.txt")
	h.ID, h.Owner = "id", "owner"
	return h
}

func fields(h object.Header) map[string]string {
	m := map[string]string{}
	for _, f := range h.AppendFields(nil) {
		m[f.Name] = f.Value
	}
	return m
}

// stored is what a HEAD tells of an object with these headers.
func stored(fields map[string]string) object.Header {
	metadata := map[string]string{}
	for name, value := range fields {
		if name, ok := strings.CutPrefix(name, "x-amz-meta-"); ok {
			metadata[name] = value
		}
	}
	return object.ReadHeader(func(name string) string { return fields[name] }, metadata, 0)
}

func TestHeadersOfAPut(t *testing.T) {
	require.Equal(t, map[string]string{
		"content-type": "text/plain", "cache-control": "max-age=60", "content-encoding": "gzip",
		"content-disposition": `attachment; filename="a.txt"`, "x-amz-acl": "public-read", "x-amz-storage-class": "STANDARD_IA",
		"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/k",
		"x-amz-server-side-encryption-bucket-key-enabled": "true", "x-amz-website-redirect-location": "/x",
		"x-amz-tagging": "a=1%20%2B2&b=%3Cx%3E", "x-amz-meta-by": "server", "x-amz-meta-postern-id": "id", "x-amz-meta-postern-owner": "owner",
	}, fields(header(all)))
}

func TestFieldsOfAForm(t *testing.T) {
	h := header(all)
	form, err := sigv4.NewSigner("eu-central-1").SignPost(
		sigv4.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, time.Unix(0, 0),
		sigv4.Policy{Expires: time.Unix(60, 0), Conditions: h.AppendForm([]sigv4.Condition{sigv4.Exact("bucket", "b"), sigv4.Exact("key", "k")})})
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "text/plain", "acl": "public-read", "Cache-Control": "max-age=60", "Content-Encoding": "gzip",
		"Content-Disposition": `attachment; filename="a.txt"`, "x-amz-storage-class": "STANDARD_IA",
		"x-amz-website-redirect-location": "/x", "x-amz-server-side-encryption": "aws:kms",
		"x-amz-server-side-encryption-aws-kms-key-id": "alias/k", "x-amz-server-side-encryption-bucket-key-enabled": "true",
		"tagging":       "<Tagging><TagSet><Tag><Key>a</Key><Value>1 +2</Value></Tag><Tag><Key>b</Key><Value>&lt;x&gt;</Value></Tag></TagSet></Tagging>",
		"x-amz-meta-by": "server", "x-amz-meta-postern-id": "id", "x-amz-meta-postern-owner": "owner",
	} {
		require.Equal(t, value, form.Get(name), name)
	}
}

func TestWhatWasStoredHasNoDifferences(t *testing.T) {
	want := header(all)
	got := stored(fields(want))
	require.Empty(t, got.Differences(&want, object.Lenience{}))
}

func TestEveryAttributeThatS3TellsIsCompared(t *testing.T) {
	want := header(object.Attributes{Metadata: map[string]string{"by": "server"}})
	for name, value := range map[string]string{
		"cache-control": "no-store", "content-encoding": "gzip", "content-disposition": "inline", "content-language": "en",
		"expires": "Thu, 01 Jan 1970 00:00:00 GMT", "x-amz-storage-class": "GLACIER", "x-amz-website-redirect-location": "/x",
		"x-amz-meta-by": "mallory", "x-amz-meta-more": "x", "x-amz-meta-postern-id": "other", "x-amz-meta-postern-owner": "other",
	} {
		f := fields(want)
		f[name] = value
		got := stored(f)
		differ := got.Differences(&want, object.Lenience{})
		require.Len(t, differ, 1, name)
		if !strings.HasPrefix(name, "x-amz-meta-") {
			require.Equal(t, []string{name}, differ)
		}
	}
}

func TestWhatABucketAddsByItselfIsNoDifference(t *testing.T) {
	want := header(object.Attributes{})
	f := fields(want)
	f["x-amz-server-side-encryption"], f["x-amz-server-side-encryption-aws-kms-key-id"] = "aws:kms", "arn:aws:kms:eu-central-1:1:key/2"
	f["x-amz-storage-class"] = "STANDARD"
	got := stored(f)
	got.TagCount = 1 // a scanner's
	require.Empty(t, got.Differences(&want, object.Lenience{}))
}

func TestKMSKeysAreToldByTheirARN(t *testing.T) {
	for key, same := range map[string]bool{
		"2": true, "arn:aws:kms:eu-central-1:1:key/2": true, "alias/k": true, "arn:aws:kms:eu-central-1:1:alias/k": true, "3": false,
	} {
		var a object.Attributes
		a.Values[object.Encryption], a.Values[object.KMSKeyID] = "aws:kms", key
		want := header(a)
		f := fields(want)
		f["x-amz-server-side-encryption-aws-kms-key-id"] = "arn:aws:kms:eu-central-1:1:key/2"
		got := stored(f)
		require.Equal(t, same, len(got.Differences(&want, object.Lenience{})) == 0, key)
	}
}

func TestCacheControlOfABrowserPassesForAPutOnly(t *testing.T) {
	want := header(object.Attributes{})
	for value, passes := range map[string]bool{"no-cache": true, "max-age=0": true, "max-age=31536000": false} {
		f := fields(want)
		f["cache-control"] = value
		got := stored(f)
		require.Equal(t, passes, len(got.Differences(&want, object.Lenience{ByPut: true})) == 0, value)
		require.Equal(t, []string{"cache-control"}, got.Differences(&want, object.Lenience{}), value)
	}
}

func TestDuplicateHasANameOfItsOwn(t *testing.T) {
	want := header(object.Attributes{})
	f := fields(want)
	f["content-disposition"], f["x-amz-meta-postern-id"], f["x-amz-meta-album"] = `attachment; filename="b.txt"`, "other", "sea"
	got := stored(f)
	require.Empty(t, got.Differences(&want, object.Lenience{Duplicate: true}))
	f["cache-control"] = "no-store"
	got = stored(f)
	require.Equal(t, []string{"cache-control"}, got.Differences(&want, object.Lenience{Duplicate: true}))
}

func TestFewerTagsThanWereSetAreADifference(t *testing.T) {
	want := header(all)
	got := stored(fields(want))
	got.TagCount = 1
	require.Equal(t, []string{"x-amz-tagging-count"}, got.Differences(&want, object.Lenience{}))
}

func TestObjectInStagingIsPrivateAndPlain(t *testing.T) {
	f := fields(header(all.Staging()))
	for _, name := range []string{"x-amz-acl", "x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-tagging"} {
		require.NotContains(t, f, name)
	}
	require.Equal(t, "aws:kms", f["x-amz-server-side-encryption"], "but encrypted from the beginning")
	require.Equal(t, "server", f["x-amz-meta-by"])
}

func TestOwnAttributesTakePrecedenceAndEncryptionIsOne(t *testing.T) {
	var own object.Attributes
	own.Values[object.Encryption] = "AES256"
	own.Values[object.ACL] = "private"
	own.Tags = map[string]string{"a": "own"}
	got := own.WithDefaults(&all)
	require.Equal(t, "AES256", got.Values[object.Encryption])
	require.Empty(t, got.Values[object.KMSKeyID], "not the key of another encryption")
	require.Empty(t, got.Values[object.BucketKey])
	require.Equal(t, "private", got.Values[object.ACL])
	require.Equal(t, "max-age=60", got.Values[object.CacheControl])
	require.Equal(t, map[string]string{"a": "own", "b": "<x>"}, got.Tags)
	require.Equal(t, map[string]string{"a": "1 +2", "b": "<x>"}, all.Tags, "which stay as they are")
}
