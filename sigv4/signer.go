package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	service   = "s3"
)

// Errors of this package. Those that name a field or a value are wrapped with
// it; test for them with [errors.Is].
var (
	// ErrCredentials means that the access key id or the secret is empty, or
	// that one of them, or the session token, has a control character.
	ErrCredentials = errors.New("sigv4: invalid credentials")
	// ErrField means that a condition names a field that S3 does not document
	// for POST, names one twice, or lacks the bucket or the key.
	ErrField = errors.New("sigv4: invalid policy field")
	// ErrValue means that a value is not UTF-8, has a control character, or
	// lies outside its range.
	ErrValue = errors.New("sigv4: invalid value")
	// ErrExpiry means that what is to be signed would have expired already, or
	// would live longer than S3 allows.
	ErrExpiry = errors.New("sigv4: invalid expiry")
)

// Credentials are an AWS access key. SessionToken is empty for long-lived ones.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// Signer signs for one region. It is safe for concurrent use and must not be
// copied after its first use.
type Signer struct {
	region string
	keys   keyCache
}

// NewSigner returns a Signer for an AWS region such as "eu-central-1". Servers
// that know no regions want "us-east-1" or, at Cloudflare R2, "auto".
func NewSigner(region string) *Signer {
	return &Signer{region: region}
}

// Region returns the region that the Signer signs for.
func (s *Signer) Region() string { return s.region }

// signingKey is a derived key together with hashers that already hold it, and
// what every signature says of it.
type signingKey struct {
	creds   Credentials
	day     day
	scratch scratchPool

	scope      string // date/region/s3/aws4_request
	credential string // the access key id, a slash, and the scope

	// The credential and the session token, which is long, as they are written.
	inPolicy, inQuery           string
	tokenInPolicy, tokenInQuery string
}

// day is a date in UTC as it stands in a credential scope: 20060102.
type day [8]byte

// deriveKey is the key derivation of Signature Version 4.
func deriveKey(secret, region string, d day) []byte {
	key := mac([]byte("AWS4"+secret), d[:])
	key = mac(key, []byte(region))
	key = mac(key, []byte(service))
	return mac(key, []byte("aws4_request"))
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// scratch is what one signature needs and the next one can use again.
type scratch struct {
	mac  hash.Hash // HMAC-SHA256 under the signing key
	hash hash.Hash // SHA-256
	sum  [sha256.Size]byte
	buf  []byte
}

// appendSignature appends the hexadecimal HMAC of data. dst and data may share
// their backing array.
func (sc *scratch) appendSignature(dst, data []byte) []byte {
	sc.mac.Reset()
	sc.mac.Write(data)
	return hex.AppendEncode(dst, sc.mac.Sum(sc.sum[:0]))
}

// timestamp is a time in UTC as Signature Version 4 writes it: 20060102T150405Z.
type timestamp [16]byte

func newTimestamp(t time.Time) timestamp {
	t = t.UTC()
	year, month, dayOfMonth := t.Date()
	hour, minute, second := t.Clock()
	var ts timestamp
	put4(ts[0:], year)
	put2(ts[4:], int(month))
	put2(ts[6:], dayOfMonth)
	ts[8] = 'T'
	put2(ts[9:], hour)
	put2(ts[11:], minute)
	put2(ts[13:], second)
	ts[15] = 'Z'
	return ts
}

func (ts timestamp) day() day { return day(ts[:8]) }

// appendISO8601 appends t as 2006-01-02T15:04:05.000Z, the form of a policy's
// expiration.
func appendISO8601(dst []byte, t time.Time) []byte {
	ts := newTimestamp(t)
	dst = append(dst, ts[0:4]...)
	dst = append(dst, '-', ts[4], ts[5], '-', ts[6], ts[7], 'T')
	dst = append(dst, ts[9], ts[10], ':', ts[11], ts[12], ':', ts[13], ts[14])
	return append(dst, ".000Z"...)
}

func put2(b []byte, n int) {
	b[0], b[1] = byte('0'+n/10), byte('0'+n%10)
}

func put4(b []byte, n int) {
	put2(b, n/100%100)
	put2(b[2:], n%100)
}

// printable reports whether s has no control character.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
