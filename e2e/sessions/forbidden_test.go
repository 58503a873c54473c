package sessions_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/sigv4"
	"github.com/postern-go/postern/sts"
)

// statusOf is what a server has answered.
func statusOf(err error) int {
	var response *awshttp.ResponseError
	var service *sts.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &response):
		return response.HTTPStatusCode()
	case errors.As(err, &service):
		return service.Status
	}
	return 0
}

// attacker has a session, and knows where other things are.
type attacker struct {
	*s3.Client
	session
	bucket       *string
	own          *string // a file of its own
	others       *string // one of another session
	kept         *string // one that is final
	upload       *string // in parts, of its own, to own
	othersUpload *string // in parts, of another session, to others
}

// forbidden are calls that must be answered by 403.
var forbidden = []struct {
	name string
	call func(ctx context.Context, a *attacker) error
}{
	{"get its own file", func(ctx context.Context, a *attacker) error { return a.get(ctx, a.own) }},
	{"get another session's", func(ctx context.Context, a *attacker) error { return a.get(ctx, a.others) }},
	{"get a final object", func(ctx context.Context, a *attacker) error { return a.get(ctx, a.kept) }},
	{"get its ticket", func(ctx context.Context, a *attacker) error {
		return a.get(ctx, aws.String(staging+"session-tickets/"+a.ID))
	}},
	{"get a part of its own", func(ctx context.Context, a *attacker) error {
		_, err := a.GetObject(ctx, &s3.GetObjectInput{Bucket: a.bucket, Key: a.own, Range: aws.String("bytes=0-0")})
		return err
	}},
	{"head its own", func(ctx context.Context, a *attacker) error { return a.head(ctx, a.own) }},
	{"head a final object", func(ctx context.Context, a *attacker) error { return a.head(ctx, a.kept) }},
	{"the attributes of its own", func(ctx context.Context, a *attacker) error {
		_, err := a.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: a.bucket, Key: a.own, ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag}})
		return err
	}},
	{"list the bucket", func(ctx context.Context, a *attacker) error {
		_, err := a.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: a.bucket})
		return err
	}},
	{"list its prefix", func(ctx context.Context, a *attacker) error {
		_, err := a.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: a.bucket, Prefix: &a.Prefix})
		return err
	}},
	{"list in the old way", func(ctx context.Context, a *attacker) error {
		_, err := a.ListObjects(ctx, &s3.ListObjectsInput{Bucket: a.bucket})
		return err
	}},
	{"list versions", func(ctx context.Context, a *attacker) error {
		_, err := a.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: a.bucket})
		return err
	}},
	{"list uploads in parts", func(ctx context.Context, a *attacker) error {
		_, err := a.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: a.bucket})
		return err
	}},
	{"delete its own", func(ctx context.Context, a *attacker) error { return a.remove(ctx, a.own) }},
	{"delete another session's", func(ctx context.Context, a *attacker) error { return a.remove(ctx, a.others) }},
	{"delete a final object", func(ctx context.Context, a *attacker) error { return a.remove(ctx, a.kept) }},
	{"put over a final object", func(ctx context.Context, a *attacker) error { return a.putAt(ctx, *a.kept) }},
	{"put at the bucket's root", func(ctx context.Context, a *attacker) error { return a.putAt(ctx, "x") }},
	{"put as an upload of a browser", func(ctx context.Context, a *attacker) error {
		return a.putAt(ctx, staging+strings.Repeat("0", 32))
	}},
	{"put over another session's", func(ctx context.Context, a *attacker) error { return a.putAt(ctx, *a.others) }},
	{"put beside another session's", func(ctx context.Context, a *attacker) error { return a.putAt(ctx, *a.others+"2") }},
	{"put a prefix that begins alike", func(ctx context.Context, a *attacker) error {
		return a.putAt(ctx, strings.TrimSuffix(a.Prefix, "/")+"0/x")
	}},
	{"put over its ticket", func(ctx context.Context, a *attacker) error { return a.putAt(ctx, staging+"session-tickets/"+a.ID) }},
	{"put the ticket of a file", func(ctx context.Context, a *attacker) error {
		return a.putAt(ctx, staging+"tickets/"+strings.Repeat("0", 32))
	}},
	{"put a verdict", func(ctx context.Context, a *attacker) error {
		return a.putAt(ctx, staging+"verdicts/"+strings.Repeat("0", 32))
	}},
	{"copy a final object into its prefix", func(ctx context.Context, a *attacker) error { return a.copy(ctx, *a.kept, a.Prefix+"copy") }},
	{"copy another session's into its prefix", func(ctx context.Context, a *attacker) error { return a.copy(ctx, *a.others, a.Prefix+"copy") }},
	{"copy its own into its prefix", func(ctx context.Context, a *attacker) error { return a.copy(ctx, *a.own, a.Prefix+"copy") }},
	{"copy its own to a final key", func(ctx context.Context, a *attacker) error { return a.copy(ctx, *a.own, final+"copy") }},
	{"copy a final object as a part", func(ctx context.Context, a *attacker) error {
		_, err := a.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: a.bucket, Key: a.own, UploadId: a.upload, PartNumber: aws.Int32(1), CopySource: aws.String(*a.bucket + "/" + *a.kept),
		})
		return err
	}},
	{"begin parts elsewhere", func(ctx context.Context, a *attacker) error {
		_, err := a.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: a.bucket, Key: aws.String(final + "parts")})
		return err
	}},
	{"send a part of another session's", func(ctx context.Context, a *attacker) error {
		_, err := a.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: a.bucket, Key: a.others, UploadId: a.othersUpload, PartNumber: aws.Int32(1), Body: strings.NewReader("x"),
		})
		return err
	}},
	{"complete another session's parts", func(ctx context.Context, a *attacker) error {
		_, err := a.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: a.bucket, Key: a.others, UploadId: a.othersUpload,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("x")}}},
		})
		return err
	}},
	{"abort another session's parts", func(ctx context.Context, a *attacker) error {
		_, err := a.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: a.bucket, Key: a.others, UploadId: a.othersUpload})
		return err
	}},
	{"abort its own parts", func(ctx context.Context, a *attacker) error {
		_, err := a.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: a.bucket, Key: a.own, UploadId: a.upload})
		return err
	}},
	{"list its own parts", func(ctx context.Context, a *attacker) error {
		_, err := a.ListParts(ctx, &s3.ListPartsInput{Bucket: a.bucket, Key: a.own, UploadId: a.upload})
		return err
	}},
	{"tag its own", func(ctx context.Context, a *attacker) error {
		_, err := a.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: a.bucket, Key: a.own, Tagging: &types.Tagging{
			TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}},
	{"read the tags of its own", func(ctx context.Context, a *attacker) error {
		_, err := a.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: a.bucket, Key: a.own})
		return err
	}},
	{"open the access to its own", func(ctx context.Context, a *attacker) error {
		_, err := a.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: a.bucket, Key: a.own, ACL: types.ObjectCannedACLPublicRead})
		return err
	}},
	{"read who may read its own", func(ctx context.Context, a *attacker) error {
		_, err := a.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: a.bucket, Key: a.own})
		return err
	}},
	{"read the bucket's policy", func(ctx context.Context, a *attacker) error {
		_, err := a.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: a.bucket})
		return err
	}},
	{"write the bucket's policy", func(ctx context.Context, a *attacker) error {
		_, err := a.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: a.bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::` + *a.bucket + `/*"}]}`)})
		return err
	}},
	{"read the bucket's versioning", func(ctx context.Context, a *attacker) error {
		_, err := a.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: a.bucket})
		return err
	}},
	{"delete the bucket", func(ctx context.Context, a *attacker) error {
		_, err := a.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: a.bucket})
		return err
	}},
	{"make a bucket", func(ctx context.Context, a *attacker) error {
		_, err := a.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("mine-" + strings.ToLower(rand.Text()))})
		return err
	}},
	{"put by a form, elsewhere", func(ctx context.Context, a *attacker) error { return a.form(ctx, final+"form", nil) }},
	{"get by a presigned URL", func(ctx context.Context, a *attacker) error {
		signed, err := s3.NewPresignClient(a.Client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: a.bucket, Key: a.kept})
		if err != nil {
			return err
		}
		return plain(http.Get(signed.URL))
	}},
}

// Calls that only MinIO has.
var forbiddenAtMinIO = []struct {
	name string
	call func(ctx context.Context, a *attacker) error
}{
	{"a wider session from the service", func(ctx context.Context, a *attacker) error {
		p, err := sts.New(sts.Config{Region: a.Region, Endpoint: a.Endpoint, Credentials: a.credentials()})
		if err != nil {
			return err
		}
		_, err = p.Session(ctx, postern.SessionRequest{
			ID: strings.Repeat("0", 32), Lifetime: time.Hour,
			Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::*"}]}`,
		})
		return err
	}},
	{"a fan-out to other keys", func(ctx context.Context, a *attacker) error {
		return a.form(ctx, a.Prefix+"fan", map[string]string{"x-minio-fanout-list": `{"key":"` + final + `fan"}`})
	}},
}

func (q session) credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(q.AccessKeyID, q.SecretAccessKey, q.SessionToken)
}

func (a *attacker) get(ctx context.Context, key *string) error {
	_, err := a.GetObject(ctx, &s3.GetObjectInput{Bucket: a.bucket, Key: key})
	return err
}

func (a *attacker) head(ctx context.Context, key *string) error {
	_, err := a.HeadObject(ctx, &s3.HeadObjectInput{Bucket: a.bucket, Key: key})
	return err
}

func (a *attacker) remove(ctx context.Context, key *string) error {
	_, err := a.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: a.bucket, Key: key})
	return err
}

func (a *attacker) putAt(ctx context.Context, key string) error {
	_, err := a.PutObject(ctx, &s3.PutObjectInput{Bucket: a.bucket, Key: &key, Body: strings.NewReader("stolen")})
	return err
}

func (a *attacker) copy(ctx context.Context, from, to string) error {
	_, err := a.CopyObject(ctx, &s3.CopyObjectInput{Bucket: a.bucket, Key: &to, CopySource: aws.String(*a.bucket + "/" + from)})
	return err
}

// form posts a form that the session's credentials have signed.
func (a *attacker) form(ctx context.Context, key string, more map[string]string) error {
	signed, err := sigv4.NewSigner(a.Region).SignPost(
		sigv4.Credentials{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken},
		time.Now(), sigv4.Policy{Expires: time.Now().Add(time.Minute), Conditions: []sigv4.Condition{
			sigv4.Exact("bucket", a.session.Bucket), sigv4.Exact("key", key), sigv4.ContentLengthRange(1, 1000)}})
	if err != nil {
		return err
	}
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, f := range signed {
		_ = m.WriteField(f.Name, f.Value)
	}
	for name, value := range more {
		_ = m.WriteField(name, value)
	}
	file, _ := m.CreateFormFile("file", "file")
	_, _ = file.Write([]byte("stolen"))
	_ = m.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+"/"+a.session.Bucket, &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	return plain(http.DefaultClient.Do(r))
}

// plain makes an error of an answer that is none.
func plain(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode < 300 {
		return nil
	}
	return &sts.Error{Status: res.StatusCode, Message: string(text)}
}

// newAttacker has a session beside another, and all that is named in the table.
func newAttacker(t *testing.T, s *site) *attacker {
	others := s.session(t, "bob", `{"bytes":1000}`)
	q := s.session(t, "mallory", `{"bytes":1000}`)
	a := &attacker{Client: q.client(), session: q, bucket: &s.srv.Bucket, kept: aws.String(final + "kept")}
	a.others = aws.String(others.put(t, "a.txt", "text/plain", []byte("others")))
	a.own = aws.String(q.put(t, "a.txt", "text/plain", []byte("own")))
	_, err := s.srv.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: a.bucket, Key: a.kept, Body: strings.NewReader("kept")})
	require.NoError(t, err)
	begin := func(c *s3.Client, key *string) *string {
		out, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: a.bucket, Key: key})
		require.NoError(t, err)
		return out.UploadId
	}
	a.upload, a.othersUpload = begin(a.Client, a.own), begin(others.client(), a.others)
	return a
}

func TestASessionMayPutUnderItsPrefixAndDoNothingElse(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	a := newAttacker(t, s)
	before := s.keys(t, "")
	calls := forbidden
	if s.srv.Name == foreign.MinIO {
		calls = append(calls[:len(calls):len(calls)], forbiddenAtMinIO...)
	}
	require.GreaterOrEqual(t, len(calls), 30)
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(t.Context(), a)
			require.Equal(t, http.StatusForbidden, statusOf(err), "%v", err)
		})
	}
	require.Equal(t, before, s.keys(t, ""))
	require.Equal(t, "kept", string(s.content(t, *a.kept)))
	require.Equal(t, "others", string(s.content(t, *a.others)))
}

// What is answered otherwise changes nothing either.
func TestNoTrickLeavesTheSessionsPrefix(t *testing.T) {
	s := newSite(t, postern.SessionLimits{})
	a := newAttacker(t, s)
	before := outside(s.keys(t, ""), a.Prefix)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range []string{final + "tar", "../../../" + final + "tar", "/" + final + "tar"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: 6}))
		_, err := w.Write([]byte("stolen"))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	_, _ = a.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: a.bucket, Key: aws.String(a.Prefix + "a.tar"), Body: bytes.NewReader(archive.Bytes()),
		Metadata: map[string]string{"Snowball-Auto-Extract": "true", "Minio-Snowball-Prefix": strings.TrimSuffix(final, "/")},
	})
	for _, up := range []string{"../", "../../", "../../../"} {
		_ = a.putAt(t.Context(), a.Prefix+up+final+"up")
	}
	_, _ = a.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: a.bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: a.kept}, {Key: a.own}, {Key: a.others}}}})
	require.Equal(t, before, outside(s.keys(t, ""), a.Prefix))
	require.Contains(t, s.keys(t, ""), *a.own)
}

func outside(keys []string, prefix string) (all []string) {
	for _, key := range keys {
		if !strings.HasPrefix(key, prefix) {
			all = append(all, key)
		}
	}
	return all
}
