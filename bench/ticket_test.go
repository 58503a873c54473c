package bench

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/ticket"
)

// upload is what a ticket must remember, the same for both.
type upload struct {
	ID       string `json:"id"`
	Mode     string `json:"mode"`
	Issued   int64  `json:"issued"`
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Type     string `json:"type"`
	Filename string `json:"filename"`
	Subject  string `json:"subject"`
	Tenant   string `json:"tenant"`
	UploadID string `json:"upload_id"`
}

// claims is the content of a JWT, whose expiry is one of the claims.
type claims struct {
	upload
	jwt.RegisteredClaims
}

func theUpload(now time.Time) upload {
	return upload{
		ID: "6a1f0c2b7e88019c9f2e3b1c7c5e9d43", Mode: "multipart", Issued: now.Unix(),
		Key: key, Size: maxSize, Type: contentType, Filename: "photo.png",
		Subject: "ada", Tenant: "acme", UploadID: uploadID,
	}
}

const ticketLifetime = 24 * time.Hour

// BenchmarkTicketSeal makes a token of an upload: JSON in both cases, encrypted
// in ours, signed with HS256 in the JWT. The handler's own tickets hold no JSON
// and are shorter: see BenchmarkIssue.
func BenchmarkTicketSeal(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		ring, context := keyring(b)
		var token string
		fixture.Measure(b, func() (err error) {
			token, err = seal(ring, context)
			return err
		})
		b.ReportMetric(float64(len(token)), "token-B")
	})
	b.Run("golang-jwt", func(b *testing.B) {
		secret := ticket.RandomKey()
		var token string
		fixture.Measure(b, func() (err error) {
			token, err = signJWT(secret)
			return err
		})
		b.ReportMetric(float64(len(token)), "token-B")
	})
}

// BenchmarkTicketOpen verifies the token and reads the upload from it.
func BenchmarkTicketOpen(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		ring, context := keyring(b)
		token, err := seal(ring, context)
		require.NoError(b, err)
		fixture.Measure(b, func() error {
			content, _, err := ring.Open(token, context, time.Now())
			if err != nil {
				return err
			}
			var u upload
			return json.Unmarshal(content, &u)
		})
	})
	// The parser is made once, and told the one algorithm that it accepts, as the
	// package's documentation says.
	b.Run("golang-jwt", func(b *testing.B) {
		secret := ticket.RandomKey()
		token, err := signJWT(secret)
		require.NoError(b, err)
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
		key := func(*jwt.Token) (any, error) { return secret, nil }
		fixture.Measure(b, func() error {
			_, err := parser.ParseWithClaims(token, &claims{}, key)
			return err
		})
	})
}

func keyring(b *testing.B) (*ticket.Keyring, []byte) {
	ring, err := ticket.NewKeyring(ticket.RandomKey())
	require.NoError(b, err)
	return ring, []byte("\x00" + endpoint + "\x00" + bucket)
}

func seal(ring *ticket.Keyring, context []byte) (string, error) {
	now := time.Now()
	content, err := json.Marshal(theUpload(now))
	if err != nil {
		return "", err
	}
	return ring.Seal(content, context, now.Add(ticketLifetime))
}

func signJWT(secret []byte) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		upload:           theUpload(now),
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(now.Add(ticketLifetime))},
	}).SignedString(secret)
}
