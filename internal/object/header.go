// Package object describes an object of S3: its attributes, of which there is one
// table, and from it the fields of a form, the headers of a PUT, the comparison of
// what is stored with what was asked for, and the encoding in a ticket.
package object

import (
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/filename"
	"github.com/postern-go/postern/sigv4"
)

// Limits of S3 ("Amazon S3 multipart upload limits").
const (
	MaxSize   = MaxParts * MaxSingle // 48.8 TiB
	MaxSingle = 5 << 30              // one form, PUT, part or copy
	MinPart   = 5 << 20
	MaxParts  = 10_000
)

// The metadata by which an object is known: the random id of its grant and, where
// the grant has a checksum, a hash of whose it is. An ETag does for neither: equal
// ones may be other bytes, and a copy has another. An object in staging has its ticket
// too, so that whoever finds it can complete it.
const (
	Reserved       = "postern-" // the beginning of the names that are ours
	metadataID     = Reserved + "id"
	metadataOwner  = Reserved + "owner"
	metadataTicket = Reserved + "ticket"
	metaPrefix     = "x-amz-meta-"
)

// MaxMetadata is how much metadata an object may have, in bytes of names and values
// ("Working with object metadata").
const MaxMetadata = 2 << 10

// Attributes are what is asked for. ContentDisposition is a kind: "attachment",
// "inline", or "none"; empty is "attachment".
type Attributes struct {
	Values         Values
	Tags, Metadata map[string]string
}

// WithDefaults returns a with what is empty taken from defaults; maps are merged.
func (a Attributes) WithDefaults(defaults *Attributes) Attributes {
	encrypted := false
	for k := range table {
		encrypted = encrypted || table[k].encryption && a.Values[k] != ""
	}
	for k := range table {
		if a.Values[k] == "" && !(table[k].encryption && encrypted) {
			a.Values[k] = defaults.Values[k]
		}
	}
	a.Tags = Merge(defaults.Tags, a.Tags)
	a.Metadata = Merge(defaults.Metadata, a.Metadata)
	return a
}

// Merge returns the entries of both maps, where over takes precedence. It changes
// neither, and may return one of them.
func Merge(base, over map[string]string) map[string]string {
	switch {
	case len(over) == 0:
		return base
	case len(base) == 0:
		return over
	}
	merged := maps.Clone(base)
	maps.Copy(merged, over)
	return merged
}

// Staging returns the attributes of an object that was not verified yet: private
// and plain.
func (a Attributes) Staging() Attributes {
	for k := range table {
		if table[k].final {
			a.Values[k] = ""
		}
	}
	a.Tags = nil
	return a
}

// Locked reports whether the object cannot be deleted for a while.
func (a *Attributes) Locked() bool { return a.Values[LockMode] != "" || a.Values[LegalHold] != "" }

// Late reports whether there are attributes that only promotion can set: S3's forms
// have no Content-Language, and a locked object cannot be taken back.
func (a *Attributes) Late() bool { return a.Locked() || a.Values[ContentLanguage] != "" }

// Header is what is stored with an object, as S3 has it.
type Header struct {
	Type     string
	Values   Values
	Tags     map[string]string // S3 tells their number only
	TagCount int
	Metadata map[string]string // but for ours
	// ID, Owner and Ticket are ours. There is no owner without a checksum, and no
	// ticket but in staging.
	ID, Owner, Ticket string
}

// Header returns what is stored with an object of these attributes.
func (a *Attributes) Header(mediaType, name string) Header {
	h := Header{Type: mediaType, Values: a.Values, Tags: a.Tags, TagCount: len(a.Tags), Metadata: a.Metadata}
	switch kind := a.Values[ContentDisposition]; kind {
	case "":
		h.Values[ContentDisposition] = filename.Disposition("attachment", name)
	case "none":
		h.Values[ContentDisposition] = ""
	default:
		h.Values[ContentDisposition] = filename.Disposition(kind, name)
	}
	return h
}

// Unlocked returns the header of a copy that can be deleted.
func (h Header) Unlocked() Header {
	h.Values[LockMode], h.Values[LockUntil], h.Values[LegalHold] = "", "", ""
	return h
}

// AppendForm appends the conditions of a policy whose form stores h. The values of
// the conditions become the fields of the form.
func (h *Header) AppendForm(to []sigv4.Condition) []sigv4.Condition {
	set := func(field, value string) {
		if value != "" {
			to = append(to, sigv4.Exact(field, value))
		}
	}
	set("Content-Type", h.Type)
	for k := range table {
		set(table[k].form, h.Values[k])
	}
	set("tagging", h.tagging())
	h.metadata(set)
	return to
}

// AppendFields appends the headers of a request that stores h: a PUT, or the
// beginning of a multipart upload.
func (h *Header) AppendFields(to []sigv4.Field) []sigv4.Field {
	set := func(name, value string) {
		if value != "" {
			to = append(to, sigv4.Field{Name: name, Value: value})
		}
	}
	set("content-type", h.Type)
	for k := range table {
		set(table[k].header, h.Values[k])
	}
	set("x-amz-tagging", h.tagQuery())
	h.metadata(set)
	return to
}

// metadata sets what forms and headers call alike.
func (h *Header) metadata(set func(name, value string)) {
	for _, name := range SortedKeys(h.Metadata) {
		set(metaPrefix+name, h.Metadata[name])
	}
	set(metaPrefix+metadataID, h.ID)
	set(metaPrefix+metadataOwner, h.Owner)
	set(metaPrefix+metadataTicket, h.Ticket)
}

// MetadataSize is what counts towards [MaxMetadata].
func (h *Header) MetadataSize() (size int) {
	h.metadata(func(name, value string) {
		if value != "" {
			size += len(name) - len(metaPrefix) + len(value)
		}
	})
	return size
}

// ReadHeader takes what is stored from the answer to a HEAD: get returns a header,
// and metadata is all of the object's.
func ReadHeader(get func(name string) string, metadata map[string]string, tagCount int) Header {
	h := Header{Type: get("content-type"), TagCount: tagCount, Metadata: map[string]string{}}
	for k := range table {
		h.Values[k] = get(table[k].header)
	}
	for name, value := range metadata {
		switch name {
		case metadataID:
			h.ID = value
		case metadataOwner:
			h.Owner = value
		case metadataTicket:
			h.Ticket = value
		default:
			h.Metadata[name] = value
		}
	}
	return h
}

// Lenience is what Differences lets pass.
type Lenience struct {
	// ByPut: a browser wrote the object by a PUT, to which it may have added a
	// Cache-Control of its own.
	ByPut bool
	// Duplicate: the object is another upload of the same bytes by the same owner,
	// with a name and metadata of its own.
	Duplicate bool
}

// Differences returns the names of the headers in which what is stored is not as
// wanted, the type aside. S3 does not tell the ACL and the values of tags, and
// tells their number only to who may read them. Scanners for malware add tags of
// their own.
func (h *Header) Differences(want *Header, allow Lenience) (names []string) {
	for k := range table {
		a := Attribute(k)
		stored, wanted := h.Values[k], want.Values[k]
		switch {
		case table[k].same == nil || table[k].same(stored, wanted):
		case a == CacheControl && wanted == "" && allow.ByPut && addedByBrowser(stored):
		case a == ContentDisposition && allow.Duplicate:
		default:
			names = append(names, a.String())
		}
	}
	if h.TagCount != 0 && h.TagCount < want.TagCount {
		names = append(names, "x-amz-tagging-count")
	}
	if !allow.Duplicate && (h.ID != want.ID || h.Owner != want.Owner || !maps.Equal(h.Metadata, want.Metadata)) {
		names = append(names, metaPrefix+"*")
	}
	return names
}

// addedByBrowser reports whether a Cache-Control that nobody asked for is what
// browsers add to a PUT by themselves because it has If-None-Match (Fetch Standard
// §4.6; the second is Chromium's). It only asks caches to look again.
func addedByBrowser(cacheControl string) bool {
	return cacheControl == "no-cache" || cacheControl == "max-age=0"
}

// tagging is the XML that a form has in its field of that name ("S3 API: POST
// Object").
func (h *Header) tagging() string {
	if len(h.Tags) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<Tagging><TagSet>")
	for _, key := range SortedKeys(h.Tags) {
		b.WriteString("<Tag><Key>")
		_ = xml.EscapeText(&b, []byte(key))
		b.WriteString("</Key><Value>")
		_ = xml.EscapeText(&b, []byte(h.Tags[key]))
		b.WriteString("</Value></Tag>")
	}
	b.WriteString("</TagSet></Tagging>")
	return b.String()
}

// tagQuery is the header of the same: a query. S3 reads %20 for a space, and some
// servers read a plus as it is.
func (h *Header) tagQuery() string {
	if len(h.Tags) == 0 {
		return ""
	}
	tags := url.Values{}
	for key, value := range h.Tags {
		tags.Set(key, value)
	}
	return strings.ReplaceAll(tags.Encode(), "+", "%20")
}

// SortedKeys returns the keys of a map in order.
func SortedKeys(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
