package postern_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestEveryAttributeIsSigned(t *testing.T) {
	for name, tc := range map[string]struct {
		attributes postern.Attributes
		want       map[string]string
	}{
		"nothing":          {postern.Attributes{}, nil},
		"ACL":              {postern.Attributes{ACL: "public-read"}, map[string]string{"acl": "public-read"}},
		"cache control":    {postern.Attributes{CacheControl: "max-age=60, public"}, map[string]string{"Cache-Control": "max-age=60, public"}},
		"content encoding": {postern.Attributes{ContentEncoding: "gzip"}, map[string]string{"Content-Encoding": "gzip"}},
		"inline":           {postern.Attributes{Disposition: postern.Inline}, map[string]string{"Content-Disposition": `inline; filename="photo.png"`}},
		"attachment":       {postern.Attributes{Disposition: postern.Attachment}, map[string]string{"Content-Disposition": `attachment; filename="photo.png"`}},
		"storage class":    {postern.Attributes{StorageClass: "STANDARD_IA"}, map[string]string{"x-amz-storage-class": "STANDARD_IA"}},
		"redirect":         {postern.Attributes{WebsiteRedirect: "/moved"}, map[string]string{"x-amz-website-redirect-location": "/moved"}},
		"encryption": {postern.Attributes{Encryption: postern.Encryption{Algorithm: "AES256"}}, map[string]string{
			"x-amz-server-side-encryption": "AES256",
		}},
		"encryption by KMS": {
			postern.Attributes{Encryption: postern.Encryption{Algorithm: "aws:kms", KMSKeyID: "arn:aws:kms:eu-central-1:1:key/k", BucketKey: true}},
			map[string]string{
				"x-amz-server-side-encryption":                    "aws:kms",
				"x-amz-server-side-encryption-aws-kms-key-id":     "arn:aws:kms:eu-central-1:1:key/k",
				"x-amz-server-side-encryption-bucket-key-enabled": "true",
			},
		},
		"double encryption by KMS": {postern.Attributes{Encryption: postern.Encryption{Algorithm: "aws:kms:dsse"}}, map[string]string{
			"x-amz-server-side-encryption": "aws:kms:dsse",
		}},
		"tags": {postern.Attributes{Tags: map[string]string{"b": "2", "a+-=._:/@ 1": "日 x", "c": ""}}, map[string]string{
			"tagging": "<Tagging><TagSet>" +
				"<Tag><Key>a+-=._:/@ 1</Key><Value>日 x</Value></Tag>" +
				"<Tag><Key>b</Key><Value>2</Value></Tag>" +
				"<Tag><Key>c</Key><Value></Value></Tag>" +
				"</TagSet></Tagging>",
		}},
		"metadata": {postern.Attributes{Metadata: map[string]string{"b-1": "x y", "a": "z"}}, map[string]string{
			"x-amz-meta-a": "z", "x-amz-meta-b-1": "x y",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := granted(t, send(newHandler(t, postern.WithAttributes(tc.attributes)), photo))
			plain := granted(t, send(newHandler(t), photo)).Fields
			conditions := policyOf(t, g.Fields["policy"]).exact(t)
			for field, value := range tc.want {
				require.Equal(t, value, g.Fields[field])
				require.Equal(t, value, conditions[field])
				plain[field] = value
			}
			require.ElementsMatch(t, keysOf(plain), keysOf(g.Fields), "no other field")
		})
	}
}

func keysOf(m map[string]string) (keys []string) {
	for k := range maps.Keys(m) {
		keys = append(keys, k)
	}
	return keys
}

func TestNoDispositionStoresNone(t *testing.T) {
	g := granted(t, send(newHandler(t, postern.WithAttributes(postern.Attributes{Disposition: postern.NoDisposition})), photo))
	require.NotContains(t, g.Fields, "Content-Disposition")
	require.NotContains(t, policyOf(t, g.Fields["policy"]).exact(t), "Content-Disposition")
}

// many returns n tags or metadata.
func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("k%d", i)] = "v"
	}
	return m
}

var later = time.Now().AddDate(1, 0, 0)

var wrongAttributes = map[string]postern.Attributes{
	"an ACL with a line break":        {ACL: "private\r\nx: y"},
	"a cache control beyond ASCII":    {CacheControl: "ä"},
	"an encoding with a NUL":          {ContentEncoding: "\x00"},
	"a storage class with a tab":      {StorageClass: "A\tB"},
	"a redirect beyond ASCII":         {WebsiteRedirect: "/ü"},
	"a disposition that is none":      {Disposition: "attachment; filename=x"},
	"an encryption that is none":      {Encryption: postern.Encryption{Algorithm: "rot13"}},
	"a KMS key without KMS":           {Encryption: postern.Encryption{KMSKeyID: "k"}},
	"a KMS key with AES256":           {Encryption: postern.Encryption{Algorithm: "AES256", KMSKeyID: "k"}},
	"a bucket key without KMS":        {Encryption: postern.Encryption{BucketKey: true}},
	"a KMS key with a line break":     {Encryption: postern.Encryption{Algorithm: "aws:kms", KMSKeyID: "k\n"}},
	"a lock without an end":           {ObjectLock: postern.ObjectLock{Mode: "COMPLIANCE"}},
	"a lock of another kind":          {ObjectLock: postern.ObjectLock{Mode: "FOREVER", RetainUntil: later}},
	"an end without a lock":           {ObjectLock: postern.ObjectLock{RetainUntil: later}},
	"eleven tags":                     {Tags: many(11)},
	"a tag without a key":             {Tags: map[string]string{"": "v"}},
	"a tag with a long key":           {Tags: map[string]string{strings.Repeat("日", 129): "v"}},
	"a tag with a long value":         {Tags: map[string]string{"k": strings.Repeat("日", 257)}},
	"a tag with a control character":  {Tags: map[string]string{"k": "a\nb"}},
	"a tag with markup":               {Tags: map[string]string{"k": "</Value><x>"}},
	"a tag with an ampersand":         {Tags: map[string]string{"a&b": "v"}},
	"a tag that is not UTF-8":         {Tags: map[string]string{"k\xff": "v"}},
	"metadata in capitals":            {Metadata: map[string]string{"Album": "x"}},
	"metadata without a name":         {Metadata: map[string]string{"": "x"}},
	"metadata with a colon":           {Metadata: map[string]string{"a:b": "x"}},
	"metadata beyond ASCII":           {Metadata: map[string]string{"a": "ü"}},
	"metadata with a line break":      {Metadata: map[string]string{"a": "x\r\ny: z"}},
	"metadata with a space at an end": {Metadata: map[string]string{"a": "x "}},
	"metadata above 2 KiB":            {Metadata: map[string]string{"a": strings.Repeat("x", 2048)}},
}

func TestWrongAttributesAreAConfigError(t *testing.T) {
	for name, a := range wrongAttributes {
		t.Run(name, func(t *testing.T) {
			_, err := postern.New(bucket, postern.AllowAnonymous(), postern.WithAttributes(a))
			require.Equal(t, []string{"WithAttributes"}, options(t, err))
		})
	}
}

func TestWrongAttributesOfAnUploadAnswer500(t *testing.T) {
	for name, a := range wrongAttributes {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, postern.WithAuthorizer(set(func(u *postern.Upload) { u.Attributes = a })))
			require.Equal(t, "attributes_invalid", refused(t, send(h, photo)).Code)
		})
	}
}

func TestAttributesAtTheirLimitsAreFine(t *testing.T) {
	_, err := postern.New(bucket, postern.AllowAnonymous(), postern.WithAttributes(postern.Attributes{
		Tags:     map[string]string{strings.Repeat("日", 128): strings.Repeat("日", 256)},
		Metadata: map[string]string{"a": strings.Repeat("x", 2047)},
	}))
	require.NoError(t, err)
}

func TestObjectLocksWaitForPromotionAndOutliveTheTicket(t *testing.T) {
	locked := postern.Attributes{ObjectLock: postern.ObjectLock{Mode: "COMPLIANCE", RetainUntil: later, LegalHold: true}}
	_, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithAttributes(locked))
	require.Equal(t, []string{"WithAttributes"}, options(t, err))
	h := newHandler(t, postern.WithAttributes(locked), postern.WithPromotion("staging/"))
	require.NotContains(t, send(h, photo).Body.String(), "object-lock", "it comes with promotion")

	_, err = postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithAttributes(postern.Attributes{ContentLanguage: "de"}))
	require.Equal(t, []string{"WithAttributes"}, options(t, err))
	for name, lock := range map[string]postern.ObjectLock{
		"a legal hold without promotion": {LegalHold: true},
		"a lock without promotion":       locked.ObjectLock,
	} {
		h := newHandler(t, postern.WithAuthorizer(set(func(u *postern.Upload) { u.Attributes.ObjectLock = lock })))
		require.Equal(t, "attributes_invalid", refused(t, send(h, photo)).Code, name)
	}
	h = newHandler(t, postern.WithPromotion("staging/"), postern.WithAuthorizer(set(func(u *postern.Upload) {
		u.Attributes.ObjectLock = postern.ObjectLock{Mode: "GOVERNANCE", RetainUntil: u.Time().Add(24 * time.Hour)}
	})))
	require.Equal(t, "attributes_invalid", refused(t, send(h, photo)).Code, "it would end before the ticket")
}

func TestReplacingNeedsPromotionAndACondition(t *testing.T) {
	replace := postern.WithAuthorizer(set(func(u *postern.Upload) { u.Replace = `"etag"` }))
	require.Equal(t, "attributes_invalid", refused(t, send(newHandler(t, replace), photo)).Code)
	granted(t, send(newHandler(t, replace, postern.WithPromotion("staging/")), photo))
	b := bucket
	b.Endpoint, b.Provider = "https://minio.example.com", postern.Garage
	require.Equal(t, "attributes_invalid", refused(t, send(newHandlerFor(t, b, replace, postern.WithPromotion("staging/")), photo)).Code)
}

func TestAttributesOfAnUploadGoBeforeThoseOfTheHandler(t *testing.T) {
	h := newHandler(t,
		postern.WithAttributes(postern.Attributes{
			ACL: "private", CacheControl: "no-store", Disposition: postern.Inline,
			Encryption: postern.Encryption{Algorithm: "aws:kms", KMSKeyID: "k"},
			Metadata:   map[string]string{"a": "handler", "b": "handler"},
			Tags:       map[string]string{"t": "handler"},
		}),
		postern.WithAuthorizer(set(func(u *postern.Upload) {
			u.Attributes = postern.Attributes{
				ACL: "public-read", Encryption: postern.Encryption{Algorithm: "AES256"},
				Metadata: map[string]string{"a": "upload"},
			}
		})))
	f := granted(t, send(h, photo)).Fields
	require.Equal(t, "public-read", f["acl"])
	require.Equal(t, "no-store", f["Cache-Control"])
	require.Equal(t, `inline; filename="photo.png"`, f["Content-Disposition"])
	require.Equal(t, "AES256", f["x-amz-server-side-encryption"])
	require.NotContains(t, f, "x-amz-server-side-encryption-aws-kms-key-id")
	require.Equal(t, "upload", f["x-amz-meta-a"])
	require.Equal(t, "handler", f["x-amz-meta-b"])
	require.Contains(t, f["tagging"], "<Value>handler</Value>")
}

func TestHandlerIsNotChangedByAnUpload(t *testing.T) {
	common := map[string]string{"a": "handler"}
	first := true
	h := newHandler(t,
		postern.WithAttributes(postern.Attributes{Metadata: common}),
		postern.WithClientMetadata("note"),
		postern.WithAuthorizer(set(func(u *postern.Upload) {
			if first {
				u.Attributes.Metadata = map[string]string{"b": "upload"}
			}
			first = false
		})))
	granted(t, send(h, `{"filename":"a","size":1,"metadata":{"note":"n"}}`))
	f := granted(t, send(h, photo)).Fields
	require.NotContains(t, f, "x-amz-meta-b")
	require.NotContains(t, f, "x-amz-meta-note")
	require.Equal(t, map[string]string{"a": "handler"}, common)
}

const withMetadata = `{"filename":"a","size":1,"metadata":{"album":"holiday","Album":"x","role":"admin"}}`

func TestMetadataOfTheBrowserIsStoredByNameOnly(t *testing.T) {
	f := granted(t, send(newHandler(t, postern.WithClientMetadata("album", "missing")), withMetadata)).Fields
	require.Equal(t, "holiday", f["x-amz-meta-album"])
	for field := range f {
		require.NotContains(t, []string{"x-amz-meta-role", "x-amz-meta-Album", "x-amz-meta-missing"}, field)
	}
}

func TestMetadataOfTheBrowserIsNotStoredUnlessAllowed(t *testing.T) {
	for field := range granted(t, send(newHandler(t), withMetadata)).Fields {
		require.False(t, strings.HasPrefix(field, "x-amz-meta-") && field != "x-amz-meta-postern-id", field)
	}
}

func TestMetadataOfTheServerTakesPrecedenceTheBrowsers(t *testing.T) {
	h := newHandler(t, postern.WithClientMetadata("album"),
		postern.WithAttributes(postern.Attributes{Metadata: map[string]string{"album": "server"}}))
	require.Equal(t, "server", granted(t, send(h, withMetadata)).Fields["x-amz-meta-album"])
}

func TestMetadataThatCannotBeStoredIsRefused(t *testing.T) {
	for name, value := range map[string]string{
		"beyond ASCII":       `ü`,
		"a line break":       `a\r\nx-amz-acl: public-read`,
		"a space at an end":  ` a`,
		"more than 2 KiB":    strings.Repeat("x", 2048),
		"half a pair of UTF": `\ud800`,
	} {
		t.Run(name, func(t *testing.T) {
			w := send(newHandler(t, postern.WithClientMetadata("note")), `{"filename":"a","size":1,"metadata":{"note":"`+value+`"}}`)
			require.Equal(t, "metadata_invalid", refused(t, w).Code)
			require.Equal(t, http.StatusBadRequest, w.Code)
		})
	}
}
