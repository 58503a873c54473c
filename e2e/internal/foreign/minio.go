package foreign

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/s3test"
)

// startMinIO runs MinIO on one folder.
func startMinIO() (*process, error) {
	program, err := built("minio")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	webhook, err := freeAddress()
	if err != nil {
		return nil, err
	}
	g, err := newGroup(MinIO)
	if err != nil {
		return nil, err
	}
	p := &process{
		endpoint:        "http://" + address,
		accessKeyID:     s3test.DefaultAccessKeyID,
		secretAccessKey: s3test.DefaultSecretAccessKey,
		group:           g,
		webhook:         webhook,
	}
	admin := minioAdmin{p.endpoint, aws.Credentials{AccessKeyID: p.accessKeyID, SecretAccessKey: p.secretAccessKey}}
	p.users = admin
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := g.start(
		append(minioWebhook(webhook, g.path("events")),
			"MINIO_ROOT_USER="+p.accessKeyID,
			"MINIO_ROOT_PASSWORD="+p.secretAccessKey,
			"MINIO_BROWSER=off",
			"MINIO_UPDATE=off",
		),
		program, "server", "--address", address, g.path("data"))
	if err == nil {
		// Its own health checks say yes before it knows users.
		err = server.ready(ctx, func(ctx context.Context) bool {
			return admin.call(ctx, http.MethodGet, "list-users", nil, nil) == nil
		})
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return p, nil
}

// minioAdmin is MinIO's admin API, version 3. Users have policies of their own; a
// bucket's policy cannot name them.
type minioAdmin struct {
	endpoint string
	root     aws.Credentials
}

func (m minioAdmin) add(ctx context.Context, s *Server, accessKeyID, secretAccessKey string, allowed []s3test.Permission) error {
	account, err := json.Marshal(map[string]string{"secretKey": secretAccessKey, "status": "enabled"})
	if err != nil {
		return err
	}
	sealed, err := sealForMinIO(m.root.SecretAccessKey, account)
	if err != nil {
		return err
	}
	if err := m.call(ctx, http.MethodPut, "add-user", url.Values{"accessKey": {accessKeyID}}, sealed); err != nil {
		return err
	}
	if len(allowed) == 0 {
		return nil
	}
	document, err := json.Marshal(policy{Version: policyVersion, Statement: allow(s.Bucket, nil, allowed)})
	if err != nil {
		return err
	}
	if err := m.call(ctx, http.MethodPut, "add-canned-policy", url.Values{"name": {accessKeyID}}, document); err != nil {
		return err
	}
	return m.call(ctx, http.MethodPut, "set-user-or-group-policy",
		url.Values{"policyName": {accessKeyID}, "userOrGroup": {accessKeyID}, "isGroup": {"false"}}, nil)
}

func (m minioAdmin) call(ctx context.Context, method, name string, query url.Values, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, method, m.endpoint+"/minio/admin/v3/"+name+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	return signAndSend(r, body, m.root, "s3")
}

// sealForMinIO encrypts what MinIO's admin API demands encrypted, by a key made of
// the caller's secret. The result is
//
//	salt (32) | 2 for PBKDF2 and AES-256-GCM (1) | nonce (8) | segments
//
// with one segment, the last. A segment's nonce ends in its number; segment 0 is
// the associated data of all others, after a byte that marks the last.
func sealForMinIO(secret string, plain []byte) ([]byte, error) {
	out := make([]byte, 32+1+8)
	_, _ = rand.Read(out)
	out[32] = 2
	key, err := pbkdf2.Key(sha256.New, secret, out[:32], 8192, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := func(segment uint32) []byte { return binary.LittleEndian.AppendUint32(out[33:41:41], segment) }
	associated := gcm.Seal([]byte{0x80}, nonce(0), nil, nil)
	return gcm.Seal(out, nonce(1), plain, associated), nil
}
