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
// has none. Keys of past days and of rotated credentials fall off the end. An
// access key is checked when its key is derived, a session token every time.
func (c *keyCache) get(creds Credentials, region string, d day) (*signingKey, error) {
	if !printable(creds.SessionToken) {
		return nil, ErrCredentials
	}
	var derived *signingKey
	for {
		published := c.keys.Load()
		var keys []*signingKey
		if published != nil {
			keys = *published
		}
		for _, k := range keys {
			if k.day == d && k.accessKeyID == creds.AccessKeyID && k.secret == creds.SecretAccessKey {
				return k, nil
			}
		}
		if creds.AccessKeyID == "" || creds.SecretAccessKey == "" || !printable(creds.AccessKeyID) {
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
	k := &signingKey{accessKeyID: creds.AccessKeyID, secret: creds.SecretAccessKey, day: d}
	k.scope = string(d[:]) + "/" + region + "/" + service + "/aws4_request"
	k.credential = creds.AccessKeyID + "/" + k.scope
	text, _ := appendText(nil, k.credential)
	k.jsonCredential = string(text)
	k.escapedCredential = string(appendEscaped(nil, k.credential, false))
	k.scratch.pool.New = func() any {
		return &scratch{
			mac:  hmac.New(sha256.New, key),
			hash: sha256.New(),
			buf:  make([]byte, 0, 4096),
		}
	}
	return k
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
