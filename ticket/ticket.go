// Package ticket seals small secrets into tokens that travel through browsers:
// opaque, authenticated, expiring, and safe in a URL.
//
// The construction is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) as
// golang.org/x/crypto has it. Its nonce of 192 bits may be drawn at random for
// every token without a bound that a server could reach; the 96 bits of AES-GCM
// may not (NIST SP 800-38D §8.3: 2^32 tokens a key).
//
// A token is the base64url, without padding, of
//
//	version (1) | key id (4) | nonce (24) | sealed: expiry (8), payload | tag (16)
//
// where version and key id are authenticated along with a context of the
// caller's, so that a token of one context is nothing to another.
package ticket

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// MaxSize bounds a token in bytes: what most servers take in a URL.
const MaxSize = 8 << 10

const (
	version    = 1
	idSize     = 4
	headerSize = 1 + idSize
	nonceSize  = chacha20poly1305.NonceSizeX
	expirySize = 8
	overhead   = headerSize + nonceSize + expirySize + chacha20poly1305.Overhead
)

// Errors of this package; test for them with [errors.Is].
var (
	// ErrInvalid means that a token was not sealed by a key of the ring in this
	// context, or has been changed. It does not say which.
	ErrInvalid = errors.New("ticket: invalid")
	// ErrExpired means that a token is genuine and too old.
	ErrExpired = errors.New("ticket: expired")
	// ErrTooLarge means that a payload does not fit into a token.
	ErrTooLarge = errors.New("ticket: payload too large")
	// ErrKey means that a key has another length than KeySize, or that two keys
	// are the same.
	ErrKey = errors.New("ticket: invalid key")
)

// Keyring seals with one key and opens with several. It does not change, and is
// safe for concurrent use.
type Keyring struct {
	current *key
	keys    map[[idSize]byte]*key
	random  io.Reader
}

type key struct {
	id   [idSize]byte
	aead cipher.AEAD
}

// NewKeyring returns a ring that seals with current and opens with all. Keys are
// [KeySize] random bytes, the same on every replica. To rotate: add the new key
// as a previous one everywhere, then make it the current one, then drop the old
// one when the last of its tokens has expired.
func NewKeyring(current []byte, previous ...[]byte) (*Keyring, error) {
	ring := &Keyring{keys: map[[idSize]byte]*key{}, random: rand.Reader}
	for i, secret := range append([][]byte{current}, previous...) {
		k, err := newKey(secret)
		if err != nil {
			return nil, err
		}
		if _, twice := ring.keys[k.id]; twice {
			return nil, fmt.Errorf("%w: two keys are the same", ErrKey)
		}
		ring.keys[k.id] = k
		if i == 0 {
			ring.current = k
		}
	}
	return ring, nil
}

// RandomKey returns a new key.
func RandomKey() []byte {
	k := make([]byte, KeySize)
	_, _ = rand.Read(k) // never fails
	return k
}

// newKey derives the id and the sealing key from a secret by HKDF (RFC 5869), so
// that the id tells nothing about the key.
func newKey(secret []byte) (*key, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrKey, len(secret), KeySize)
	}
	derived, err := hkdf.Expand(sha256.New, secret, "postern ticket v1", idSize+chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(derived[idSize:])
	if err != nil {
		return nil, err
	}
	return &key{id: [idSize]byte(derived), aead: aead}, nil
}

// scratch holds the bytes of one token while it is sealed or opened.
type scratch struct {
	token, additional []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Seal returns a token that holds payload until expires, which is kept in whole
// seconds. The context must be the same at opening; it is not in the token.
func (k *Keyring) Seal(payload, context []byte, expires time.Time) (string, error) {
	size := overhead + len(payload)
	if base64.RawURLEncoding.EncodedLen(size) > MaxSize {
		return "", ErrTooLarge
	}
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	raw := append(sc.token[:0], version)
	raw = append(raw, k.current.id[:]...)
	raw = slices.Grow(raw, size)[:headerSize+nonceSize]
	nonce := raw[headerSize:]
	if _, err := io.ReadFull(k.random, nonce); err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	raw = binary.BigEndian.AppendUint64(raw, uint64(expires.Unix()))
	raw = append(raw, payload...)
	plain := raw[headerSize+nonceSize:]
	sealed := k.current.aead.Seal(plain[:0], nonce, plain, sc.bind(raw[:headerSize], context))
	raw = raw[:headerSize+nonceSize+len(sealed)]
	sc.token = base64.RawURLEncoding.AppendEncode(raw, raw)
	return string(sc.token[len(raw):]), nil
}

// Open returns the payload of a token, and when it expires. The error is [ErrInvalid]
// or [ErrExpired].
func (k *Keyring) Open(token string, context []byte, now time.Time) (payload []byte, expires time.Time, err error) {
	// Each token has one spelling: strict base64, in which Go skips line breaks.
	if len(token) > MaxSize || strings.ContainsAny(token, "\r\n") {
		return nil, time.Time{}, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < overhead || raw[0] != version {
		return nil, time.Time{}, ErrInvalid
	}
	key, ok := k.keys[[idSize]byte(raw[1:headerSize])]
	if !ok {
		return nil, time.Time{}, ErrInvalid
	}
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	sealed := raw[headerSize+nonceSize:]
	plain, err := key.aead.Open(sealed[:0], raw[headerSize:headerSize+nonceSize], sealed, sc.bind(raw[:headerSize], context))
	if err != nil {
		return nil, time.Time{}, ErrInvalid
	}
	expires = time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
	if now.Unix() >= expires.Unix() {
		return nil, time.Time{}, ErrExpired
	}
	return plain[expirySize:], expires, nil
}

// bind returns what is authenticated along with the content.
func (sc *scratch) bind(header, context []byte) []byte {
	sc.additional = append(append(sc.additional[:0], header...), context...)
	return sc.additional
}
