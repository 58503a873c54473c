package bench

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/gofrs/uuid/v5"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"github.com/postern-go/postern/bench/internal/fixture"
	"github.com/postern-go/postern/ticket"
)

// peer is a handler that one would write by hand: it decides and answers as
// Postern does, with the SDK's presigner, encoding/json, and a JWT for a ticket.
// All that can be made once is.
type peer struct {
	presigner *s3.PresignClient
	origins   *http.CrossOriginProtection
	authorize func(*http.Request) (subject, tenant string, err error)
	families  map[string]bool
	types     map[string]string // type to extension
	secret    []byte
	logger    zerolog.Logger
}

func newPeer() *peer {
	return &peer{
		presigner: fixture.Presigner(),
		origins:   http.NewCrossOriginProtection(),
		authorize: func(*http.Request) (subject, tenant string, err error) { return "ada", "acme", nil },
		families:  map[string]bool{"image": true},
		types:     map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "application/pdf": ".pdf"},
		secret:    ticket.RandomKey(),
		logger:    zerolog.New(io.Discard),
	}
}

type peerRequest struct {
	Filename string `json:"filename"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
}

type peerGrant struct {
	Mode      string            `json:"mode"`
	Key       string            `json:"key"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	Location  string            `json:"location"`
	Expires   time.Time         `json:"expires"`
	ExpiresIn int               `json:"expires_in"`
	Ticket    string            `json:"ticket"`
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	fail := func(status int, err error) {
		p.logger.Warn().Int("status", status).Err(err).Msg("upload")
		http.Error(w, http.StatusText(status), status)
	}
	if err := p.origins.Check(r); err != nil {
		fail(http.StatusForbidden, err)
		return
	}
	var q peerRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&q); err != nil {
		fail(http.StatusBadRequest, err)
		return
	}
	subject, tenant, err := p.authorize(r)
	if err != nil {
		fail(http.StatusUnauthorized, err)
		return
	}
	if q.Size < 1 || q.Size > maxSize {
		fail(http.StatusRequestEntityTooLarge, nil)
		return
	}
	essence, _, err := mime.ParseMediaType(q.Type)
	if family, _, _ := strings.Cut(essence, "/"); err != nil || p.types[essence] == "" && !p.families[family] {
		fail(http.StatusUnsupportedMediaType, err)
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		fail(http.StatusInternalServerError, err)
		return
	}
	now := time.Now().UTC()
	key := tenant + "/" + now.Format("2006-01-02") + "/" + id.String() + p.types[essence]
	grant, err := p.sign(r, now, key, essence, q, subject, tenant)
	if err != nil {
		fail(http.StatusServiceUnavailable, err)
		return
	}
	p.logger.Info().Str("action", "sign").Str("outcome", "granted").Int("status", http.StatusCreated).
		Str("tenant", tenant).Str("subject", subject).Str("key", key).Int64("size", q.Size).Str("type", essence).
		Str("mode", "post").Dur("duration", time.Since(start)).Msg("upload")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(grant)
}

func (p *peer) sign(r *http.Request, now time.Time, key, essence string, q peerRequest, subject, tenant string) (*peerGrant, error) {
	random, err := uuid.NewV4()
	if err != nil {
		return nil, err
	}
	id := hex.EncodeToString(random[:])
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": q.Filename})
	fields := map[string]string{
		"Content-Type":          essence,
		"Content-Disposition":   disposition,
		"x-amz-meta-id":         id,
		"success_action_status": "201",
	}
	conditions := []any{[]any{"content-length-range", q.Size, q.Size}}
	for name, value := range fields {
		conditions = append(conditions, map[string]string{name: value})
	}
	signed, err := p.presigner.PresignPostObject(r.Context(),
		&s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)},
		func(o *s3.PresignPostOptions) { o.Expires, o.Conditions = lifetime, conditions })
	if err != nil {
		return nil, err
	}
	for name, value := range signed.Values {
		fields[name] = value
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		upload: upload{
			ID: id, Mode: "post", Issued: now.Unix(), Key: key, Size: q.Size, Type: essence,
			Filename: q.Filename, Subject: subject, Tenant: tenant,
		},
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(now.Add(ticketLifetime))},
	}).SignedString(p.secret)
	if err != nil {
		return nil, err
	}
	return &peerGrant{
		Mode: "post", Key: key, Method: "POST", URL: signed.URL, Fields: fields, Location: signed.URL + "/" + key,
		Expires: now.Add(lifetime), ExpiresIn: int(lifetime / time.Second), Ticket: token,
	}, nil
}
