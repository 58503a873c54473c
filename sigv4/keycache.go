package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// maxKeys bounds the cache. Two days of a rotation's old and new access key are
// four keys; the rest is room for callers with several.
const maxKeys = 8

// keyCache holds derived keys, newest first, in a slice that never changes once
// it is published: readers need no lock, and a writer publishes a new slice.
type keyCache struct {
	keys atomic.Pointer[[]*signingKey]
}

// get returns the key for the credentials on a day, and derives it if the cache
// has none. Keys of past days and of rotated credentials fall off the end.
// Credentials are checked when their key is derived.
func (c *keyCache) get(creds Credentials, region string, d day) (*signingKey, error) {
	var derived *signingKey
	for {
		published := c.keys.Load()
		var keys []*signingKey
		if published != nil {
			keys = *published
		}
		for _, k := range keys {
			if k.day == d && k.creds == creds {
				return k, nil
			}
		}
		if creds.AccessKeyID == "" || creds.SecretAccessKey == "" || !printable(creds.AccessKeyID) || !printable(creds.SessionToken) {
			return nil, ErrCredentials
		}
		if derived == nil {
			derived = newSigningKey(creds, region, d)
		}
		next := make([]*signingKey, 0, maxKeys)
		next = append(next, derived)
		next = append(next, keys[:min(len(keys), maxKeys-1)]...)
		if c.keys.CompareAndSwap(published, &next) {
			return derived, nil
		}
	}
}

func newSigningKey(creds Credentials, region string, d day) *signingKey {
	key := deriveKey(creds.SecretAccessKey, region, d)
	k := &signingKey{creds: creds, day: d}
	k.scope = string(d[:]) + "/" + region + "/" + service + "/aws4_request"
	k.credential = creds.AccessKeyID + "/" + k.scope
	k.inPolicy, k.inQuery = written(k.credential)
	k.tokenInPolicy, k.tokenInQuery = written(creds.SessionToken)
	k.scratch.pool.New = func() any {
		return &scratch{
			mac:  hmac.New(sha256.New, key),
			hash: sha256.New(),
			buf:  make([]byte, 0, 4096),
		}
	}
	return k
}

// written returns a text as it stands in a policy, and in a query.
func written(text string) (inPolicy, inQuery string) {
	escaped, _ := appendText(nil, text)
	return string(escaped), string(appendEscaped(nil, text, false))
}

// scratchPool hands out scratches that hold one signing key.
type scratchPool struct {
	pool sync.Pool
}

func (p *scratchPool) get() *scratch { return p.pool.Get().(*scratch) }

// put takes a scratch back, unless one huge request has made it a burden.
func (p *scratchPool) put(sc *scratch) {
	if cap(sc.buf) <= 64<<10 {
		p.pool.Put(sc)
	}
}
