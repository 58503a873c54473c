package command_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

func with(env map[string]string, name, value string) map[string]string {
	env = maps.Clone(env)
	env[name] = value
	return env
}

func TestHelpNamesEveryCommandThatThePageHas(t *testing.T) {
	page, err := os.ReadFile("../../docs/command.md")
	require.NoError(t, err)
	r := run(t, nil, "", "help")
	require.Equal(t, 0, r.status)
	for _, name := range []string{"doctor", "cors", "iam", "lifecycle", "explain", "ticket", "sweep", "reconcile"} {
		require.Contains(t, r.out, "postern "+name)
		require.Contains(t, string(page), "postern "+name, "the page")
		help := run(t, nil, "", "help", name)
		require.Equal(t, 0, help.status)
		require.Contains(t, help.out, "postern "+name)
	}
	require.Equal(t, 2, run(t, nil, "", "doktor").status)
	require.Equal(t, 2, run(t, nil, "", "doctor", "-nothing").status)
}

func TestDoctorTellsMachinesAndPeople(t *testing.T) {
	s := newSite(t, foreign.Embedded(t, s3test.WithCORSOrigins("https://www.example.com")))
	r := run(t, s.env(), "", "doctor", "-json")
	require.Equal(t, 1, r.status, r.errors)
	var got struct {
		OK       bool
		Findings []postern.Finding
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.False(t, got.OK)
	results := map[string]postern.CheckResult{}
	for _, f := range got.Findings {
		results[f.Check] = f.Result
		if f.Result == postern.CheckFailed {
			require.NotEmpty(t, f.Advice, f.Check)
		}
	}
	require.Equal(t, postern.CheckFailed, results["cors.put"])
	require.Equal(t, postern.CheckOK, results["signer.read"])
	require.Equal(t, postern.CheckOK, results["cleanup"])

	table := run(t, s.env(), "", "doctor")
	require.Equal(t, 1, table.status)
	require.Regexp(t, `(?m)^FAILED +cors\.put +`, table.out)
	require.Contains(t, table.out, `"AllowedOrigins": ["https://app.example.com"]`)
	require.Empty(t, s.keys(t), "nothing is left")
}

// An identity that may do more than it must is found.
func TestDoctorFindsASignerThatMayTooMuch(t *testing.T) {
	s := newSite(t, foreign.Start(t))
	env := s.env()
	env["POSTERN_SIGNING_ACCESS_KEY_ID"], env["POSTERN_SIGNING_SECRET_ACCESS_KEY"] = s.AccessKeyID, s.SecretAccessKey
	r := run(t, env, "", "doctor")
	require.Equal(t, 1, r.status, r.out)
	for _, check := range []string{"signer.read", "signer.list", "signer.delete", "signer.elsewhere"} {
		require.Regexp(t, `(?m)^FAILED +`+strings.ReplaceAll(check, ".", `\.`), r.out)
	}
	require.Contains(t, r.out, `"Resource": "arn:aws:s3:::`+s.Bucket+`/staging/*"`)
	require.Empty(t, s.keys(t), "nothing is left")
}

// What the server is taken to do, and does not, is found.
func TestDoctorFindsAServerThatIsAnother(t *testing.T) {
	s := newSite(t, foreign.Embedded(t, s3test.Like(postern.DigitalOceanSpaces)))
	r := run(t, with(s.env(), "POSTERN_PROVIDER", "amazon-s3"), "", "doctor")
	require.Equal(t, 1, r.status, r.out)
	require.Regexp(t, `(?m)^FAILED +conditions`, r.out)
	require.Contains(t, r.out, "bucket.Abilities = &postern.Abilities{")
}

func TestDocumentsAreAppliedBesideWhatIsThere(t *testing.T) {
	s := newSite(t, foreign.Embedded(t, s3test.WithCORSOrigins("https://www.example.com")))
	printed := run(t, s.env(), "", "cors")
	require.Equal(t, 0, printed.status, printed.errors)
	require.True(t, json.Valid([]byte(printed.out)))

	r := run(t, s.env(), "", "cors", "-apply")
	require.Equal(t, 0, r.status, r.out+r.errors)
	require.Contains(t, r.out, `+       "https://app.example.com"`)
	out, err := s.Client().GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: &s.Bucket})
	require.NoError(t, err)
	require.Len(t, out.CORSRules, 2)
	require.Equal(t, []string{"https://www.example.com"}, out.CORSRules[0].AllowedOrigins)
	require.Equal(t, 0, run(t, s.env(), "", "doctor").status, "it is mended")

	again := run(t, s.env(), "", "cors", "-apply")
	require.Equal(t, 0, again.status, again.errors)
	require.Contains(t, again.out, "nothing changes")
}

func TestDocumentsAreThoseOfTheProvider(t *testing.T) {
	s := newSite(t, foreign.Embedded(t))
	for provider, want := range map[string][3]string{
		"amazon-s3":     {`"x-amz-*"`, "AbortIncompleteMultipartUpload", "aws iam put-user-policy"},
		"minio":         {"MINIO_API_CORS_ALLOW_ORIGIN=" + origin, `"Expiration"`, "mc admin policy"},
		"ceph-rgw":      {`"x-amz-*"`, "AbortIncompleteMultipartUpload", `"Deny"`},
		"cloudflare-r2": {`"x-amz-meta-postern-id"`, "AbortIncompleteMultipartUpload", "API token"},
	} {
		env := with(s.env(), "POSTERN_PROVIDER", provider)
		for k, name := range []string{"cors", "lifecycle", "iam"} {
			r := run(t, env, "", name)
			require.Equal(t, 0, r.status, r.errors)
			require.Contains(t, r.out, want[k], provider)
		}
	}
	require.Equal(t, 2, run(t, s.env(), "", "lifecycle").status, "versitygw has no rules")
}

// abandoned is a handler with an upload that has arrived, and whose browser is gone.
func (s *site) abandoned(t testing.TB, key []byte) (ticket string) {
	h, err := postern.New(s.bucket, postern.WithMode(postern.ModePut), postern.WithPromotion("staging/"), postern.WithTicketKeys(key),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error { u.Subject = "ada"; return nil }))
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u := s.obtain(t, server, &archive{}, "")
	r, text := u.request(t)
	status, answer := (&archive{}).exchange(t, r, text)
	require.Equal(t, 200, status, answer)
	return u.Ticket
}

func TestTicketIsOpenedByItsKey(t *testing.T) {
	s := newSite(t, foreign.Embedded(t))
	key := []byte("0123456789abcdef0123456789abcdef")
	ticket := s.abandoned(t, key)
	env := with(s.env(), "POSTERN_TICKET_KEYS", base64.StdEncoding.EncodeToString(key))
	r := run(t, env, ticket+"\n", "ticket")
	require.Equal(t, 0, r.status, r.errors)
	var content postern.TicketContent
	require.NoError(t, json.Unmarshal([]byte(r.out), &content))
	require.Equal(t, []any{"ada", "a.png", "image/png", int64(len(file)), false}, []any{content.Subject, content.Filename, content.Type, content.Size, content.Expired})
	require.True(t, strings.HasPrefix(content.WriteKey, "staging/"))

	require.Equal(t, 1, run(t, with(env, "POSTERN_TICKET_KEYS", base64.StdEncoding.EncodeToString(make([]byte, 32))), ticket, "ticket").status, "another key")
	require.Equal(t, 1, run(t, env, ticket[:len(ticket)-4], "ticket").status)
	require.Equal(t, 2, run(t, s.env(), ticket, "ticket").status, "no key")
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600))
	require.Equal(t, 0, run(t, s.env(), ticket, "ticket", "-ticket-key-file", path).status)
}

func TestSweepCompletesNothingAndReconcileTellsItsHook(t *testing.T) {
	s := newSite(t, foreign.Embedded(t))
	key := []byte("0123456789abcdef0123456789abcdef")
	s.abandoned(t, key)
	env := with(s.env(), "POSTERN_TICKET_KEYS", base64.StdEncoding.EncodeToString(key))
	before := s.keys(t)

	// Uploads are left to their browsers for a minute unless -min-age says otherwise.
	sweep := run(t, env, "", "sweep", "-min-age", "1ns")
	require.Equal(t, 0, sweep.status, sweep.errors)
	require.Contains(t, sweep.out, "0 completed, 0 aborted, 0 removed, 1 left")
	require.Equal(t, before, s.keys(t))

	dry := run(t, env, "", "reconcile", "-dry-run", "-min-age", "1ns")
	require.Equal(t, 0, dry.status, dry.errors)
	require.Contains(t, dry.out, "1 completed, 0 aborted, 0 removed, 0 left (dry run: nothing was done)")
	require.Equal(t, before, s.keys(t))

	require.Equal(t, 2, run(t, env, "", "reconcile").status, "receipts need a hook")
	lock := run(t, with(env, "POSTERN_PROVIDER", "wasabi"), "", "reconcile", "-hook", "true")
	require.Equal(t, 2, lock.status)
	require.Contains(t, lock.errors, "WithLocker")
	require.Equal(t, before, s.keys(t))
	path := filepath.Join(t.TempDir(), "receipt")
	r := run(t, env, "", "reconcile", "-min-age", "1ns", "-hook", "cat >"+path)
	require.Equal(t, 0, r.status, r.errors)
	require.Contains(t, r.out, "1 completed")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var receipt struct{ Key, Subject string }
	require.NoError(t, json.Unmarshal(text, &receipt))
	require.Equal(t, "ada", receipt.Subject)
	_, err = s.Client().HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &receipt.Key})
	require.NoError(t, err)
}

func TestReadinessFailsWithItsReason(t *testing.T) {
	s := newSite(t, foreign.Embedded(t, s3test.WithCORSOrigins("https://www.example.com")))
	check := func(origin string) error {
		i, err := postern.NewIssuer(s.bucket, postern.WithPromotion("staging/"))
		require.NoError(t, err)
		return i.Check(t.Context(), origin)
	}
	require.NoError(t, check(""))
	require.NoError(t, check("https://www.example.com"))
	require.ErrorIs(t, check(origin), postern.ErrOriginRefused)
	s.bucket.Name = "nowhere"
	require.ErrorIs(t, check(""), postern.ErrBucketMissing)
	require.ErrorContains(t, check(""), "NoSuchBucket")
	require.Empty(t, s.keys(t))
}
