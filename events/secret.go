package events

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
)

// minSecret is how many bytes a secret has at least.
const minSecret = 16

// secrets are kept as their sums, which have one length: how long a comparison takes
// tells nothing of a secret, nor how long it is.
type secrets [][sha256.Size]byte

func (s *secrets) add(secret string) error {
	if len(secret) < minSecret {
		return fmt.Errorf("a secret has %d bytes or more, not %d", minSecret, len(secret))
	}
	*s = append(*s, sha256.Sum256([]byte(secret)))
	return nil
}

func (s secrets) has(candidate string) bool {
	sum := sha256.Sum256([]byte(candidate))
	found := 0
	for _, secret := range s {
		found |= subtle.ConstantTimeCompare(sum[:], secret[:])
	}
	return found == 1
}

// authentic reports whether a request has a secret in any of the places for it.
func (h *Handler) authentic(r *http.Request) bool {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") && h.secrets.has(token) {
		return true
	}
	if _, password, ok := r.BasicAuth(); ok && h.secrets.has(password) {
		return true
	}
	if value := r.Header.Get(h.header); value != "" && h.secrets.has(value) {
		return true
	}
	if r.URL.RawQuery == "" {
		return false
	}
	token := r.URL.Query().Get("token")
	return token != "" && h.secrets.has(token)
}

// isToken reports whether a name is a token (RFC 9110 §5.6.2).
func isToken(name string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(special, c) < 0 {
			return false
		}
	}
	return name != ""
}
