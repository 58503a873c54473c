package sessions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/observe/audit"
	"github.com/postern-go/postern/quota"
	"github.com/postern-go/postern/s3test"
	"github.com/postern-go/postern/sts"
)

func TestASessionsFilesHaveReceipts(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	q := s.session(t, "ada", `{"files":10,"bytes":20000000}`)
	require.EqualValues(t, 10, q.MaxFiles)
	require.EqualValues(t, 20_000_000, q.MaxBytes)
	require.Equal(t, []string{"*/*"}, q.Types)
	require.Equal(t, staging+"sessions/"+q.ID+"/", q.Prefix)
	require.InDelta(t, 3600, q.ExpiresIn, 5)

	one, two := picture(t, 1), picture(t, 2)
	q.put(t, "a.png", "image/png", one)
	q.put(t, "holiday/2026/b c+ü.png", "image/png", two)
	report := s.reconcile(t)
	require.Equal(t, 2, report.Completed, "%+v", report)

	got := map[string]postern.Receipt{}
	for _, r := range s.got() {
		require.Equal(t, "ada", r.Subject)
		require.Equal(t, "acme", r.Tenant)
		require.Equal(t, "image/png", r.Type)
		require.Equal(t, []string{postern.SubjectAccount("acme", "ada")}, r.Accounts)
		got[r.Filename] = r
	}
	require.Len(t, got, 2)
	require.Regexp(t, `^final/ada/[0-9a-f-]{36}\.png$`, got["a.png"].Key)
	require.Regexp(t, `^final/ada/holiday/2026/[0-9a-f-]{36}\.png$`, got["b c+ü.png"].Key)
	require.Equal(t, one, s.content(t, got["a.png"].Key))
	require.Equal(t, two, s.content(t, got["b c+ü.png"].Key))
	require.Empty(t, s.keys(t, q.Prefix))

	require.Equal(t, postern.ReconcileReport{Why: map[string]int{}}, s.reconcile(t))
	require.Len(t, s.got(), 2)
}

func TestAnEventCompletesAFileOfASession(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	q := s.session(t, "ada", `{"bytes":10000}`)
	key := q.put(t, "a.png", "image/png", picture(t, 1))
	r, err := s.Issuer().CompleteObject(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "ada", r.Subject)
	_, err = s.Issuer().CompleteObject(t.Context(), key) // twice, or late
	require.ErrorIs(t, err, postern.ErrObjectMissing)
	require.Len(t, s.got(), 1)
}

// Every replica makes the same upload of a file, whose key the policy was asked for by
// chance.
func TestReplicasFindOneFile(t *testing.T) {
	if _, ok := foreign.Asked(); ok {
		replicasFindOneFile(t, newSite(t, postern.SessionLimits{}))
		return
	}
	// One for each way to freeze.
	for _, p := range []postern.Provider{postern.AmazonS3, postern.MinIO, postern.CloudflareR2, postern.Garage, postern.BackblazeB2} {
		t.Run(string(p), func(t *testing.T) {
			lock := &oneLock{}
			replicasFindOneFile(t, newSiteAt(t, foreign.Embedded(t, s3test.Like(p)), p, postern.SessionLimits{}, postern.WithLocker(lock)))
		})
	}
}

// oneLock is one lock for all names and replicas.
type oneLock struct{ mutex sync.Mutex }

func (l *oneLock) Lock(ctx context.Context, _ string) (context.Context, func(), error) {
	l.mutex.Lock()
	return ctx, l.mutex.Unlock, nil
}

func replicasFindOneFile(t *testing.T, s *site) {
	q := s.session(t, "ada", `{"bytes":10000}`)
	key := q.put(t, "a.png", "image/png", picture(t, 1))
	var wg sync.WaitGroup
	for range 4 {
		h := s.replica(t)
		wg.Go(func() { _, _ = h.Issuer().CompleteObject(t.Context(), key) })
	}
	wg.Wait()
	s.reconcile(t)
	require.Len(t, s.keys(t, final), 1)
	require.NotEmpty(t, s.got())
	for _, r := range s.got() {
		require.Equal(t, s.got()[0].ID, r.ID)
		require.Equal(t, s.got()[0].Key, r.Key)
	}
	usage, err := s.store.Usage(t.Context(), postern.SubjectAccount("acme", "ada"), "session/"+q.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, usage[0].Files)
	require.EqualValues(t, 1, usage[1].Uploads)
}

func TestAFileWhoseHookFailsIsTheSameNextTime(t *testing.T) {
	var tried []postern.Receipt
	s := newSite(t, postern.SessionLimits{})
	s.fail = func(r *postern.Receipt) error {
		if tried = append(tried, *r); len(tried) == 1 {
			return errors.New("the database is down")
		}
		return nil
	}
	q := s.session(t, "ada", `{"bytes":1000}`)
	q.put(t, "a.txt", "text/plain", []byte("a few words"))
	require.Equal(t, map[string]int{"completion_failed": 1}, s.reconcile(t).Why)
	s.Handler = s.replica(t) // of which nothing rests
	require.Equal(t, 1, s.reconcile(t).Completed)
	require.Len(t, tried, 2)
	require.Equal(t, tried[0].ID, tried[1].ID)
	require.Equal(t, tried[0].Key, tried[1].Key)
	require.Equal(t, []string{tried[0].Key}, s.keys(t, final))
}

func TestWhatASessionWritesAgainIsNotItsFile(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	q := s.session(t, "ada", `{"bytes":10000}`)
	first := picture(t, 1)
	key := q.put(t, "a.png", "image/png", first)
	r, err := s.Issuer().CompleteObject(t.Context(), key)
	require.NoError(t, err)

	q.put(t, "a.png", "image/png", picture(t, 2))
	_, err = s.Issuer().CompleteObject(t.Context(), key)
	require.ErrorIs(t, err, postern.ErrObjectConflict)
	report := s.reconcile(t)
	require.Equal(t, map[string]int{"object_conflict": 1}, report.Why)
	require.Equal(t, 1, report.Removed)

	q.put(t, "a.png", "image/png", first) // the same once more, as retries do
	report = s.reconcile(t)
	require.Equal(t, 1, report.Completed, "%+v", report)
	got := s.got()
	require.Len(t, got, 2)
	require.True(t, got[1].Replayed)
	require.Equal(t, r.ID, got[1].ID)
	require.Equal(t, []string{r.Key}, s.keys(t, final))
	require.Equal(t, first, s.content(t, r.Key))
	require.Empty(t, s.keys(t, q.Prefix))
}

func TestFilesThatASessionDoesNotAllowAreRemoved(t *testing.T) {
	s := newSite(t, postern.SessionLimits{}, postern.WithSizeLimit(10, 1<<20), postern.WithContentTypes("image/*", "text/plain"))
	for name, tc := range map[string]struct {
		file, contentType string
		content           []byte
		code              string
	}{
		"too large":              {"a.png", "image/png", make([]byte, 1<<20+1), "size_too_large"},
		"too small":              {"a.png", "image/png", []byte("tiny"), "size_too_small"},
		"another type":           {"a.zip", "application/zip", []byte("PK\x03\x04 and so on"), "type_not_allowed"},
		"a type that is run":     {"a.svg", "image/svg+xml", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "type_not_allowed"},
		"no type":                {"a.png", "application/octet-stream", picture(t, 1), "type_not_allowed"},
		"several types":          {"a.png", "image/png, text/html", picture(t, 1), "type_invalid"},
		"a type that is not its": {"a.png", "image/png", []byte("<!DOCTYPE html><script>alert(1)</script>"), "content_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			q := s.session(t, "ada-"+rand.Text(), `{"bytes":3000000}`)
			q.put(t, tc.file, tc.contentType, tc.content)
			report := s.reconcile(t)
			require.Equal(t, map[string]int{tc.code: 1}, report.Why)
			require.Equal(t, 1, report.Removed)
			require.Empty(t, s.keys(t, q.Prefix))
			require.Empty(t, s.keys(t, final))
			require.Equal(t, tc.code, s.refused()[len(s.refused())-1].Code)
		})
	}
	require.Empty(t, s.got())
}

func TestASessionBringsNoMoreThanItSaid(t *testing.T) {
	s := newSite(t, postern.SessionLimits{Files: 3, Bytes: 1000})
	q := s.session(t, "ada", `{}`)
	for _, name := range []string{"a", "b", "c", "d"} {
		q.put(t, name+".txt", "text/plain", []byte("a few words"))
	}
	report := s.reconcile(t)
	require.Equal(t, 3, report.Completed)
	require.Equal(t, map[string]int{"files_exceeded": 1}, report.Why)

	q = s.session(t, "ada", `{"bytes":100}`)
	q.put(t, "a.txt", "text/plain", bytes.Repeat([]byte("word "), 18))
	q.put(t, "b.txt", "text/plain", bytes.Repeat([]byte("word "), 18))
	report = s.reconcile(t)
	require.Equal(t, 1, report.Completed)
	require.Equal(t, map[string]int{"quota_exceeded": 1}, report.Why)

	require.Equal(t, http.StatusBadRequest, s.ask("ada", `{"files":4}`).Code)
	require.Equal(t, http.StatusRequestEntityTooLarge, s.ask("ada", `{"bytes":1001}`).Code)
}

func TestASessionIsReservedAsAWhole(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	account := postern.SubjectAccount("acme", "ada")
	uses := func(want quota.Usage) {
		t.Helper()
		usage, err := s.store.Usage(t.Context(), account)
		require.NoError(t, err)
		require.Equal(t, want, usage[0])
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, s.ask("ada", `{}`).Code) // 10 GiB of 100 MiB
	uses(quota.Usage{})
	q := s.session(t, "ada", `{"bytes":1000}`)
	uses(quota.Usage{Reserved: 1000, Uploads: 1})
	q.put(t, "a.txt", "text/plain", []byte("a few words"))
	s.reconcile(t)
	uses(quota.Usage{Reserved: 1000, Uploads: 1, Bytes: 11, Files: 1})
}

func TestFilesOfASessionThatHasEndedAreStillCompleted(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	q := s.session(t, "ada", `{"bytes":1000}`)
	q.put(t, "a.txt", "text/plain", []byte("a few words"))
	s.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	report := s.reconcile(t)
	require.Equal(t, 1, report.Completed, "%+v", report)
	require.Len(t, s.got(), 1)

	s.now = func() time.Time { return time.Now().Add(40 * 24 * time.Hour) }
	s.reconcile(t)
	require.Empty(t, s.keys(t, staging))
}

func TestNobodyButTheAuthorizedHasASession(t *testing.T) {
	s := newSite(t, postern.SessionLimits{Bytes: 1000})
	require.Equal(t, http.StatusUnauthorized, s.ask("", `{}`).Code)
	require.Equal(t, http.StatusForbidden, s.ask("ada", `{}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").Code)
	require.Equal(t, http.StatusBadRequest, s.ask("ada", `{"files":-1}`).Code)
	require.Equal(t, http.StatusUnsupportedMediaType, s.ask("ada", `{}`, "Content-Type", "text/plain").Code)
	require.Empty(t, s.keys(t, staging))

	q := s.session(t, "ada", `{}`)
	d := s.decisions[len(s.decisions)-1]
	require.Equal(t, postern.ActionSession, d.Action)
	require.Equal(t, postern.OutcomeGranted, d.Outcome)
	require.Equal(t, q.ID, d.ID)
	require.Contains(t, s.log.String(), q.ID)
	require.NotContains(t, s.log.String(), q.SecretAccessKey)
	if q.SessionToken != "" {
		require.NotContains(t, s.log.String(), q.SessionToken)
	}
}

func TestPartsThatAreNeverPutTogetherAreGivenUp(t *testing.T) {
	s := newSiteAt(t, foreign.Embedded(t), postern.VersityGW, postern.SessionLimits{}) // MinIO lists none
	q := s.session(t, "ada", `{"bytes":1000}`)
	_, err := q.client().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &q.Bucket, Key: aws.String(q.Prefix + "a.txt")})
	require.NoError(t, err)
	require.Zero(t, s.reconcile(t).Removed)
	s.now = func() time.Time { return time.Now().Add(26 * time.Hour) }
	require.Equal(t, 1, s.reconcile(t).Removed)
}

func TestTheServicesRefusalIsToldWithoutSecrets(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	p, err := sts.New(sts.Config{ // the embedded server has no service, MinIO's knows another secret
		Region: s.srv.Region, Endpoint: s.srv.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(s.srv.AccessKeyID, "another-secret", ""),
	})
	require.NoError(t, err)
	_, err = p.Session(t.Context(), postern.SessionRequest{ID: "0", Policy: "{}", Lifetime: time.Hour})
	var refused *sts.Error
	require.ErrorAs(t, err, &refused)
	require.GreaterOrEqual(t, refused.Status, 400)
	require.NotEmpty(t, refused.Code)
	require.NotContains(t, err.Error(), "another-secret")
}

func TestTheSDKUploadsInParts(t *testing.T) {
	s := newSite(t, postern.SessionLimits{}, postern.WithSizeLimit(1, 50<<20))
	q := s.session(t, "ada", `{"bytes":50000000}`)
	client, key := q.client(), q.Prefix+"film.bin"
	begun, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: &q.Bucket, Key: &key, ContentType: aws.String("application/octet-stream"),
	})
	require.NoError(t, err)
	file := make([]byte, 6<<20)
	_, _ = rand.Read(file)
	var parts []types.CompletedPart
	for n, part := range [][]byte{file[:5<<20], file[5<<20:]} {
		number := aws.Int32(int32(n + 1))
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: &q.Bucket, Key: &key, UploadId: begun.UploadId, PartNumber: number, Body: bytes.NewReader(part),
		})
		require.NoError(t, err)
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: number, ChecksumCRC32: out.ChecksumCRC32})
	}
	_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &q.Bucket, Key: &key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	require.NoError(t, err)
	report := s.reconcile(t)
	require.Equal(t, 1, report.Completed, "%+v", report)
	require.Len(t, s.got(), 1)
	require.Equal(t, file, s.content(t, s.got()[0].Key))
}

func TestRcloneCopiesAFolder(t *testing.T) {
	s := newSite(t, postern.SessionLimits{}, postern.WithSizeLimit(1, 50<<20))
	q := s.session(t, "ada", `{"bytes":50000000}`)
	dir := t.TempDir()
	large := make([]byte, 12<<20)
	_, _ = rand.Read(large)
	files := map[string][]byte{
		"a.png": picture(t, 1), "notes/one.txt": []byte("a few words"), "notes/2026/ü b.txt": []byte("a few more words"), "large.bin": large,
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	style := "false"
	if q.PathStyle {
		style = "true"
	}
	cmd := exec.CommandContext(t.Context(), "rclone", "copy", "--config", "/dev/null", "--retries", "1", "--no-check-dest",
		"--s3-no-head", "--s3-no-check-bucket", "--s3-upload-cutoff", "6Mi", "--s3-chunk-size", "5Mi",
		dir, ":s3:"+q.Bucket+"/"+strings.TrimSuffix(q.Prefix, "/"))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, "RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENV_AUTH=true", "RCLONE_S3_ENDPOINT="+q.Endpoint,
		"RCLONE_S3_REGION="+q.Region, "RCLONE_S3_FORCE_PATH_STYLE="+style,
		"AWS_ACCESS_KEY_ID="+q.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+q.SecretAccessKey, "AWS_SESSION_TOKEN="+q.SessionToken)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	report := s.reconcile(t)
	require.Equal(t, len(files), report.Completed, "%+v\n%s", report, out)
	for _, r := range s.got() {
		found := false
		for name, content := range files {
			if filepath.Base(name) == r.Filename {
				found = true
				require.Equal(t, content, s.content(t, r.Key), name)
			}
		}
		require.True(t, found, r.Filename)
	}
	require.Empty(t, s.keys(t, q.Prefix))
}

func TestAFileOfASessionWaitsForAVerdict(t *testing.T) {
	s := newSite(t, postern.SessionLimits{}, postern.WithInspector(func(context.Context, *postern.Object) (postern.Verdict, error) {
		return postern.Undecided(), nil
	}))
	q := s.session(t, "ada", `{"bytes":1000}`)
	q.put(t, "a.txt", "text/plain", []byte("a few words"))
	q.put(t, "b.txt", "text/plain", []byte("bad words"))
	require.Equal(t, map[string]int{"inspection_pending": 2}, s.reconcile(t).Why)
	ids := map[string]string{} // by the content
	for _, d := range s.decisions {
		if d.Outcome == postern.OutcomePending {
			ids[string(s.content(t, d.Key))] = d.ID
		}
	}
	require.Len(t, ids, 2)
	r, err := s.Issuer().Release(t.Context(), ids["a few words"])
	require.NoError(t, err)
	require.Equal(t, ids["a few words"], r.ID)
	require.NoError(t, s.Issuer().Reject(t.Context(), ids["bad words"], postern.ErrContentRejected))
	require.Len(t, s.got(), 1)
	require.Equal(t, []string{r.Key}, s.keys(t, final))
	require.Empty(t, s.keys(t, q.Prefix))

	q.put(t, "b.txt", "text/plain", []byte("bad words"))
	s.now = func() time.Time { return time.Now().Add(time.Hour) } // it has rested
	require.Equal(t, 1, s.reconcile(t).Removed)
	require.Equal(t, []string{r.Key}, s.keys(t, final))
}

// failing is a provider that does not give what it must.
type failing func() (aws.Credentials, error)

func (f failing) Session(context.Context, postern.SessionRequest) (aws.Credentials, error) {
	return f()
}

func TestAProviderThatFailsGivesNothingAndReservesNothing(t *testing.T) {
	good := aws.Credentials{AccessKeyID: "id", SecretAccessKey: "a-secret", SessionToken: "a-token", CanExpire: true, Expires: time.Now().Add(time.Hour)}
	change := func(fn func(*aws.Credentials)) failing {
		return func() (aws.Credentials, error) {
			c := good
			fn(&c)
			return c, nil
		}
	}
	for name, provider := range map[string]failing{
		"an error":    func() (aws.Credentials, error) { return good, errors.New("down") },
		"a panic":     func() (aws.Credentials, error) { panic("lost") },
		"no secret":   change(func(c *aws.Credentials) { c.SecretAccessKey = "" }),
		"no end":      change(func(c *aws.Credentials) { c.CanExpire = false }),
		"a late end":  change(func(c *aws.Credentials) { c.Expires = time.Now().Add(2 * time.Hour) }),
		"an end past": change(func(c *aws.Credentials) { c.Expires = time.Now().Add(-time.Second) }),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, postern.SessionLimits{})
			s.options[len(s.options)-1] = postern.WithSessions(provider, postern.SessionLimits{})
			s.Handler = s.replica(t)
			w := s.ask("ada", `{"bytes":1000}`)
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Contains(t, w.Body.String(), "credentials_unavailable")
			require.NotContains(t, w.Body.String()+s.log.String(), "a-secret")
			require.NotContains(t, w.Body.String()+s.log.String(), "a-token")
			usage, err := s.store.Usage(t.Context(), postern.SubjectAccount("acme", "ada"))
			require.NoError(t, err)
			require.Equal(t, quota.Usage{Full: usage[0].Full}, usage[0])
			require.Empty(t, s.keys(t, staging))
		})
	}
}

func TestTheAuditLogHasSessions(t *testing.T) {
	var lines bytes.Buffer
	log := audit.New(&lines)
	s := newSite(t, postern.SessionLimits{}, postern.WithObserver(log.Observe))
	q := s.session(t, "ada", `{"bytes":1000}`)
	q.put(t, "a.txt", "text/plain", []byte("a few words"))
	q.put(t, "a.html", "text/html", []byte("<html>"))
	s.reconcile(t)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(audit.Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	all := strings.Split(strings.TrimSpace(lines.String()), "\n")
	require.Len(t, all, 3)
	for _, line := range all {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(v), line)
	}
}
