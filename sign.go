package postern

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// The metadata that grants seal: the random id by which the object is known, and
// with a checksum a hash of whose it is, for the same bytes uploaded twice. An
// ETag does for neither: equal ones may be other bytes, and a copy has another.
const (
	metadataID    = reservedMetadata + "id"
	metadataOwner = reservedMetadata + "owner"
	metaPrefix    = "x-amz-meta-"
)

// newTicket gathers what the grant binds.
func (i *Issuer) newTicket(u *Upload, mode Mode) (t ticketData, err error) {
	var id [16]byte
	if err := u.readRandom(id[:]); err != nil {
		return t, err
	}
	t = ticketData{
		id:            hex.EncodeToString(id[:]),
		mode:          mode,
		issued:        u.Time(),
		key:           u.Key,
		object:        u.Key,
		size:          u.Size,
		typ:           u.Type,
		sha256:        u.SHA256,
		filename:      u.Filename,
		subject:       u.Subject,
		tenant:        u.Tenant,
		partChecksums: u.PartChecksums,
		partSize:      u.PartSize,
	}
	size := u.limits.narrowed(u)
	if u.Size != UnknownSize {
		size = limits{u.Size, u.Size}
	}
	t.least, t.most = size.least, size.most
	if i.config.staging != "" {
		t.object = i.config.staging + t.id
	}
	t.attributes, t.metadata, err = i.attributes(u)
	return t, err
}

// owner is a hash of the tenant, or of the subject where there are no tenants.
func owner(tenant, subject string) string {
	text := "tenant\x00" + tenant
	if tenant == "" {
		text = "subject\x00" + subject
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// checksumOf is the base64 of a sum, as S3 has it.
func checksumOf(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// attributes returns what is stored with the object: the upload's own
// attributes over the Issuer's, and the metadata that the browser may set.
func (i *Issuer) attributes(u *Upload) (a Attributes, client map[string]string, err error) {
	a = u.Attributes.over(&i.config.attributes)
	if err := a.check(); err != nil {
		return a, nil, ErrAttributesInvalid.WithCause(err)
	}
	if len(u.Metadata) == 0 || len(i.config.clientMetadata) == 0 {
		return a, nil, nil
	}
	for _, name := range i.config.clientMetadata {
		if value := u.Metadata[name]; value != "" {
			if client == nil {
				client = map[string]string{}
			}
			client[name] = value
		}
	}
	a.Metadata = merge(client, a.Metadata)
	if err := checkMetadata(a.Metadata); err != nil {
		return a, nil, ErrMetadataInvalid.WithCause(err)
	}
	return a, client, nil
}

// signPost signs a form.
func (i *Issuer) signPost(ctx context.Context, u *Upload, t *ticketData) (*Grant, error) {
	now := u.Time()
	creds, expires, err := i.signing.credentials(ctx, now, i.config.lifetime)
	if err != nil {
		return nil, err
	}
	var array [24]sigv4.Condition
	conditions := append(array[:0],
		sigv4.Exact("bucket", i.bucket.Name),
		sigv4.Exact("key", t.object),
		sigv4.Exact("Content-Type", t.typ))
	granted := t.granted()
	conditions = granted.appendConditions(conditions, t.filename)
	conditions = append(conditions, sigv4.Exact(metaPrefix+metadataID, t.id))
	if t.sha256 != nil {
		conditions = append(conditions,
			sigv4.Exact(metaPrefix+metadataOwner, owner(t.tenant, t.subject)),
			sigv4.Exact("x-amz-checksum-algorithm", "SHA256"),
			sigv4.Exact("x-amz-checksum-sha256", checksumOf(t.sha256[:])))
	}
	if u.SuccessRedirect != "" {
		conditions = append(conditions, sigv4.Exact("success_action_redirect", u.SuccessRedirect))
	} else {
		conditions = append(conditions, sigv4.Exact("success_action_status", "201"))
	}
	conditions = append(conditions, sigv4.ContentLengthRange(t.least, t.most))

	form, err := i.signer.SignPost(creds, now, sigv4.Policy{Expires: expires, Conditions: conditions})
	if err != nil {
		return nil, unusable(err)
	}
	return &Grant{
		Method:    "POST",
		URL:       i.postURL,
		Fields:    form,
		Expires:   expires,
		ExpiresIn: expires.Sub(now).Truncate(time.Second),
	}, nil
}

// signPut signs the URL of one PUT. Everything that S3 would store is among the
// signed headers; If-None-Match seals it.
func (i *Issuer) signPut(ctx context.Context, now time.Time, t *ticketData) (*Grant, error) {
	creds, expires, err := i.signing.credentials(ctx, now, i.config.lifetime)
	if err != nil {
		return nil, err
	}
	lifetime := expires.Sub(now).Truncate(time.Second)
	header := putHeaders(t.headerOf(t.granted()))
	if t.sha256 != nil {
		header = append(header, sigv4.Field{Name: "x-amz-checksum-sha256", Value: checksumOf(t.sha256[:])})
	}
	if i.provider.putIfAbsent {
		header = append(header, sigv4.Field{Name: "if-none-match", Value: "*"})
	}
	// The browser sets Content-Length by itself, and no script may.
	own := header
	header = append(header, sigv4.Field{Name: "content-length", Value: strconv.FormatInt(t.size, 10)})

	signed, err := i.signer.Presign(creds, now, sigv4.Request{
		Method:   "PUT",
		Endpoint: i.public.endpoint,
		Path:     i.public.prefix + t.object,
		Header:   header,
		Expires:  lifetime,
	})
	if err != nil {
		return nil, unusable(err)
	}
	return &Grant{
		Method:    "PUT",
		URL:       signed,
		Headers:   own,
		Expires:   expires,
		ExpiresIn: lifetime,
	}, nil
}

// granted are the attributes of the object that the browser writes. One in staging
// is private and plain until it was verified.
func (t *ticketData) granted() Attributes {
	a := t.attributes
	if t.object != t.key {
		a.ACL, a.WebsiteRedirect, a.StorageClass, a.Tags = "", "", "", nil
	}
	return a
}

// header is what is stored with the object of a ticket in the end.
func (t *ticketData) header() store.Header { return t.headerOf(t.attributes) }

func (t *ticketData) headerOf(a Attributes) store.Header {
	metadata := maps.Clone(a.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[metadataID] = t.id
	if t.sha256 != nil {
		metadata[metadataOwner] = owner(t.tenant, t.subject)
	}
	tags := url.Values{}
	for k, v := range a.Tags {
		tags.Set(k, v)
	}
	return store.Header{
		ACL:                a.ACL,
		Type:               t.typ,
		CacheControl:       a.CacheControl,
		ContentDisposition: a.disposition(t.filename),
		ContentEncoding:    a.ContentEncoding,
		StorageClass:       a.StorageClass,
		WebsiteRedirect:    a.WebsiteRedirect,
		Encryption:         a.Encryption.Algorithm,
		KMSKeyID:           a.Encryption.KMSKeyID,
		BucketKey:          a.Encryption.BucketKey,
		// S3 reads %20 for a space, and some servers read a plus as it is.
		Tags:     strings.ReplaceAll(tags.Encode(), "+", "%20"),
		TagCount: len(a.Tags),
		Metadata: metadata,
	}
}

// putHeaders are the headers of a PUT that stores h.
func putHeaders(h store.Header) (fields []sigv4.Field) {
	set := func(name, value string) {
		if value != "" {
			fields = append(fields, sigv4.Field{Name: name, Value: value})
		}
	}
	set("content-type", h.Type)
	set("cache-control", h.CacheControl)
	set("content-disposition", h.ContentDisposition)
	set("content-encoding", h.ContentEncoding)
	set("x-amz-acl", h.ACL)
	set("x-amz-storage-class", h.StorageClass)
	set("x-amz-tagging", h.Tags)
	set("x-amz-website-redirect-location", h.WebsiteRedirect)
	set("x-amz-server-side-encryption", h.Encryption)
	set("x-amz-server-side-encryption-aws-kms-key-id", h.KMSKeyID)
	if h.BucketKey {
		set("x-amz-server-side-encryption-bucket-key-enabled", "true")
	}
	for _, name := range sortedKeys(h.Metadata) {
		set(metaPrefix+name, h.Metadata[name])
	}
	return fields
}
