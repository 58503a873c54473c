package object

import (
	"strings"
	"time"
)

// Attribute is one of the properties that S3 stores with an object.
type Attribute int

// The attributes, in the order of the table. Tickets are encoded in this order up to
// the bucket key; what came later is an extension of the claim.
const (
	ACL Attribute = iota
	CacheControl
	ContentEncoding
	ContentDisposition
	StorageClass
	Encryption
	KMSKeyID
	WebsiteRedirect
	BucketKey

	ContentLanguage
	LockMode
	LockUntil
	LegalHold

	// What a server of ours never sets, and whoever holds a PUT grant can add.
	Expires

	count
)

// encoded is the number of attributes that a ticket has.
const encoded = BucketKey + 1

// Values has one value of each attribute; "" is none.
type Values [count]string

// row is what the code needs to know of one attribute.
type row struct {
	form   string // the field of a POST form ("S3 API: POST Object")
	header string // the header of PUT, CreateMultipartUpload and HEAD
	// flag: a ticket has it as a boolean, "true" or none.
	flag bool
	// final: an object in staging goes without, until it was verified.
	final bool
	// encryption: belongs to the server-side encryption, which is set as a whole.
	encryption bool
	// same compares what is stored with what was asked for; nil where S3 does not
	// tell.
	same func(stored, want string) bool
}

// table is the one list of attributes.
var table = [...]row{
	ACL:                {form: "acl", header: "x-amz-acl", final: true},
	CacheControl:       {form: "Cache-Control", header: "cache-control", same: equal},
	ContentEncoding:    {form: "Content-Encoding", header: "content-encoding", same: equal},
	ContentDisposition: {form: "Content-Disposition", header: "content-disposition", same: equal},
	StorageClass:       {form: "x-amz-storage-class", header: "x-amz-storage-class", final: true, same: sameClass},
	Encryption:         {form: "x-amz-server-side-encryption", header: "x-amz-server-side-encryption", encryption: true, same: ifWanted},
	KMSKeyID: {form: "x-amz-server-side-encryption-aws-kms-key-id", header: "x-amz-server-side-encryption-aws-kms-key-id",
		encryption: true, same: sameKMSKey},
	WebsiteRedirect: {form: "x-amz-website-redirect-location", header: "x-amz-website-redirect-location", final: true, same: equal},
	BucketKey: {form: "x-amz-server-side-encryption-bucket-key-enabled", header: "x-amz-server-side-encryption-bucket-key-enabled",
		encryption: true, flag: true},
	ContentLanguage: {form: "Content-Language", header: "content-language", final: true, same: equal},
	LockMode:        {form: "x-amz-object-lock-mode", header: "x-amz-object-lock-mode", final: true, same: ifTold},
	LockUntil:       {form: "x-amz-object-lock-retain-until-date", header: "x-amz-object-lock-retain-until-date", final: true, same: sameTime},
	LegalHold:       {form: "x-amz-object-lock-legal-hold", header: "x-amz-object-lock-legal-hold", final: true, same: ifTold},
	Expires:         {form: "Expires", header: "expires", same: equal},
}

// The table has a row for every attribute, or this does not compile.
var _ = [1]struct{}{}[len(table)-int(count)]

// String returns the header's name.
func (a Attribute) String() string { return table[a].header }

func equal(stored, want string) bool { return stored == want }

// ifWanted is for what a bucket may add by itself.
func ifWanted(stored, want string) bool { return want == "" || stored == want }

// ifTold is for what a bucket may add by itself, and S3 tells only to who may read it.
func ifTold(stored, want string) bool { return stored == "" || ifWanted(stored, want) }

// sameTime is ifTold of a time, which S3 writes with fractions.
func sameTime(stored, want string) bool {
	is, err := time.Parse(time.RFC3339, stored)
	wanted, wantedErr := time.Parse(time.RFC3339, want)
	return ifTold(stored, want) || err == nil && wantedErr == nil && is.Truncate(time.Second).Equal(wanted)
}

// sameClass knows that S3 does not tell the usual class.
func sameClass(stored, want string) bool {
	const usual = "STANDARD"
	if stored == "" {
		stored = usual
	}
	if want == "" {
		want = usual
	}
	return stored == want
}

// sameKMSKey knows that S3 tells the ARN of a key, whatever it was named by.
func sameKMSKey(stored, want string) bool {
	return ifWanted(stored, want) || strings.HasSuffix(stored, "/"+want) ||
		strings.HasPrefix(want, "alias/") || strings.Contains(want, ":alias/")
}
