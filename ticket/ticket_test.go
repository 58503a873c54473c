package ticket

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	context = []byte("handler\x00endpoint\x00bucket")
)

func newRing(t testing.TB, keys ...[]byte) *Keyring {
	ring, err := NewKeyring(keys[0], keys[1:]...)
	require.NoError(t, err)
	return ring
}

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, KeySize) }

func TestTokenOpensToWhatWasSealed(t *testing.T) {
	ring := newRing(t, keyOf(1))
	token, err := ring.Seal([]byte("payload"), context, now.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, token, url.PathEscape(token), "safe in a path")
	require.NotContains(t, token, base64.RawURLEncoding.EncodeToString([]byte("payload")))
	payload, _, err := ring.Open(token, context, now)
	require.NoError(t, err)
	require.Equal(t, "payload", string(payload))

	again, err := ring.Seal([]byte("payload"), context, now.Add(time.Hour))
	require.NoError(t, err)
	require.NotEqual(t, token, again)
}

func TestTokenExpires(t *testing.T) {
	ring := newRing(t, keyOf(1))
	token, err := ring.Seal(nil, nil, now)
	require.NoError(t, err)
	_, _, err = ring.Open(token, nil, now.Add(-time.Second))
	require.NoError(t, err)
	_, _, err = ring.Open(token, nil, now)
	require.ErrorIs(t, err, ErrExpired)
	_, _, err = ring.Open(token, []byte("other"), now)
	require.ErrorIs(t, err, ErrInvalid, "expiry tells nothing about a token of another context")
}

func TestTokenWithAnyBitChangedIsInvalid(t *testing.T) {
	ring := newRing(t, keyOf(1))
	token, err := ring.Seal([]byte("payload"), context, now.Add(time.Hour))
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for i := range raw {
		for bit := range 8 {
			changed := bytes.Clone(raw)
			changed[i] ^= 1 << bit
			_, _, err := ring.Open(base64.RawURLEncoding.EncodeToString(changed), context, now)
			require.ErrorIs(t, err, ErrInvalid)
		}
	}
	for n := range raw {
		_, _, err := ring.Open(base64.RawURLEncoding.EncodeToString(raw[:n]), context, now)
		require.ErrorIs(t, err, ErrInvalid)
	}
	for _, spelling := range []string{token + "=", token + "\n", " " + token, token + "AAAA", strings.ToUpper(token)} {
		_, _, err := ring.Open(spelling, context, now)
		require.ErrorIs(t, err, ErrInvalid, spelling)
	}
}

func TestTokenOfAnotherContextIsInvalid(t *testing.T) {
	ring := newRing(t, keyOf(1))
	token, err := ring.Seal(nil, context, now.Add(time.Hour))
	require.NoError(t, err)
	for _, other := range [][]byte{nil, {}, context[:5], append(bytes.Clone(context), 0)} {
		_, _, err := ring.Open(token, other, now)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestKeysRotate(t *testing.T) {
	old, both, next := newRing(t, keyOf(1)), newRing(t, keyOf(2), keyOf(1)), newRing(t, keyOf(2))
	ofOld, err := old.Seal([]byte("old"), nil, now.Add(time.Hour))
	require.NoError(t, err)
	ofBoth, err := both.Seal([]byte("both"), nil, now.Add(time.Hour))
	require.NoError(t, err)

	payload, _, err := both.Open(ofOld, nil, now)
	require.NoError(t, err)
	require.Equal(t, "old", string(payload))
	_, _, err = next.Open(ofBoth, nil, now)
	require.NoError(t, err)
	_, _, err = next.Open(ofOld, nil, now)
	require.ErrorIs(t, err, ErrInvalid, "a key that was rotated out")
	_, _, err = old.Open(ofBoth, nil, now)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestKeysAreChecked(t *testing.T) {
	for _, keys := range [][][]byte{{nil}, {keyOf(1)[1:]}, {keyOf(1), nil}, {keyOf(1), keyOf(1)}} {
		_, err := NewKeyring(keys[0], keys[1:]...)
		require.ErrorIs(t, err, ErrKey)
	}
	require.NotEqual(t, RandomKey(), RandomKey())
}

func TestPayloadThatIsTooLargeIsRefused(t *testing.T) {
	_, err := newRing(t, keyOf(1)).Seal(make([]byte, MaxSize), nil, now)
	require.ErrorIs(t, err, ErrTooLarge)
}

// FuzzOpenNeverAcceptsWhatWasNotSealed looks for tokens that open although Seal
// never writes them. It cannot compare with the tokens that it sealed itself: the
// fuzzer hands those of one process to another, whose nonces differ.
func FuzzOpenNeverAcceptsWhatWasNotSealed(f *testing.F) {
	ring, expires := newRing(f, keyOf(1)), now.Add(time.Hour)
	token, err := ring.Seal([]byte("payload."), context, expires)
	require.NoError(f, err)
	last := len(token) - 1
	f.Add(token)
	f.Add("")
	f.Add(token + "\n")
	f.Add(token[:last] + string(token[last]+1)) // differs in bits that base64 does not use
	f.Fuzz(func(t *testing.T, s string) {
		payload, _, err := ring.Open(s, context, now)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		again := newRing(t, keyOf(1))
		again.random = bytes.NewReader(raw[headerSize:])
		sealed, err := again.Seal(payload, context, expires)
		require.NoError(t, err)
		require.Equal(t, sealed, s, "what Seal writes with this nonce")
	})
}

func TestSealAndOpenAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	ring, payload := newRing(t, keyOf(1)), make([]byte, 300)
	token, err := ring.Seal(payload, context, now.Add(time.Hour))
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = ring.Seal(payload, context, now) }), 1.0)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _, _ = ring.Open(token, context, now) }), 1.0)
}

func BenchmarkSeal(b *testing.B) {
	ring, payload := newRing(b, keyOf(1)), make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ring.Seal(payload, context, now)
	}
}

func BenchmarkOpen(b *testing.B) {
	ring := newRing(b, keyOf(1))
	token, _ := ring.Seal(make([]byte, 300), context, now.Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = ring.Open(token, context, now)
	}
}
