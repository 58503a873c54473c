// Package foreign_test holds what S3 servers were seen to do, each answer with what
// is there after it. The table of providers rests on these.
package foreign_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

var ctx = context.Background()

// content is the file that is uploaded, unless another is.
const content = "hello, world"

// fact is something that servers do. It gets a key to work with, where nothing is,
// and which the signer may put.
type fact struct {
	name string
	try  func(t *testing.T, s *site, key string) string
	want results
}

// results are what the servers were seen to do: versitygw 1.8.0, MinIO of February
// 2026, Ceph 16.2.15 and 18.2.7, SeaweedFS 4.53. Where one is empty, the server does
// what versitygw does; where ceph18 is, what Ceph 16 does.
type results struct{ versitygw, minio, ceph, ceph18, seaweedfs string }

func everywhere(result string) results { return results{versitygw: result} }

func (r results) of(s *foreign.Server) string {
	switch s.Name {
	case foreign.MinIO:
		return cmp.Or(r.minio, r.versitygw)
	case foreign.Ceph:
		if !strings.HasPrefix(s.Version, "16.") {
			return cmp.Or(r.ceph18, r.ceph, r.versitygw)
		}
		return cmp.Or(r.ceph, r.versitygw)
	case foreign.SeaweedFS:
		return cmp.Or(r.seaweedfs, r.versitygw)
	}
	return r.versitygw
}

func check(t *testing.T, facts []fact) {
	s := newSite(t)
	for n, f := range facts {
		t.Run(f.name, func(t *testing.T) {
			require.Equal(t, f.want.of(s.Server), f.try(t, s, fmt.Sprintf("in/%d", n)))
		})
	}
}

// site is a server with a bucket, and those who use it.
type site struct {
	*foreign.Server
	root   *s3.Client
	signer aws.Credentials // may put under "in/", and nothing else
	shared aws.Credentials // may do everything
}

func newSite(t testing.TB) *site {
	s := foreign.Start(t)
	signer, err := s.PutOnlyUser(ctx, "in/")
	require.NoError(t, err)
	putOnly, err := signer.Retrieve(ctx)
	require.NoError(t, err)
	return &site{
		Server: s,
		root:   s.Client(),
		signer: putOnly,
		shared: aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey},
	}
}

// user adds a user who may do some actions with every key, and list the bucket if
// lists is true.
func (s *site) user(t testing.TB, lists bool, actions ...string) *s3.Client {
	var allowed []s3test.Permission
	for _, action := range actions {
		allowed = append(allowed, s3test.Permission{Action: action, Keys: "*"})
	}
	if lists {
		allowed = append(allowed, s3test.Permission{Action: "s3:ListBucket"})
	}
	id, secret := "USER"+rand.Text()[:16], rand.Text()
	require.NoError(t, s.AddUser(ctx, id, secret, allowed...))
	return s.ClientFor(credentials.NewStaticCredentialsProvider(id, secret, ""))
}

// put stores an object, and returns its ETag.
func (s *site) put(t testing.TB, key, body string) string {
	out, err := s.root.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.Bucket, Key: &key, Body: readerOf(body)})
	require.NoError(t, err)
	return aws.ToString(out.ETag)
}

// stored is what there is under a key: its bytes, or "nothing".
func (s *site) stored(t testing.TB, key string) string {
	out, err := s.root.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if said(err) == "404 NoSuchKey" {
		return "nothing"
	}
	require.NoError(t, err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(body)
}

// head looks at an object, its checksums included.
func (s *site) head(t testing.TB, key string) *s3.HeadObjectOutput {
	out, err := s.root.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key, ChecksumMode: "ENABLED"})
	require.NoError(t, err)
	return out
}

// said is what a server answered: "200" for all that is well, or the status and
// the code of its error document.
func said(err error) string {
	var response *awshttp.ResponseError
	var document smithy.APIError
	switch {
	case err == nil:
		return "200"
	case errors.As(err, &response) && errors.As(err, &document):
		return fmt.Sprintf("%d %s", response.HTTPStatusCode(), document.ErrorCode())
	}
	return err.Error()
}

// answer is what a server said to a request that was signed here.
type answer struct {
	status int
	code   string
	header http.Header
}

func (a answer) String() string {
	if a.code == "" {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprintf("%d %s", a.status, a.code)
}

func sha256Of(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}
